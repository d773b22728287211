"""What a TCP segment means for its session, by its numbers as well as its flags.

The order is that of nf_conntrack (nf_conntrack_tcp_packet in
net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.x): the segment gets a name (`meaning`), the table
says where that leads, the window says whether it can be believed, and only then anything is
learned.  A segment that is refused has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final

from fwemu.core.end import TcpEnd
from fwemu.core.flow import Direction
from fwemu.core.packet import Packet
from fwemu.core.seq import HALF, precedes
from fwemu.core.tcp_table import NEXT, Cell, Segment, State
from fwemu.core.tcp_window import (
    MASK,
    MAX_ACK_WINDOW,
    Fit,
    WindowCheck,
    acknowledged,
    begin_anew,
    fit,
    join,
    learn,
    open_with,
    take_options,
)

_ORIGINAL, _REPLY = Direction.ORIGINAL, Direction.REPLY
_SYN, _SYN_ACK, _FIN = Segment.SYN, Segment.SYN_ACK, Segment.FIN
_ACK, _RST = Segment.ACK, Segment.RST
_ESTABLISHED: Final = State.ESTABLISHED


_SEQ, _ACK_NUMBER, _END, _WINDOW = range(4)
numbers_of: Final[Callable[[Packet], tuple[int, ...]]] = itemgetter(5, 6, 7, 8)
"""The numbers of a packet, where `Packet` has them; one comparison then compares them all."""


class TcpTalk:
    """The TCP side of a session: both ends, and the segment that was last remembered."""

    __slots__ = (
        "awaits_challenge",
        "ends",
        "is_liberal",
        "is_simultaneous",
        "last_direction",
        "last_numbers",
        "last_options",
        "last_segment",
        "repeats",
    )

    def __init__(self) -> None:
        self.ends = (TcpEnd(), TcpEnd())
        """By direction: the end that sends in it."""
        self.is_liberal = False
        """It was picked up in its middle: scaling is not known, nothing can be checked."""
        self.is_simultaneous = False
        """Both ends have sent a SYN."""
        self.awaits_challenge = False
        """A SYN was passed while the last ACK was due: the next ACK may be its challenge."""
        self.last_segment: Segment | None = None
        self.last_direction = _ORIGINAL
        self.last_numbers: tuple[int, ...] = (0, 0, 0, 0)
        """Sequence number, acknowledgement, end and window of what was remembered."""
        self.last_options = b""
        """Of an ignored SYN."""
        self.repeats = 0
        """How often the last acknowledging segment was repeated."""

    def open(self, packet: Packet) -> None:
        """Learn from the first segment."""
        self.is_liberal = open_with(*self.ends, packet)


def meaning(talk: TcpTalk, state: State, packet: Packet, direction: Direction) -> Segment:
    """The segment's name for the table: that of its flags, or one that its numbers give it."""
    segment = packet.segment
    assert segment is not None
    if segment is _ACK:
        if state is _ESTABLISHED:
            return _ACK
        return _meaning_of_ack(talk, state, direction)
    if segment is _SYN:
        return _meaning_of_syn(talk, state, direction)
    if segment is _SYN_ACK:
        answers_ignored_syn = (
            talk.last_segment is _SYN
            and talk.last_direction is not direction
            and packet.ack == talk.last_numbers[_END]
            and NEXT[state][direction][_SYN_ACK] is Cell.IGNORE
        )
        return Segment.SYN_ACK_SYNC if answers_ignored_syn else _SYN_ACK
    if segment is _RST:
        return _meaning_of_rst(talk, state, packet, direction)
    return segment


def _meaning_of_syn(talk: TcpTalk, state: State, direction: Direction) -> Segment:
    """A SYN after a close opens anew if this connection was closed properly, or by its sender."""
    if NEXT[state][direction][_SYN] is not Cell.REOPEN:
        return _SYN
    was_closed = talk.ends[0].closed_first or talk.ends[1].closed_first
    was_reset_by_sender = talk.last_segment is _RST and talk.last_direction is direction
    return _SYN if was_closed or was_reset_by_sender else Segment.SYN_AGAIN


def _meaning_of_ack(talk: TcpTalk, state: State, direction: Direction) -> Segment:
    answers_syn = talk.last_segment is _SYN and talk.last_direction is not direction
    if state is State.LAST_ACK and talk.awaits_challenge and answers_syn:
        return Segment.ACK_CHALLENGE
    if state is State.SYN_RECV and talk.is_simultaneous and direction is _REPLY:
        return Segment.ACK_BOTH
    return _ACK


def _meaning_of_rst(talk: TcpTalk, state: State, packet: Packet, direction: Direction) -> Segment:
    """RFC 5961 section 3.2: only the exact number resets; one in the window is challenged."""
    expected = talk.ends[1 - direction].acked
    if expected is None or talk.last_segment is _SYN:  # the number may be outdated
        return _RST
    if packet.seq == 0 and state is not _ESTABLISHED:  # an answer to a SYN that was passed
        return _RST
    if precedes(packet.seq, expected):
        return Segment.RST_OLD
    if state is not _ESTABLISHED or packet.seq == expected:
        return _RST
    follows_own_data = (
        talk.last_segment is _ACK
        and talk.last_direction is direction
        and packet.seq == talk.last_numbers[_END]
    )
    return _RST if follows_own_data else Segment.RST_INEXACT


def is_keepalive(talk: TcpTalk, packet: Packet, direction: Direction) -> bool:
    """Does this end ask whether the other is still there?

    A probe is an ACK one below the next sequence number, with no octet or a useless one, while
    nothing is outstanding (RFC 9293 section 3.8.4).  To be asked before the segment is tracked.
    """
    expected = talk.ends[direction].next
    return (
        expected is not None
        and expected - packet.seq & 0xFFFFFFFF == 1
        and packet.segment is _ACK
        and packet.end - packet.seq & 0xFFFFFFFF <= 1
        and talk.ends[1 - direction].acked == expected
    )


def flows_on(talk: TcpTalk, packet: Packet, direction: Direction) -> bool:
    """The quick way for nearly every segment of an open connection; False if it is not one.

    It comes in order, acknowledges what the other end has sent lately, and has no options but
    timestamps: then bounds II, III and IV of `tcp_window` hold by themselves.
    """
    _, _, _, _, segment, seq, ack, end, window, _, options, _, _ = packet
    sender, receiver = talk.ends[direction], talk.ends[1 - direction]
    expected = receiver.next
    if (
        segment is not _ACK
        or options
        or seq != sender.next
        or expected is None
        or expected - ack & MASK >= MAX_ACK_WINDOW
        or 0 < seq - sender.limit & MASK < HALF  # I
    ):
        return False
    window <<= sender.scale
    if sender.window < window:
        sender.window = window
    if end != seq:
        sender.next = end
        sender.is_unacknowledged = True
        beyond = end - sender.limit & MASK
        if 0 < beyond < HALF:
            receiver.window += beyond
    if ack != sender.acked and (sender.acked is None or ack - sender.acked & MASK < HALF):
        sender.acked = ack
    limit = ack + window & MASK
    if limit - receiver.limit & MASK < HALF:
        receiver.limit = limit + 1 & MASK if window == 0 else limit
    if ack == expected:
        receiver.is_unacknowledged = False
    _count_repeats(talk, packet, direction)
    talk.last_segment = _ACK
    return True


def track(
    talk: TcpTalk, state: State, packet: Packet, direction: Direction, check: WindowCheck
) -> State | Cell | Fit:
    """Where a segment leads; what it teaches is learned if it passes, and only then.

    `Fit.OUTSIDE` stands for a segment that the window refuses.
    """
    segment = meaning(talk, state, packet, direction)
    cell = NEXT[state][direction][segment]
    if type(cell) is not State:
        if cell is Cell.IGNORE:
            _remember_ignored(talk, state, segment, packet, direction)
        return cell
    if segment is Segment.SYN_ACK_SYNC:
        state = State.SYN_SENT  # as if the SYN that was ignored had just been believed
    if segment is not _RST or not _answers_what_was_passed(talk, state, packet):
        fitting = _believe(talk, state, segment, packet, direction, check)
        if fitting is Fit.OUTSIDE:
            return fitting
        if fitting is not Fit.INSIDE:
            return Cell.IGNORE
    talk.last_segment = packet.segment
    talk.last_direction = direction
    if cell is State.SYN_SENT2:
        talk.is_simultaneous = True
    elif cell is State.FIN_WAIT and state is not cell:
        talk.ends[direction].closed_first = True
    return cell


def _believe(
    talk: TcpTalk,
    state: State,
    segment: Segment,
    packet: Packet,
    direction: Direction,
    check: WindowCheck,
) -> Fit:
    """Check a segment against the window; learn from it if it lies inside."""
    sender, receiver = talk.ends[direction], talk.ends[1 - direction]
    if segment is Segment.SYN_ACK_SYNC or sender.window == 0 or state in _OPENING:
        before = (sender.state(), receiver.state())
        _begin(talk, state, segment, packet, direction)
    else:
        before = None
    ack, sack = acknowledged(receiver, packet)
    seq, end = packet.seq, packet.end
    if segment is _RST and seq == 0 and state is State.SYN_SENT and sender.next is not None:
        seq = end = sender.next  # it answers the SYN
    if check is not WindowCheck.OFF:
        fitting = fit(sender, receiver, seq, end, sack)
        if fitting is Fit.BEYOND:
            sender.next = end
            sender.is_unacknowledged = True
        if fitting is not Fit.INSIDE:
            if talk.is_liberal or check is WindowCheck.LIBERAL:
                return Fit.INSIDE
            if before is not None and fitting is Fit.OUTSIDE:
                sender.restore(before[0])
                receiver.restore(before[1])
            return fitting
    learn(sender, receiver, packet, ack, sack, end)
    if segment is _ACK:
        _count_repeats(talk, packet, direction)
    return Fit.INSIDE


def _begin(
    talk: TcpTalk, state: State, segment: Segment, packet: Packet, direction: Direction
) -> None:
    """The first segments of each end, and those with which an end begins anew."""
    sender, receiver = talk.ends[direction], talk.ends[1 - direction]
    is_syn = packet.segment is _SYN or packet.segment is _SYN_ACK
    if segment is Segment.SYN_ACK_SYNC:
        receiver.next = receiver.limit = talk.last_numbers[_END]
        receiver.window = talk.last_numbers[_WINDOW] or 1
        take_options(receiver, talk.last_options)
        sender.window = 0
    if sender.window == 0:
        if is_syn:
            begin_anew(sender, receiver, packet, is_reply=direction is _REPLY)
        else:
            join(sender, receiver, packet, acknowledged(receiver, packet)[1])
    elif is_syn and sender.next is not None and precedes(sender.next, packet.end):
        begin_anew(sender, receiver, packet, is_reply=direction is _REPLY)


def _answers_what_was_passed(talk: TcpTalk, state: State, packet: Packet) -> bool:
    """A RST to a SYN or an ACK that was passed and ignored cannot be checked: we ignored that."""
    if packet.ack == talk.last_numbers[_END] and (
        (talk.last_segment is _SYN and talk.ends[_REPLY].packets)
        or (talk.last_segment is _ACK and state in _OPENING)
    ):
        return True
    return (
        state is State.SYN_SENT
        and talk.last_segment is _ACK
        and talk.last_direction is _REPLY
        and packet.seq == talk.last_numbers[_ACK_NUMBER]
    )


def _remember_ignored(
    talk: TcpTalk, state: State, segment: Segment, packet: Packet, direction: Direction
) -> None:
    """The ends may be right and we may be wrong: keep what is needed to agree with them later."""
    if segment is Segment.ACK_CHALLENGE:
        talk.awaits_challenge = False
        return
    talk.last_segment = packet.segment
    talk.last_direction = direction
    talk.last_numbers = numbers_of(packet)
    if packet.segment is _SYN:
        talk.last_options = packet.options
        talk.awaits_challenge = state is State.LAST_ACK


def _count_repeats(talk: TcpTalk, packet: Packet, direction: Direction) -> None:
    """Is this the same segment once more?"""
    numbers = numbers_of(packet)
    if talk.last_direction is direction and numbers == talk.last_numbers:
        talk.repeats += 1
        return
    talk.last_direction = direction
    talk.last_numbers = numbers
    talk.repeats = 0


_OPENING: Final = frozenset({State.SYN_SENT, State.SYN_RECV})
"""The states in which an end may begin anew with another number (RFC 9293 section 3.4.3)."""
