"""Relays the output of a program, and keeps the end of it."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Final

KEPT: Final = 20
"""Lines of output that are kept for an error message."""

_PIECE: Final = 1 << 16

_writing = threading.Lock()
"""One line at a time, whoever writes it."""


class Relay:
    """A pipe for the output of one program; use `writer` as its stdout or stderr.

    What comes is written to the descriptor `target`: at once, or line by line behind a prefix.
    If nobody reads there any more, the program learns of it by SIGPIPE, as in a shell.
    """

    def __init__(self, target: int, prefix: str = "") -> None:
        self._target = target
        self._prefix = prefix.encode()
        self._lines: deque[bytes] = deque(maxlen=KEPT)
        self._rest = b""
        self._reader, self.writer = os.pipe()
        self._thread = threading.Thread(target=self._pass_on, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        """In a `with` block around the start of the program, whose copy of `writer` counts."""
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.writer)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until all writers have ended and all output is relayed."""
        self._thread.join(timeout)

    def last_line(self) -> str:
        """The last line that says something; "" if there was none."""
        said = [*self._lines, self._rest]
        lines = (line.decode(errors="replace").strip() for line in reversed(said))
        return next((line for line in lines if line), "")

    def _pass_on(self) -> None:
        try:
            while piece := os.read(self._reader, _PIECE):
                *lines, self._rest = (self._rest + piece).split(b"\n")
                if len(self._rest) > _PIECE:  # no text, or nobody's idea of a line
                    lines, self._rest = [*lines, self._rest], b""
                self._lines.extend(lines)
                if self._prefix:
                    self._write(b"".join(self._prefix + line + b"\n" for line in lines))
                else:
                    self._write(piece)
            if self._prefix and self._rest:
                self._write(self._prefix + self._rest + b"\n")
        except OSError:  # nobody reads any more
            pass
        finally:
            os.close(self._reader)

    def _write(self, data: bytes) -> None:
        with _writing:
            while data:
                data = data[os.write(self._target, data) :]
