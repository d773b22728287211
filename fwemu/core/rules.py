"""Rules: the first that matches decides.

A stateful firewall asks them for the first packet of a session only; a router ACL for every one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from fwemu.core.choices import AtExpiry, OnUnknown
from fwemu.core.flow import PROTOCOLS_WITH_PORTS, Zone
from fwemu.core.packet import Kind, Packet, flow_of_packet
from fwemu.core.tcp_table import Segment

PortRange = tuple[int, int]
"""First and last port, both included."""


class Network(NamedTuple):
    """An address prefix: its octets (4 or 16), value and mask."""

    width: int
    value: int
    mask: int

    def contains(self, address: bytes) -> bool:
        """True if this packed address is in the network."""
        return (
            len(address) == self.width and int.from_bytes(address, "big") & self.mask == self.value
        )


class Action(Enum):
    """The action of a rule.  The value is the setting's."""

    ALLOW = "allow"
    DENY = "deny"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; a field that is left out matches anything."""

    action: Action
    name: str = ""
    arrival: Zone | None = None
    sources: tuple[Network, ...] = ()
    destinations: tuple[Network, ...] = ()
    protocols: frozenset[int] = frozenset()
    source_ports: tuple[PortRange, ...] = ()
    ports: tuple[PortRange, ...] = ()
    """Destination ports."""
    established: bool = False
    """Only TCP segments with ACK or RST, as routers mean `established`."""
    idle_timeout: int | None = None
    """Nanoseconds, in place of the general idle timeout."""
    at_expiry: AtExpiry | None = None
    """In place of the general action at expiry."""
    on_unknown: OnUnknown | None = None
    """The treatment of unknown packets of its flows, in either direction; None: the general one."""

    def matches(self, packet: Packet, arrival: Zone) -> bool:
        """True if the rule matches the packet.

        A later fragment has neither ports nor flags: a rule that names some lets it pass by its
        addresses, but does not refuse it by them (Cisco IOS, access lists and fragments).
        """
        if self.arrival is not None and arrival is not self.arrival:
            return False
        if self.protocols and packet.protocol not in self.protocols:
            return False
        flow = flow_of_packet(packet)
        if self.sources and not _inside(flow.source, self.sources):
            return False
        if self.destinations and not _inside(flow.destination, self.destinations):
            return False
        if packet.kind is Kind.FRAGMENT:
            return self.action is Action.ALLOW or not self._looks_beyond_addresses
        if self.established and packet.segment not in ESTABLISHED_SEGMENTS:
            return False
        if not (self.ports or self.source_ports):
            return True
        return (
            packet.protocol in PROTOCOLS_WITH_PORTS
            and _listed(flow.source_port, self.source_ports)
            and _listed(flow.destination_port, self.ports)
        )

    @property
    def _looks_beyond_addresses(self) -> bool:
        return bool(self.ports or self.source_ports or self.established)


ESTABLISHED_SEGMENTS: Final = frozenset({Segment.SYN_ACK, Segment.FIN, Segment.ACK, Segment.RST})
"""Every valid segment but a bare SYN has ACK or RST set."""


class Ruling(NamedTuple):
    """The action of the rules for a packet, and the rule that it comes from."""

    action: Action
    rule: int | None
    """Index of the rule; None for the default action."""


def first_match(
    packet: Packet, arrival: Zone, rules: Sequence[Rule], default: dict[Zone, Action]
) -> Ruling:
    """The action of the first rule that matches, or the default of the packet's zone."""
    for index, rule in enumerate(rules):
        if rule.matches(packet, arrival):
            return Ruling(rule.action, index)
    return Ruling(default[arrival], None)


def _inside(address: bytes, networks: tuple[Network, ...]) -> bool:
    return any(network.contains(address) for network in networks)


def _listed(port: int, ranges: tuple[PortRange, ...]) -> bool:
    return not ranges or any(first <= port <= last for first, last in ranges)
