"""A story as data: what the notation says, before anybody plays it.

Numbers are relative to the first sequence number of whoever sends, as in packetdrill; `cast.py`
makes them into bytes.  The text of it all is read in `notation.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fwemu.core.flow import Zone
from fwemu.core.reasons import EndReason, Reason, Verdict
from fwemu.core.tcp_table import State


class Number(NamedTuple):
    """A sequence number: relative to its sender's first one, or as it stands in the header."""

    value: int
    is_absolute: bool = False


class Tcp(NamedTuple):
    """A TCP segment."""

    flags: str
    """Letters as tcpdump has them, `SA`; empty for none."""
    seq: Number
    length: int
    """Octets of data."""
    ack: Number | None
    window: int
    urgent: int
    options: bytes
    sack: tuple[tuple[int, int], ...]
    """Blocks that are acknowledged selectively, relative."""


class Udp(NamedTuple):
    """A datagram."""

    length: int


class Icmp(NamedTuple):
    """An ICMP message of either version."""

    word: str
    """Its name in `cast.MESSAGES`."""
    identifier: int
    mtu: int
    about: Packet | None
    """The packet that an error quotes."""


class Other(NamedTuple):
    """A packet of a protocol without ports."""

    protocol: int
    length: int


class Cut(NamedTuple):
    """The part of a datagram that one of its fragments holds, in octets of the IP payload."""

    begin: int
    end: int
    identification: int


@dataclass(frozen=True)
class Packet:
    """A packet as a story tells it."""

    origin: Zone
    talk: int
    """The conversation it belongs to; each has a client port of its own."""
    body: Tcp | Udp | Icmp | Other
    ttl: int | None = None
    cut: Cut | None = None


@dataclass(frozen=True)
class Expected:
    """What is to become of a packet."""

    verdict: Verdict
    reason: Reason | None
    """None where the packet is to belong to its session or to open one: the ordinary case."""
    state: State | None
    """The state of its session afterwards, NONE if it is to have none; None if it matters not."""


@dataclass(frozen=True)
class Release:
    """A packet that was held and has its verdict now."""

    packet: Packet
    expected: Expected


class Ending(NamedTuple):
    """The end of a session that a story expects."""

    reason: EndReason
    state: State
    talk: int


@dataclass(frozen=True)
class Step:
    """A pause, or a packet after a pause in which nothing happens; and what comes of it."""

    line: int
    pause: int
    """Nanoseconds."""
    packet: Packet | None = None
    expected: Expected | None = None
    spoken: tuple[tuple[int, Packet], ...] = ()
    """What the firewall is to say itself, each with its line."""
    endings: tuple[tuple[int, Ending], ...] = ()
    releases: tuple[tuple[int, Release], ...] = ()


@dataclass(frozen=True)
class Story:
    """One file."""

    path: str
    lines: tuple[str, ...]
    """Its text."""
    title: str
    """What its first comment says."""
    profile: str | None
    settings: tuple[str, ...]
    versions: tuple[int, ...]
    for_kernel: bool
    """It can be told of the kernel's own connection tracking too."""
    steps: tuple[Step, ...]
