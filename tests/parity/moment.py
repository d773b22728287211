"""One packet before both judges."""

from __future__ import annotations

from dataclasses import dataclass

from fwemu.core.flow import Direction, Zone
from fwemu.core.packet import Packet
from fwemu.core.session import Session
from fwemu.scenarios.kernel_backend import state_of_entry
from netns.conntrack import Entry


@dataclass
class Moment:
    """One packet, as both judges saw it and what they knew before."""

    packet: Packet
    zone: Zone
    direction: Direction
    before: Session | None
    """The engine's session as it was (a copy)."""
    after: Session | None
    passed: bool
    reason: str
    """The engine's verdict."""
    entry_before: Entry | None
    entry: Entry | None
    kernel_passed: bool
    left: float = 0.0
    """Seconds until the engine forgets the session."""

    @property
    def state(self) -> str | None:
        """What the engine says of the session now."""
        return None if self.after is None else self.after.state.name

    @property
    def kernel_state(self) -> str | None:
        """What the kernel says of it."""
        return state_of_entry(self.entry)

    @property
    def agrees(self) -> bool:
        """Do both say the same?"""
        return (self.passed, self.state) == (self.kernel_passed, self.kernel_state)
