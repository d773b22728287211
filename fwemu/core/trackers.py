"""Tracking of packets without sequence numbers, and of first packets of any kind.

The transitions are in `datagram_table.py`; `tcp.py` is the counterpart for TCP.
"""

from __future__ import annotations

from typing import Final

from fwemu.core import datagram_table, tcp_table
from fwemu.core.flow import Direction
from fwemu.core.packet import Kind, Packet
from fwemu.core.tcp_table import Cell, Segment, State

_DATAGRAM_NEXT: Final = datagram_table.NEXT


def track(state: State, packet: Packet, direction: Direction) -> State | Cell:
    """The state that a packet without sequence numbers leads a session to, or BAD."""
    return _DATAGRAM_NEXT[state][direction][packet.kind]


def first_state(packet: Packet) -> State | Cell:
    """The state of a session that this packet would open; BAD if it may not open one.

    For TCP this includes what only `pick-up` lets in: an ACK makes it ESTABLISHED at once.
    """
    if packet.kind is Kind.TCP:
        assert packet.segment is not None
        return tcp_table.NEXT[State.NONE][Direction.ORIGINAL][packet.segment]
    return track(State.NONE, packet, Direction.ORIGINAL)


def needs_pick_up(packet: Packet) -> bool:
    """True for a packet from the middle of a connection (TCP, and no SYN)."""
    return packet.kind is Kind.TCP and packet.segment is not Segment.SYN


ASSURED_STATES: Final = frozenset({State.ESTABLISHED, State.UDP_REPLIED})
"""Entering one of these means that both ends have answered each other."""
