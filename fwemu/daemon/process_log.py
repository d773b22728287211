"""The log of the daemon's process: lines on its standard error.

In the background that is `output.log` of its run directory, which may be on a disk that is full:
nothing here ever fails, and nothing is said twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from typing import Final

_STDERR: Final = 2

_MOST: Final = 200
"""Different things that are said once each."""


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
        if about in self._said or len(self._said) > _MOST:
            return
        self._said.add(about)
        self.say(line if len(self._said) <= _MOST else "(nothing more is said of what fails)")

    def explain_once(self, line: str, error: BaseException) -> None:
        """Write one line and where the error comes from; an error of that place is told once."""
        trace = "".join(traceback.format_exception(error))
        last = traceback.extract_tb(error.__traceback__)[-1:]
        place = f"{last[0].filename}:{last[0].lineno}" if last else ""
        self.say_once(f"{type(error).__name__} {place}", f"{trace}{line}")


class OnceHandler(logging.Handler):
    """Has what libraries log (uvicorn, asyncio) said once: a client may cause it again."""

    def __init__(self, log: ProcessLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, unless it was said."""
        error = record.exc_info[1] if record.exc_info else None
        text = f"{record.name}: {record.getMessage().strip()}"
        if error is None:
            self._log.say_once(text, text)
        else:
            self._log.explain_once(text, error)
