"""Is this TCP segment inside the window?  (Guido van Rooij: Real Stateful TCP Packet Filtering.)

The device in the middle cannot know what the ends know; it keeps bounds of it.  A segment from
`sender` to `receiver` that holds seq to end and acknowledges ack must satisfy

    I    seq <= sender.limit                       the receiver has offered that much
    II   end >= sender.next - receiver.window      it is not older than a window
    III  ack <= receiver.next                      nothing is acknowledged that was not sent
    IV   ack >= receiver.next - MAX_ACK_WINDOW     and nothing absurdly old

with ack raised to the highest selective acknowledgement, as nf_conntrack has it (tcp_in_window in
net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.x).  What breaks I or III is refused; what breaks
II or IV is late but harmless: it passes and teaches nothing.  One function serves both directions:
it is called with the ends swapped.  States are not decided here; see tcp_table.py.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from fwemu.core.endpoint import TcpEndpoint
from fwemu.core.packet import Packet
from fwemu.core.seq import HALF
from fwemu.core.tcp_options import permits_sack, sack_edges, window_scale
from fwemu.core.tcp_table import ACK, SYN, Segment

MASK: Final = 0xFFFFFFFF

MAX_ACK_WINDOW: Final = 66_000
"""How far behind an acknowledgement may at least be (MAXACKWINCONST in the same file)."""

_SYN, _RST = Segment.SYN, Segment.RST


class WindowCheck(Enum):
    """What becomes of a segment outside the window.  The value is the setting's."""

    STRICT = "strict"
    """It is refused."""
    LIBERAL = "liberal"
    """It passes, and teaches nothing (tcp_be_liberal); only a RST is refused for its number."""
    OFF = "off"
    """Nobody budget: every segment is believed."""


class Fit(Enum):
    """How a segment lies to the window."""

    INSIDE = "inside"
    LATE = "late"
    """A repetition of what was acknowledged, or a very old acknowledgement."""
    BEYOND = "beyond"
    """Too far by so little that the receiver may take it: passes, and is remembered."""
    OUTSIDE = "outside"


def learn_syn(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet) -> bool:
    """Learn from the first segment of a session; is this one from the middle of a stream?

    Whether the ends scale their windows is not known then, so that nothing can be checked.
    """
    if packet.segment is _SYN:
        _begin(sender, packet.end, packet.window, packet.options)
        return False
    sender.next = packet.end
    sender.window = packet.window or 1
    sender.limit = packet.end + sender.window & MASK
    sender.acked = packet.ack
    sender.is_selective = receiver.is_selective = True
    return True


def learn_first(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet) -> None:
    """Learn from a SYN or SYN-ACK: what was known of this end's numbers is void."""
    _begin(sender, packet.end, packet.window, packet.options)
    if receiver.window and not (sender.has_scale and receiver.has_scale):
        sender.scale = receiver.scale = 0  # both must offer it (RFC 7323 section 2.2)


def learn_ignored_syn(
    sender: TcpEndpoint, receiver: TcpEndpoint, end: int, window: int, options: bytes
) -> None:
    """Believe a SYN after all, that of `receiver`: what was known of both ends is void."""
    sender.restore(_NOTHING)
    receiver.restore(_NOTHING)
    _begin(receiver, end, window, options)


def forget_numbers(end: TcpEndpoint) -> None:
    """Void what was known of an end's numbers, but for who closed first: that is a state."""
    closed_first = end.closed_first
    end.restore(_NOTHING)
    end.closed_first = closed_first
    end.is_selective = True


def learn_midstream(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet, sack: int) -> None:
    """Learn from the first segment of the other end of a stream that we joined in its middle."""
    sender.next = packet.end
    sender.window = (packet.window << sender.scale) or 1
    sender.limit = packet.end + sender.window & MASK
    if receiver.first is None and receiver.next is not None and sack == receiver.next + 1 & MASK:
        receiver.next = sack  # it answers the keepalive probe that we began with


def acknowledged(receiver: TcpEndpoint, packet: Packet) -> tuple[int, int]:
    """What a segment acknowledges, without and with its selective acknowledgements.

    A segment without ACK acknowledges nothing new; neither does the RST of a stack that sets ACK
    with number zero.
    """
    if not packet.flags & ACK or (packet.segment is _RST and packet.ack == 0):
        known = receiver.next or 0
        return known, known
    ack = sack = packet.ack
    if packet.options and receiver.is_selective:
        for edge in sack_edges(packet.options):
            if 0 < edge - sack & MASK < HALF:
                sack = edge
    return ack, sack


def fit(sender: TcpEndpoint, receiver: TcpEndpoint, seq: int, end: int, sack: int) -> Fit:
    """Check the four bounds."""
    assert sender.next is not None
    expected = receiver.next or 0
    oldest = expected - (sender.window if sender.window > MAX_ACK_WINDOW else MAX_ACK_WINDOW)
    is_offered = seq - sender.limit - 1 & MASK >= HALF  # I
    is_new = not receiver.window or sender.next - receiver.window - 1 - end & MASK >= HALF  # II
    is_sent = sack - expected - 1 & MASK >= HALF  # III
    is_current = oldest - 1 - sack & MASK >= HALF  # IV
    if is_offered:
        if not is_sent:
            return Fit.OUTSIDE
        return Fit.INSIDE if is_new and is_current else Fit.LATE
    overshot = end - sender.limit + 1 & MASK
    if is_new and is_sent and is_current and overshot <= receiver.window:
        return Fit.BEYOND
    return Fit.OUTSIDE


def learn(sender: TcpEndpoint, receiver: TcpEndpoint, packet: Packet, ack: int, sack: int) -> None:
    """Move the bounds on by a segment inside the window."""
    assert sender.next is not None
    window = packet.window
    if not packet.flags & SYN:  # the window of a SYN is never scaled (RFC 7323 section 2.2)
        window <<= sender.scale
    end = packet.end
    offered = window + (sack - ack & MASK)
    if sender.window < offered:
        sender.window = offered
    if 0 < end - sender.next & MASK < HALF:
        sender.next = end
        sender.is_unacknowledged = True
    if packet.flags & ACK:
        known = sender.acked
        if known is None or 0 < ack - known & MASK < HALF:
            sender.acked = ack
    if receiver.window and 0 < end - sender.limit & MASK < HALF:
        receiver.window += end - sender.limit & MASK
    limit = sack + window & MASK
    if limit - receiver.limit & MASK < HALF:
        receiver.limit = limit + (window == 0) & MASK
    if ack == receiver.next:
        receiver.is_unacknowledged = False


def _begin(sender: TcpEndpoint, end: int, window: int, options: bytes) -> None:
    """What a SYN says about its end."""
    sender.first = sender.next = sender.limit = end
    sender.window = window or 1
    sender.acked = None
    scale = window_scale(options)
    sender.has_scale = scale is not None
    sender.scale = scale or 0
    sender.is_selective = permits_sack(options)


_NOTHING: Final = TcpEndpoint().state()
"""What is known of an end before it has sent anything."""
