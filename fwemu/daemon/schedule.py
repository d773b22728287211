"""Work by the firewall's clock: scheduled flushes (the nightly clean-up), and timers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from cronsim import CronSim

from fwemu.core.effects import Effects
from fwemu.core.firewall import Firewall
from fwemu.daemon.clock import Clock


class FlushSchedule:
    """The next flush of several entries, each in cron notation or at an interval.

    `cron` entries follow the time of day in UTC, so that a lab behaves alike everywhere;
    `intervals` are nanoseconds counted from the start.
    """

    def __init__(
        self, clock: Clock, cron: Sequence[str] = (), intervals: Sequence[int] = ()
    ) -> None:
        self._clock = clock
        now = clock.now()
        self._coming: list[Iterator[int]] = [
            *(self._moments(entry, now) for entry in cron),
            *(itertools.count(now + interval, interval) for interval in intervals),
        ]
        self._due = [(next(instants), index) for index, instants in enumerate(self._coming)]

    def next_flush(self) -> int | None:
        """The instant of the next flush; None if there is none."""
        return min(self._due)[0] if self._due else None

    def take(self, now: int) -> int | None:
        """The instant of a flush that has come by `now`, the earliest; each is given once."""
        if not self._due:
            return None
        instant, index = min(self._due)
        if instant > now:
            return None
        self._due.remove((instant, index))
        self._due.append((next(self._coming[index]), index))
        return instant

    def _moments(self, entry: str, now: int) -> Iterator[int]:
        return (self._clock.instant(moment) for moment in CronSim(entry, self._clock.wall(now)))


def next_event(firewall: Firewall, schedule: FlushSchedule) -> int | None:
    """The instant at which the clock asks for something next; None if it never will."""
    instants = (firewall.next_deadline(), schedule.next_flush())
    return min((instant for instant in instants if instant is not None), default=None)


def due_effects(firewall: Firewall, schedule: FlushSchedule, now: int) -> Iterator[Effects]:
    """Do what the clock asks for by `now`: flushes, then the sessions that are due.

    The effects of each step come before the next one is taken.
    """
    while (instant := schedule.take(now)) is not None:
        yield firewall.flush(instant)
    yield firewall.tick(now)
