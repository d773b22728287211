"""TCP tracking: the state that a segment leads its session to, by its numbers and its flags.

The order is that of nf_conntrack (nf_conntrack_tcp_packet in
net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.x): the segment gets a name (`classify`), the table
says where that leads, the window says whether it can be believed, and only then anything is
learned.  A segment that is refused has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final

from fwemu.core.choices import Closing
from fwemu.core.endpoint import TcpEndpoint
from fwemu.core.flow import Direction
from fwemu.core.packet import Packet
from fwemu.core.seq import HALF, MASK, later, precedes
from fwemu.core.tcp_table import NEXT, SYN, Cell, Segment, State
from fwemu.core.tcp_window import (
    MAX_ACK_WINDOW,
    Fit,
    WindowCheck,
    acknowledged,
    fit,
    forget_numbers,
    learn,
    learn_first,
    learn_ignored_syn,
    learn_midstream,
    learn_syn,
)

_ORIGINAL, _REPLY = Direction.ORIGINAL, Direction.REPLY
_SYN, _SYN_ACK, _FIN = Segment.SYN, Segment.SYN_ACK, Segment.FIN
_ACK, _RST = Segment.ACK, Segment.RST
_ESTABLISHED: Final = State.ESTABLISHED

_OPENING: Final = frozenset({State.SYN_SENT, State.SYN_SENT2, State.SYN_RECV})
"""The states in which an end may begin anew with another number (RFC 9293 section 3.4.3)."""

_CLOSING: Final = frozenset(
    {State.FIN_WAIT, State.CLOSE_WAIT, State.LAST_ACK, State.TIME_WAIT, State.CLOSE}
)
"""The states in which the ports may have been taken over already: any RST is believed."""

_HALF_CLOSED: Final = frozenset({State.FIN_WAIT, State.CLOSE_WAIT})
"""The states in which one end has sent a FIN."""

_FIN_UNACKNOWLEDGED: Final = frozenset({State.FIN_WAIT, State.LAST_ACK})
"""The states that an ACK ends."""

_SEQ, _ACK_NUMBER, _SEQ_END, _WINDOW = range(4)
numbers_of: Final[Callable[[Packet], tuple[int, ...]]] = itemgetter(
    *(Packet._fields.index(name) for name in ("seq", "ack", "seq_end", "window"))
)
"""The numbers of a packet, in one step; one comparison then compares them all."""


_NO_NUMBERS: Final = (-1, -1, -1, -1)
"""Before any segment was remembered."""


class TcpConnection:
    """The TCP side of a session: both ends, and the segment that was last remembered."""

    __slots__ = (
        "awaits_challenge",
        "ends",
        "is_liberal",
        "is_replied",
        "is_simultaneous",
        "last_direction",
        "last_numbers",
        "last_segment",
        "options",
        "repeats",
    )

    def __init__(self, now: int = 0) -> None:
        self.ends = (TcpEndpoint(now), TcpEndpoint(now))
        """By direction: the end that sends in it."""
        self.is_liberal = False
        """It was picked up in its middle: scaling is not known, nothing can be checked."""
        self.is_replied = False
        """Something has passed against the original direction, be it ignored."""
        self.is_simultaneous = False
        """Both ends have sent a SYN."""
        self.awaits_challenge = False
        """A SYN was passed and ignored: the next ACK of the other end may be its challenge."""
        self.last_segment: Segment | None = None
        self.last_direction = _ORIGINAL
        self.last_numbers: tuple[int, ...] = _NO_NUMBERS
        """Sequence number, acknowledgement, end and window of what was remembered."""
        self.options = b""
        """The options of the last SYN that was ignored."""
        self.repeats = 0
        """How often the last acknowledging segment was repeated."""

    @property
    def has_closed_window(self) -> bool:
        """The last segment that was remembered offered no window, or there is none yet."""
        return self.last_numbers[_WINDOW] <= 0

    def open(self, packet: Packet) -> None:
        """Learn from the segment that opens the session."""
        self.is_liberal = learn_syn(*self.ends, packet)

    def forget_numbers(self) -> None:
        """Forget all numbers, as if it had just been picked up and neither end had sent."""
        for end in self.ends:
            forget_numbers(end)
        self.is_liberal = True
        self.is_replied = self.awaits_challenge = False
        self.last_segment = None
        self.last_numbers = _NO_NUMBERS
        self.repeats = 0


def classify(
    tcp: TcpConnection,
    state: State,
    packet: Packet,
    direction: Direction,
    check: WindowCheck,
    closing: Closing,
) -> Segment:
    """The segment's name for the table: that of its flags, or one that its numbers give it."""
    segment = packet.segment
    assert segment is not None
    if segment is _ACK:
        if state is _ESTABLISHED:
            return _ACK
        return _classify_ack(tcp, state, packet, direction, closing)
    if segment is _SYN:
        return _classify_syn(tcp, state, packet, direction)
    if segment is _SYN_ACK:
        return _classify_syn_ack(tcp, state, packet, direction)
    if segment is _RST and check is not WindowCheck.OFF:
        return _classify_rst(tcp, state, packet, direction)
    if segment is _FIN and closing is Closing.BY_END:
        return _classify_fin(tcp, state, direction)
    return segment


def _classify_syn(
    tcp: TcpConnection, state: State, packet: Packet, direction: Direction
) -> Segment:
    """A SYN after a close opens anew if this connection was closed properly, or by its sender.

    Before anything was answered, one with an earlier number than the first may be a new attempt or
    a late stranger.
    """
    cell = NEXT[state][direction][_SYN]
    if cell is State.SYN_SENT:
        expected = tcp.ends[_ORIGINAL].next  # None after a failover
        is_earlier = expected is not None and precedes(packet.seq_end, expected)
        return Segment.SYN_AGAIN if is_earlier else _SYN
    if cell is not Cell.REOPEN:
        return _SYN
    was_closed = tcp.ends[0].closed_first or tcp.ends[1].closed_first
    was_reset_by_sender = tcp.last_segment is _RST and tcp.last_direction is direction
    return _SYN if was_closed or was_reset_by_sender else Segment.SYN_AGAIN


def _classify_syn_ack(
    tcp: TcpConnection, state: State, packet: Packet, direction: Direction
) -> Segment:
    """Tell a SYN-ACK for a SYN that was ignored from one for the first SYN or its repetition."""
    answers_ignored_syn = (
        tcp.last_segment is _SYN
        and tcp.last_direction is not direction
        and packet.ack == tcp.last_numbers[_SEQ_END]
        and packet.ack != tcp.ends[1 - direction].first
        and (state is State.SYN_SENT or NEXT[state][direction][_SYN_ACK] is Cell.IGNORE)
    )
    return Segment.SYN_ACK_SYNC if answers_ignored_syn else _SYN_ACK


def _classify_fin(tcp: TcpConnection, state: State, direction: Direction) -> Segment:
    """Tell the second FIN, that of the other end, from one that comes again.

    After a failover it may not be known whose the first one was: then it is taken for that.
    """
    sender, receiver = tcp.ends[direction], tcp.ends[1 - direction]
    is_due = receiver.has_closed and not sender.has_closed
    return _FIN if is_due or state not in _HALF_CLOSED else Segment.FIN_REPEATED


def _classify_ack(
    tcp: TcpConnection, state: State, packet: Packet, direction: Direction, closing: Closing
) -> Segment:
    answers_syn = tcp.last_segment is _SYN and tcp.last_direction is not direction
    if state is State.LAST_ACK and tcp.awaits_challenge and answers_syn:
        return Segment.ACK_CHALLENGE
    if state is State.SYN_RECV and tcp.is_simultaneous:
        return Segment.ACK_BOTH
    if state in _FIN_UNACKNOWLEDGED and closing is Closing.BY_END:
        sender, receiver = tcp.ends[direction], tcp.ends[1 - direction]
        if not (_covers(packet.ack, receiver.fin_end) and _covers(receiver.acked, sender.fin_end)):
            return Segment.ACK_BEFORE_FIN
    return _ACK


def _covers(acked: int | None, fin_end: int | None) -> bool:
    """Whether a FIN is acknowledged; one that was not seen, or is not known, need not be."""
    return fin_end is None or (acked is not None and not precedes(acked, fin_end))


def _classify_rst(
    tcp: TcpConnection, state: State, packet: Packet, direction: Direction
) -> Segment:
    """Tell RSTs by their numbers: only the exact one resets, others in the window are challenged.

    That is RFC 5961 section 3.2."""
    expected = tcp.ends[1 - direction].acked
    if expected is None or tcp.last_segment is _SYN or state in _CLOSING:  # perhaps outdated
        return _RST
    if packet.seq == 0 and state is not _ESTABLISHED:  # an answer to a SYN that was passed
        return _RST
    if packet.seq - expected & MASK >= HALF:
        return Segment.RST_OLD
    if state is not _ESTABLISHED or packet.seq == expected:
        return _RST
    follows_own_data = (
        tcp.last_segment is _ACK
        and tcp.last_direction is direction
        and packet.seq == tcp.last_numbers[_SEQ_END]
    )
    return _RST if follows_own_data else Segment.RST_INEXACT


def is_keepalive(tcp: TcpConnection, packet: Packet, direction: Direction) -> bool:
    """True for a keepalive probe, by which its sender asks if the other end is still there.

    A probe is an ACK one below the next sequence number, with no octet or a useless one, while
    nothing is outstanding (RFC 9293 section 3.8.4).  To be asked before the segment is tracked.
    """
    expected = tcp.ends[direction].next
    return (
        expected is not None
        and expected - packet.seq & MASK == 1
        and packet.segment is _ACK
        and packet.seq_end - packet.seq & MASK <= 1
        and tcp.ends[1 - direction].acked == expected
    )


def flows_on(tcp: TcpConnection, packet: Packet, direction: Direction) -> bool:
    """The quick way for nearly every segment of an open connection; False if it is not one.

    It comes in order, acknowledges what the other end has sent lately, and has no options but
    timestamps: then bounds II, III and IV of `tcp_window` hold by themselves.
    """
    _, _, _, _, segment, seq, ack, seq_end, window, _, options, _ = packet
    sender, receiver = tcp.ends[direction], tcp.ends[1 - direction]
    expected = receiver.next
    if (
        segment is not _ACK
        or options
        or seq != sender.next
        or expected is None
        or expected - ack & MASK >= MAX_ACK_WINDOW
        or seq - sender.limit - 1 & MASK < HALF  # I
    ):
        return False
    window <<= sender.scale
    if sender.window < window:
        sender.window = window
    if seq_end != seq:
        sender.next = seq_end
        sender.is_unacknowledged = True
        beyond = seq_end - sender.limit & MASK
        if 0 < beyond < HALF:
            receiver.window += beyond
    if ack != sender.acked and (sender.acked is None or ack - sender.acked & MASK < HALF):
        sender.acked = ack
    limit = ack + window & MASK
    if limit - receiver.limit & MASK < HALF:
        receiver.limit = limit + 1 & MASK if window == 0 else limit
    if ack == expected:
        receiver.is_unacknowledged = False
    _count_repeats(tcp, packet, direction)
    tcp.last_segment = _ACK
    return True


def track(
    tcp: TcpConnection,
    state: State,
    packet: Packet,
    direction: Direction,
    check: WindowCheck,
    closing: Closing,
) -> State | Cell:
    """The state or other cell that a segment leads to; it is learned from only if it passes."""
    segment = classify(tcp, state, packet, direction, check, closing)
    cell = NEXT[state][direction][segment]
    if type(cell) is not State:
        if cell is Cell.IGNORE:
            _remember_ignored(tcp, segment, packet, direction)
            tcp.is_replied |= direction is _REPLY
        return cell
    if segment is not _RST or not _needs_no_window(tcp, state, packet, direction):
        fitting = _check_and_learn(tcp, state, segment, packet, direction, check)
        if fitting is Fit.OUTSIDE:
            return Cell.OUTSIDE
        if fitting is not Fit.INSIDE:
            tcp.is_replied |= direction is _REPLY
            return Cell.IGNORE
    tcp.is_replied |= direction is _REPLY
    if segment is Segment.SYN_ACK_SYNC:
        tcp.is_liberal = tcp.is_simultaneous = tcp.awaits_challenge = False
    tcp.last_segment = packet.segment
    tcp.last_direction = direction
    if cell is State.SYN_SENT2:
        tcp.is_simultaneous = True
    elif cell is State.FIN_WAIT and state is not cell:
        for end in _ORIGINAL, _REPLY:  # a peer that took over may have known of no FIN
            tcp.ends[end].closed_first, tcp.ends[end].fin_end = end is direction, None
    if packet.segment is _FIN:
        tcp.ends[direction].fin_end = packet.seq_end
    return cell


def lengthen(tcp: TcpConnection, seq_end: int, direction: Direction) -> None:
    """Move the end of a segment that was tracked: the rest of it came in later fragments."""
    sender, receiver = tcp.ends[direction], tcp.ends[1 - direction]
    if sender.next is not None and 0 < seq_end - sender.next & MASK < HALF:
        sender.next = seq_end
        sender.is_unacknowledged = True
    beyond = seq_end - sender.limit & MASK
    if receiver.window and 0 < beyond < HALF:
        receiver.window += beyond
    if sender.fin_end is not None:  # nothing comes after a FIN
        sender.fin_end = later(sender.fin_end, seq_end)


def _check_and_learn(
    tcp: TcpConnection,
    state: State,
    segment: Segment,
    packet: Packet,
    direction: Direction,
    check: WindowCheck,
) -> Fit:
    """Check a segment against the window; learn from it if it lies inside."""
    sender, receiver = tcp.ends[direction], tcp.ends[1 - direction]
    before = None
    if sender.next is None or state in _OPENING or segment is Segment.SYN_ACK_SYNC:
        before = (sender.state(), receiver.state())
        _begin(tcp, segment, packet, sender, receiver)
    ack, sack = acknowledged(receiver, packet)
    if segment is _RST and packet.seq == 0 and state is State.SYN_SENT:  # it answers the SYN
        assert sender.next is not None
        packet = packet._replace(seq=sender.next, seq_end=sender.next)
    if check is not WindowCheck.OFF and not tcp.is_liberal:
        fitting = fit(sender, receiver, packet.seq, packet.seq_end, sack)
        if fitting is Fit.BEYOND:
            assert sender.next is not None
            sender.next = later(sender.next, packet.seq_end)
            sender.is_unacknowledged = True
        if fitting is not Fit.INSIDE:
            if check is WindowCheck.LIBERAL:
                return Fit.INSIDE
            if fitting is not Fit.BEYOND and before is not None:
                sender.restore(before[0])
                receiver.restore(before[1])
            return fitting
    if segment is not Segment.RST_INEXACT:  # anyone may guess that one
        learn(sender, receiver, packet, ack, sack)
        if packet.segment is _ACK:
            _count_repeats(tcp, packet, direction)
    return Fit.INSIDE


def _begin(
    tcp: TcpConnection, segment: Segment, packet: Packet, sender: TcpEndpoint, receiver: TcpEndpoint
) -> None:
    """Learn from the first segment of an end, or from one with which the end begins anew."""
    if segment is Segment.SYN_ACK_SYNC:
        learn_ignored_syn(
            sender, receiver, tcp.last_numbers[_SEQ_END], tcp.last_numbers[_WINDOW], tcp.options
        )
    is_syn = packet.flags & SYN
    if sender.next is None or (is_syn and precedes(sender.next, packet.seq_end)):
        if is_syn:
            learn_first(sender, receiver, packet)
        else:
            learn_midstream(sender, receiver, packet, acknowledged(receiver, packet)[1])


def _needs_no_window(
    tcp: TcpConnection, state: State, packet: Packet, direction: Direction
) -> bool:
    """True if this RST cannot be checked: in a close, and as an answer to an ignored segment."""
    if state in _CLOSING:
        return True
    if tcp.ends[1 - direction].acked is not None and tcp.last_segment is not _SYN:
        return False  # its number could be checked, see `_classify_rst`
    if packet.ack == tcp.last_numbers[_SEQ_END] and (
        (tcp.last_segment is _SYN and tcp.is_replied)
        or (tcp.last_segment is _ACK and state in _OPENING)
    ):
        return True
    return (  # it answers a challenge
        state is State.SYN_SENT
        and tcp.last_segment is _ACK
        and packet.seq == tcp.last_numbers[_ACK_NUMBER]
    )


def _remember_ignored(
    tcp: TcpConnection, segment: Segment, packet: Packet, direction: Direction
) -> None:
    """Remember an ignored segment: the ends may be right, and the firewall must agree later."""
    if segment is Segment.ACK_CHALLENGE:
        tcp.awaits_challenge = False
        return
    tcp.last_segment = packet.segment
    tcp.last_direction = direction
    seq, ack, seq_end, window = numbers_of(packet)
    if packet.segment is not _ACK:  # nobody has to agree with that; it is no repetition of an ACK
        ack = tcp.last_numbers[_ACK_NUMBER]
    tcp.last_numbers = seq, ack, seq_end, window
    if packet.segment is _SYN:
        tcp.options = packet.options
        tcp.awaits_challenge = True


def _count_repeats(tcp: TcpConnection, packet: Packet, direction: Direction) -> None:
    """Count how often the same segment is repeated."""
    numbers = numbers_of(packet)
    if tcp.last_direction is direction and numbers == tcp.last_numbers:
        tcp.repeats += 1
        return
    tcp.last_direction = direction
    tcp.last_numbers = numbers
    tcp.repeats = 0
