"""A clock that stands still, a queue of lists, and one of everything that can happen."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fwemu.core.effects import (
    Effect,
    KeepaliveSeen,
    PacketInjected,
    PacketRefused,
    PacketReleased,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
    Traffic,
)
from fwemu.core.flow import TCP, UDP, Direction, Flow, Zone
from fwemu.core.instants import SECOND
from fwemu.core.reasons import Answer, EndReason, InjectedKind, Reason
from fwemu.core.tcp_table import ACK, PSH, Segment, State
from fwemu.daemon.losses import Losses
from fwemu.daemon.queue import Pause, QueueStatus
from tests.kit import wire

MIDNIGHT: Final = datetime(2026, 1, 1, tzinfo=UTC)


class StillClock:
    """Midnight of a new year until somebody moves it."""

    scale = 1

    def __init__(self) -> None:
        self.instant_now = 1000 * SECOND
        self._start = self.instant_now
        self.real_nanoseconds = 0
        """Since midnight, on the machine's clock."""
        self.steps: list[int] = []
        """If not empty: how far it moves at each look, once each."""

    def now(self) -> int:
        if self.steps:
            self.instant_now += self.steps.pop(0)
        return self.instant_now

    def wall(self, instant: int) -> datetime:
        return MIDNIGHT + timedelta(microseconds=(instant - self._start) / 1000)

    def real(self) -> datetime:
        return MIDNIGHT + timedelta(microseconds=self.real_nanoseconds / 1000)

    def advance(self, nanoseconds: int) -> None:
        self.instant_now += nanoseconds

    def run_at(self, rate: int) -> None:
        pass

    def instant(self, wall: datetime) -> int:
        return self._start + round((wall - MIDNIGHT) / timedelta(microseconds=1)) * 1000

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass."""
        self.instant_now += round(seconds * SECOND)


class Packet:
    """A packet of the queue, which writes its verdict into a diary."""

    def __init__(self, data: bytes, diary: list[Any], indev: int = 1) -> None:
        self.data = data
        self.indev = indev
        self.verdict: str | None = None
        self._diary = diary

    def get_payload(self) -> bytes:
        return self.data

    def accept(self) -> None:
        self._decide("accept")

    def drop(self) -> None:
        self._decide("drop")

    def _decide(self, verdict: str) -> None:
        assert self.verdict is None, "a second verdict for one packet"
        self.verdict = verdict
        self._diary.append(verdict)


class Queue:
    """Hands over what was put in, like the kernel's."""

    def __init__(self, on_packet: Callable[[Any], None]) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.gathers = False
        self.carried_out: Callable[[], None] = lambda: None
        self.drains = 0
        self.packets: list[Packet] = []
        self._on_packet = on_packet

    def put(self, *packets: Packet) -> None:
        self.packets += packets
        os.eventfd_write(self.fd, 1)

    def flush(self) -> None:
        """Verdicts go out as they are given."""

    def drain(self) -> None:
        self.drains += 1
        try:
            while self.packets:
                self._on_packet(self.packets.pop(0))
        except Pause:
            pass
        if not self.packets:
            os.eventfd_read(self.fd)

    def status(self) -> QueueStatus:
        return QueueStatus(1, len(self.packets), 3, 4)

    def close(self) -> None:
        os.close(self.fd)


class Injector:
    """Writes into the diary what it is to send."""

    failures = 0

    def __init__(self, diary: list[Any]) -> None:
        self._diary = diary

    def send(self, packet: bytes) -> bool:
        self._diary.append(("sent", packet))
        return True


class Journal:
    """Writes into the diary what it is to log."""

    def __init__(self, diary: list[Any]) -> None:
        self._diary = diary
        self.losses = Losses("log")

    def write(self, effects: list[Effect]) -> None:
        self._diary.append(("logged", [type(effect).__name__ for effect in effects]))

    def select(self, events: Any) -> None:
        self._diary.append(("selected", tuple(events)))

    def note(self, event: str, at: int, **fields: object) -> None:
        self._diary.append(("noted", event, fields))


FLOW: Final = Flow(TCP, bytes((10, 0, 1, 2)), 40000, bytes((10, 0, 2, 2)), 5432)
FLOW_V6: Final = Flow(TCP, bytes(15) + b"\1", 40000, bytes(15) + b"\2", 5432)

AT: Final = 1005 * SECOND

RST: Final = wire.ip(FLOW.destination, FLOW.source, TCP, wire.tcp(5432, 40000, "R"))
"""What the inside hears of it in the name of the outside."""

EFFECTS: Final[tuple[Effect, ...]] = (
    SessionOpened(AT, 7, FLOW, Zone.INSIDE, State.SYN_SENT, 2, False, 30 * SECOND),
    StateChanged(AT, 7, State.SYN_SENT, State.SYN_RECV, Direction.REPLY, 30 * SECOND),
    SessionEnded(
        AT, 7, FLOW, Zone.INSIDE, EndReason.EXPIRED, State.ESTABLISHED,
        AT - 60 * SECOND, AT - 10 * SECOND, Traffic(3, 166, 2, 112), 2,
    ),
    PacketRefused(
        AT, Reason.UNKNOWN_PACKET, Answer.RESET, Zone.OUTSIDE, FLOW_V6, Segment.ACK, 72, None, None,
        ACK | PSH,
    ),
    PacketReleased(
        AT, 3, Reason.FRAGMENT, Zone.INSIDE, FLOW._replace(protocol=UDP, source_port=0,
        destination_port=0), 1500,
    ),
    KeepaliveSeen(AT, 7, Direction.REPLY),
    PacketInjected(AT, RST, Zone.INSIDE, InjectedKind.RESET, 7),
    SessionAnswered(AT, 7, 3600 * SECOND),
)  # fmt: skip
"""One of each kind."""
