"""The four system calls behind namespaces, as Python functions that raise OSError.

`os.setns` and `os.unshare` exist from Python 3.12 on, `mount` and `umount2` in no version: what
is missing is called through ctypes.  Nothing here knows about names or paths of namespaces.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

CLONE_NEWNS: Final = 0x00020000  # include/uapi/linux/sched.h
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
MNT_DETACH: Final = 2  # include/linux/fs.h
MS_NOSUID: Final = 1 << 1  # include/uapi/linux/mount.h
MS_NODEV: Final = 1 << 2
MS_BIND: Final = 1 << 12
MS_REC: Final = 1 << 14
MS_SHARED: Final = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)


def setns(descriptor: int, kind: int = CLONE_NEWNET) -> None:
    """Move the calling thread, and no other, into the namespace of the descriptor.

    With a user or mount namespace it has to be the only thread.
    """
    if hasattr(os, "setns"):
        os.setns(descriptor, kind)
    else:
        _check(_libc.setns(descriptor, kind), "setns")


def unshare(kinds: int) -> None:
    """Give the calling thread, and no other, new namespaces of these kinds (CLONE_NEW...).

    With a user namespace it has to be the only thread.
    """
    if hasattr(os, "unshare"):
        os.unshare(kinds)
    else:
        _check(_libc.unshare(kinds), "unshare")


def unshare_network() -> None:
    """Give the calling thread, and no other, a new and empty network namespace."""
    unshare(CLONE_NEWNET)


def mount(
    source: str, target: str, flags: int, kind: str = "none", options: str | None = None
) -> None:
    """mount(2); without a kind of file system: binding and changing propagation."""
    flags_word = ctypes.c_ulong(flags)
    data = options.encode() if options is not None else None
    _check(_libc.mount(source.encode(), target.encode(), kind.encode(), flags_word, data), target)


def unmount(target: str) -> None:
    """umount2(2), lazily: it succeeds while the mount is in use."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), target)


def _check(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
