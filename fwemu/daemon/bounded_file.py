"""A file of lines that never grows beyond its limit; both logs are written to one.

When the file has reached its size it becomes `<name>.1`, in place of the one before, and a new one
begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO


def rotated(path: Path) -> Path:
    """Where the part before the present one is."""
    return path.with_name(path.name + ".1")


class BoundedFile:
    """Appends whole lines to a file of at most `limit` octets; what is there already goes on."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._file: BinaryIO = path.open("ab")
        self._size = self._file.tell()

    def append(self, lines: bytes | bytearray) -> None:
        """Whole lines, cut where the file is full: a mass expiry may be larger than a file."""
        begin = 0
        while begin < len(lines):
            room = self._limit - self._size
            end = lines.rfind(b"\n", begin, begin + room) + 1
            if end == 0 and self._size > 0:
                self._rotate()
                continue
            if end == 0:  # a line that is larger than a file gets one of its own
                end = lines.index(b"\n", begin) + 1
            self._file.write(memoryview(lines)[begin:end])
            self._size += end - begin
            begin = end
        self._file.flush()

    def begin_anew(self) -> None:
        """Drop all that was written; whoever follows the file goes on with the new one."""
        self._file.close()
        rotated(self._path).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self._open_new()

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(rotated(self._path))
        self._open_new()

    def _open_new(self) -> None:
        self._file = self._path.open("wb")
        self._size = 0
