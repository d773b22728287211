"""The TCP state machine, as a table that can be read.

States and cells are those of Linux's nf_conntrack (net/netfilter/nf_conntrack_proto_tcp.c, the
table `tcp_conntracks`, kernel 6.x): one joint state a connection, seen by a device in the middle.
Every transition is here and nowhere else.  Four kinds of cell are not states:

    IGNORE   passes, moves nothing: it may be invalid, the endpoint will answer (a SYN in an open
             connection gets a challenge ACK, RFC 5961 section 4)
    REOPEN   a new connection on the same addresses and ports (RFC 9293 section 3.6.1);
             nf_conntrack deletes the old entry and starts again
    BAD      cannot occur in this state: dropped
    OUTSIDE  its numbers cannot be: dropped; the window (see `tcp_window.py`) has the same word
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

from fwemu.core.flow import Direction
from fwemu.core.state_table import check_complete


class State(IntEnum):
    """The state of a session.  Each has a timer of its own (see `timeouts.py`)."""

    NONE = 0
    SYN_SENT = 1
    SYN_RECV = 2
    ESTABLISHED = 3
    FIN_WAIT = 4
    CLOSE_WAIT = 5
    LAST_ACK = 6
    TIME_WAIT = 7
    CLOSE = 8
    SYN_SENT2 = 9
    # What follows is not TCP (see `datagram_table.py`): all that counts is whether an answer came.
    UDP_UNREPLIED = 10
    UDP_REPLIED = 11
    ICMP = 12
    OTHER = 13
    # A denial that is remembered: nothing passes.
    TCP_DISCARD = 14
    UDP_DISCARD = 15
    OTHER_DISCARD = 16


TCP_STATES: Final = tuple(State)[: State.SYN_SENT2 + 1]


class Segment(IntEnum):
    """The classes of TCP segments: by their flags alone, or by their numbers too.

    Those of the second kind are told by `tcp.classify` before the table is asked, so that every
    branch about states stays in the table.
    """

    SYN = 0
    SYN_ACK = 1
    FIN = 2
    ACK = 3
    RST = 4
    SYN_AGAIN = 5
    """A SYN that may be a new connection, or not: only a SYN-ACK will tell."""
    SYN_ACK_SYNC = 6
    """A SYN-ACK for a SYN that was passed and ignored: both ends agree, and we were wrong."""
    ACK_BOTH = 7
    """An ACK after both ends have sent a SYN, the open being simultaneous: either one will do."""
    ACK_CHALLENGE = 8
    """The challenge ACK (RFC 5961 section 4) to a SYN that was passed while the last ACK is due."""
    RST_INEXACT = 9
    """A RST in the window, but not on the number expected: the receiver will challenge it."""
    RST_OLD = 10
    """A RST below what its receiver has acknowledged: no receiver believes it."""
    FIN_REPEATED = 11
    """A FIN of the end that has closed already; the other end has not."""
    ACK_BEFORE_FIN = 12
    """An ACK while closing that leaves a FIN unacknowledged: not the one that is due."""


FLAG_SEGMENTS: Final = (Segment.SYN, Segment.SYN_ACK, Segment.FIN, Segment.ACK, Segment.RST)
"""The segments that flags alone can tell."""


class Cell(Enum):
    """The cells that are not states; see the top of this file."""

    IGNORE = "ignore"
    REOPEN = "reopen"
    BAD = "bad"
    OUTSIDE = "outside"


S, T = State, Segment
IGNORE, REOPEN, BAD, OUTSIDE = Cell
ORIGINAL, REPLY = Direction.ORIGINAL, Direction.REPLY

Row = dict[Segment, State | Cell]
TRANSITIONS: Final[dict[tuple[State, Direction], Row]] = {
    # Nothing known. A SYN opens; an ACK is the middle of something (only `pick-up` lets it in).
    (S.NONE, ORIGINAL): {
        T.SYN: S.SYN_SENT,
        T.SYN_ACK: BAD,
        T.FIN: BAD,
        T.ACK: S.ESTABLISHED,
        T.RST: BAD,
    },
    # Never reached: the first packet of a session sets its original direction.
    (S.NONE, REPLY): {T.SYN: BAD, T.SYN_ACK: BAD, T.FIN: BAD, T.ACK: BAD, T.RST: BAD},
    # SYN seen. The opener may repeat it or give up.
    (S.SYN_SENT, ORIGINAL): {
        T.SYN: S.SYN_SENT,
        T.SYN_ACK: BAD,
        T.FIN: BAD,
        T.ACK: BAD,
        T.RST: S.CLOSE,
    },
    # SYN-ACK answers; a SYN opens simultaneously; an ACK may be a half-open peer (RFC 9293 3.5.1).
    (S.SYN_SENT, REPLY): {
        T.SYN: S.SYN_SENT2,
        T.SYN_ACK: S.SYN_RECV,
        T.FIN: BAD,
        T.ACK: IGNORE,
        T.RST: S.CLOSE,
    },
    # SYN-ACK seen. The ACK completes the handshake.
    (S.SYN_RECV, ORIGINAL): {
        T.SYN: IGNORE,
        T.SYN_ACK: S.SYN_RECV,
        T.FIN: S.FIN_WAIT,
        T.ACK: S.ESTABLISHED,
        T.RST: S.CLOSE,
    },
    # The answering end may repeat its SYN-ACK, or close at once.
    (S.SYN_RECV, REPLY): {
        T.SYN: BAD,
        T.SYN_ACK: IGNORE,
        T.FIN: S.FIN_WAIT,
        T.ACK: S.SYN_RECV,
        T.RST: S.CLOSE,
    },
    # Data flows. The first FIN, from either end, starts the close.
    (S.ESTABLISHED, ORIGINAL): {
        T.SYN: IGNORE,
        T.SYN_ACK: BAD,
        T.FIN: S.FIN_WAIT,
        T.ACK: S.ESTABLISHED,
        T.RST: S.CLOSE,
    },
    # The same, seen from the other end.
    (S.ESTABLISHED, REPLY): {
        T.SYN: BAD,
        T.SYN_ACK: IGNORE,
        T.FIN: S.FIN_WAIT,
        T.ACK: S.ESTABLISHED,
        T.RST: S.CLOSE,
    },
    # One FIN seen: an ACK makes it CLOSE_WAIT, a second FIN LAST_ACK.
    (S.FIN_WAIT, ORIGINAL): {
        T.SYN: IGNORE,
        T.SYN_ACK: BAD,
        T.FIN: S.LAST_ACK,
        T.ACK: S.CLOSE_WAIT,
        T.RST: S.CLOSE,
    },
    # The same, seen from the other end.
    (S.FIN_WAIT, REPLY): {
        T.SYN: BAD,
        T.SYN_ACK: IGNORE,
        T.FIN: S.LAST_ACK,
        T.ACK: S.CLOSE_WAIT,
        T.RST: S.CLOSE,
    },
    # FIN acknowledged: half closed, the other direction may go on for long.
    (S.CLOSE_WAIT, ORIGINAL): {
        T.SYN: IGNORE,
        T.SYN_ACK: BAD,
        T.FIN: S.LAST_ACK,
        T.ACK: S.CLOSE_WAIT,
        T.RST: S.CLOSE,
    },
    # The same, seen from the other end.
    (S.CLOSE_WAIT, REPLY): {
        T.SYN: BAD,
        T.SYN_ACK: IGNORE,
        T.FIN: S.LAST_ACK,
        T.ACK: S.CLOSE_WAIT,
        T.RST: S.CLOSE,
    },
    # Both FINs seen: the last ACK ends it.
    (S.LAST_ACK, ORIGINAL): {
        T.SYN: IGNORE,
        T.SYN_ACK: BAD,
        T.FIN: S.LAST_ACK,
        T.ACK: S.TIME_WAIT,
        T.RST: S.CLOSE,
    },
    # The same, seen from the other end.
    (S.LAST_ACK, REPLY): {
        T.SYN: BAD,
        T.SYN_ACK: IGNORE,
        T.FIN: S.LAST_ACK,
        T.ACK: S.TIME_WAIT,
        T.RST: S.CLOSE,
    },
    # Over. Late repeats pass; a SYN is a new connection.
    (S.TIME_WAIT, ORIGINAL): {
        T.SYN: REOPEN,
        T.SYN_ACK: BAD,
        T.FIN: S.TIME_WAIT,
        T.ACK: S.TIME_WAIT,
        T.RST: S.CLOSE,
    },
    # Over. A SYN from the former server is a new connection with the roles exchanged.
    (S.TIME_WAIT, REPLY): {
        T.SYN: REOPEN,
        T.SYN_ACK: IGNORE,
        T.FIN: S.TIME_WAIT,
        T.ACK: S.TIME_WAIT,
        T.RST: S.CLOSE,
    },
    # A RST was seen. Late packets pass, a SYN from the opener starts again.
    (S.CLOSE, ORIGINAL): {
        T.SYN: REOPEN,
        T.SYN_ACK: BAD,
        T.FIN: S.CLOSE,
        T.ACK: S.CLOSE,
        T.RST: S.CLOSE,
    },
    # The same; the answering end may not reopen here.
    (S.CLOSE, REPLY): {
        T.SYN: BAD,
        T.SYN_ACK: IGNORE,
        T.FIN: S.CLOSE,
        T.ACK: S.CLOSE,
        T.RST: S.CLOSE,
    },
    # Both ends sent a SYN (simultaneous open).
    (S.SYN_SENT2, ORIGINAL): {
        T.SYN: S.SYN_SENT2,
        T.SYN_ACK: S.SYN_RECV,
        T.FIN: BAD,
        T.ACK: BAD,
        T.RST: S.CLOSE,
    },
    # The same, seen from the other end.
    (S.SYN_SENT2, REPLY): {
        T.SYN: S.SYN_SENT2,
        T.SYN_ACK: S.SYN_RECV,
        T.FIN: BAD,
        T.ACK: IGNORE,
        T.RST: S.CLOSE,
    },
}

BY_NUMBERS: Final[Row] = {
    T.SYN_AGAIN: IGNORE,
    T.SYN_ACK_SYNC: S.SYN_RECV,
    T.ACK_BOTH: S.ESTABLISHED,
    T.ACK_CHALLENGE: IGNORE,
    T.RST_INEXACT: S.ESTABLISHED,
    T.RST_OLD: OUTSIDE,
}
"""Where the segments that are told by their numbers lead, in whatever state they are told."""

STAYS: Final = frozenset({T.FIN_REPEATED, T.ACK_BEFORE_FIN})
"""Those that belong to the session and leave the state as it is."""

_ALL: Final = {
    (state, direction): {**row, **BY_NUMBERS, **dict.fromkeys(STAYS, state)}
    for (state, direction), row in TRANSITIONS.items()
}

check_complete("TCP", _ALL, dict.fromkeys(TCP_STATES, tuple(Segment)))

NEXT: Final = tuple(
    tuple(tuple(_ALL[state, direction][segment] for segment in Segment) for direction in Direction)
    for state in TCP_STATES
)
"""Both tables as nested tuples, `NEXT[state][direction][segment]`: one packet, three lookups."""

# Flag bits (RFC 9293 section 3.1), and the combinations that endpoints send.  The valid ones are
# those of nf_conntrack (`tcp_valid_flags` in the same file); PSH, ECE and CWR never matter, and
# neither does URG except that it has no place beside a bare RST or in a SYN-ACK.
FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20

_VALID: Final[dict[int, Segment]] = {
    SYN: T.SYN,
    SYN | URG: T.SYN,
    SYN | ACK: T.SYN_ACK,
    RST: T.RST,
    RST | ACK: T.RST,
    FIN | ACK: T.FIN,
    FIN | ACK | URG: T.FIN,
    ACK: T.ACK,
    ACK | URG: T.ACK,
}

SEGMENT_OF_FLAGS: Final[tuple[Segment | None, ...]] = tuple(
    _VALID.get(flags & (FIN | SYN | RST | ACK | URG)) for flags in range(256)
)
"""The segment for each value of the flags octet; None for a combination that nobody sends."""
