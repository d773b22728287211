"""Serves the requests of `requests.py`: one method for each, run by the engine's thread.

Every answer is plain data and quickly made: a request never holds packets up for long.  What takes
time (names, units, JSON) happens in the control process.

An exception while a request is served is the answer to that request, and not the engine's end: a
request comes from outside, and a firewall that somebody can end by asking is none.  What is wrong
with a packet or a timer is another matter: that still ends the daemon.
"""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any, Final, assert_never

from fwemu.core.choices import AtExpiry, PeerState
from fwemu.core.effects import Effect, SessionEnded, SessionOpened
from fwemu.core.instants import SECOND
from fwemu.core.reasons import EndReason, Reason
from fwemu.core.standby import Standby
from fwemu.core.tcp_table import State
from fwemu.daemon.clock import Clock
from fwemu.daemon.datapath import Datapath
from fwemu.daemon.device_log import DeviceLog
from fwemu.daemon.engine_settings import Flushes, Pair
from fwemu.daemon.inject import Injector
from fwemu.daemon.journal import Journal
from fwemu.daemon.process_log import ProcessLog
from fwemu.daemon.readers import AnyQueue
from fwemu.daemon.records import Statistics, row_of, seconds
from fwemu.daemon.requests import (
    Advance,
    BeginFastForward,
    Configure,
    CountSessions,
    EndFastForward,
    FailOver,
    Flush,
    Kill,
    Killed,
    KillRandom,
    ListSessions,
    Note,
    Progress,
    ReadStatistics,
    Reboot,
    Reply,
    Request,
    SessionsPage,
    TakenOver,
)
from fwemu.daemon.schedule import FlushSchedule
from fwemu.daemon.tally import Tally

PAGE: Final = 500
"""Sessions listed in one go: well under a millisecond of the engine's time."""


_LOOKS: Final = 256
"""Events that are played in one go: packets never wait for more."""

_LISTING: Final = SECOND
"""How long the numbers of one listing are kept for its next page."""


class EngineRequests:
    """The requests that a running datapath answers."""

    def __init__(
        self,
        datapath: Datapath,
        clock: Clock,
        queue: AnyQueue,
        injector: Injector,
        journal: Journal,
        device_log: DeviceLog,
        tally: Tally,
        chance: random.Random,
        flushes: Flushes,
        pair: Pair,
        log: ProcessLog,
    ) -> None:
        self.failed = 0
        """Requests at which the engine failed."""
        self._log = log
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
        self._moving_since: tuple[int, datetime] | None = None
        """When the fast-forward under way began: by the firewall's clock, and by the machine's."""
        self._listing: list[int] = []
        self._listed_until = 0

    def answer(self, request: Request) -> Reply:
        """Serve a request."""
        try:
            return self._answer(request)
        except Exception as error:
            self.failed += 1
            name = type(request).__name__
            problem = f"{name}: the firewall failed at this request ({type(error).__name__})"
            self._log.explain_once(f"{problem}; it goes on", error)
            return Reply(None, f"{problem}: see the traceback in the log of its process")

    def _answer(self, request: Request) -> Reply:
        match request:
            case ListSessions(after, limit):
                return request.answered(self._sessions(after, limit))
            case CountSessions():
                return request.answered(len(self._firewall.table))
            case ReadStatistics():
                return request.answered(self._statistics())
            case Flush():
                return request.answered(self._flush())
            case Kill(numbers, notify):
                return request.answered(self._kill(numbers, notify))
            case KillRandom(share, notify):
                return request.answered(self._kill_random(share, notify))
            case Configure():
                self._configure(request)
                return request.answered(None)
            case Advance(to, watch, singly):
                return request.answered(self._advance(to, watch, singly))
            case Note(event, fields):
                self._note(event, fields)
                return request.answered(None)
            case FailOver(state, lag):
                return request.answered(self._fail_over(state, lag))
            case Reboot(outage):
                return request.answered(self._reboot(outage))
            case BeginFastForward(by):
                self._begin_fast_forward(by)
                return request.answered(None)
            case EndFastForward():
                self._end_fast_forward(request)
                return request.answered(None)
            case _:
                assert_never(request)

    def _sessions(self, after: int, limit: int) -> SessionsPage:
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

    def _statistics(self) -> Statistics:
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
            tuple(sink.losses.state for sink in self._datapath.sinks),
            self.failed,
        )

    def _flush(self) -> int:
        """Empty the table; returns how many sessions that were."""
        count = len(self._firewall.table)
        self._datapath.carry_out(self._firewall.flush(self._clock.now()))
        return count

    def _kill(self, numbers: tuple[int, ...], notify: AtExpiry) -> Killed:
        effects = self._firewall.kill(numbers, self._clock.now(), notify)
        self._datapath.carry_out(effects)
        killed = {
            effect.id
            for effect in effects
            if type(effect) is SessionEnded and effect.reason is EndReason.KILLED
        }
        missing = dict.fromkeys(number for number in numbers if number not in killed)
        return Killed(len(killed), tuple(missing))

    def _kill_random(self, share: float, notify: AtExpiry) -> Killed:
        """End this share (0 to 1) of all sessions, chosen by chance."""
        numbers = [session.id for session in self._firewall.table]
        chosen = self._chance.sample(numbers, round(len(numbers) * share))
        return self._kill(tuple(chosen), notify)

    def _advance(self, to: int | None, watch: bool, singly: bool) -> Progress:
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
            datapath.next_event() if self._firewall.policy.speaks_at_expiry else None,
        )

    def _begin_fast_forward(self, by: int) -> None:
        """The log says at which time of the machine's clock the firewall's leaves it."""
        self._datapath.publish()
        now = self._clock.now()
        self._moving_since = (now, self._clock.real())
        self._journal.note(
            "time_moving", now, by_s=seconds(by), real_time=_iso(self._moving_since[1])
        )

    def _end_fast_forward(self, done: EndFastForward) -> None:
        """And where the two stand now."""
        self._datapath.publish()
        now, clock = self._clock.now(), self._clock
        began, real_began = self._moving_since or (now, clock.real())
        self._moving_since = None
        real = clock.real()
        self._journal.note(
            "time_moved",
            now,
            **{"from": _iso(clock.wall(began)), "to": _iso(clock.wall(now))},
            advanced_s=seconds(now - began),
            real_from=_iso(real_began),
            real_to=_iso(real),
            wall_s=round((real - real_began).total_seconds(), 3),
            stopped_at=done.stopped_at,
            not_played=done.not_played,
            doubtful=done.doubtful,
        )

    def _note(self, event: str, fields: dict[str, Any]) -> None:
        """Log what the control process has done at the ends."""
        self._datapath.publish()
        self._journal.note(event, self._clock.now(), **fields)

    def _fail_over(self, state: PeerState, lag: int) -> TakenOver:
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

    def _reboot(self, outage: int) -> int:
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

    def _configure(self, request: Configure) -> None:
        now = self._clock.now()
        self._datapath.publish()
        self._journal.select(request.events)
        self._journal.name_rules(request.policy)
        self._device_log.follow(request.device_log, request.policy, self._firewall.table)
        self._journal.note("configured", now, changes=request.changes, flushed=request.flush)
        if request.flushes != self._flushes:  # else an interval would begin anew with every change
            self._flushes = request.flushes
            self._datapath.schedule = FlushSchedule(
                self._clock, request.flushes.cron, request.flushes.intervals
            )
        self._datapath.carry_out(
            self._firewall.reconfigure(
                request.policy, now, self._datapath.standby, flush=request.flush
            )
        )
        if request.pair.lag != self._pair.lag:
            self._datapath.standby = request.pair.standby
        self._pair = request.pair


def _iso(moment: datetime) -> str:
    """As `time` of every line in the log."""
    return moment.isoformat(timespec="microseconds")
