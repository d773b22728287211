"""Where a story is played: something that packets are put into and that time passes on.

`EngineStage` is the core alone, in virtual time; `queue_stage.py` is the same core behind a real
queue between real namespaces.  A stage is made for one telling of one story and closed after it.
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
from fwemu.daemon.schedule import FlushSchedule
from fwemu.scenarios.cast import FIREWALL

F = TypeVar("F", bound=Firewall)


class Seen(NamedTuple):
    """What became of one packet."""

    passed: bool
    """It reached the other side."""
    reason: str | None
    """The engine's word; None where the stage cannot know."""
    state: str | None
    """The state of the packet's session afterwards (names of `State`); None if it has none."""
    spoken: tuple[tuple[Zone, bytes], ...]
    """Packets that the firewall sent itself, each with the zone that it was sent to."""


class Ended(NamedTuple):
    """The end of a session."""

    reason: str
    """The word of an `EndReason`."""
    state: str
    """The state in which it ended."""
    flow: Flow


class Released(NamedTuple):
    """A packet that was held and has its verdict now."""

    packet: bytes
    origin: Zone
    """Where it came from."""
    passed: bool
    """It reached the other side."""
    reason: str
    """The engine's word."""


class Passed(NamedTuple):
    """What came of time passing."""

    spoken: tuple[tuple[Zone, bytes], ...]
    """Packets that the firewall sent itself, each with the zone that it was sent to."""
    ended: tuple[Ended, ...] | None
    """The sessions that ended since the last call, by packets too; None where it cannot know."""
    released: tuple[Released, ...] = ()
    """The packets that were held and have gone on, or nowhere, since the last call."""


class Stage(Protocol):
    """A firewall, packets on either side of it, and its time."""

    def put(self, packet: bytes, arrival: Zone) -> Seen:
        """Send one whole IP packet towards the firewall from a zone, and see what becomes of it."""

    def wait(self, nanoseconds: int) -> Passed:
        """Let time pass, none with 0: what the firewall said and forgot meanwhile.

        Time is the stage's own where that is possible, so that an hour takes no time.  Everything
        that falls due happens at its own instant, in order.
        """

    def close(self) -> None:
        """Take away what was made."""


MIDNIGHT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of day at which every story begins."""

_START: Final = 1_000 * SECOND


class StageClock(Clock):
    """Time that stands still until somebody moves it; stories begin at midnight."""

    def __init__(self) -> None:
        self._instant = _START
        self._epoch = round(MIDNIGHT.timestamp()) * SECOND - _START

    def now(self) -> int:
        return self._instant

    def move_to(self, instant: int) -> None:
        """Be at an instant that is not before now."""
        assert instant >= self._instant
        self._instant = instant


def firewall_for(config: Config, kind: type[F]) -> F:
    """The core that follows a configuration, at the addresses of the cast.

    What is left to chance is repeatable: the seed is that of `table.seed`, or 0.
    """
    chance = random.Random(config.table.seed or 0)
    return kind(policy(config), choose=chance.randrange, addresses=FIREWALL)


def schedule_for(config: Config, clock: Clock) -> FlushSchedule:
    """The flushes that a configuration asks for."""
    planned = flushes(config)
    return FlushSchedule(clock, planned.cron, planned.intervals)


def pass_time(
    clock: StageClock,
    firewall: Firewall,
    schedule: FlushSchedule,
    nanoseconds: int,
    on_time: Callable[[], None],
) -> None:
    """Move the clock on, and let the firewall work at each instant at which it has something to do.

    In one leap a probe that is to be repeated every 15 seconds would be sent once.
    """
    until = clock.now() + nanoseconds
    while True:
        coming = (firewall.next_deadline(), schedule.next_flush())
        due = min((instant for instant in coming if instant is not None), default=until + 1)
        if due > until:
            clock.move_to(until)
            return
        clock.move_to(max(due, clock.now()))
        on_time()


def state_of(firewall: Firewall, packet: bytes) -> str | None:
    """The state of the session that a packet belongs to now; None if there is none."""
    parsed = parse(packet)
    if isinstance(parsed, Fragment):
        parsed = parsed.packet
    if isinstance(parsed, Malformed) or parsed.kind in (Kind.ERROR, Kind.FRAGMENT):
        return None
    session = firewall.table.find(parsed.protocol, parsed.key)
    return None if session is None else session.state.name


def endings(effects: Sequence[Effect]) -> list[Ended]:
    """The sessions that ended."""
    return [
        Ended(effect.reason.word, effect.state.name, effect.flow)
        for effect in effects
        if isinstance(effect, SessionEnded)
    ]


def is_accepted(release: PacketReleased) -> bool:
    """Does this packet go on?"""
    return release.reason.verdict is Verdict.ACCEPT


def speech(effects: Sequence[Effect]) -> tuple[tuple[Zone, bytes], ...]:
    """The packets that the firewall sends itself."""
    return tuple(
        (effect.zone, effect.packet) for effect in effects if isinstance(effect, PacketInjected)
    )


class EngineStage:
    """The core and nothing else, in virtual time."""

    def __init__(self, config: Config) -> None:
        self._clock = StageClock()
        self._firewall = firewall_for(config, Firewall)
        self._schedule = schedule_for(config, self._clock)
        self._untold: list[Effect] = []
        self._held: dict[int, tuple[bytes, Zone]] = {}
        """Packets that wait, by ticket."""

    def put(self, packet: bytes, arrival: Zone) -> Seen:
        decision = self._firewall.handle(packet, self._clock.now(), arrival)
        self._untold += decision.effects
        if decision.verdict is Verdict.HOLD:
            self._held[decision.ticket] = packet, arrival
        return Seen(
            decision.verdict is Verdict.ACCEPT,
            decision.reason.word,
            state_of(self._firewall, packet),
            speech(decision.effects),
        )

    def wait(self, nanoseconds: int) -> Passed:
        said: list[Effect] = []
        pass_time(
            self._clock, self._firewall, self._schedule, nanoseconds, lambda: self._on_time(said)
        )
        told, self._untold = self._untold + said, []
        released = tuple(
            Released(*self._held.pop(effect.ticket), is_accepted(effect), effect.reason.word)
            for effect in told
            if isinstance(effect, PacketReleased)
        )
        return Passed(speech(said), tuple(endings(told)), released)

    def _on_time(self, said: list[Effect]) -> None:
        """What a running firewall does between packets: flushes, and the sessions that are due."""
        now = self._clock.now()
        while (instant := self._schedule.take(now)) is not None:
            said += self._firewall.flush(instant)
        said += self._firewall.tick(now)

    def close(self) -> None:
        """Nothing was made."""
