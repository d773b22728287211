"""What a packet without sequence numbers means for its session; `tcp.py` is its counterpart.

A tracker decides; it changes nothing.  One a kind of packet, chosen by the table at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fwemu.core.flow import Direction
from fwemu.core.packet import Kind, Packet
from fwemu.core.session import Session
from fwemu.core.tcp_table import NEXT, Cell, Segment, State

Track = Callable[[Session, Packet, Direction], State | Cell]


def track_udp(session: Session, packet: Packet, direction: Direction) -> State | Cell:
    """The first datagram against the original direction makes it replied."""
    return State.UDP_REPLIED if direction is Direction.REPLY else session.state


def track_unchanging(session: Session, packet: Packet, direction: Direction) -> State | Cell:
    """ICMP queries and protocols without ports have one state."""
    return session.state


TRACK: Final[dict[Kind, Track]] = {
    Kind.UDP: track_udp,
    Kind.QUERY: track_unchanging,
    Kind.RESPONSE: track_unchanging,
    Kind.OTHER: track_unchanging,
}

_FIRST_STATE: Final[dict[Kind, State | Cell]] = {
    Kind.UDP: State.UDP_UNREPLIED,
    Kind.QUERY: State.ICMP,
    Kind.RESPONSE: Cell.BAD,  # only ever answers
    Kind.OTHER: State.OTHER,
}


def first_state(packet: Packet) -> State | Cell:
    """The state of a session that this packet would open; BAD if it may not open one.

    For TCP this includes what only `pick-up` lets in: an ACK makes it ESTABLISHED at once.
    """
    if packet.kind is Kind.TCP:
        assert packet.segment is not None
        return NEXT[State.NONE][Direction.ORIGINAL][packet.segment]
    return _FIRST_STATE[packet.kind]


def needs_pick_up(packet: Packet) -> bool:
    """Is this a packet from the middle of a conversation (TCP, and no SYN)?"""
    return packet.kind is Kind.TCP and packet.segment is not Segment.SYN


ASSURED_STATES: Final = frozenset({State.ESTABLISHED, State.UDP_REPLIED})
"""Entering one of these means that both ends have answered each other."""
