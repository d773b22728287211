"""Counts the losses of a sink, and says them in the log of the process.

A sink is whatever is told what the firewall does: a log, the counters.  None of them may change a
verdict: a disk that is full ends a log, not the firewall.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fwemu.daemon.process_log import ProcessLog

_SAYINGS: Final = 10
"""How often a sink's trouble begins before nothing more is said: that log is on a disk, too."""


class SinkState(NamedTuple):
    """The state of a sink."""

    sink: str
    lost: int
    """What it did not take: events, or metrics of a scrape."""
    problem: str | None
    """Why it takes nothing now; None while it does."""


SINKS: Final = ("counters", "log", "device_log", "metrics")
"""Who is told what happens; `metrics` are those of a scrape."""


class Losses:
    """The losses of one sink."""

    def __init__(self, sink: str, log: ProcessLog | None = None) -> None:
        self.sink = sink
        self.count = 0
        """Events that it did not take."""
        self.problem: str | None = None
        """Why; None while it takes everything."""
        self._log = ProcessLog() if log is None else log
        self._sayings = 0

    def add(self, error: Exception, count: int) -> None:
        """So many events are lost."""
        self.count += count
        if self.problem is None:
            self._sayings += 1
            if self._sayings <= _SAYINGS:
                self._say(error)
        self.problem = reason(error)

    def over(self) -> None:
        """It takes events again."""
        if self.problem is None:
            return
        self.problem = None
        if self._sayings <= _SAYINGS:
            self._log.say(f"{self.sink}: goes on; {self.count} events are lost until now")

    @property
    def state(self) -> SinkState:
        """As plain data."""
        return SinkState(self.sink, self.count, self.problem)

    def _say(self, error: Exception) -> None:
        line = (
            f"{self.sink}: {reason(error)}: what happens is not written there for now, but counted "
            "(`fwemu stats`); packets are decided as before"
        )
        if isinstance(error, OSError):
            self._log.say(line)
        else:
            self._log.explain_once(line, error)


def reason(error: Exception) -> str:
    """Half a sentence: `No space left on device`."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}".splitlines()[0]
