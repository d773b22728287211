"""The firewall's clock: monotonic, never backwards, and where it meets the time of day."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """`now` is monotonic time plus an offset that only grows."""

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

    def wall(self, instant: int) -> datetime:
        """The time of day (UTC) of an instant of this clock."""
        return datetime.fromtimestamp((instant + self._epoch) / 1e9, UTC)

    def instant(self, wall: datetime) -> int:
        """The instant of this clock at a time of day."""
        return round(wall.timestamp() * 1e9) - self._epoch
