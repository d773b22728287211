"""One travel in time, from its first instant to its last: whatever is due, in its order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from fwemu.core.effects import PacketInjected, SessionEnded, SessionOpened
from fwemu.core.flow import TCP
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.reasons import InjectedKind
from fwemu.daemon.fast_forward import StopOn
from fwemu.daemon.records import endpoints, seconds
from fwemu.daemon.requests import Advance, EngineClient, Progress
from fwemu.sockets import probe
from fwemu.sockets.still import held_still, is_running
from fwemu.virtual_time.found_sockets import PlayedSocket
from fwemu.virtual_time.outcome import Travelled

ROUNDING: Final = SECOND // 100
"""Sockets that are due within this time ask together: the kernel's own timers are no finer."""

_SETTLED: Final = 0.02
"""Seconds without a packet after which nothing more is to be expected."""

_PATIENCE: Final = 2.0
"""Seconds in which a probe must have come to the firewall, on a busy machine."""

LookAround = Callable[[int], list[PlayedSocket]]
"""Sockets that are not known yet, as of an instant."""


class Journey:
    """Plays the firewall behind `engine` and these sockets until an instant."""

    def __init__(
        self,
        engine: EngineClient,
        look_around: LookAround,
        travelled: Travelled,
        stop_on: frozenset[StopOn],
        until: int,
    ) -> None:
        self._engine = engine
        self._look_around = look_around
        self._travelled = travelled
        self._stop_on = stop_on
        self._until = until
        self._packets = 0
        self._has_new = True
        """There may be sockets that are not known yet."""
        self.sockets: list[PlayedSocket] = []
        self.now = 0
        self.is_cancelled = False

    def play(self, start: Progress) -> None:
        """Until the time is over, or something happens at which to stop."""
        self._take(start)
        while not self._is_over:
            if self._has_new:
                self._has_new = False
                self.sockets += self._look_around(self.now)
            self._advance(min(self._next(), self._until))
            due = self._next()
            if not self._is_over and due <= min(self.now, self._until):
                self._ask(due)
            elif self.now >= self._until and not self._has_new:
                break
        self._settle()
        self._find_lost()

    @property
    def _is_over(self) -> bool:
        return self.is_cancelled or self._travelled.stopped_at is not None

    def _next(self) -> int:
        """The instant at which a socket asks next."""
        return min((each.due for each in self.sockets), default=NEVER)

    # -- the firewall --

    def _advance(self, to: int) -> None:
        """Let the firewall do what it has to do up to that instant, and hear what came of it."""
        while True:
            progress = self._step(to)
            spoken = {
                effect.kind for effect in progress.happened if isinstance(effect, PacketInjected)
            }
            if InjectedKind.PROBE in spoken:  # whoever was asked must be able to answer in time
                self._settle()
            if spoken:
                self._find_lost()
            if self.now >= to or self._is_over or self._has_new:
                return

    def _step(self, to: int | None) -> Progress:
        singly = StopOn.SESSION_ENDED in self._stop_on
        progress = self._engine.ask(Advance(to, watch=True, singly=singly))
        self._take(progress)
        return progress

    def _take(self, progress: Progress) -> None:
        self.now, self._packets = progress.now, progress.packets
        for effect in progress.happened:
            if isinstance(effect, SessionEnded):
                self._travelled.sessions_ended.append(_ended(effect, progress))
                self._stop(StopOn.SESSION_ENDED)
            elif isinstance(effect, SessionOpened) and effect.flow.protocol == TCP:
                self._has_new = True

    def _stop(self, event: StopOn) -> None:
        if event in self._stop_on and self._travelled.stopped_at is None:
            self._travelled.stopped_at = event

    def _settle(self, done: Callable[[], bool] = lambda: False) -> None:
        """Until nothing is on its way any more, or something is `done`."""
        quiet_since = time.monotonic()
        packets = self._packets
        while not done() and time.monotonic() - quiet_since < _SETTLED:
            progress = self._step(None)
            if progress.waiting or progress.packets != packets:
                packets, quiet_since = progress.packets, time.monotonic()

    # -- the ends --

    def _ask(self, due: int) -> None:
        """Fire the timers of all sockets that are due about now."""
        asking: list[PlayedSocket] = []
        giving_up: list[PlayedSocket] = []
        for each in self.sockets:
            if each.due > due + ROUNDING or any(each.is_peer_of(other) for other in asking):
                continue
            if not any(is_running(pid) for pid in each.pids):
                each.let_go()
                continue
            info = each.info
            if each.is_closed:
                self._lose(each, "ECONNRESET")
            elif info.unacknowledged:  # as long as data is on its way, nobody asks
                each.heard, each.asked = self.now, 0
            elif each.keepalive.gives_up(each.due - each.heard, each.asked):
                giving_up.append(each)
            else:
                each.received = info.received
                asking.append(each)
        if asking:
            self._probe(asking)
        if giving_up:
            self._give_up(giving_up)

    def _probe(self, asking: list[PlayedSocket]) -> None:
        """Have the kernels of these ask, and see who is answered."""
        before = self._packets
        last = [each for each in asking if each.asks_for_the_last_time]
        _wait_until_quiet(last)
        with held_still(pid for each in asking for pid in each.pids):
            for each in asking:
                if each in last:
                    probe.fire_timer(each.tcp)
                    each.has_fired = True
                else:
                    probe.send_probe(each.tcp)
        self._await_packets(before + len(asking), asking)
        for each in asking:
            each.sent += 1
            each.asked += 1
            each.last_asked = self.now
        self._settle(lambda: all(each.has_heard for each in asking))
        for each in asking:
            self._conclude(each)

    def _await_packets(self, number: int, asking: list[PlayedSocket]) -> None:
        """Until the firewall has decided about so many packets, or nobody waits for an answer.

        Not every probe crosses it: two hosts of one side speak to each other without it.
        """
        deadline = time.monotonic() + _PATIENCE
        while self._packets < number and time.monotonic() < deadline:
            self._step(None)
            if all(each.has_heard for each in asking):
                return

    def _conclude(self, each: PlayedSocket) -> None:
        """What came of its question?"""
        if each.is_closed:
            self._lose(each, "ECONNRESET")
        elif each.has_heard:
            each.heard, each.asked = self.now, 0
            each.answered += 1
            each.restore()
        else:
            self._stop(StopOn.PROBE_UNANSWERED)

    def _give_up(self, giving_up: list[PlayedSocket]) -> None:
        """Their kernels end these connections, as their timers would have."""
        _wait_until_quiet(giving_up)
        with held_still(pid for each in giving_up for pid in each.pids):
            for each in giving_up:
                probe.give_up(each.tcp)
        deadline = time.monotonic() + _PATIENCE
        while not all(each.is_closed for each in giving_up) and time.monotonic() < deadline:
            time.sleep(0.001)
        for each in giving_up:
            if each.is_closed:
                self._lose(each, "ETIMEDOUT")
            else:
                each.is_over = True
                self._travelled.miss("the end of a connection without answers", **each.name)
        self._settle()  # each kernel has told the other end

    def _find_lost(self) -> None:
        """Which connections were ended by what the firewall has just said?"""
        for each in self.sockets:
            if not each.is_over and each.is_closed:
                self._lose(each, "ECONNRESET")

    def _lose(self, each: PlayedSocket, error: str) -> None:
        each.is_over = True
        self._travelled.connections_lost.append({**each.name, "error": error})
        self._stop(StopOn.CONNECTION_LOST)


def _wait_until_quiet(sockets: list[PlayedSocket]) -> None:
    """Until the timers of these can be made to fire; they all wait at once."""
    wait = max((probe.LEAST_IDLE - each.info.quiet for each in sockets), default=0)
    if wait > 0:
        time.sleep(wait / SECOND + 0.01)  # the kernel counts in jiffies


def _ended(effect: SessionEnded, progress: Progress) -> dict[str, Any]:
    return {
        "session": effect.id,
        **endpoints(effect.flow),
        "reason": effect.reason.word,
        "state": effect.state.name,
        "at_s": seconds(effect.at - progress.started),
        "idle_s": seconds(effect.at - effect.last_seen),
    }
