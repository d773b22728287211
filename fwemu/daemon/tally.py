"""Counts effects for the metrics: plain numbers, kept by the engine's thread.

A table says what each kind of effect counts; a test demands that none is missing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
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
)
from fwemu.core.flow import PROTOCOL_NAMES
from fwemu.core.instants import SECOND
from fwemu.core.reasons import Reason
from fwemu.daemon.losses import Losses

IDLE_BUCKETS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
"""Seconds: the timeouts that firewalls have."""

VERDICT_BUCKETS: Final = (5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 2e-2)
"""Seconds."""


class Histogram:
    """Counts by bucket; the last one is for everything above the highest bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def protocol_label(number: int) -> str:
    """The protocol as a label: a name from a fixed list, or `other`."""
    return PROTOCOL_NAMES.get(number, "other")


class Tally:
    """All counters that do not count packets one by one."""

    def __init__(self, losses: Losses | None = None) -> None:
        self.losses = losses or Losses("counters")
        self.opened: Counter[str] = Counter()
        """Sessions opened, by protocol."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """Sessions ended, by protocol and reason."""
        self.unknown: Counter[tuple[str, str]] = Counter()
        """Unknown packets, by zone and answer."""
        self.released: Counter[tuple[str, str]] = Counter()
        """Fragments that had to wait, by verdict and reason."""
        self.injected: Counter[tuple[str, str]] = Counter()
        """Packets of our own, by kind and zone."""
        self.keepalives: Counter[str] = Counter()
        """Keepalive probes, by direction."""
        self.transitions: Counter[str] = Counter()
        """State changes, by the state that was entered."""
        self.idle_age = Histogram(IDLE_BUCKETS)
        """Seconds for which the idle timers of sessions had run when they ended."""
        self.time_to_verdict = Histogram(VERDICT_BUCKETS)
        """Seconds from receiving a packet to its verdict; one packet in `SAMPLED` is measured."""

    def write(self, effects: Iterable[Effect]) -> None:
        """Count these effects."""
        before = self.losses.count
        for effect in effects:
            try:
                COUNTED[type(effect)](self, effect)
            except Exception as error:
                self.losses.add(error, 1)
        if self.losses.count == before:
            self.losses.over()

    def _opened(self, effect: SessionOpened) -> None:
        self.opened[protocol_label(effect.flow.protocol)] += 1

    def _ended(self, effect: SessionEnded) -> None:
        self.ended[protocol_label(effect.flow.protocol), effect.reason.word] += 1
        self.idle_age.observe((effect.at - effect.idle_since) / SECOND)

    def _refused(self, effect: PacketRefused) -> None:
        if effect.reason is Reason.UNKNOWN_PACKET:
            self.unknown[effect.zone.word, effect.answer.word] += 1

    def _released(self, effect: PacketReleased) -> None:
        self.released[effect.reason.verdict.word, effect.reason.word] += 1

    def _injected(self, effect: PacketInjected) -> None:
        self.injected[effect.kind.word, effect.zone.word] += 1

    def _keepalive(self, effect: KeepaliveSeen) -> None:
        self.keepalives[effect.direction.name.lower()] += 1

    def _changed(self, effect: StateChanged) -> None:
        self.transitions[effect.after.name] += 1

    def _uncounted(self, effect: SessionAnswered) -> None:
        """No counter tells of this."""


SAMPLED: Final = 16

COUNTED: Final[dict[type, Callable[[Tally, Any], None]]] = {
    SessionOpened: Tally._opened,
    SessionEnded: Tally._ended,
    PacketRefused: Tally._refused,
    PacketReleased: Tally._released,
    PacketInjected: Tally._injected,
    KeepaliveSeen: Tally._keepalive,
    StateChanged: Tally._changed,
    SessionAnswered: Tally._uncounted,
}
