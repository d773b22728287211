"""The data model of a story, as `notation.py` parses it and `runner.py` runs it.

Sequence numbers are relative to the first one of the sender, as in packetdrill; `participants.py`
makes packets of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fwemu.core.flow import Zone
from fwemu.core.reasons import EndReason, Reason, Verdict
from fwemu.core.tcp_table import State


class Number(NamedTuple):
    """A sequence number: relative to the first one of its sender, or absolute as in the header."""

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
    """Selectively acknowledged blocks (RFC 2018): left and right edges, relative."""


class Udp(NamedTuple):
    """A datagram."""

    length: int


class Icmp(NamedTuple):
    """An ICMP message of either version."""

    word: str
    """Its name in `participants.MESSAGES`."""
    identifier: int
    mtu: int
    about: StoryPacket | None
    """The packet that an error quotes."""


class Other(NamedTuple):
    """A packet of a protocol without ports."""

    protocol: int
    length: int


class Cut(NamedTuple):
    """The part of a datagram that a fragment carries, in octets of the IP payload."""

    begin: int
    end: int
    identification: int


@dataclass(frozen=True)
class StoryPacket:
    """A packet of a story."""

    origin: Zone
    conversation: int
    """Number of its conversation, from 1; each has its own client port."""
    body: Tcp | Udp | Icmp | Other
    ttl: int | None = None
    cut: Cut | None = None


@dataclass(frozen=True)
class ExpectedVerdict:
    """The expected result of a packet."""

    verdict: Verdict
    reason: Reason | None
    """None for the ordinary case: the packet belongs to its session, or opens one."""
    state: State | None
    """The state of its session afterwards, `State.NONE` for no session; None if any will do."""


@dataclass(frozen=True)
class ExpectedRelease:
    """The expected final verdict of a packet that was held."""

    packet: StoryPacket
    expected: ExpectedVerdict


class ExpectedEnd(NamedTuple):
    """An expected end of a session."""

    reason: EndReason
    state: State
    conversation: int


@dataclass(frozen=True)
class Step:
    """A pause, or a packet after a pause without events; and the expected results."""

    line: int
    pause: int
    """Nanoseconds."""
    packet: StoryPacket | None = None
    expected: ExpectedVerdict | None = None
    injected: tuple[tuple[int, StoryPacket], ...] = ()
    """Packets that the firewall is expected to send itself, each with its line number."""
    endings: tuple[tuple[int, ExpectedEnd], ...] = ()
    releases: tuple[tuple[int, ExpectedRelease], ...] = ()


@dataclass(frozen=True)
class Story:
    """A story file."""

    path: str
    lines: tuple[str, ...]
    """The text of the file."""
    title: str
    """The text of its first comment."""
    profile: str | None
    settings: tuple[str, ...]
    versions: tuple[int, ...]
    for_kernel: bool
    """True if it also holds for the kernel's connection tracking (`kernel = yes`)."""
    steps: tuple[Step, ...]
