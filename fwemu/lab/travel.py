"""An hour in a moment: plays the time event by event, at the firewall and in the ends' kernels.

Moving the firewall's clock alone would be a lie: keepalives that the kernels would have sent in
that hour would be missing.  So the instants at which something is to happen are taken in their
order: those of the firewall (`advance` of its engine), and those of the keepalive timer of every
TCP socket in the hosts.  At each of these a real probe leaves the real kernel and crosses the
firewall.

What cannot be played is told: data on its way, connections that are being opened, and whatever
timers run inside the applications.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fwemu.core.effects import PacketInjected, PacketRefused, SessionEnded
from fwemu.core.flow import TCP, Flow
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.reasons import Answer
from fwemu.daemon.records import endpoints, seconds
from fwemu.daemon.travel import Asks, Progress, StopOn
from fwemu.errors import NamespaceError
from fwemu.sockets import probe
from fwemu.sockets.keepalive import CLOSED, Info, Keepalive
from fwemu.sockets.still import held_still
from netns import Namespace, sysctl
from netns.connections import Connection, Holder, borrow, connections, holders
from netns.procfs import command_of

ROUNDING: Final = SECOND // 100
"""Sockets that are due within this time ask together: the kernel's own timers are no finer."""

_SETTLED: Final = 0.02
"""Seconds without a packet after which nothing more is to be expected."""

_PATIENCE: Final = 2.0
"""Seconds in which a probe must have come to the firewall, on a busy machine."""

_RATE_LIMIT: Final = "net.ipv4.tcp_invalid_ratelimit"
"""Milliseconds between two answers to probes of one connection: no time at all passes here."""


@dataclass
class Travelled:
    """What has happened on the way."""

    advanced: int = 0
    """Nanoseconds."""
    wall: float = 0.0
    """Seconds it took."""
    probes: list[dict[str, Any]] = field(default_factory=list)
    """Each socket that asked: how often, and how often it was answered."""
    sessions_ended: list[dict[str, Any]] = field(default_factory=list)
    connections_lost: list[dict[str, Any]] = field(default_factory=list)
    not_played: list[dict[str, Any]] = field(default_factory=list)
    stopped_at: StopOn | None = None

    @property
    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "advanced_s": seconds(self.advanced),
            "wall_s": round(self.wall, 3),
            "probes": self.probes,
            "sessions_ended": self.sessions_ended,
            "connections_lost": self.connections_lost,
            "not_played": self.not_played,
            "stopped_at": None if self.stopped_at is None else self.stopped_at.value,
        }


class _Memory(NamedTuple):
    """What is known of a socket at the end of a travel."""

    heard: int
    asked: int
    last_asked: int
    mark: float
    """Real time: what it has heard later than this, it has heard by itself."""


class _Journey(NamedTuple):
    """A travel of before: when it was, in real time, and how much time it skipped."""

    began: float
    skipped: int


@dataclass(eq=False)
class _Socket:
    """One end of a connection whose keepalive timer is played."""

    host: str
    connection: Connection
    tcp: socket.socket
    pids: list[int]
    keepalive: Keepalive
    heard: int
    """The instant of the firewall's clock at which it last heard anything."""
    asked: int
    """Probes since then."""
    last_asked: int
    sent: int = 0
    answered: int = 0
    has_fired: bool = False
    """Its own timer was made to fire: its TCP_KEEPIDLE is not its own."""
    is_over: bool = False
    received: int = 0
    """Segments that had come in when it last asked."""

    @property
    def has_heard(self) -> bool:
        """Has anything come, an answer or a RST, since it last asked?"""
        info = Info.of(self.tcp)
        return info.state == CLOSED or info.received != self.received

    def is_peer_of(self, other: _Socket) -> bool:
        """Is it the other end of the same connection?  The two must not ask at once."""
        here, there = self.connection, other.connection
        return (here.local, here.remote) == (there.remote, there.local)

    @property
    def due(self) -> int:
        """When its timer fires next."""
        if self.is_over:
            return NEVER
        if self.asked == 0:
            return self.heard + self.keepalive.idle
        return self.last_asked + self.keepalive.interval

    @property
    def name(self) -> dict[str, Any]:
        """For people: the host, both ends, and who holds it."""
        return {
            "host": self.host,
            "local": str(self.connection.local),
            "remote": str(self.connection.remote),
            "process": process_name(self.pids[0]),
        }

    @property
    def flow(self) -> Flow:
        """The flow of what it sends, as effects have it."""
        local, remote = self.connection.local, self.connection.remote
        return Flow(TCP, _packed(local.host), local.port, _packed(remote.host), remote.port)


class Traveller:
    """Plays time for one firewall and the hosts around it; one travel at a time."""

    def __init__(self, engine: Asks, hosts: Sequence[str]) -> None:
        self._engine = engine
        self._hosts = hosts
        self._memory: dict[int, _Memory] = {}
        self._journeys: list[_Journey] = []
        self._is_free = threading.Lock()

    def fast_forward(self, by: int, stop_on: Iterable[StopOn] = ()) -> Travelled:
        """Let `by` nanoseconds pass, or less if something happens at which to `stop_on`.

        Raises NamespaceError where a socket cannot be played that would have to be; then no time
        has passed.
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
            with ExitStack() as undo:
                return self._travel(by, frozenset(stop_on), undo)
        finally:
            self._is_free.release()

    def _travel(self, by: int, stop_on: frozenset[StopOn], undo: ExitStack) -> Travelled:
        began = time.monotonic()
        namespaces = {name: Namespace.named(name) for name in self._hosts}
        for namespace in namespaces.values():
            undo.enter_context(_unlimited_answers(namespace))
        undo.callback(self._engine.ask, "advance", to=None, watch=False)
        start: Progress = self._engine.ask("advance", to=None, watch=True)
        travelled = Travelled()
        sockets = self._sockets(namespaces, start.now, travelled, undo)
        journey = _Play(self._engine, sockets, travelled, stop_on, start.now + by)
        try:
            journey.play(start)
        finally:
            travelled.advanced = journey.now - start.now
            travelled.wall = time.monotonic() - began
            self._journeys.append(_Journey(began, travelled.advanced))
            mark = time.monotonic()
            self._memory = {
                each.connection.cookie: _Memory(each.heard, each.asked, each.last_asked, mark)
                for each in sockets
                if not each.is_over
            }
        travelled.probes = [
            {**each.name, "sent": each.sent, "answered": each.answered}
            for each in sockets
            if each.sent
        ]
        return travelled

    def _sockets(
        self,
        namespaces: dict[str, Namespace],
        now: int,
        travelled: Travelled,
        undo: ExitStack,
    ) -> list[_Socket]:
        """Every socket that has its keepalive on; the rest is told where it cannot be played."""
        there = [
            (name, connection)
            for name, namespace in namespaces.items()
            for connection in connections(namespace)
        ]
        held = holders({connection.inode for _, connection in there if connection.inode})
        found = []
        for name, connection in there:
            if connection.state in ("SYN_SENT", "SYN_RECV"):
                travelled.not_played.append(
                    _untold("a connection that is being opened", name, connection)
                )
            if connection.inode not in held:
                continue
            played = self._borrowed(name, connection, held[connection.inode], now, undo)
            if played is None:
                continue
            if connection.unacknowledged:
                what = f"{connection.unacknowledged} octets that are not acknowledged"
                travelled.not_played.append(_untold(what, name, connection))
            elif played.keepalive.is_on:
                found.append(played)
        processes = {holder.pid for each in held.values() for holder in each}
        travelled.not_played += [
            {"what": "timers inside the application", "process": process_name(pid)}
            for pid in sorted(processes)
        ]
        return found

    def _borrowed(
        self, host: str, connection: Connection, held: list[Holder], now: int, undo: ExitStack
    ) -> _Socket | None:
        """A socket as one of ours; None if it is gone."""
        try:
            tcp = undo.enter_context(borrow(held[0]))
        except PermissionError as error:
            raise NamespaceError(
                f"fast-forward: the socket {connection.local} of {process_name(held[0].pid)} "
                f"cannot be looked into ({error.strerror}): run the firewall as root"
            ) from error
        except OSError:
            return None
        info, keepalive = Info.of(tcp), Keepalive.of(tcp)
        heard, asked = now - info.quiet, info.asked
        last_asked = heard + keepalive.idle + (asked - 1) * keepalive.interval
        heard_at = time.monotonic() - info.quiet / SECOND
        known = self._memory.get(connection.cookie)
        if known is not None and heard_at < known.mark + 0.01:
            heard, asked, last_asked = known.heard, known.asked, known.last_asked
        else:
            skipped = sum(each.skipped for each in self._journeys if heard_at < each.began)
            heard, last_asked = heard - skipped, last_asked - skipped
        pids = [holder.pid for holder in held]
        return _Socket(host, connection, tcp, pids, keepalive, heard, asked, last_asked)


class _Play:
    """One travel, from its first instant to its last."""

    def __init__(
        self,
        engine: Asks,
        sockets: list[_Socket],
        travelled: Travelled,
        stop_on: frozenset[StopOn],
        until: int,
    ) -> None:
        self._engine = engine
        self._sockets = sockets
        self._travelled = travelled
        self._stop_on = stop_on
        self._until = until
        self.now = 0
        self._packets = 0
        self._refused: dict[Flow, Answer] = {}

    def play(self, start: Progress) -> None:
        """Until the time is over, or something happens at which to stop."""
        self._take(start)
        while self._travelled.stopped_at is None:
            self._advance(min(self._next(), self._until))
            due = self._next()
            if self._travelled.stopped_at is None and due <= min(self.now, self._until):
                self._ask(due)
            elif self.now >= self._until:
                return

    def _next(self) -> int:
        """The instant at which a socket asks next."""
        return min((each.due for each in self._sockets), default=NEVER)

    # -- the firewall --

    def _advance(self, to: int) -> None:
        """Let the firewall do what it has to do up to that instant, and hear what came of it."""
        while True:
            progress = self._step(to)
            if any(isinstance(effect, PacketInjected) for effect in progress.happened):
                self._settle()
                self._find_lost("ECONNRESET")
            if self.now >= to or self._travelled.stopped_at is not None:
                return

    def _step(self, to: int | None) -> Progress:
        progress: Progress = self._engine.ask("advance", to=to, watch=True)
        self._take(progress)
        return progress

    def _take(self, progress: Progress) -> None:
        self.now, self._packets = progress.now, progress.packets
        for effect in progress.happened:
            if isinstance(effect, SessionEnded):
                self._travelled.sessions_ended.append(_ended(effect, progress))
                self._stop(StopOn.SESSION_ENDED)
            elif isinstance(effect, PacketRefused) and effect.flow is not None:
                self._refused[effect.flow] = effect.answer

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
        asking: list[_Socket] = []
        giving_up: list[_Socket] = []
        for each in self._sockets:
            if each.due > due + ROUNDING or any(each.is_peer_of(other) for other in asking):
                continue
            info = Info.of(each.tcp)
            each.received = info.received
            if info.state == CLOSED:
                self._lose(each, "ECONNRESET")
            elif info.unacknowledged:  # as long as data is on its way, nobody asks
                each.heard, each.asked = self.now, 0
            elif each.keepalive.gives_up(due - each.heard, each.asked):
                giving_up.append(each)
            else:
                asking.append(each)
        if asking:
            self._probe(asking)
        if giving_up:
            self._give_up(giving_up)

    def _probe(self, asking: list[_Socket]) -> None:
        before = self._packets
        self._refused.clear()
        last = [each for each in asking if _asks_for_the_last_time(each, self.now)]
        _wait_until_quiet(last)
        with held_still(pid for each in asking for pid in each.pids):
            for each in asking:
                if each in last:
                    probe.fire_timer(each.tcp)
                    each.has_fired = True
                else:
                    probe.send_probe(each.tcp)
        self._await_packets(before + len(asking))
        for each in asking:
            each.sent += 1
            each.asked += 1
            each.last_asked = self.now
        self._settle(lambda: all(each.has_heard for each in asking))
        for each in asking:
            self._conclude(each)

    def _await_packets(self, number: int) -> None:
        """Until the firewall has decided about so many packets."""
        deadline = time.monotonic() + _PATIENCE
        while self._packets < number and time.monotonic() < deadline:
            self._step(None)

    def _conclude(self, each: _Socket) -> None:
        """What came of its question?"""
        if Info.of(each.tcp).state == CLOSED:
            self._lose(each, "ECONNRESET")
        elif each.has_heard:
            each.heard, each.asked = self.now, 0
            each.answered += 1
            if each.has_fired:
                probe.restore(each.tcp, each.keepalive.idle)
                each.has_fired = False
        else:
            self._stop(StopOn.PROBE_UNANSWERED)

    def _give_up(self, giving_up: list[_Socket]) -> None:
        """Their kernels end these connections, as their timers would have."""
        with held_still(pid for each in giving_up for pid in each.pids):
            for each in giving_up:
                probe.give_up(each.tcp)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if all(Info.of(each.tcp).state == CLOSED for each in giving_up):
                break
            time.sleep(0.001)
        for each in giving_up:
            self._lose(each, "ETIMEDOUT")
        self._settle()

    def _find_lost(self, error: str) -> None:
        """Which connections were ended by what the firewall has just said?"""
        for each in self._sockets:
            if not each.is_over and Info.of(each.tcp).state == CLOSED:
                self._lose(each, error)

    def _lose(self, each: _Socket, error: str) -> None:
        each.is_over = True
        self._travelled.connections_lost.append({**each.name, "error": error})
        self._stop(StopOn.CONNECTION_LOST)


def _asks_for_the_last_time(each: _Socket, now: int) -> bool:
    """If this question is not answered, does the connection end instead of another one?"""
    quiet = now + each.keepalive.interval - each.heard
    return each.keepalive.gives_up(quiet, each.asked + 1)


def _wait_until_quiet(sockets: list[_Socket]) -> None:
    """Until the timers of these can be made to fire; they all wait at once."""
    least = probe.LEAST_IDLE
    waits = (least - Info.of(each.tcp).quiet for each in sockets)
    wait = max((*waits, 0))
    if wait:
        time.sleep(wait / SECOND + 0.01)


def _ended(effect: SessionEnded, progress: Progress) -> dict[str, Any]:
    return {
        "session": effect.id,
        **endpoints(effect.flow),
        "reason": effect.reason.word,
        "state": effect.state.name,
        "at_s": seconds(effect.at - progress.started),
        "idle_s": seconds(effect.at - effect.last_seen),
    }


def _untold(what: str, host: str, connection: Connection) -> dict[str, Any]:
    return {
        "what": what,
        "host": host,
        "local": str(connection.local),
        "remote": str(connection.remote),
    }


def process_name(pid: int) -> str:
    """`redis-server (pid 77)`."""
    return f"{command_of(pid).split(' ')[0].rpartition('/')[2] or '?'} (pid {pid})"


def _packed(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


@contextmanager
def _unlimited_answers(namespace: Namespace) -> Iterator[None]:
    """Kernels answer only some probes a second; those of an hour come within one."""
    before = sysctl(namespace, _RATE_LIMIT)
    sysctl(namespace, _RATE_LIMIT, 0)
    try:
        yield
    finally:
        sysctl(namespace, _RATE_LIMIT, before)
