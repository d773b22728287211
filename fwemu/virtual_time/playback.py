"""One fast-forward, from its first instant to its last: whatever is due, in its order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from fwemu.core.effects import PacketInjected, SessionEnded, SessionOpened
from fwemu.core.flow import TCP
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.reasons import InjectedKind
from fwemu.daemon.records import endpoints, seconds
from fwemu.daemon.requests import Advance, EngineClient, Progress
from fwemu.daemon.stop_on import StopOn
from fwemu.sockets import probe
from fwemu.virtual_time.applications import Applications, NoApplications
from fwemu.virtual_time.found_sockets import OPENING, FoundSocket, Host
from fwemu.virtual_time.outcome import Outcome, Row

ROUNDING: Final = SECOND // 100
"""Sockets that are due within this time ask together: the kernel's own timers are no finer."""

_LEAST_IDLE: Final = SECOND
"""A new socket asks nothing before (TCP_KEEPIDLE is one second at least)."""

_STEPS: Final = 5000
"""Where more events than this are due at the firewall, the clocks of programs are moved for several
at once."""

_REST_TIMEOUT_S: Final = 20.0
"""Programs that do not come to rest in this time are not waited for any more."""

_ACKNOWLEDGING_TIMEOUT_S: Final = 1.0
"""So long data may be on its way on a busy machine: a kernel acknowledges after 200 ms at the
latest, and sooner if it is asked to."""

_JIFFY: Final = SECOND // 100
"""The tick by which a kernel counts what it has heard, at its longest."""

_SETTLED_S: Final = 0.02
"""Without a packet for so long nothing more is to be expected."""

_SETTLING_TIMEOUT_S: Final = 0.5
"""Applications that speak all the time are not waited for any longer."""

_ANSWER_TIMEOUT_S: Final = 1.0
"""So long an answer is waited for while other packets come all the time."""

_CROSSING_TIMEOUT_S: Final = 2.0
"""In this time a probe must have come to the firewall, on a busy machine."""

_ENDING_TIMEOUT_S: Final = 2.0
"""In this time a kernel that was made to give up must have done so."""

_PERSIST_WAIT_S: Final = 5.0
"""For the persist timer of a kernel that is to give up nobody waits longer: it cannot be made to
fire, and in reality half an hour or more passes by then."""

_CLOSING: Final = ("FIN_WAIT1", "CLOSING", "LAST_ACK")
"""States in which a FIN waits for its acknowledgement (RFC 9293)."""

_LAST_WORD_TIMEOUT_S: Final = 0.1
"""In this time a kernel must have told how a socket ended that nobody holds any more."""

FindSockets = Callable[[int], list[FoundSocket]]
"""Sockets that are not known yet, as of an instant."""


class Playback:
    """Plays the firewall behind `engine` and these hosts until an instant."""

    def __init__(
        self,
        engine: EngineClient,
        hosts: Iterable[Host],
        find_sockets: FindSockets,
        outcome: Outcome,
        stop_on: frozenset[StopOn],
        until: int,
        applications: Applications | None = None,
    ) -> None:
        self._engine = engine
        self._applications = applications or NoApplications()
        self._plays_applications = applications is not None
        self._hosts = list(hosts)
        self._find_sockets = find_sockets
        self._outcome = outcome
        self._stop_on = stop_on
        self._until = until
        self._packets = 0
        self._due: int | None = None
        self._rounding = ROUNDING
        self._is_noisy = False
        """Packets come all the time, whoever is waited for."""
        self._overdue: set[int] = set()
        """Sockets whose data is not acknowledged though that was waited for, by cookie."""
        self._traffic = b""
        """What the kernels of the hosts had counted when nothing was on its way."""
        self._has_new = True
        """There may be sockets that are not known yet."""
        self._found_at = -NEVER
        self.sockets: list[FoundSocket] = []
        self._opening: set[int] = set()
        """Cookies of connections that are being opened."""
        self._known: set[int] = set()
        """Their cookies."""
        self.now = 0
        self.is_cancelled = False

    def play(self, start: Progress) -> None:
        """Until the time is over, or something happens at which to stop."""
        self._take(start)
        self._rounding = max(ROUNDING, (self._until - self.now) // _STEPS)
        if self._plays_applications:
            self._wait_for_rest()  # who is at work just now finishes it before time is moved
        while not self._is_over:
            if self._has_new and self._must_find():
                self._find_new()
            self._advance(self._move_clocks(min(self._next(), self._until)))
            if self._applications.wake():
                self._come_to_rest()
            due = self._next()
            if not self._is_over and due <= min(self.now, self._until):
                lost = len(self._outcome.connections_lost)
                self._ask(due)
                if self._plays_applications and len(self._outcome.connections_lost) > lost:
                    self._come_to_rest()  # nobody else hears of a question
                else:
                    self._traffic = self._counted()
            elif self.now >= self._until:  # what is new is not due for a second at least
                break
        self._settle()
        self._find_ended()

    def _find_new(self) -> None:
        """Look for sockets that are not known yet, and forget those of which nothing is to tell."""
        self._has_new, self._found_at = False, self.now
        self.sockets = [
            each for each in self.sockets if each.sent or each.is_closing or not each.is_over
        ]
        self.sockets += self._find_sockets(self.now)
        self._known = {each.cookie for each in self.sockets}

    def _must_find(self) -> bool:
        """New sockets are looked for before so much time is passed over that one might ask."""
        to = min(self._next(), self._until, self._applications.due)
        return to >= self._found_at + _LEAST_IDLE

    def _move_clocks(self, to: int) -> int:
        """Set the clocks of the programs to the next instant of any event, and say which that is.

        They are set before the firewall does anything that they could hear of.
        """
        if not self._plays_applications:
            return to
        to = self._first(to)
        # Has a short wait ended by itself?  Then wait for what comes of it.
        if not self._is_noisy and self._counted() != self._traffic:
            self._come_to_rest()
            if self._is_over:
                return self.now
            to = self._first(min(self._next(), self._until))
        self._applications.move_to(to)
        return to

    def _first(self, to: int) -> int:
        """The next instant of any event, until then."""
        firewall = NEVER if self._due is None else self._due + self._rounding
        return max(self.now, min(to, self._applications.due, firewall))

    def _come_to_rest(self) -> None:
        """Until every program waits again, and nothing is on its way any more."""
        began = time.monotonic()
        self._wait_for_rest(self._packets)
        if self._has_new and not self._is_noisy:
            self._find_new()
        elif self._counted() == self._traffic:  # who has woken has said nothing to anybody
            return
        traffic = self._find_ended(began)
        patience = _SETTLED_S if self._is_noisy else _ACKNOWLEDGING_TIMEOUT_S
        deadline = time.monotonic() + patience
        # What is on its way may be nowhere to be seen: a busy kernel puts packets aside.  Its
        # sender knows of it.
        while waiting := self._unanswered():
            if time.monotonic() > deadline:
                self._overdue |= waiting
                break
            for each in self.sockets:
                if each.cookie in waiting:
                    self._acknowledge(each)
            self._wait_for_rest()
            traffic = self._find_ended(began)
        self._traffic = traffic

    def _wait_for_rest(self, before: int = -1) -> None:
        """Until every program waits again and no packet has come since there were so many."""
        deadline = time.monotonic() + _REST_TIMEOUT_S
        rested_at = 0.0
        self._applications.begin_to_rest()
        while True:
            is_at_rest = self._applications.are_at_rest()
            progress = self._step(None)
            is_quiet = not progress.waiting and progress.packets == before
            if is_at_rest and (is_quiet or self._is_noisy):
                return
            before, now = progress.packets, time.monotonic()
            rested_at = (rested_at or now) if is_at_rest else 0.0
            if rested_at and now - rested_at > _SETTLING_TIMEOUT_S:
                self._is_noisy = True  # those that never rest speak all the time
            elif now > deadline:
                self._applications.give_up_waiting()
                return

    def _unanswered(self) -> set[int]:
        """Sockets whose SYN, data or FIN is on its way, as far as it is likely that it arrives.

        By their cookies.
        """
        found = {
            each.cookie
            for each in self.sockets
            if each.is_closing or (not each.is_over and each.info.unacknowledged)
        }
        found |= self._opening
        self._overdue &= found
        return found - self._overdue

    def _acknowledge(self, sender: FoundSocket) -> None:
        """Have the kernel of the other end say now what it would say up to 200 ms later."""
        for each in self.sockets:
            if each.ends == sender.ends[::-1] and not each.is_over:
                each.acknowledge()

    @property
    def _is_over(self) -> bool:
        return self.is_cancelled or self._outcome.stopped_at is not None

    def _next(self) -> int:
        """The instant at which a socket asks next."""
        return min((each.due for each in self.sockets), default=NEVER)

    # -- the firewall --

    def _advance(self, to: int) -> None:
        """Let the firewall do what it has to do up to that instant, and hear what came of it."""
        while True:
            began = time.monotonic()
            progress = self._step(to)
            said = {
                effect.kind for effect in progress.happened if isinstance(effect, PacketInjected)
            }
            if InjectedKind.PROBE in said:  # whoever was asked must be able to answer in time
                self._settle()
            elif said and self._plays_applications:  # whoever hears it acts at this instant
                self._wait_for_rest()
            if said:
                self._find_ended(began)
            if self.now >= to or self._is_over or self._has_new:
                return

    def _step(self, to: int | None) -> Progress:
        singly = StopOn.SESSION_ENDED in self._stop_on
        progress = self._engine.ask(Advance(to, watch=True, singly=singly))
        self._take(progress)
        return progress

    def _take(self, progress: Progress) -> None:
        self.now, self._packets, self._due = progress.now, progress.packets, progress.due
        for effect in progress.happened:
            if isinstance(effect, SessionEnded):
                self._outcome.sessions_ended.append(self._ended(effect, progress))
                self._stop(StopOn.SESSION_ENDED)
            elif isinstance(effect, SessionOpened) and effect.flow.protocol == TCP:
                self._has_new = True

    def _ended(self, effect: SessionEnded, progress: Progress) -> Row:
        return {
            "session": effect.id,
            **endpoints(effect.flow),
            "reason": effect.reason.word,
            "state": effect.state.name,
            "at_s": seconds(effect.at - progress.started),
            "idle_s": seconds(effect.at - effect.idle_since),
            **self._outcome.verdict(effect.flow, effect.at),
        }

    def _stop(self, event: StopOn) -> None:
        if event in self._stop_on and self._outcome.stopped_at is None:
            self._outcome.stopped_at = event

    def _settle(
        self, done: Callable[[], bool] = lambda: False, timeout: float = _SETTLING_TIMEOUT_S
    ) -> None:
        """Until nothing is on its way any more, or something is `done`."""
        began = now = quiet_since = time.monotonic()
        packets = self._packets
        while now - quiet_since < _SETTLED_S and now - began < timeout and not done():
            progress = self._step(None)
            now = time.monotonic()
            if progress.waiting or progress.packets != packets:
                packets, quiet_since = progress.packets, now

    # -- the ends --

    def _ask(self, due: int) -> None:
        """Fire the timers of all sockets that are due about now, but not of two peers at once."""
        asking: list[FoundSocket] = []
        giving_up: list[FoundSocket] = []
        gone: list[FoundSocket] = []
        peers = set()
        for each in self.sockets:
            if each.due > due + ROUNDING or each.ends[::-1] in peers:
                continue
            if not each.refresh():
                gone.append(each)
            elif not self._is_ready(each):
                continue
            elif each.gives_up:
                giving_up.append(each)
            else:
                asking.append(each)
                peers.add(each.ends)
        self._conclude_gone(gone)
        if asking:
            self._probe(asking)
        if giving_up:
            self._give_up(giving_up)

    def _is_ready(self, each: FoundSocket) -> bool:
        """Is it really the one of its timers that is due?  What its kernel waits for may change."""
        was_blocked = each.blocked is not None
        each.block(self.now)
        if each.problem is not None:
            self._outcome.miss(each.problem, each.ends, **each.name)
        if each.connection.unacknowledged and each.blocked is None:
            each.heard, each.asked = self.now, 0  # as long as data is on its way, nobody asks
            return False
        if was_blocked and each.blocked is None:
            each.heard, each.asked = self.now, 0
            return False
        return each.due <= self.now + ROUNDING

    def _probe(self, asking: list[FoundSocket]) -> None:
        """Have the kernels of these ask, and see who is answered."""
        before = self._packets
        _wait_until_quiet([each for each in asking if each.needs_its_timer])
        unable = [each for each in asking if not each.ask()]
        for each in unable:
            asking.remove(each)
        self._conclude_gone(unable)
        if not asking:
            return
        waiting, gone = list(asking), []

        def is_answered() -> bool:
            while waiting:
                if not waiting[-1].refresh():
                    gone.append(waiting.pop())
                elif waiting[-1].has_heard:
                    waiting.pop()
                else:
                    return False
            return True

        self._await_packets(before + len(asking), is_answered)
        for each in asking:
            each.has_asked(self.now)
        self._settle(is_answered, _ANSWER_TIMEOUT_S)
        for each in asking:
            if each in waiting:
                self._stop(StopOn.PROBE_UNANSWERED)
            elif each not in gone:
                each.was_answered(self.now)
                each.restore()
        self._conclude_gone(gone)

    def _await_packets(self, number: int, is_answered: Callable[[], bool]) -> None:
        """Until the firewall has decided about so many packets, or nobody waits for an answer.

        Not every probe crosses it: two hosts of one side speak to each other without it.
        """
        deadline = time.monotonic() + _CROSSING_TIMEOUT_S
        while self._packets < number and time.monotonic() < deadline:
            self._step(None)
            if is_answered():
                return

    def _give_up(self, giving_up: list[FoundSocket]) -> None:
        """Their kernels end these connections, as their timers would have."""
        _wait_until_quiet([each for each in giving_up if each.blocked is None])
        able = [each for each in giving_up if _can_give_up(each)]
        for each in able:
            each.give_up()
        waits = [each.connection.timer_left for each in able if each.blocked is not None]
        deadline = time.monotonic() + max(waits, default=0) + _ENDING_TIMEOUT_S
        while able and time.monotonic() < deadline and not self.is_cancelled:
            time.sleep(0.001)
            able = [each for each in able if each.refresh()]
        for each in giving_up:
            now = each.host.sockets.again(each.connection)
            if now is None:
                self._lose(each, "ETIMEDOUT")
            elif now.inode:
                what = "the end of a connection without answers"
                self._outcome.miss(what, each.ends, **each.name)
                each.restore()
            each.is_over = True
        self._settle()  # each kernel has told the other end

    def _counted(self) -> bytes:
        """What the kernels of the hosts have counted of their traffic."""
        return b"".join(host.traffic.counted() for host in self._hosts)

    def _find_ended(self, since: float = 0.0) -> bytes:
        """Which connections are over: by what the firewall has just said, or otherwise?

        What the others have heard `since` that real instant they have heard now.  Returns what
        was counted of the traffic until then.
        """
        traffic = self._counted()
        heard_within = (time.monotonic() - since) * SECOND + _JIFFY if since else 0
        there = {each.cookie: each for host in self._hosts for each in host.sockets.now()}
        self._opening = {cookie for cookie, each in there.items() if each.state in OPENING}
        gone = []
        for each in self.sockets:
            if each.is_over and not each.is_closing:
                continue
            now = there.get(each.cookie)
            if now is None and each.is_over:
                each.is_closing = False
            elif now is None:
                gone.append(each)
            else:
                before = each.info.received
                each.take(now)
                if each.info.received != before and each.info.quiet <= heard_within:
                    each.has_heard_by_itself(self.now)
                if not now.inode:  # closed by its application, and its kernel sees to the rest
                    each.is_over = True
                    each.is_closing = now.state in _CLOSING
        self._conclude_gone(gone)
        return traffic

    def _conclude_gone(self, gone: list[FoundSocket]) -> None:
        """What became of these, which their kernels have no more?"""
        if not gone:
            return
        deadline = time.monotonic() + (0 if self._is_noisy else _LAST_WORD_TIMEOUT_S)
        waiting = gone
        while waiting:
            for host in self._hosts:
                host.listen(self._known)
            undecided = []
            for each in waiting:
                was_lost = each.was_lost
                each.is_over = was_lost is not None
                if was_lost:
                    self._lose(each, "ECONNRESET")
                elif was_lost is None:
                    undecided.append(each)
            waiting = undecided
            if time.monotonic() >= deadline:
                break
            if undecided:
                time.sleep(0.001)
        for each in waiting:
            each.is_over = True
            if each.is_held_closed:
                self._lose(each, "ECONNRESET")

    def _lose(self, each: FoundSocket, error: str) -> None:
        each.is_over = True
        self._outcome.connections_lost.append({**each.name, "error": error})
        self._stop(StopOn.CONNECTION_LOST)


def _wait_until_quiet(sockets: list[FoundSocket]) -> None:
    """Until the timers of these can be made to fire; they all wait at once."""
    wait = max((probe.LEAST_IDLE - each.info.quiet for each in sockets), default=0)
    if wait > 0:
        time.sleep(wait / SECOND + 0.01)  # the kernel counts in jiffies


def _can_give_up(each: FoundSocket) -> bool:
    """Does its kernel end it soon enough to wait for that?"""
    return each.blocked is None or each.connection.timer_left <= _PERSIST_WAIT_S
