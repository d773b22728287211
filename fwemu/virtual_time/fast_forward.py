"""An hour in a moment: the time is played event by event, at the firewall and in the ends' kernels.

Moving the firewall's clock alone would be a lie: keepalives that the kernels would have sent in
that hour would be missing.  So the instants at which something is to happen are taken in their
order (`playback.py`): those of the firewall, and those of the keepalive timer, or the persist
timer, of every TCP socket in the hosts.  At each of these a real probe leaves the real kernel and
crosses the firewall.

The programs of the hosts live through it as well (`fwemu.applications`): their clocks are moved,
and a wait whose time has come ends.  Where that is not wanted, or a process is not among those
whose time is played, what it waited for is read before time passes (`programs.py`), and each
session whose fate might hang on that says so (`doubt.py`).  What cannot be played is told: data on
its way, connections that are being opened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Final, NamedTuple

from fwemu.applications.play import GRAIN, CannotPlayError, Player
from fwemu.core.flow import TCP, flow_of
from fwemu.core.instants import NEVER, SECOND
from fwemu.daemon.operations import PAGE
from fwemu.daemon.requests import (
    Advance,
    BeginFastForward,
    EndFastForward,
    EngineClient,
    ListSessions,
)
from fwemu.daemon.rundir import RunDirectory
from fwemu.daemon.stop_on import StopOn
from fwemu.errors import ConfigError, NamespaceError
from fwemu.sockets import probe
from fwemu.virtual_time.applications import PlayedApplications, record
from fwemu.virtual_time.asked_timers import AskedTimers
from fwemu.virtual_time.found_sockets import (
    Blocked,
    FoundSocket,
    Host,
    Unplayable,
    find_sockets,
)
from fwemu.virtual_time.other_clocks import crossing
from fwemu.virtual_time.outcome import Outcome, ends_of
from fwemu.virtual_time.playback import Playback
from fwemu.virtual_time.programs import Caller, Programs
from fwemu.virtual_time.scaled_sockets import HostPace
from netns import Namespace, sysctl
from netns.connections import Connection

_RATE_LIMIT: Final = "net.ipv4.tcp_invalid_ratelimit"
"""Milliseconds between two answers to probes of one connection: no time at all passes here."""


_DELAYED_ACK_S: Final = 0.25
"""In this time a kernel acknowledges at the latest (TCP_DELACK_MAX is 200 ms)."""


class _Memory(NamedTuple):
    """The knowledge of a socket at the end of a fast-forward."""

    heard: int
    asked: int
    last_asked: int
    blocked: Blocked | None
    received: int
    """Segments that had come in: if there are more, it has heard something by itself since."""


class _Leap(NamedTuple):
    """A fast-forward of before: when it began, in real time, and how much time it skipped."""

    began: float
    skipped: int


class HostFastForwarder:
    """Plays time for one firewall and the hosts around it; one fast-forward at a time.

    It is what `fwemu.daemon.fast_forward.FastForwarder` asks for.
    """

    def __init__(
        self,
        engine: EngineClient,
        hosts: Mapping[str, str],
        pace: HostPace | None = None,
        directory: RunDirectory | None = None,
    ) -> None:
        """`hosts` are the names of the namespaces by what people call them.

        At a time scale, `pace` is what has the hosts follow it.  `directory` is that of the
        firewall if there may be others beside it on the way from host to host.
        """
        self._engine = engine
        self._scale = 1 if pace is None else pace.scale
        self._alone: AbstractContextManager[object] = nullcontext() if pace is None else pace.alone
        self._hosts = hosts
        self._directory = directory
        self._memory: dict[int, _Memory] = {}
        self._leaps: list[_Leap] = []
        self._asked = AskedTimers()
        self._is_free = threading.Lock()
        self._playback: Playback | None = None
        self._began = 0
        self._player: Player | None = None
        """Plays the time of the programs, from the first fast-forward on that wants it."""

    def fast_forward(
        self,
        by: int,
        stop_on: Iterable[StopOn] = (),
        caller: tuple[int, int] | None = None,
        *,
        applications: bool = True,
        grain: int | None = None,
    ) -> Outcome:
        """Let `by` nanoseconds pass, or less if something happens at which to `stop_on`.

        `caller` is the process and the thread that wait for the end of this.  Without
        `applications` programs stand still; with it those that tick may be late by `grain`.

        Raises NamespaceError where a socket cannot be played that would have to be, ConfigError
        beyond the end of all clocks; then no time has passed.
        """
        if not self._hosts:
            raise NamespaceError(
                "fast-forward: the hosts of this firewall are not known (or it is one of a pair), "
                "and moving its clock alone would leave out their keepalives "
                "(start it with --host NETNS for each of them)"
            )
        if not self._is_free.acquire(blocking=False):
            raise NamespaceError("fast-forward: another one is under way (wait for its end)")
        try:
            with self._alone, ExitStack() as undo:
                asks = None if caller is None else Caller(*caller)
                outcome = Outcome(programs=Programs(asks, self._scale, asked=self._asked))
                if applications and self._scale == 1:
                    outcome.programs.player = self._begin_applications(
                        undo, caller, GRAIN if grain is None else grain
                    )
                return self._play(by, frozenset(stop_on), undo, outcome)
        except Unplayable as error:
            raise NamespaceError(f"fast-forward: {error}") from error
        finally:
            self._playback = None
            self._is_free.release()

    @property
    def passed(self) -> int | None:
        """Nanoseconds that the one under way has come; None if there is none."""
        playback = self._playback
        return None if playback is None else max(0, playback.now - self._began)

    def cancel(self) -> None:
        """End the one under way where it is."""
        if (playback := self._playback) is not None:
            playback.is_cancelled = True

    def close(self) -> None:
        """Give the programs of the hosts their own clocks again."""
        if self._player is not None:
            self._player.close()

    def _begin_applications(
        self, undo: ExitStack, caller: tuple[int, int] | None, grain: int
    ) -> Player:
        try:
            if self._player is None:
                self._player = Player(Namespace.named(netns) for netns in self._hosts.values())
            undo.callback(self._player.end)
            self._player.begin(None if caller is None else caller[0], grain)
        except CannotPlayError as error:
            raise Unplayable(
                f"the time {error}: it cannot be played "
                "(with --no-applications programs stand still, and what that may change is told)"
            ) from error
        return self._player

    def _play(
        self, by: int, stop_on: frozenset[StopOn], undo: ExitStack, outcome: Outcome
    ) -> Outcome:
        began = time.monotonic()
        hosts = []
        for name, netns in self._hosts.items():
            namespace = Namespace.named(netns)
            problem = probe.problem_in(namespace)
            if problem is not None:
                raise Unplayable(problem)
            undo.enter_context(_unlimited_answers(namespace))
            host = Host(name, namespace)
            undo.callback(host.close)
            hosts.append(host)
        outcome.is_of_hosts = lambda address: any(address in host.addresses for host in hosts)
        undo.callback(self._engine.ask, Advance(to=None, watch=False))
        self._engine.ask(Advance(to=None, watch=True))
        search = _Search(hosts, self._scale, outcome)
        first = [search.first()]  # before any time passes, since it may be refused
        if self._directory is not None:
            there = {frozenset(each.ends) for each in first[0]}
            for firewall, ends in crossing(self._directory, there).items():
                outcome.miss_clock(firewall, ends)
        start = self._engine.ask(Advance(to=None, watch=True))
        if start.now + by >= NEVER:
            raise ConfigError(
                "fast-forward: the clock of this firewall would be more than 292 years on "
                "(start the firewall anew)"
            )

        def find(now: int) -> list[FoundSocket]:
            there = first.pop() if first else search.later()
            outcome.programs.look(there, now)
            for each in there:
                self._recall(each, now)
            return there

        player = outcome.programs.player
        playback = Playback(
            self._engine,
            hosts,
            find,
            outcome,
            stop_on,
            start.now + by,
            None if player is None else PlayedApplications(player, start.now),
        )
        self._began, self._playback = start.now, playback
        self._engine.ask(BeginFastForward(by))
        try:
            playback.play(start)
            search.tell_busy()
            self._tell_survivors(outcome, playback.now)
        finally:
            stopped_at = None if outcome.stopped_at is None else outcome.stopped_at.value
            self._engine.ask(
                EndFastForward(tuple(outcome.not_played), stopped_at, tuple(outcome.doubtful))
            )
            self._remember(playback, began, start.now)
            outcome.advanced = min(by, playback.now - start.now)
            outcome.wall = time.monotonic() - began
            if player is not None:
                outcome.woken = record(player)
        outcome.probes = [
            {**each.name, "kind": kind.value, "sent": sent, "answered": each.answered.get(kind, 0)}
            for each in playback.sockets
            for kind, sent in each.sent.items()
        ]
        return outcome

    def _tell_survivors(self, outcome: Outcome, now: int) -> None:
        """Which of the sessions that are still there might not be, if programs had woken."""
        wanted = {ends for ends, _ in outcome.programs.doubtful(now)}
        after: int | None = 0
        while after is not None:
            page = self._engine.ask(ListSessions(after, PAGE))
            for number, protocol, key, *_ in page.rows:
                if protocol != TCP:
                    continue
                flow = flow_of(protocol, key)
                ends = ends_of(flow)
                if ends in wanted or outcome.beyond(ends):
                    outcome.add_survivor(number, flow, now)
            after = page.following

    def _remember(self, playback: Playback, began: float, start: int) -> None:
        """The kernels know nothing of the time that was skipped: keep what they do not know."""
        played = round((time.monotonic() - began) * SECOND) * (self._scale - 1)
        self._leaps.append(_Leap(began, playback.now - start - played))
        self._memory = {}
        oldest = began
        for each in playback.sockets:
            if each.is_over or not each.refresh():
                continue
            each.restore()
            self._memory[each.cookie] = _Memory(
                each.heard, each.asked, each.last_asked, each.blocked, each.info.received
            )
            oldest = min(oldest, time.monotonic() - each.info.quiet / SECOND)
        self._leaps = [
            leap for leap in self._leaps if leap.began > oldest
        ]  # nobody asks for others

    def _recall(self, each: FoundSocket, now: int) -> None:
        """The time of the firewall at which a socket has last received anything."""
        info, keepalive = each.info, each.keepalive
        known = self._memory.get(each.cookie)
        if known is not None:
            each.block(now, known.blocked)
        if known is not None and known.received == info.received:
            each.heard, each.asked, each.last_asked = known[:3]
            return
        heard_at = time.monotonic() - info.quiet / SECOND
        skipped = sum(leap.skipped for leap in self._leaps if heard_at < leap.began)
        each.heard, each.asked = now - info.quiet * self._scale - skipped, info.asked
        each.block(now)
        if info.asked and each.blocked is None:
            asking = keepalive.idle + (info.asked - 1) * keepalive.interval
            each.last_asked = each.heard + asking


class _Search:
    """Finds the sockets of the hosts, and notes what cannot be played."""

    def __init__(self, hosts: list[Host], scale: int, outcome: Outcome) -> None:
        self._hosts = hosts
        self._scale = scale
        self._outcome = outcome
        self._known: set[int] = set()
        self._busy: list[FoundSocket] = []
        """Data was on its way when they were found."""
        self._opening: list[tuple[Host, Connection]] = []

    def first(self) -> list[FoundSocket]:
        """All there are.  Raises Unplayable if we may not look into one.

        What was said a moment ago is still on its way, or its answer is delayed: that is waited
        for.
        """
        found = self._sockets()
        deadline = time.monotonic() + _DELAYED_ACK_S
        while self._is_busy() and time.monotonic() < deadline:
            time.sleep(0.002)
        found += self._sockets()  # handshakes that have come to their end
        self.tell_busy()
        return found

    def later(self) -> list[FoundSocket]:
        """The sockets that are new since.

        Too late to refuse, so what may not be looked into is told; and what was said a moment ago
        will have come by the end, unless it is lost.
        """
        try:
            return self._sockets()
        except Unplayable as error:
            self._outcome.miss(str(error))
            return []

    def tell_busy(self) -> None:
        """Say of which sockets data is on its way still, and which are still being opened."""
        self._is_busy()
        for each in self._busy:
            if each.problem is not None:
                self._outcome.miss(each.problem, each.ends, **each.name)
        for host, connection in self._opening:
            self._miss("a connection that is being opened", host, connection)

    def _is_busy(self) -> bool:
        self._busy = [each for each in self._busy if each.problem is not None and each.refresh()]
        self._opening = [(host, each) for host, each in self._opening if host.is_opening(each)]
        return bool(self._busy or self._opening)

    def _sockets(self) -> list[FoundSocket]:
        there = find_sockets(self._hosts, self._known, self._scale)
        self._known |= {each.cookie for each in there.sockets}
        self._busy += [each for each in there.sockets if each.problem is not None]
        self._opening = there.opening
        for host, connection in there.unreachable:
            self._miss("a socket that no process here holds", host, connection)
        return there.sockets

    def _miss(self, what: str, host: Host, connection: Connection) -> None:
        ends = connection.local, connection.remote
        names = {"local": str(ends[0]), "remote": str(ends[1])}
        self._outcome.miss(what, ends, host=host.name, **names)


@contextmanager
def _unlimited_answers(namespace: Namespace) -> Iterator[None]:
    """Kernels answer only some probes a second; those of an hour come within one."""
    before = sysctl(namespace, _RATE_LIMIT)
    sysctl(namespace, _RATE_LIMIT, 0)
    try:
        yield
    finally:
        sysctl(namespace, _RATE_LIMIT, before)
