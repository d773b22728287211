"""Where the engine differs from the kernel on purpose, and how each kind is told.

The reasons are in docs/decisions/0009-windows.md and 0010-parity.md.  A kind is recognised by the
packet and by what both judges knew before it.  Some differences begin unseen: both let a segment
pass, but learn different things from it.  Such a moment leaves a mark, and a mark explains a later
difference only where what was learned can be its cause.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from fwemu.core.choices import Closing
from fwemu.core.flow import Direction
from fwemu.core.seq import precedes
from fwemu.core.tcp import TcpConnection, classify
from fwemu.core.tcp_table import ACK, SYN, Segment, State
from fwemu.core.tcp_window import Fit, WindowCheck, acknowledged, fit, learn
from tests.parity.moment import Moment

LIBERAL_FLAG: Final = 0x08  # IP_CT_TCP_FLAG_BE_LIBERAL, linux/netfilter/nf_conntrack_tcp.h
SHORT: Final = 300
"""Seconds: tcp_timeout_max_retrans and tcp_timeout_unacknowledged."""

RENEWABLE: Final = {State.SYN_SENT, State.SYN_RECV}


@dataclass
class Marks:
    """What both have learned differently in the session that is open now."""

    session: int | None = None
    """Its number."""
    moved_back: dict[Direction, int] = field(default_factory=dict)
    """By direction: the last number of that end, which the kernel has moved back to here."""
    unlearned: set[Direction] = field(default_factory=set)
    """Ends that have acknowledged what the kernel, having moved back, could not believe."""
    was_taught: bool = False
    """A RST that was not exact has taught the kernel something."""
    has_noted: bool = False
    """The last segment that the kernel remembers is a FIN or RST that it refused."""
    begun_anew: set[Direction] = field(default_factory=set)
    """Ends that began anew, for the kernel, with a segment that was refused or came late."""
    counts_anew: bool = False
    """The kernel has begun to count repeats anew, at a FIN or RST that it refused."""
    has_followed: bool = False
    """The kernel has followed a repeated SYN-ACK back to the handshake."""
    has_offered: bool = False
    """The second SYN of a simultaneous open has offered a window, for the engine."""
    has_renewed: bool = False
    """An end has begun a simultaneous open anew, for the engine."""
    has_passed_earlier_syn: bool = False
    """A SYN with an earlier number has passed: the engine will follow it if it is answered."""

    @property
    def are_set(self) -> bool:
        """Is there any?"""
        return self != Marks(self.session)


def tcp_of(moment: Moment) -> TcpConnection | None:
    """What the engine knew of the connection before."""
    return moment.before.tcp if moment.before is not None else None


def tcp_after(moment: Moment) -> TcpConnection | None:
    """What the engine knows of it now."""
    return moment.after.tcp if moment.after is not None else None


def name_of(moment: Moment) -> Segment | None:
    """The segment's name by its numbers, as the engine gave it."""
    if moment.before is None or moment.before.tcp is None or moment.packet.segment is None:
        return None
    return classify(
        moment.before.tcp,
        moment.before.state,
        moment.packet,
        moment.direction,
        WindowCheck.STRICT,
        Closing.BY_FLAGS,
    )


def fit_of(moment: Moment) -> Fit | None:
    """How the segment lay to the window as the engine knew it."""
    tcp = tcp_of(moment)
    if tcp is None:
        return None
    sender, receiver = tcp.ends[moment.direction], tcp.ends[1 - moment.direction]
    if sender.next is None:
        return None
    packet = moment.packet
    return fit(sender, receiver, packet.seq, packet.seq_end, acknowledged(receiver, packet)[1])


def marked(marks: Marks, moment: Moment) -> Marks:
    """The marks after a moment in which both agreed, or were made to agree again."""
    packet = moment.packet
    if packet.segment is None:
        return marks
    session = moment.after.id if moment.after is not None else None
    tcp = tcp_of(moment)
    if session is None or session != marks.session or tcp is None:
        return Marks(session)
    assert moment.before is not None
    _mark_moves(marks, moment, tcp)
    segment = name_of(moment)
    if segment is Segment.RST_INEXACT and moment.passed and _would_teach(moment, tcp):
        marks.was_taught = True
    if moment.reason == "session" or _is_remembered(moment):
        marks.counts_anew |= marks.has_noted
        after = tcp_after(moment)
        marks.counts_anew &= after is not None and after.repeats > 0
        marks.has_noted = False
    elif moment.reason == "out_of_window" and segment in (
        Segment.FIN,
        Segment.RST,
        Segment.RST_INEXACT,
    ):
        marks.has_noted = True
    if _begins_in_vain(moment, tcp):
        marks.begun_anew.add(moment.direction)
    _mark_simultaneous(marks, moment, tcp)
    if is_repeated_syn_ack(moment, marks):
        marks.has_followed = True
    if moment.before.state is State.SYN_SENT:
        if segment is Segment.SYN_AGAIN:
            marks.has_passed_earlier_syn = True
        elif segment is Segment.SYN_ACK and moment.reason == "session":
            marks.has_passed_earlier_syn = False
    return marks


def _mark_moves(marks: Marks, moment: Moment, tcp: TcpConnection) -> None:
    """Does the kernel move the last number of an end back, or on again?"""
    packet, direction = moment.packet, moment.direction
    known = tcp.ends[direction].next
    if not moment.passed or known is None:
        return
    if acknowledges_more_than_moved_back(moment, marks):
        marks.unlearned.add(direction)
    fitting = fit_of(moment)
    if fitting is Fit.BEYOND and precedes(packet.seq_end, known):
        marks.moved_back[direction] = packet.seq_end
    elif fitting is Fit.INSIDE and not precedes(packet.seq_end, known):
        marks.moved_back.pop(direction, None)


def _mark_simultaneous(marks: Marks, moment: Moment, tcp: TcpConnection) -> None:
    """Has the second SYN offered its window, or a third one begun anew?"""
    assert moment.before is not None
    if (
        moment.direction is Direction.REPLY
        and moment.before.state is State.SYN_SENT
        and moment.state == "SYN_SENT2"
    ):
        marks.has_offered = True
    elif marks.has_offered:
        after = tcp_after(moment)
        limits = [each.ends[Direction.ORIGINAL].limit for each in (tcp, after) if each]
        marks.has_offered = len(set(limits)) == 1 or not moment.packet.flags & ACK
    if is_renewed(moment, marks):
        marks.has_renewed = True


def _would_teach(moment: Moment, tcp: TcpConnection) -> bool:
    """Would a segment inside the window have moved any bound?"""
    if fit_of(moment) is not Fit.INSIDE:
        return False
    ends = deepcopy(tcp.ends)
    sender, receiver = ends[moment.direction], ends[1 - moment.direction]
    before = [end.state() for end in ends]
    ack, sack = acknowledged(receiver, moment.packet)
    learn(sender, receiver, moment.packet, ack, sack)
    return before != [end.state() for end in ends]


def _is_remembered(moment: Moment) -> bool:
    """Was it ignored by the table (and not for its numbers), so that it is noted?"""
    tcp = tcp_after(moment)
    return (
        moment.reason == "ignored"
        and tcp is not None
        and tcp.last_numbers[0] == moment.packet.seq
        and tcp.last_segment is moment.packet.segment
        and tcp.last_direction is moment.direction
    )


def _begins_in_vain(moment: Moment, tcp: TcpConnection) -> bool:
    """Would its end begin anew with this segment, had it been inside the window?"""
    packet = moment.packet
    known = tcp.ends[moment.direction].next
    assert moment.before is not None
    is_another = (
        known is not None
        and moment.before.state in RENEWABLE
        and bool(packet.flags & SYN)
        and precedes(known, packet.seq_end)
    )
    return (
        moment.reason in ("out_of_window", "ignored")
        and not _is_remembered(moment)
        and (known is None or is_another)
    )


# -- what is seen at once -----------------------------------------------------------------------


def is_unanswered_reset(moment: Moment, marks: Marks) -> bool:
    """A RST where nobody has answered: the kernel deletes the entry, the engine counts to ten."""
    return (
        moment.packet.segment is Segment.RST
        and moment.passed
        and moment.kernel_passed
        and moment.state == "CLOSE"
        and moment.entry is None
        and moment.entry_before is not None
        and not moment.entry_before.is_replied
    )


def is_refused_reuse(moment: Moment, marks: Marks) -> bool:
    """A SYN that the rules refuse: the kernel has deleted the closed connection for its sake."""
    return (
        moment.packet.segment is Segment.SYN
        and moment.reason == "denied"
        and not moment.kernel_passed
        and moment.before is not None
        and moment.before.state is State.TIME_WAIT
        and moment.state == "TIME_WAIT"
        and moment.entry is None
    )


def is_repeated_syn_ack(moment: Moment, marks: Marks) -> bool:
    """A SYN-ACK to the first SYN, which has come again meanwhile: the kernel opens anew."""
    tcp = tcp_of(moment)
    return (
        tcp is not None
        and moment.packet.segment is Segment.SYN_ACK
        and moment.direction is Direction.REPLY
        and moment.reason == "ignored"
        and moment.kernel_passed
        and moment.kernel_state == "SYN_RECV"
        and tcp.last_segment is Segment.SYN
        and tcp.last_direction is Direction.ORIGINAL
        and moment.packet.ack == tcp.ends[Direction.ORIGINAL].first
    )


def is_answer_to_earlier_syn(moment: Moment, marks: Marks) -> bool:
    """A SYN-ACK to a SYN whose number was before that of the first: the engine follows it."""
    tcp = tcp_of(moment)
    return (
        tcp is not None
        and moment.before is not None
        and moment.before.state is State.SYN_SENT
        and name_of(moment) is Segment.SYN_ACK_SYNC
        and moment.state == "SYN_RECV"
        and moment.kernel_state == "SYN_SENT"
    )


def is_reset_of_picked_up(moment: Moment, marks: Marks) -> bool:
    """A RST in a connection that was taken up in its middle: they know different numbers of it."""
    tcp = tcp_of(moment)
    return tcp is not None and tcp.is_liberal and moment.packet.segment is Segment.RST


def is_half_liberal(moment: Moment, marks: Marks) -> bool:
    """Taken up in its middle and then opened anew: the kernel still checks one end only."""
    tcp = tcp_of(moment)
    return (
        tcp is not None
        and not tcp.is_liberal
        and moment.entry_before is not None
        and bool(moment.entry_before.tcp_flags[moment.direction] & LIBERAL_FLAG)
        and moment.kernel_passed
        and moment.reason in ("out_of_window", "ignored")
    )


# -- what began unseen --------------------------------------------------------------------------


def acknowledges_more_than_moved_back(moment: Moment, marks: Marks) -> bool:
    """Does it acknowledge what the kernel, having moved back, takes for not sent yet?"""
    tcp = tcp_of(moment)
    other = Direction(1 - moment.direction)
    if tcp is None or other not in marks.moved_back:
        return False
    sack = acknowledged(tcp.ends[other], moment.packet)[1]
    known = tcp.ends[other].next
    assert known is not None
    return precedes(marks.moved_back[other], sack) and not precedes(known, sack)


def is_moved_back(moment: Moment, marks: Marks) -> bool:
    """What the kernel has moved back from is acknowledged, or a RST has the number of that."""
    if moment.packet.segment is Segment.RST and Direction(1 - moment.direction) in marks.unlearned:
        return True
    return not moment.kernel_passed and acknowledges_more_than_moved_back(moment, marks)


def is_taught(moment: Moment, marks: Marks) -> bool:
    """A RST has moved the kernel's bounds."""
    return marks.was_taught


def is_noted(moment: Moment, marks: Marks) -> bool:
    """The kernel reads it after a FIN or RST that it has refused, not after what came before."""
    return marks.has_noted and (
        moment.packet.segment in (Segment.RST, Segment.SYN, Segment.SYN_ACK)
        or name_of(moment) is Segment.ACK_CHALLENGE
    )


def is_begun_anew(moment: Moment, marks: Marks) -> bool:
    """The kernel has begun an end anew with a segment that it refused."""
    return bool(marks.begun_anew)


def is_followed(moment: Moment, marks: Marks) -> bool:
    """The kernel has followed a repeated SYN-ACK."""
    return marks.has_followed


def is_offered(moment: Moment, marks: Marks) -> bool:
    """The second SYN of a simultaneous open has offered a window, which no ACK has outdone yet."""
    return marks.has_offered


def is_renewed(moment: Moment, marks: Marks) -> bool:
    """A SYN or SYN-ACK with a later number, of an end that has opened simultaneously."""
    tcp = tcp_of(moment)
    known = tcp.ends[moment.direction].next if tcp is not None else None
    return (
        moment.before is not None
        and moment.before.state is State.SYN_SENT2
        and bool(moment.packet.flags & SYN)
        and known is not None
        and precedes(known, moment.packet.seq_end)
    )


def is_after_renewal(moment: Moment, marks: Marks) -> bool:
    """The kernel still knows the numbers of the SYN before."""
    return marks.has_renewed


def is_after_earlier_syn(moment: Moment, marks: Marks) -> bool:
    """The kernel still goes by the first SYN, the engine by the one with the earlier number."""
    return marks.has_passed_earlier_syn


class Difference(NamedTuple):
    """A kind of difference."""

    word: str
    explains: Callable[[Moment, Marks], bool]
    goes_on: bool = False
    """The engine can be made to agree again by forgetting the session, as the kernel has."""


DIFFERENCES: Final = (
    Difference("unanswered-reset", is_unanswered_reset, goes_on=True),
    Difference("refused-reuse", is_refused_reuse, goes_on=True),
    Difference("repeated-syn-ack", is_repeated_syn_ack),
    Difference("repeated-syn-ack", is_followed),
    Difference("earlier-syn", is_answer_to_earlier_syn),
    Difference("earlier-syn", is_after_earlier_syn),
    Difference("simultaneous-window", is_offered),
    Difference("simultaneous-anew", is_renewed),
    Difference("simultaneous-anew", is_after_renewal),
    Difference("picked-up-reset", is_reset_of_picked_up),
    Difference("half-liberal", is_half_liberal),
    Difference("moved-back", is_moved_back),
    Difference("taught-by-reset", is_taught),
    Difference("noted-refusal", is_noted),
    Difference("begun-anew", is_begun_anew),
)


# -- timers -------------------------------------------------------------------------------------


def is_udp_reply(moment: Moment, marks: Marks) -> bool:
    """For the kernel a UDP stream is one that is two seconds old, by a clock that none can turn."""
    return (
        moment.state == "UDP_REPLIED" and moment.entry is not None and moment.entry.remaining <= 30
    )


def is_repeated_syn(moment: Moment, marks: Marks) -> bool:
    """What a SYN does to a timer is a matter of answers for the kernel, of states for the engine.

    A SYN before any answer restarts no timer of the kernel, also where it opens simultaneously;
    one that comes after an answer does, be it one that was ignored.
    """
    if (
        moment.packet.segment is not Segment.SYN
        or moment.before is None
        or moment.before.state not in (State.SYN_SENT, State.SYN_SENT2)
        or moment.entry_before is None
        or moment.entry is None
    ):
        return False
    if moment.entry_before.is_replied:
        return moment.entry.remaining > moment.left
    return moment.state == "SYN_SENT2" and moment.entry.remaining < moment.left


def is_about_earlier_syn(moment: Moment, marks: Marks) -> bool:
    """A SYN with an earlier number restarts the kernel's timer once something has been answered."""
    return is_after_earlier_syn(moment, marks) or name_of(moment) is Segment.SYN_AGAIN


def is_first_answer(moment: Moment, marks: Marks) -> bool:
    """The kernel trusts a connection that was picked up from the packet after its answer on."""
    tcp = tcp_of(moment)
    return (
        tcp is not None
        and tcp.is_liberal
        and moment.direction is Direction.REPLY
        and moment.entry_before is not None
        and not moment.entry_before.is_replied
        and moment.entry is not None
        and moment.entry.remaining <= SHORT
    )


def is_refused_close(moment: Moment, marks: Marks) -> bool:
    """A FIN or RST of each end, both refused, leave the kernel's entry 300 s."""
    return (
        moment.reason == "out_of_window"
        and moment.packet.segment in (Segment.FIN, Segment.RST)
        and moment.entry is not None
        and moment.entry.is_assured
        and SHORT - 2 <= moment.entry.remaining <= SHORT < moment.left
    )


def is_reset_after_repeats(moment: Moment, marks: Marks) -> bool:
    """A RST after three repeats: the kernel asks for the repeats first."""
    tcp = tcp_of(moment)
    return (
        tcp is not None
        and moment.packet.segment is Segment.RST
        and tcp.repeats >= 3
        and moment.entry is not None
        and SHORT - 2 <= moment.entry.remaining <= SHORT
    )


def is_unlike_picked_up(moment: Moment, marks: Marks) -> bool:
    """What is unacknowledged or repeated in a connection taken up in its middle."""
    tcp = tcp_of(moment)
    return (
        tcp is not None
        and tcp.is_liberal
        and moment.state == "ESTABLISHED"
        and moment.entry is not None
        and min(moment.entry.remaining, moment.left) <= SHORT
    )


def is_still_unacknowledged(moment: Moment, marks: Marks) -> bool:
    """The kernel has moved back, and did not believe the acknowledgement of what it moved over."""
    return (
        bool(marks.unlearned) or acknowledges_more_than_moved_back(moment, marks)
    ) and moment.state == "ESTABLISHED"


def is_counted_anew(moment: Moment, marks: Marks) -> bool:
    """The kernel counts repeats anew after a FIN or RST that it refused."""
    tcp = tcp_after(moment)
    return (
        (marks.has_noted or marks.counts_anew)
        and moment.packet.segment is Segment.ACK
        and tcp is not None
        and tcp.repeats >= 3
    )


TIMERS: Final = (
    Difference("timer: udp-stream", is_udp_reply),
    Difference("timer: repeated-syn", is_repeated_syn),
    Difference("timer: earlier-syn", is_about_earlier_syn),
    Difference("timer: simultaneous-anew", is_renewed),
    Difference("timer: simultaneous-anew", is_after_renewal),
    Difference("timer: first-answer", is_first_answer),
    Difference("timer: refused-close", is_refused_close),
    Difference("timer: reset-after-repeats", is_reset_after_repeats),
    Difference("timer: picked-up", is_unlike_picked_up),
    Difference("timer: noted-refusal", is_counted_anew),
    Difference("timer: taught-by-reset", is_taught),
    Difference("timer: half-liberal", is_half_liberal),
    Difference("timer: moved-back", is_still_unacknowledged),
    Difference("timer: begun-anew", is_begun_anew),
    Difference("timer: repeated-syn-ack", is_followed),
)
