"""A file of lines that never grows beyond its limit; both logs are written to one.

When the file has reached its size it becomes `<name>.1`, in place of the one before, and a new one
begins.  Only whole lines are ever left in it, also where the disk is full in the middle of one.
"""

from __future__ import annotations

import contextlib
import os
from io import FileIO
from pathlib import Path


def rotated(path: Path) -> Path:
    """The path of the previous part."""
    return path.with_name(path.name + ".1")


class NotWrittenError(Exception):
    """The system did not take all lines."""

    def __init__(self, error: OSError, lines: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.lines = lines
        """How many are lost."""


class BoundedFile:
    """Appends whole lines to a file of at most `limit` octets; what is there already goes on."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._file: FileIO | None = None
        self._size = 0
        self._is_torn = False
        """Does it end within a line?"""

    def open(self) -> FileIO:
        """Open it, unless it is open; raises OSError."""
        if self._file is None:
            self._file = FileIO(self._path, "a")  # unbuffered: nothing waits in here
            self._size = self._file.seek(0, os.SEEK_END)
            self._is_torn = _ends_within_a_line(self._path)
        return self._file

    def append(self, lines: bytes | bytearray) -> None:
        """Whole lines, cut where the file is full: a mass expiry may be larger than a file.

        Raises NotWrittenError if the system does not take all of them; those before are written.
        """
        begin = 0
        try:
            while begin < len(lines):
                file = self.open()
                room = max(0, self._limit - self._size)
                end = lines.rfind(b"\n", begin, begin + room) + 1
                if end == 0 and self._size > 0:
                    self._rotate(file)
                    continue
                if end == 0:  # a line that is larger than a file gets one of its own
                    end = lines.index(b"\n", begin) + 1
                begin += self._write(file, bytes(memoryview(lines)[begin:end]))
        except OSError as error:
            raise NotWrittenError(error, lines.count(b"\n", begin)) from error

    def begin_anew(self) -> None:
        """Drop all that was written; whoever follows the file goes on with the new one."""
        self.close()
        rotated(self._path).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self.open()

    def close(self) -> None:
        """Close the file; what was written stays."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def _write(self, file: FileIO, lines: bytes) -> int:
        """Write as many whole lines as the system takes; raises OSError if it takes none."""
        if self._is_torn:
            self._size += file.write(b"\n") or 0
            self._is_torn = False
        done = 0
        try:
            while done < len(lines):
                done += file.write(lines[done:]) or 0
        except OSError:
            whole = lines.rfind(b"\n", 0, done) + 1
            if done > whole:
                self._tear_off(file, self._size + whole, done - whole)
            if whole == 0:
                raise
            done = whole
        self._size += done
        return done

    def _tear_off(self, file: FileIO, size: int, rest: int) -> None:
        """Cut the beginning of a line off again, or remember that it is there."""
        try:
            file.truncate(size)
        except OSError:
            self._size += rest
            self._is_torn = True

    def _rotate(self, file: FileIO) -> None:
        self._path.replace(rotated(self._path))
        self.close()
        self.open()


def _ends_within_a_line(path: Path) -> bool:
    """True if the file ends in the middle of a line."""
    with FileIO(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) not in (b"", b"\n")
