"""The firewall's clock: monotonic, never backwards, and where it meets the time of day.

Every instant of the firewall is one of this clock: its log, `at_s` and the schedule of flushes are
in this time as well, which is not that of the wall once time was passed in a moment or is scaled.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """`now` is monotonic time plus an offset that only grows."""

    scale = 1
    """How many of its seconds pass in a real one."""

    def __init__(self) -> None:
        self._offset = 0
        self._epoch = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """This instant, in nanoseconds."""
        return time.monotonic_ns() + self._offset

    def advance(self, nanoseconds: int) -> None:
        """Let time have passed that has not; it never goes back."""
        assert nanoseconds >= 0
        self._offset += nanoseconds

    def run_at(self, rate: int) -> None:
        """Change how fast it runs, from now on; one that is not scaled has one rate only."""

    def wall(self, instant: int) -> datetime:
        """The time of day (UTC) of an instant of this clock."""
        return datetime.fromtimestamp((instant + self._epoch) / 1e9, UTC)

    def real(self) -> datetime:
        """The time of day (UTC) on the machine, which a fast-forward does not move."""
        return self.wall(time.monotonic_ns())

    def instant(self, wall: datetime) -> int:
        """The instant of this clock at a time of day."""
        return round(wall.timestamp() * 1e9) - self._epoch


class ScaledClock(Clock):
    """Runs `scale` times faster than the wall's, from the moment at which it is made.

    A class of its own, so that the usual clock does not pay for it with every packet.
    """

    def __init__(self, scale: int) -> None:
        assert scale >= 1
        super().__init__()
        self.scale = scale
        self._rate = scale
        self._real = time.monotonic_ns()
        self._base = self._real

    def now(self) -> int:
        """This instant, in nanoseconds."""
        return self._base + (time.monotonic_ns() - self._real) * self._rate + self._offset

    def run_at(self, rate: int) -> None:
        """Change how fast it runs, from now on: a fast-forward wants it slow."""
        real = time.monotonic_ns()
        self._base += (real - self._real) * self._rate
        self._real, self._rate = real, rate


def clock(scale: int = 1) -> Clock:
    """One that runs so many times faster than the wall's."""
    return Clock() if scale == 1 else ScaledClock(scale)
