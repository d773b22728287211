"""Effects: consequences of a decision as data, made in the core and carried out outside.

They are frozen and in the past tense.  `at` is the instant in nanoseconds at which it
happened by the firewall's own clock.
"""

from __future__ import annotations

from typing import NamedTuple

from fwemu.core.flow import Direction, Flow, Zone
from fwemu.core.reasons import Answer, EndReason, InjectedKind, Reason, Verdict
from fwemu.core.tcp_table import Segment, State


class Traffic(NamedTuple):
    """Packets and octets of a session, by direction."""

    original_packets: int
    original_octets: int
    reply_packets: int
    reply_octets: int


class SessionOpened(NamedTuple):
    """A session entered the table."""

    at: int
    id: int
    flow: Flow
    zone: Zone
    state: State
    rule: int | None
    picked_up: bool
    lifetime: int
    """How long its idle timer runs now, in nanoseconds."""


class StateChanged(NamedTuple):
    """A session went from one state into another."""

    at: int
    id: int
    before: State
    after: State
    direction: Direction | None
    """The direction of the packet that moved it; None where a peer took over that knew less."""
    lifetime: int
    """How long its idle timer runs now, in nanoseconds."""


class SessionAnswered(NamedTuple):
    """The peer of the opener sent its first packet, and the state is the same as before.

    So it is where a state knows no answers: ICMP, other protocols, TCP that was picked up.
    """

    at: int
    id: int
    lifetime: int
    """How long its idle timer runs now, in nanoseconds."""


class SessionEnded(NamedTuple):
    """A session left the table."""

    at: int
    id: int
    flow: Flow
    zone: Zone
    reason: EndReason
    state: State
    opened: int
    idle_since: int
    """The instant at which its idle timer was last restarted: not every packet does that."""
    traffic: Traffic
    rule: int | None


class PacketRefused(NamedTuple):
    """A packet was dropped, or answered instead of forwarded."""

    at: int
    reason: Reason
    answer: Answer
    zone: Zone
    flow: Flow | None
    """None where the packet is too broken to name its endpoints."""
    segment: Segment | None
    length: int
    session: int | None
    """The session it pretended to belong to."""
    rule: int | None
    flags: int = 0
    """Its TCP flags, as they stand in the header."""


class PacketReleased(NamedTuple):
    """A packet that was held has its verdict, which is that of the reason."""

    at: int
    ticket: int
    """The ticket that its decision named."""
    reason: Reason
    zone: Zone
    flow: Flow
    length: int


class KeepaliveSeen(NamedTuple):
    """A keepalive probe passed: an end asks whether the other is still there (RFC 9293 3.8.4)."""

    at: int
    id: int
    direction: Direction


class PacketInjected(NamedTuple):
    """The firewall made a packet of its own: a whole IP packet to send out to a zone."""

    at: int
    packet: bytes
    zone: Zone
    kind: InjectedKind
    session: int | None


Effect = (
    SessionOpened
    | StateChanged
    | SessionAnswered
    | SessionEnded
    | PacketRefused
    | PacketReleased
    | KeepaliveSeen
    | PacketInjected
)

Effects = tuple[Effect, ...]
"""In the order in which they happened."""


class Decision(NamedTuple):
    """The core's whole answer to one packet."""

    verdict: Verdict
    reason: Reason
    effects: Effects = ()
    ticket: int = 0
    """Names a packet that is held, until a `PacketReleased` says what becomes of it."""
