"""Where packets are put and seen: one interface for the engine, the queue and the kernel."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from fwemu.core.flow import Zone


class Seen(NamedTuple):
    """What became of a packet."""

    passed: bool
    reason: str | None
    """The engine's word; None where the stage cannot know."""
    state: str | None
    """The state of the packet's session afterwards, by the names of core's State; None if none."""
    spoken: tuple[tuple[Zone, bytes], ...]
    """The packets that the firewall sent itself, and the zone each went to."""


class Stage(Protocol):
    """A firewall that packets can be put before."""

    def put(self, packet: bytes, arrival: Zone) -> Seen:
        """A packet arrives from a zone."""

    def wait(self, nanoseconds: int) -> tuple[tuple[Zone, bytes], ...]:
        """Let time pass; what the firewall says meanwhile."""

    def close(self) -> None:
        """Leave nothing behind."""
