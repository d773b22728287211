"""Zones, directions, protocol numbers, and the flow that a packet belongs to."""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from typing import Final, NamedTuple

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58

PROTOCOLS_WITH_PORTS: Final = frozenset({TCP, UDP})
"""The tracked protocols that begin with a source and a destination port.

Logs, rules and device logs ask this set whether a flow has ports.
"""

PROTOCOL_NAMES: Final = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}
"""Names of the protocols that are tracked by more than their addresses (IANA protocol numbers)."""


def protocol_name(number: int) -> str:
    """`tcp`, `udp`, `icmp`, `icmpv6`, or the number itself as text."""
    return PROTOCOL_NAMES.get(number) or str(number)


class Zone(IntEnum):
    """The side of the firewall that a packet comes from."""

    INSIDE = 0
    OUTSIDE = 1

    @property
    def other(self) -> Zone:
        """The opposite side: where a forwarded packet leaves."""
        return Zone.OUTSIDE if self is Zone.INSIDE else Zone.INSIDE

    @property
    def word(self) -> str:
        """`inside` or `outside`, as settings, logs and metrics spell it."""
        return self.name.lower()


class Direction(IntEnum):
    """The two directions of a session: as its first packet went, or against it."""

    ORIGINAL = 0
    REPLY = 1

    @property
    def reverse(self) -> Direction:
        """The opposite direction."""
        return Direction.REPLY if self is Direction.ORIGINAL else Direction.ORIGINAL


class Flow(NamedTuple):
    """The endpoints of a packet in the order it travels, addresses packed as on the wire.

    For ICMP queries the source port is the identifier and the destination port the ICMP type;
    for protocols known only by address pair both are zero.
    """

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if len(self.source) == 4 else 6

    def __str__(self) -> str:
        source, destination = (
            ipaddress.ip_address(self.source),
            ipaddress.ip_address(self.destination),
        )
        name = protocol_name(self.protocol)
        if self.protocol in PROTOCOLS_WITH_PORTS:
            brackets = "{}:{}" if self.version == 4 else "[{}]:{}"
            here = brackets.format(source, self.source_port)
            there = brackets.format(destination, self.destination_port)
            return f"{name} {here} -> {there}"
        if self.protocol in (ICMP, ICMPV6):
            return f"{name} {source} -> {destination} id {self.source_port}"
        return f"protocol {name} {source} -> {destination}"


def is_multicast(address: bytes) -> bool:
    """True for a packed multicast (224.0.0.0/4, ff00::/8) address or 255.255.255.255."""
    return address[0] >= 0xE0 if len(address) == 4 else address[0] == 0xFF


# A key is a flow as bytes, cut out of the packet: addresses first, then what tells flows between
# two hosts apart.  Cutting is one slice a packet; decoding into a Flow happens once a session.


def flow_of(protocol: int, key: bytes) -> Flow:
    """Decode a key as `packet.parse` cuts it."""
    width = 16 if len(key) >= 32 else 4
    source, destination, rest = key[:width], key[width : 2 * width], key[2 * width :]
    return Flow(
        protocol,
        source,
        int.from_bytes(rest[:2], "big"),
        destination,
        int.from_bytes(rest[2:], "big"),
    )
