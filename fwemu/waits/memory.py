"""The memory of another process, as far as the arguments of its system calls need it."""

from __future__ import annotations

import os
import struct
from types import TracebackType
from typing import Final, Protocol

SECOND: Final = 1_000_000_000


class Readable(Protocol):
    """Octets at an address."""

    def read(self, address: int, size: int) -> bytes: ...


def octets_at(descriptor: int, address: int, size: int) -> bytes:
    """So many octets of an open /proc/PID/mem; OSError if they are not there."""
    try:
        octets = os.pread(descriptor, size, address)
    except OverflowError as error:  # kernel addresses are beyond off_t
        raise OSError(f"no memory at {address:#x}") from error
    if len(octets) < size:
        raise OSError(f"no memory at {address:#x}")
    return octets


class Memory:
    """The memory of a process; a context manager.  Raises OSError where we may not read it."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def read(self, address: int, size: int) -> bytes:
        """So many octets from an address on; OSError if they are not there."""
        return octets_at(self._descriptor, address, size)

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)


def timespec(memory: Readable, address: int) -> int:
    """Nanoseconds of a struct timespec with 64 bits a field."""
    seconds, nanoseconds = struct.unpack("=qq", memory.read(address, 16))
    return int(seconds * SECOND + nanoseconds)


def timeval(memory: Readable, address: int) -> int:
    """Nanoseconds of a struct timeval with 64 bits a field."""
    seconds, microseconds = struct.unpack("=qq", memory.read(address, 16))
    return int(seconds * SECOND + microseconds * 1000)
