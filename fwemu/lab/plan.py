"""The hosts, firewalls and addresses of a lab.

A lab has a number that no other running lab has, and its networks carry that number:

    198.18.N.0/24   2001:2:0:18NN::/64   inside: the firewall is .1 and ::1, clients from .10 on
    198.19.N.0/24   2001:2:0:19NN::/64   outside: servers, the same way

NN is N in two hexadecimal digits.  Both are set aside for tests of network devices, so that nobody
has such an address and no router of the Internet knows a way there: 198.18.0.0/15 (RFC 2544) and
2001:2::/48 (RFC 5180).  Unlike private addresses they are not those of somebody's office either,
and unlike fc00::/7 they do not rank below IPv4 in the choice of an address (RFC 6724).

An asymmetric lab has a second firewall between the same networks, .2 and ::2.  Clients send by way
of the first one, servers by way of the second: each sees one direction of every conversation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fwemu.core.flow import Zone
from fwemu.daemon.pace import SCALES
from fwemu.errors import ConfigError
from netns import IPNetwork

LAB_NUMBERS: Final = range(1, 255)
"""What N may be: 254 labs side by side on a machine."""

MOST_HOSTS: Final = 200
"""Hosts a zone: from .10 on there is room for more, but a lab is no data centre."""

_FIRST_HOST: Final = 10
_NETWORK: Final = {Zone.INSIDE: 18, Zone.OUTSIDE: 19}
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


class Layout(Enum):
    """The firewalls between clients and servers.  The value is that of `--topology`."""

    SINGLE = "single"
    """One firewall, which sees both directions."""
    ASYMMETRIC = "asymmetric"
    """A pair of firewalls, each of which sees one direction."""


@dataclass(frozen=True)
class Topology:
    """The number of hosts on each side, and the firewalls between them."""

    clients: int = 1
    servers: int = 1
    layout: Layout = Layout.SINGLE

    def __post_init__(self) -> None:
        for what, count in (("clients", self.clients), ("servers", self.servers)):
            if not 1 <= count <= MOST_HOSTS:
                raise ConfigError(f"{what}: {count} is not from 1 to {MOST_HOSTS}")

    @property
    def hosts(self) -> list[tuple[str, Zone]]:
        """The names of the hosts, in order: `client`, `client2`, ...; `server`, `server2`, ..."""
        sides = (("client", self.clients, Zone.INSIDE), ("server", self.servers, Zone.OUTSIDE))
        return [
            (word if index == 0 else f"{word}{index + 1}", zone)
            for word, count, zone in sides
            for index in range(count)
        ]


@dataclass(frozen=True)
class HostPlan:
    """A host with its place in the lab."""

    name: str
    zone: Zone
    namespace: str
    ipv4: str
    ipv6: str


@dataclass(frozen=True)
class FirewallPlan:
    """A firewall of a lab."""

    name: str
    """By which its daemon is found."""
    host: str
    """By which it is a host of the lab."""
    namespace: str
    number: int
    """Its host number in both networks."""


@dataclass(frozen=True)
class LabPlan:
    """All that follows from the name, the number and the topology of a lab."""

    name: str
    number: int
    topology: Topology

    @property
    def firewalls(self) -> list[FirewallPlan]:
        """The firewall that clients send through, and the one that servers do if it is another."""
        suffixes = ("", "-b") if self.topology.layout is Layout.ASYMMETRIC else ("",)
        return [
            FirewallPlan(
                f"{self.name}{suffix}",
                f"firewall{suffix}",
                f"fwemu-{self.name}-firewall{suffix}",
                number,
            )
            for number, suffix in enumerate(suffixes, start=1)
        ]

    @property
    def switch(self) -> str | None:
        """The namespace of the switch, where there are several firewalls."""
        return f"fwemu-{self.name}-switch" if len(self.firewalls) > 1 else None

    def gateway(self, zone: Zone) -> FirewallPlan:
        """The firewall that the hosts of a zone send through."""
        return self.firewalls[0 if zone is Zone.INSIDE else -1]

    @property
    def hosts(self) -> list[HostPlan]:
        """The clients, then the servers."""
        plans = []
        seen = dict.fromkeys(Zone, 0)
        for name, zone in self.topology.hosts:
            ipv4, ipv6 = self.addresses(zone, _FIRST_HOST + seen[zone])
            seen[zone] += 1
            plans.append(HostPlan(name, zone, f"fwemu-{self.name}-{name}", ipv4, ipv6))
        return plans

    @property
    def namespaces(self) -> list[str]:
        """Every namespace of the lab."""
        switch = [self.switch] if self.switch is not None else []
        firewalls = [firewall.namespace for firewall in self.firewalls]
        return [*firewalls, *switch, *(host.namespace for host in self.hosts)]

    @property
    def networks(self) -> list[IPNetwork]:
        """The networks of both its sides, in both IP versions."""
        return networks_of(self.number)

    def addresses(self, zone: Zone, host: int) -> tuple[str, str]:
        """The IPv4 and IPv6 address of a host number."""
        ipv4, ipv6 = _beginnings(self.number, zone)
        return f"{ipv4}.{host}", f"{ipv6}::{host}"


def networks_of(number: int) -> list[IPNetwork]:
    """All networks of the lab that has this number."""
    pairs = [_beginnings(number, zone) for zone in Zone]
    return [
        ipaddress.ip_network(network)
        for ipv4, ipv6 in pairs
        for network in (f"{ipv4}.0/24", f"{ipv6}::/64")
    ]


def is_free(number: int, known: Iterable[IPNetwork]) -> bool:
    """True if the lab of this number would use none of these networks.

    A network around them is no hindrance: a default route by another name, as a VPN may have.
    """
    known = list(known)
    return not any(
        each.prefixlen >= own.prefixlen and each.network_address in own
        for own in networks_of(number)
        for each in known
        if each.version == own.version
    )


def _beginnings(number: int, zone: Zone) -> tuple[str, str]:
    """What its addresses in a zone begin with."""
    network = _NETWORK[zone]
    return f"198.{network}.{number}", f"2001:2:0:{network}{number:02x}"


def check_time_scale(scale: int, hosts: Sequence[str]) -> None:
    """Raises ConfigError where time cannot pass that much faster."""
    if scale not in SCALES:
        raise ConfigError(
            f"--time-scale {scale}: a whole number from {SCALES[0]} to {SCALES[-1]}, as in 60"
        )
    if scale > 1 and not hosts:
        raise ConfigError(
            f"--time-scale {scale}: the hosts of this firewall are not known (or it is one of a "
            "pair), and its clock alone must not run faster "
            "(start it with --host NETNS for each of them)"
        )


def check_name(name: str) -> str:
    """The name, if it can be that of a lab; it becomes part of namespace names."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"--name {name!r}: letters, digits and inner hyphens, at most 32, as in shop-test"
        )
    return name
