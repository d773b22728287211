"""The time that is played: the machine's, and what was passed over."""

from __future__ import annotations

import bisect
import time
from typing import Final

_REMEMBERED: Final = 100_000
"""Moves that are remembered, to know the played time of an instant in the past."""


class PlayedTime:
    """Nanoseconds of CLOCK_MONOTONIC and of what was passed over; never goes back."""

    def __init__(self) -> None:
        self.ahead = 0
        """How far it is ahead of the machine's."""
        self.stepped = 0
        """How much further the time of day is: it was passed over while programs stood still."""
        self._moved_at: list[int] = []
        self._ahead_then: list[int] = [0]

    @property
    def day_ahead(self) -> int:
        """How far the time of day is ahead of the machine's."""
        return self.ahead + self.stepped

    def now(self) -> int:
        return time.monotonic_ns() + self.ahead

    def move_to(self, instant: int) -> bool:
        """Pass over what lies between now and that instant; False if it is over already."""
        real = time.monotonic_ns()
        if instant - real <= self.ahead:
            return False
        self.ahead = instant - real
        self._moved_at.append(real)
        self._ahead_then.append(self.ahead)
        if len(self._moved_at) > _REMEMBERED:
            del self._moved_at[: _REMEMBERED // 2]
            del self._ahead_then[: _REMEMBERED // 2]
        return True

    def at(self, real: int) -> int:
        """The instant of this time at one of the machine's (CLOCK_MONOTONIC)."""
        return real + self._ahead_then[bisect.bisect_right(self._moved_at, real)]
