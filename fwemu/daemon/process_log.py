"""What the daemon says about itself: lines on its standard error.

In the background that is `output.log` of its run directory, which may be on a disk that is full:
nothing here ever fails, and nothing is said twice.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from typing import Final

_STDERR: Final = 2


class ProcessLog:
    """Lines for whoever looks why a firewall behaves as it does."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, line: str) -> None:
        """Write one line."""
        text = f"{line}\n".encode(errors="backslashreplace")
        with contextlib.suppress(OSError):  # not through sys.stderr: it would keep what it cannot
            os.write(_STDERR, text)  # write, and fail again with everything that follows

    def say_once(self, about: str, line: str) -> None:
        """Write one line, unless something was said about this already."""
        if about not in self._said:
            self._said.add(about)
            self.say(line)

    def explain_once(self, line: str, error: BaseException) -> None:
        """Write one line and where the error comes from; an error of that place is told once."""
        trace = "".join(traceback.format_exception(error))
        last = traceback.extract_tb(error.__traceback__)[-1:]
        place = f"{last[0].filename}:{last[0].lineno}" if last else ""
        self.say_once(f"{type(error).__name__} {place}", f"{trace}{line}")
