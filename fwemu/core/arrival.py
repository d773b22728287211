"""A packet as it arrives, and the type of the functions that decide about packets."""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

from fwemu.core.effects import Decision
from fwemu.core.flow import Zone
from fwemu.core.packet import Malformed, Packet

Arrived = TypeVar("Arrived", contravariant=True)
Parsed = TypeVar("Parsed", bound=Packet | Malformed, covariant=True)


class PacketHandler(Protocol[Arrived]):
    """Decides about a packet of one kind.

    Its arguments are those of an `Arrival`, which is made only where more than one needs them: a
    packet of an open session, the most frequent of all, goes without.
    """

    def __call__(self, packet: Arrived, data: bytes, now: int, zone: Zone, /) -> Decision: ...


class Arrival(Generic[Parsed]):
    """A parsed packet with its bytes, the instant of its arrival and the zone it came from."""

    __slots__ = ("data", "now", "packet", "zone")

    def __init__(self, packet: Parsed, data: bytes, now: int, zone: Zone) -> None:
        self.packet: Final = packet
        self.data: Final = data
        """The bytes it was parsed from."""
        self.now: Final = now
        self.zone: Final = zone
