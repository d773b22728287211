"""The state machine of UDP, ICMP queries and all other protocols, in the form of TCP's.

There is little to know about them: a packet opens a session, and for UDP an answer makes it
replied, which has a timer of its own (as in nf_conntrack: net/netfilter/nf_conntrack_proto_udp.c,
nf_conntrack_proto_icmp.c and nf_conntrack_proto_generic.c, kernel 6.x).  Every transition is here
and nowhere else.  A packet meets the states of its own protocol only.
"""

from __future__ import annotations

from typing import Final

from fwemu.core.flow import Direction
from fwemu.core.packet import Kind
from fwemu.core.state_table import check_complete
from fwemu.core.tcp_table import Cell, State

S, K = State, Kind
BAD: Final = Cell.BAD
ORIGINAL, REPLY = Direction.ORIGINAL, Direction.REPLY

KINDS: Final[dict[State, tuple[Kind, ...]]] = {
    S.NONE: (K.UDP, K.QUERY, K.RESPONSE, K.OTHER),
    S.UDP_UNREPLIED: (K.UDP,),
    S.UDP_REPLIED: (K.UDP,),
    S.ICMP: (K.QUERY, K.RESPONSE),
    S.OTHER: (K.OTHER,),
}
"""The kinds of packet that can meet each state."""

Row = dict[Kind, State | Cell]
TRANSITIONS: Final[dict[tuple[State, Direction], Row]] = {
    # Nothing known. Any packet opens, but for an ICMP answer to a question that nobody asked.
    (S.NONE, ORIGINAL): {
        K.UDP: S.UDP_UNREPLIED,
        K.QUERY: S.ICMP,
        K.RESPONSE: BAD,
        K.OTHER: S.OTHER,
    },
    # Never reached: the first packet of a session sets its original direction.
    (S.NONE, REPLY): {K.UDP: BAD, K.QUERY: BAD, K.RESPONSE: BAD, K.OTHER: BAD},
    # One end sends; the first datagram of the other one answers it.
    (S.UDP_UNREPLIED, ORIGINAL): {K.UDP: S.UDP_UNREPLIED},
    (S.UDP_UNREPLIED, REPLY): {K.UDP: S.UDP_REPLIED},
    # A conversation; it never becomes less.
    (S.UDP_REPLIED, ORIGINAL): {K.UDP: S.UDP_REPLIED},
    (S.UDP_REPLIED, REPLY): {K.UDP: S.UDP_REPLIED},
    # Queries go one way and answers the other: their types are part of the key of the session.
    (S.ICMP, ORIGINAL): {K.QUERY: S.ICMP, K.RESPONSE: BAD},
    (S.ICMP, REPLY): {K.QUERY: BAD, K.RESPONSE: S.ICMP},
    # Nothing is known of these protocols: any packet between the two addresses.
    (S.OTHER, ORIGINAL): {K.OTHER: S.OTHER},
    (S.OTHER, REPLY): {K.OTHER: S.OTHER},
}

check_complete("UDP, ICMP and other", TRANSITIONS, KINDS)

NEXT: Final = tuple(
    tuple(TRANSITIONS.get((state, direction), {}) for direction in Direction) for state in State
)
"""The same table for quick lookups: `NEXT[state][direction][kind]`."""
