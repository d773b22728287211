"""The window check: is this TCP segment one that its sender may send now?

After Guido van Rooij, Real Stateful TCP Packet Filtering in IP Filter.  The device in the middle
cannot know what the ends know; it keeps bounds of it.  A segment from `sender` to `receiver` that
holds seq to seq_end and acknowledges sack must satisfy

    I    seq <= sender.limit            the receiver has offered that much
    II   seq_end >= sender.next - receiver.window
                                        it is not older than a window; holds by itself until the
                                        receiver has offered one
    III  sack <= receiver.next          nothing is acknowledged that was not sent
    IV   sack >= receiver.next - max(sender.window, MAX_ACK_WINDOW)
                                        and nothing absurdly old

where sack is the acknowledgement, raised to the highest selective one, as nf_conntrack has it
(tcp_in_window in net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.x).  `fit` gives

    INSIDE   all four hold
    LATE     I and III hold, II or IV does not: harmless, it passes and teaches nothing
    BEYOND   I does not hold, but the others do, and the segment ends less than a window of the
             receiver above the limit: it passes, for some stacks send that much (as in Linux)
    OUTSIDE  everything else: refused

One function serves both directions: it is called with the ends swapped.  States are not decided
here; see tcp_table.py.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from fwemu.core.endpoint import TcpEndpoint
from fwemu.core.packet import Packet
from fwemu.core.seq import HALF, MASK, at_most, later, precedes
from fwemu.core.tcp_options import permits_sack, sack_edges, window_scale
from fwemu.core.tcp_table import ACK, SYN, Segment

MAX_ACK_WINDOW: Final = 66_000
"""How far behind an acknowledgement may at least be (MAXACKWINCONST in the same file)."""

_SYN, _RST = Segment.SYN, Segment.RST


class WindowCheck(Enum):
    """The treatment of a segment outside the window.  The value is the setting's."""

    STRICT = "strict"
    """It is refused."""
    LIBERAL = "liberal"
    """It passes, and teaches nothing (tcp_be_liberal); only a RST is refused for its number."""
    OFF = "off"
    """Nothing is checked: every segment is believed."""


class Fit(Enum):
    """The result of the window check; see the top of this file."""

    INSIDE = "inside"
    LATE = "late"
    """A repetition of what was acknowledged, or a very old acknowledgement."""
    BEYOND = "beyond"
    """Too far by so little that the receiver may take it: passes, and is remembered."""
    OUTSIDE = "outside"


def learn_syn(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet) -> bool:
    """Learn from the first segment of a session; True if it is from the middle of a stream.

    Whether the ends scale their windows is not known then, so that nothing can be checked.
    """
    if packet.segment is _SYN:
        _begin(sender, packet.seq_end, packet.window, packet.options)
        return False
    sender.next = packet.seq_end
    sender.window = packet.window or 1
    sender.limit = packet.seq_end + sender.window & MASK
    sender.acked = packet.ack
    sender.is_selective = receiver.is_selective = True
    return True


def learn_first(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet) -> None:
    """Learn from a SYN or SYN-ACK: what was known of this end's numbers is void."""
    _begin(sender, packet.seq_end, packet.window, packet.options)
    if receiver.window and not (sender.has_scale and receiver.has_scale):
        sender.scale = receiver.scale = 0  # both must offer it (RFC 7323 section 2.2)


def learn_ignored_syn(
    sender: TcpEndpoint, receiver: TcpEndpoint, seq_end: int, window: int, options: bytes
) -> None:
    """Believe a SYN after all, that of `receiver`: what was known of both ends is void."""
    sender.restore(_NOTHING)
    receiver.restore(_NOTHING)
    _begin(receiver, seq_end, window, options)


def forget_numbers(end: TcpEndpoint) -> None:
    """Void what was known of an end's numbers, but for who closed first: that is a state."""
    closed_first = end.closed_first
    end.restore(_NOTHING)
    end.closed_first = closed_first
    end.is_selective = True


def learn_midstream(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet, sack: int) -> None:
    """Learn from the first segment of the other end, if that is neither SYN nor SYN-ACK."""
    sender.next = packet.seq_end
    sender.window = (packet.window << sender.scale) or 1
    sender.limit = packet.seq_end + sender.window & MASK
    if receiver.next is not None and sack == receiver.next + 1 & MASK:
        receiver.next = sack  # it may answer the keepalive probe that we began with


def acknowledged(receiver: TcpEndpoint, packet: Packet) -> tuple[int, int]:
    """The number that a segment acknowledges, without and with its selective acknowledgements.

    A segment without ACK acknowledges nothing new; neither does the RST of a stack that sets ACK
    with number zero.
    """
    if not packet.flags & ACK or (packet.segment is _RST and packet.ack == 0):
        known = receiver.next or 0
        return known, known
    ack = sack = packet.ack
    if packet.options and receiver.is_selective:
        for edge in sack_edges(packet.options):
            sack = later(sack, edge)
    return ack, sack


def fit(sender: TcpEndpoint, receiver: TcpEndpoint, seq: int, seq_end: int, sack: int) -> Fit:
    """Check a segment against the four bounds."""
    assert sender.next is not None
    expected = receiver.next or 0
    oldest = expected - max(sender.window, MAX_ACK_WINDOW)
    is_offered = at_most(seq, sender.limit)  # I
    is_new = not receiver.window or at_most(sender.next - receiver.window, seq_end)  # II
    is_sent = at_most(sack, expected)  # III
    is_current = at_most(oldest, sack)  # IV
    if is_offered:
        if not is_sent:
            return Fit.OUTSIDE
        return Fit.INSIDE if is_new and is_current else Fit.LATE
    overshot = seq_end - sender.limit + 1 & MASK
    if is_new and is_sent and is_current and overshot <= receiver.window:
        return Fit.BEYOND
    return Fit.OUTSIDE


def learn(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet, ack: int, sack: int) -> None:
    """Move the bounds on by a segment inside the window."""
    assert sender.next is not None
    window = packet.window
    if not packet.flags & SYN:  # the window of a SYN is never scaled (RFC 7323 section 2.2)
        window <<= sender.scale
    seq_end = packet.seq_end
    offered = window + (sack - ack & MASK)
    if sender.window < offered:
        sender.window = offered
    if precedes(sender.next, seq_end):
        sender.next = seq_end
        sender.is_unacknowledged = True
    if packet.flags & ACK:
        known = sender.acked
        if known is None or precedes(known, ack):
            sender.acked = ack
    if receiver.window and precedes(sender.limit, seq_end):
        receiver.window += seq_end - sender.limit & MASK
    limit = sack + window & MASK
    if limit - receiver.limit & MASK < HALF:
        receiver.limit = limit + (window == 0) & MASK
    if ack == receiver.next:
        receiver.is_unacknowledged = False


def _begin(sender: TcpEndpoint, seq_end: int, window: int, options: bytes) -> None:
    """Set the numbers of an end by its SYN."""
    sender.first = sender.next = sender.limit = seq_end
    sender.window = window or 1
    sender.acked = None
    scale = window_scale(options)
    sender.has_scale = scale is not None
    sender.scale = scale or 0
    sender.is_selective = permits_sack(options)


_NOTHING: Final = TcpEndpoint().state()
"""What is known of an end before it has sent anything."""
