"""The interface that stories run against: send a packet, let time pass, see what happened.

`EngineBackend`, here, is the core alone in virtual time.  `queue_backend.py` is the same core
behind a real queue, `kernel_backend.py` is nf_conntrack.  A backend serves one run of one story.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol, TypeVar

from fwemu.config import Config, policy
from fwemu.core.effects import Effect, PacketInjected, PacketReleased, SessionEnded
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Flow, Zone
from fwemu.core.instants import SECOND
from fwemu.core.packet import Fragment, Kind, Malformed, parse
from fwemu.core.reasons import Verdict
from fwemu.daemon.clock import Clock
from fwemu.daemon.engine_settings import flushes
from fwemu.daemon.schedule import FlushSchedule, due_effects, next_event
from fwemu.scenarios.participants import FIREWALL

F = TypeVar("F", bound=Firewall)


class PacketOutcome(NamedTuple):
    """The result of sending one packet."""

    passed: bool
    """True if it reached the other side."""
    reason: str | None
    """Name of the `Reason`; None where the backend cannot know it."""
    state: str | None
    """The state of the packet's session afterwards (names of `State`); None if it has none."""
    injected: tuple[tuple[Zone, bytes], ...]
    """Packets that the firewall sent itself, each with the zone that it was sent to."""


class EndedSession(NamedTuple):
    """A session that ended."""

    reason: str
    """Name of the `EndReason`."""
    state: str
    """The state in which it ended (names of `State`)."""
    flow: Flow


class ReleasedPacket(NamedTuple):
    """A packet that was held and has its final verdict now."""

    packet: bytes
    origin: Zone
    """The zone it came from."""
    passed: bool
    """True if it reached the other side."""
    reason: str
    """Name of the `Reason`."""


class WaitOutcome(NamedTuple):
    """The result of letting time pass."""

    injected: tuple[tuple[Zone, bytes], ...]
    """Packets that the firewall sent itself, each with the zone that it was sent to."""
    ended: tuple[EndedSession, ...] | None
    """The sessions that ended since the last call, also those that packets ended; None where the
    backend cannot know."""
    released: tuple[ReleasedPacket, ...] = ()
    """The held packets that got their final verdict since the last call."""


class Backend(Protocol):
    """A firewall under test: packets go in on either side, and its time can be moved."""

    def put(self, packet: bytes, arrival: Zone) -> PacketOutcome:
        """Send one whole IP packet from a zone to the firewall; the result."""

    def wait(self, nanoseconds: int) -> WaitOutcome:
        """Let time pass (0: none); the packets that the firewall sent and the sessions that ended.

        Time is virtual where that is possible, so that an hour takes no time.  Whatever is due
        happens at its own instant, in order.
        """

    def close(self) -> None:
        """Remove what was made."""


MIDNIGHT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of day at which every story begins."""

START: Final = 1_000 * SECOND
"""The instant at which every story begins."""


class VirtualClock(Clock):
    """A clock that stands still until `move_to`; it begins at `MIDNIGHT`."""

    def __init__(self) -> None:
        self._instant = START
        self._epoch = round(MIDNIGHT.timestamp()) * SECOND - START

    def now(self) -> int:
        return self._instant

    def move_to(self, instant: int) -> None:
        """Set the time to an instant that is not before now."""
        assert instant >= self._instant
        self._instant = instant


def firewall_for(config: Config, kind: type[F]) -> F:
    """A firewall of class `kind` with a configuration, at the addresses of the participants.

    Random choices are repeatable: the seed is `table.seed`, or 0.
    """
    chance = random.Random(config.table.seed or 0)
    return kind(policy(config), choose=chance.randrange, addresses=FIREWALL)


def schedule_for(config: Config, clock: Clock) -> FlushSchedule:
    """The scheduled flushes of a configuration."""
    planned = flushes(config)
    return FlushSchedule(clock, planned.cron, planned.intervals)


def pass_time(
    clock: VirtualClock,
    firewall: Firewall,
    schedule: FlushSchedule,
    nanoseconds: int,
    on_time: Callable[[], None],
) -> None:
    """Move the clock on, and call `on_time` at each instant at which something is due.

    With one single step, a probe that is repeated every 15 seconds would be sent once.
    """
    until = clock.now() + nanoseconds
    while True:
        due = next_event(firewall, schedule)
        if due is None or due > until:
            clock.move_to(until)
            return
        clock.move_to(max(due, clock.now()))
        on_time()


def state_of(firewall: Firewall, packet: bytes) -> str | None:
    """The state of the session to which a packet belongs now; None if it has no session."""
    parsed = parse(packet)
    if isinstance(parsed, Fragment):
        parsed = parsed.packet
    if isinstance(parsed, Malformed) or parsed.kind in (Kind.ERROR, Kind.FRAGMENT):
        return None
    session = firewall.table.find(parsed.protocol, parsed.key)
    return None if session is None else session.state.name


def endings(effects: Sequence[Effect]) -> list[EndedSession]:
    """The ends of sessions among some effects."""
    return [
        EndedSession(effect.reason.word, effect.state.name, effect.flow)
        for effect in effects
        if isinstance(effect, SessionEnded)
    ]


def is_accepted(release: PacketReleased) -> bool:
    """True if the held packet was accepted."""
    return release.reason.verdict is Verdict.ACCEPT


def injections(effects: Sequence[Effect]) -> tuple[tuple[Zone, bytes], ...]:
    """The packets that the firewall sends itself, among some effects."""
    return tuple(
        (effect.zone, effect.packet) for effect in effects if isinstance(effect, PacketInjected)
    )


class EngineBackend:
    """The core alone, in virtual time."""

    def __init__(self, config: Config) -> None:
        self._clock = VirtualClock()
        self._firewall = firewall_for(config, Firewall)
        self._schedule = schedule_for(config, self._clock)
        self._untold: list[Effect] = []
        self._held: dict[int, tuple[bytes, Zone]] = {}
        """Held packets, by ticket."""

    def put(self, packet: bytes, arrival: Zone) -> PacketOutcome:
        decision = self._firewall.handle(packet, self._clock.now(), arrival)
        self._untold += decision.effects
        if decision.verdict is Verdict.HOLD:
            self._held[decision.ticket] = packet, arrival
        return PacketOutcome(
            decision.verdict is Verdict.ACCEPT,
            decision.reason.word,
            state_of(self._firewall, packet),
            injections(decision.effects),
        )

    def wait(self, nanoseconds: int) -> WaitOutcome:
        said: list[Effect] = []
        pass_time(
            self._clock, self._firewall, self._schedule, nanoseconds, lambda: self._on_time(said)
        )
        told, self._untold = self._untold + said, []
        released = tuple(
            ReleasedPacket(*self._held.pop(effect.ticket), is_accepted(effect), effect.reason.word)
            for effect in told
            if isinstance(effect, PacketReleased)
        )
        return WaitOutcome(injections(said), tuple(endings(told)), released)

    def _on_time(self, said: list[Effect]) -> None:
        """Work between packets, as in the daemon: scheduled flushes, and sessions that are due."""
        for effects in due_effects(self._firewall, self._schedule, self._clock.now()):
            said += effects

    def close(self) -> None:
        """Nothing to remove."""
