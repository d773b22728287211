"""An hour in a moment: the time is played event by event, at the firewall and in the ends' kernels.

Moving the firewall's clock alone would be a lie: keepalives that the kernels would have sent in
that hour would be missing.  So the instants at which something is to happen are taken in their
order (`journey.py`): those of the firewall, and those of the keepalive timer of every TCP socket in
the hosts.  At each of these a real probe leaves the real kernel and crosses the firewall.

What cannot be played is told: data on its way, connections that are being opened, and whatever
timers run inside the applications.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Final, NamedTuple

from fwemu.core.instants import SECOND
from fwemu.daemon.fast_forward import StopOn
from fwemu.daemon.requests import Advance, BeginFastForward, EndFastForward, EngineClient
from fwemu.errors import NamespaceError
from fwemu.sockets import probe
from fwemu.sockets.still import NotStill, held_still
from fwemu.virtual_time.found_sockets import PlayedSocket, Unplayable, look_around, process_name
from fwemu.virtual_time.outcome import Travelled
from fwemu.virtual_time.playback import Journey
from fwemu.virtual_time.scaled_sockets import HostPace
from netns import Namespace, sysctl

_RATE_LIMIT: Final = "net.ipv4.tcp_invalid_ratelimit"
"""Milliseconds between two answers to probes of one connection: no time at all passes here."""


_DELAYED_ACK: Final = 0.25
"""Seconds in which a kernel acknowledges at the latest (TCP_DELACK_MAX is 200 ms)."""


class _Memory(NamedTuple):
    """What is known of a socket at the end of a travel."""

    heard: int
    asked: int
    last_asked: int
    received: int
    """Segments that had come in: if there are more, it has heard something by itself since."""


class _Leap(NamedTuple):
    """A travel of before: when it began, in real time, and how much time it skipped."""

    began: float
    skipped: int


class Traveller:
    """Plays time for one firewall and the hosts around it; one travel at a time."""

    def __init__(
        self, engine: EngineClient, hosts: Mapping[str, str], pace: HostPace | None = None
    ) -> None:
        """`hosts` are the names of the namespaces by what people call them.

        At a time scale, `pace` is what has the hosts follow it.
        """
        self._engine = engine
        self._scale = 1 if pace is None else pace.scale
        self._alone: AbstractContextManager[object] = nullcontext() if pace is None else pace.alone
        self._hosts = hosts
        self._memory: dict[int, _Memory] = {}
        self._leaps: list[_Leap] = []
        self._is_free = threading.Lock()
        self._journey: Journey | None = None
        self._began = 0

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
            with self._alone, ExitStack() as undo:
                return self._travel(by, frozenset(stop_on), undo)
        except (Unplayable, NotStill) as error:
            raise NamespaceError(f"fast-forward: {error}") from error
        finally:
            self._journey = None
            self._is_free.release()

    @property
    def passed(self) -> int | None:
        """Nanoseconds that the travel under way has come; None if there is none."""
        journey = self._journey
        return None if journey is None else max(0, journey.now - self._began)

    def cancel(self) -> None:
        """End the travel under way where it is."""
        if self._journey is not None:
            self._journey.is_cancelled = True

    def _travel(self, by: int, stop_on: frozenset[StopOn], undo: ExitStack) -> Travelled:
        began = time.monotonic()
        hosts = {name: Namespace.named(netns) for name, netns in self._hosts.items()}
        for namespace in hosts.values():
            problem = probe.problem_in(namespace)
            if problem is not None:
                raise Unplayable(problem)
            undo.enter_context(_unlimited_answers(namespace))
        undo.callback(self._engine.ask, Advance(to=None, watch=False))
        start = self._engine.ask(Advance(to=None, watch=True))
        travelled = Travelled()
        known: set[int] = set()

        def find(now: int) -> list[PlayedSocket]:
            there = look_around(hosts, undo, frozenset(known), self._scale)
            with held_still(there.pids):  # better now than half way
                pass
            _wait_for_acknowledgements(there.sockets)
            for each in there.sockets:
                known.add(each.connection.cookie)
                self._recall(each, now)
                if segments := each.info.unacknowledged:
                    travelled.miss(
                        f"data that is not acknowledged ({segments} segments)", **each.name
                    )
            for host, each_opening in there.opening:
                ends = {"local": str(each_opening.local), "remote": str(each_opening.remote)}
                travelled.miss("a connection that is being opened", host=host, **ends)
            for pid in there.pids:
                row = {"what": "timers inside the application", "process": process_name(pid)}
                if row not in travelled.not_played:
                    travelled.not_played.append(row)
            return there.sockets

        journey = Journey(self._engine, find, travelled, stop_on, start.now + by)
        self._began, self._journey = start.now, journey
        self._engine.ask(BeginFastForward(by))
        try:
            journey.play(start)
        finally:
            stopped_at = None if travelled.stopped_at is None else travelled.stopped_at.value
            self._engine.ask(EndFastForward(tuple(travelled.not_played), stopped_at))
            self._remember(journey, began, start.now)
            travelled.advanced = min(by, journey.now - start.now)
            travelled.wall = time.monotonic() - began
        travelled.probes = [
            {**each.name, "sent": each.sent, "answered": each.answered}
            for each in journey.sockets
            if each.sent
        ]
        return travelled

    def _remember(self, journey: Journey, began: float, start: int) -> None:
        """The kernels know nothing of the time that was skipped: keep what they do not know."""
        played = round((time.monotonic() - began) * SECOND) * (self._scale - 1)
        self._leaps.append(_Leap(began, journey.now - start - played))
        self._memory = {}
        for each in journey.sockets:
            if not each.is_over:
                each.restore()
                memory = _Memory(each.heard, each.asked, each.last_asked, each.info.received)
                self._memory[each.connection.cookie] = memory

    def _recall(self, each: PlayedSocket, now: int) -> None:
        """When has it last heard anything, in the time of the firewall?"""
        info, keepalive = each.info, each.keepalive
        heard_at = time.monotonic() - info.quiet / SECOND
        known = self._memory.get(each.connection.cookie)
        if known is not None and known.received == info.received:
            each.heard, each.asked, each.last_asked = known[:3]
            return
        skipped = sum(leap.skipped for leap in self._leaps if heard_at < leap.began)
        each.heard, each.asked = now - info.quiet * self._scale - skipped, info.asked
        if info.asked:
            asking = keepalive.idle + (info.asked - 1) * keepalive.interval
            each.last_asked = each.heard + asking


def _wait_for_acknowledgements(sockets: list[PlayedSocket]) -> None:
    """What was said a moment ago is still on its way, or its answer is delayed."""
    deadline = time.monotonic() + _DELAYED_ACK
    while any(each.info.unacknowledged for each in sockets) and time.monotonic() < deadline:
        time.sleep(0.002)


@contextmanager
def _unlimited_answers(namespace: Namespace) -> Iterator[None]:
    """Kernels answer only some probes a second; those of an hour come within one."""
    before = sysctl(namespace, _RATE_LIMIT)
    sysctl(namespace, _RATE_LIMIT, 0)
    try:
        yield
    finally:
        sysctl(namespace, _RATE_LIMIT, before)
