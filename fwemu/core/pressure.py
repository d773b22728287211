"""Pressure: a filling table shortens the idle timers of its sessions.

The queue of deadlines knows nothing of this: it holds the timers as they are without pressure.  So
while there is pressure two things are done besides: `handle` asks for the shortened timer of each
session that it looks up, and a walk over the whole table, some sessions at a time and at most once
a second, finds those that nobody asks about (pf purges in the same way).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwemu.core.choices import UnderPressure
from fwemu.core.expiry import Budget
from fwemu.core.instants import SECOND
from fwemu.core.policy import PressurePolicy
from fwemu.core.session import Session
from fwemu.core.table import SessionTable

WALK: Final = SECOND
"""From the end of one walk over the table to the next one."""


class Pressure:
    """How full a table is, and the shortened lifetimes that follow."""

    def __init__(self, policy: PressurePolicy, capacity: int) -> None:
        self._policy = policy
        self._start = policy.start * capacity
        self._stop = policy.stop * capacity
        self.is_on = False
        """True while timers are shortened."""
        self._filled = 0
        """Sessions in the table, times 100: to be compared with percents of the capacity."""
        self._walk: Iterator[int] | None = None
        self._next_walk = 0

    def counted(self, population: int, now: int) -> None:
        """Take note that the table holds this many sessions from now on."""
        policy = self._policy.policy
        if policy is UnderPressure.NONE:
            return
        self._filled = population * 100
        releases = self._stop if policy is UnderPressure.EARLY_AGEOUT else self._start
        is_on = self._filled >= (min(releases, self._start) if self.is_on else self._start)
        if is_on and not self.is_on:
            self._walk, self._next_walk = None, now
        self.is_on = is_on

    def cut(self, lifetime: int) -> int:
        """A lifetime as the present pressure shortens it."""
        policy = self._policy
        if policy.policy is UnderPressure.ACCELERATE:
            return lifetime // policy.factor
        if policy.policy is UnderPressure.EARLY_AGEOUT:
            return min(lifetime, policy.early_ageout)
        if self._filled >= self._stop:
            return 0
        return lifetime * (self._stop - self._filled) // (self._stop - self._start)

    def over(self, table: SessionTable, now: int, budget: Budget) -> Iterator[Session]:
        """The sessions quiet for longer than pressure allows, as far as `budget` reaches."""
        while self.is_on and now >= self._next_walk and budget.spend():
            if self._walk is None:
                self._walk = iter(table.numbers())
            number = next(self._walk, None)
            if number is None:
                self._walk, self._next_walk = None, now + WALK
                return
            session = table.get(number)
            if session is not None and now - session.restarted >= self.cut(session.lifetime):
                yield session

    def next_look(self) -> int | None:
        """The instant of the next walk; None without pressure."""
        return self._next_walk if self.is_on else None
