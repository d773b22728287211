"""What can be asked of a running firewall: one method a request, run by the engine's thread.

Every answer is plain data and quickly made: a request never holds packets up for long.  What takes
time (names, units, JSON) happens in the control process.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fwemu.config import Config, DeviceLogFormat
from fwemu.core.choices import AtExpiry, PeerState
from fwemu.core.effects import Effect, SessionEnded, SessionOpened
from fwemu.core.instants import SECOND
from fwemu.core.policy import Policy
from fwemu.core.reasons import EndReason, Reason
from fwemu.core.standby import Standby
from fwemu.core.tcp_table import State
from fwemu.daemon.clock import Clock
from fwemu.daemon.datapath import Datapath
from fwemu.daemon.device_log import DeviceLog
from fwemu.daemon.fast_forward import Progress
from fwemu.daemon.inject import Injector
from fwemu.daemon.journal import Journal
from fwemu.daemon.queue import PacketQueue
from fwemu.daemon.records import SessionRow, Statistics, row_of, seconds
from fwemu.daemon.schedule import FlushSchedule
from fwemu.daemon.tally import Tally

PAGE: Final = 500
"""Sessions listed in one go: well under a millisecond of the engine's time."""


_LOOKS: Final = 256
"""Events that are played in one go: packets never wait for more."""

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


@dataclass(frozen=True)
class Pair:
    """What the peer of this firewall knows when it takes over."""

    state: PeerState = PeerState.NONE
    lag: int = 0
    """Nanoseconds."""

    @property
    def standby(self) -> Standby | None:
        """What keeps the changes that it hears of late; None if it hears of all at once."""
        return Standby(self.lag) if self.lag else None


def pair(config: Config) -> Pair:
    """The pair that is configured."""
    return Pair(config.standby.state, config.standby.lag.nanoseconds)


class TakenOver(NamedTuple):
    """What a failover has done to sessions."""

    kept: int
    """Those that the peer knew."""
    lost: int
    """Those that it did not know."""
    returned: int
    """Those that had ended, of which it had not heard."""


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
        device_log: DeviceLog,
        tally: Tally,
        chance: random.Random,
        flushes: Flushes,
        pair: Pair,
    ) -> None:
        self._datapath = datapath
        self._firewall = datapath.firewall
        self._clock = clock
        self._queue = queue
        self._injector = injector
        self._journal = journal
        self._device_log = device_log
        self._tally = tally
        self._chance = chance
        self._flushes = flushes
        self._pair = pair
        self._datapath.standby = pair.standby
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
            "advance": self.advance,
            "note": self.note,
            "fail_over": self.fail_over,
            "reboot": self.reboot,
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
        self._listed_until = now + _LISTING * self._clock.scale
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
            max(0, queue.waiting - self._datapath.held),
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

    def advance(self, to: int | None, watch: bool, singly: bool = False) -> Progress:
        """Let time pass until the instant `to`, event by event; None lets none pass.

        Stops where the firewall has said something, so that whoever hears it can answer in time:
        then `now` is before `to`.  `singly` stops wherever anything has happened.  With `watch`
        the next answer tells what has happened meanwhile.

        While somebody watches, a clock that is scaled runs as slowly as others: what is played
        takes real time, and sixty times that would be passed over.
        """
        datapath, clock = self._datapath, self._clock
        clock.run_at(1 if watch else clock.scale)
        datapath.observed = (
            ([] if datapath.observed is None else datapath.observed) if watch else None
        )
        looks = _LOOKS
        while to is not None and clock.now() < to and looks:
            due = datapath.next_event()
            clock.advance(max(0, min(to, to if due is None else due) - clock.now()))
            injected_count = datapath.injected_count
            datapath.on_time()
            looks -= 1
            if datapath.injected_count != injected_count or (singly and datapath.observed):
                break
        datapath.publish()
        happened, datapath.observed = datapath.observed or [], [] if watch else None
        return Progress(
            clock.now(),
            self._started,
            sum(self._firewall.packets),
            self._queue.status().waiting,
            happened,
        )

    def note(self, event: str, fields: dict[str, Any]) -> None:
        """Log what the control process has done at the ends."""
        self._datapath.publish()
        self._journal.note(event, self._clock.now(), **fields)

    def fail_over(self, state: PeerState, lag: int) -> TakenOver:
        """The peer takes over; it knows nothing, or what was so `lag` nanoseconds ago."""
        now = self._clock.now()
        peer = None
        if state is PeerState.SYNCHRONISED:
            peer = self._datapath.standby or Standby(0)
        effects = self._firewall.fail_over(now, peer, lag)
        lost = sum(
            type(effect) is SessionEnded and effect.reason is EndReason.FAILED_OVER
            for effect in effects
        )
        returned = sum(type(effect) is SessionOpened for effect in effects)
        done = TakenOver(len(self._firewall.table) - returned, lost, returned)
        self._datapath.publish()
        self._journal.note(
            "failed_over", now, state=state.value, lag_s=seconds(lag), **done._asdict()
        )
        self._carry_out_for_both(effects)
        return done

    def reboot(self, outage: int) -> int:
        """Forget everything, and be down for `outage` nanoseconds; returns how many it forgot."""
        now = self._clock.now()
        count = len(self._firewall.table)
        self._datapath.publish()
        self._journal.note("rebooting", now, outage_s=seconds(outage), sessions=count)
        self._carry_out_for_both(self._firewall.reboot(now, outage))
        return count

    def _carry_out_for_both(self, effects: tuple[Effect, ...]) -> None:
        """Both firewalls of the pair know of these at once."""
        self._datapath.carry_out(effects)
        if self._datapath.standby is not None:
            self._datapath.standby.synchronise()

    def configure(
        self,
        policy: Policy,
        flushes: Flushes,
        pair: Pair,
        events: tuple[str, ...],
        device_log: DeviceLogFormat,
        changes: list[str],
        flush: bool,
    ) -> None:
        """Follow another policy and schedule from now on; log these kinds of events, and what
        happens in the format of this device.

        With `flush` the table is emptied in the same step: no packet comes between.
        """
        now = self._clock.now()
        self._datapath.publish()
        self._journal.select(events)
        self._device_log.follow(device_log, policy, self._firewall.table)
        self._journal.note("configured", now, changes=changes, flushed=flush)
        if flushes != self._flushes:  # else an interval would begin anew with every change
            self._flushes = flushes
            self._datapath.schedule = FlushSchedule(self._clock, flushes.cron, flushes.intervals)
        if flush:
            self._datapath.carry_out(self._firewall.flush(now))
        self._datapath.carry_out(self._firewall.reconfigure(policy, now))
        if pair.lag != self._pair.lag:
            self._datapath.standby = pair.standby
        self._pair = pair
