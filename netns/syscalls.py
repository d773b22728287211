"""The four system calls behind network namespaces, as Python functions that raise OSError.

`os.setns` and `os.unshare` exist from Python 3.12 on, `mount` and `umount2` in no version: what
is missing is called through ctypes.  Nothing here knows about names or paths of namespaces.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

CLONE_NEWNET: Final = 0x40000000  # include/uapi/linux/sched.h
MNT_DETACH: Final = 2  # include/linux/fs.h
MS_BIND: Final = 1 << 12  # include/uapi/linux/mount.h
MS_REC: Final = 1 << 14
MS_SHARED: Final = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)


def setns(descriptor: int) -> None:
    """Move the calling thread, and no other, into the network namespace of the descriptor."""
    if hasattr(os, "setns"):
        os.setns(descriptor, CLONE_NEWNET)
    else:
        _check(_libc.setns(descriptor, CLONE_NEWNET), "setns")


def unshare_network() -> None:
    """Give the calling thread, and no other, a new and empty network namespace."""
    if hasattr(os, "unshare"):
        os.unshare(CLONE_NEWNET)
    else:
        _check(_libc.unshare(CLONE_NEWNET), "unshare")


def mount(source: str, target: str, flags: int) -> None:
    """mount(2) without a file system type: binding and changing propagation."""
    flags_word = ctypes.c_ulong(flags)
    _check(_libc.mount(source.encode(), target.encode(), b"none", flags_word, None), target)


def unmount(target: str) -> None:
    """umount2(2), lazily: it succeeds while the mount is in use."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), target)


def _check(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
