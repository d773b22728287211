"""Runs a command below a seccomp filter, as containers have one; needs CAP_SYS_ADMIN.

    python tests/kit/filtered.py unshare,mount COMMAND...

These system calls are answered by EPERM, as Docker's filter does, all others are let through.  What
the command starts has the filter as well (seccomp(2)).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

_NUMBERS: Final = {
    "x86_64": {"unshare": 272, "mount": 165, "pidfd_getfd": 438},
    "aarch64": {"unshare": 97, "mount": 40, "pidfd_getfd": 438},
}[platform.machine()]

_PR_SET_SECCOMP: Final = 22  # linux/prctl.h
_SECCOMP_MODE_FILTER: Final = 2  # linux/seccomp.h
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000

_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h: words, absolute; K


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def main(words: list[str]) -> None:
    """Become the command."""
    forbidden, *command = words
    numbers = [_NUMBERS[name] for name in forbidden.split(",")]
    rows = [(_LOAD, 0, 0, 0)]  # the number of the call is the first word (struct seccomp_data)
    for left, number in zip(reversed(range(len(numbers))), numbers, strict=True):
        rows.append((_IF_EQUAL, left + 1, 0, number))
    rows += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    code = b"".join(struct.pack("=HBBI", *row) for row in rows)
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(rows), code)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
