"""What can be asked of a running firewall: one method a request, run by the engine's thread.

Every answer is plain data and quickly made: a request never holds packets up for long.  What takes
time (names, units, JSON) happens in the control process.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fwemu.config import Config
from fwemu.core.choices import AtExpiry
from fwemu.core.instants import SECOND
from fwemu.core.policy import Policy
from fwemu.core.reasons import Reason
from fwemu.core.tcp_table import State
from fwemu.daemon.clock import Clock
from fwemu.daemon.datapath import Datapath
from fwemu.daemon.inject import Injector
from fwemu.daemon.journal import Journal
from fwemu.daemon.queue import PacketQueue
from fwemu.daemon.records import SessionRow, Statistics, row_of
from fwemu.daemon.schedule import FlushSchedule
from fwemu.daemon.tally import Tally

PAGE: Final = 500
"""Sessions listed in one go: well under a millisecond of the engine's time."""


_LISTING: Final = SECOND
"""How long the numbers of one listing are kept for its next page."""


class Request(NamedTuple):
    """A question to the engine: the name of a method of `Operations`, and its arguments."""

    name: str
    arguments: dict[str, Any]


class Reply(NamedTuple):
    """Its answer, or why there is none."""

    value: Any
    error: str | None = None


class SessionsPage(NamedTuple):
    """Some sessions in the order of their numbers, as of one instant."""

    now: int
    rows: list[SessionRow]
    following: int | None
    """The number to go on from; None if this is the last page."""


@dataclass(frozen=True)
class Flushes:
    """When the table is flushed by itself."""

    cron: tuple[str, ...] = ()
    intervals: tuple[int, ...] = ()
    """Nanoseconds."""


def flushes(config: Config) -> Flushes:
    """The flushes that are configured."""
    return Flushes(
        tuple(entry.schedule for entry in config.flush if entry.schedule is not None),
        tuple(entry.every.nanoseconds for entry in config.flush if entry.every is not None),
    )


def logged(config: Config) -> tuple[str, ...]:
    """The kinds of events that are to be logged."""
    return tuple(event.value for event in config.daemon.log_events)


class Operations:
    """The requests that a running datapath answers."""

    def __init__(
        self,
        datapath: Datapath,
        clock: Clock,
        queue: PacketQueue,
        injector: Injector,
        journal: Journal,
        tally: Tally,
        chance: random.Random,
        flushes: Flushes,
    ) -> None:
        self._datapath = datapath
        self._firewall = datapath.firewall
        self._clock = clock
        self._queue = queue
        self._injector = injector
        self._journal = journal
        self._tally = tally
        self._chance = chance
        self._flushes = flushes
        self._started = clock.now()
        self._listing: list[int] = []
        self._listed_until = 0
        self._requests: dict[str, Callable[..., Any]] = {
            "sessions": self.sessions,
            "count": self.count,
            "statistics": self.statistics,
            "flush": self.flush,
            "kill": self.kill,
            "kill_random": self.kill_random,
            "configure": self.configure,
        }

    def answer(self, request: Request) -> Reply:
        """Do what is asked."""
        return Reply(self._requests[request.name](**request.arguments))

    def sessions(self, after: int, limit: int) -> SessionsPage:
        """Up to `limit` (at most `PAGE`) sessions with numbers above `after`."""
        now, table = self._clock.now(), self._firewall.table
        limit = min(limit, PAGE)
        if after == 0 or now > self._listed_until:
            self._listing = table.numbers()
        self._listed_until = now + _LISTING
        page, following = table.page(self._listing, after, limit)
        if following is None and table.newest > (self._listing[-1] if self._listing else 0):
            self._listing = table.numbers()  # more were opened meanwhile
            page, following = table.page(self._listing, after, limit)
        return SessionsPage(now, [row_of(session) for session in page], following)

    def count(self) -> int:
        """Sessions in the table."""
        return len(self._firewall.table)

    def statistics(self) -> Statistics:
        """Everything that is counted."""
        firewall = self._firewall
        queue = self._queue.status()
        return Statistics(
            (self._clock.now() - self._started) / SECOND,
            {reason.word: firewall.packets[reason] for reason in Reason},
            {reason.word: firewall.octets[reason] for reason in Reason},
            {state.name: firewall.table.population[state] for state in State if state},
            firewall.policy.capacity,
            self._tally,
            queue.waiting,
            queue.dropped_full,
            queue.dropped_buffer,
            self._injector.failures,
        )

    def flush(self) -> int:
        """Empty the table; returns how many sessions that were."""
        count = len(self._firewall.table)
        self._datapath.carry_out(self._firewall.flush(self._clock.now()))
        return count

    def kill(self, numbers: Sequence[int], notify: AtExpiry) -> int:
        """End these sessions; returns how many of them there were."""
        before = len(self._firewall.table)
        self._datapath.carry_out(self._firewall.kill(numbers, self._clock.now(), notify))
        return before - len(self._firewall.table)

    def kill_random(self, share: float, notify: AtExpiry) -> int:
        """End this share (0 to 1) of all sessions, chosen by chance."""
        numbers = [session.id for session in self._firewall.table]
        return self.kill(self._chance.sample(numbers, round(len(numbers) * share)), notify)

    def configure(
        self, policy: Policy, flushes: Flushes, events: tuple[str, ...], changes: list[str]
    ) -> None:
        """Follow another policy and schedule from now on, and log these kinds of events."""
        now = self._clock.now()
        self._datapath.publish()
        self._journal.select(events)
        self._journal.note("configured", now, changes=changes)
        if flushes != self._flushes:  # else an interval would begin anew with every change
            self._flushes = flushes
            self._datapath.schedule = FlushSchedule(self._clock, flushes.cron, flushes.intervals)
        self._datapath.carry_out(self._firewall.reconfigure(policy, now))
