"""A lock on a directory for the whole machine; it ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def locked(directory: str | os.PathLike[str]) -> Iterator[int]:
    """Hold the lock of a directory (flock); yields its descriptor.

    Waits for whoever has it.  Raises FileNotFoundError where there is no such directory, also if
    it was removed meanwhile.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink == 0:
            raise FileNotFoundError(f"{directory} was removed")
        yield descriptor
    finally:
        os.close(descriptor)
