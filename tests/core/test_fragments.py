"""Later fragments go the way of their first one, or wait for it; what overlaps goes nowhere."""

import pytest

from fwemu.core.effects import PacketRefused, PacketReleased
from fwemu.core.flow import UDP
from fwemu.core.fragments import FragmentLimits
from fwemu.core.reasons import Reason
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, SECOND, Play, rule

SIZE = 1408
"""Octets of the datagrams in these stories, their UDP header included."""


class Datagram:
    """A UDP datagram in as many fragments as one likes."""

    def __init__(self, play: Play, number: int = 7, port: int = 40000, size: int = SIZE) -> None:
        self.play = play
        self.conversation = play.udp(port=port)
        self.number = number
        self.bytes = wire.udp(port, 53, bytes(size - 8))

    def first(self, end=INSIDE):
        return self.part(0, 600, end)

    def middle(self, end=INSIDE):
        return self.part(600, 1200, end)

    def last(self, end=INSIDE):
        return self.part(1200, SIZE, end)

    def part(self, start, stop, end=INSIDE, *, more=None):
        more = stop < len(self.bytes) if more is None else more
        body = self.bytes[start:stop].ljust(stop - start, b"!")
        data = self.conversation.packet(end, body, fragment=(self.number, start // 8, more))
        line = f"fragment {self.number} {start}:{stop}"
        return self.play.receives(data, end, line, self.conversation)


def nothing_is_held(play):
    """No memory of what waited, and the kernel's queue is free of it."""
    assert play.firewall.packets[Reason.HELD] == play.firewall.octets[Reason.HELD] == 0


# -- in order and out of order --


def test_fragments_follow_their_first_one(play):
    """In any order among themselves."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    datagram.last().accepted("fragment")
    datagram.middle().accepted("fragment")


def test_fragments_that_overtake_their_first_one_wait_for_it(play):
    """They are released behind it, in the order in which they came."""
    datagram = Datagram(play)
    last, middle = datagram.last().held(), datagram.middle().held()
    datagram.first().opens("UDP_UNREPLIED").releases("fragment", last, middle)
    nothing_is_held(play)
    assert play.firewall.packets[Reason.FRAGMENT] == 2


def test_a_packet_that_was_held_is_counted_once_when_its_verdict_is_known(play):
    """By its packets and its octets, whatever the verdict."""
    datagram = Datagram(play)
    header = len(datagram.conversation.packet(INSIDE, b"", fragment=(7, 0, False)))
    datagram.middle().held()
    firewall = play.firewall
    assert (firewall.packets[Reason.HELD], firewall.octets[Reason.HELD]) == (1, 600 + header)
    assert sum(firewall.packets) == 1
    datagram.first()
    assert (firewall.packets[Reason.FRAGMENT], firewall.octets[Reason.FRAGMENT]) == (
        1,
        600 + header,
    )
    assert sum(firewall.packets) == 2


def test_fragments_of_a_session_that_is_open_already(play):
    """Its first fragment is no first packet."""
    Datagram(play, number=7).first().opens("UDP_UNREPLIED")
    again = Datagram(play, number=8)
    middle = again.middle().held()
    again.first().accepted("session").releases("fragment", middle)
    again.last().accepted("fragment")


def test_fragments_are_not_packets_of_the_session(play):
    """They refresh nothing: what counts is the datagram, which came with its first one."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    play.wait("29s")
    assert datagram.middle().accepted("fragment").effects == ()
    play.wait("1s").expires("UDP_UNREPLIED")


def test_fragments_in_the_other_direction_are_another_datagram(play):
    """Two hosts may choose the same identification."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    datagram.middle(OUTSIDE).held()


def test_fragments_from_the_other_side_are_another_datagram(play):
    """Somebody outside who pretends to be the client spoils nothing."""
    datagram = Datagram(play)
    forged = datagram.conversation.packet(INSIDE, bytes(600), fragment=(7, 10, True))
    play.receives(forged, OUTSIDE).held()
    datagram.first().opens("UDP_UNREPLIED")
    datagram.middle().accepted("fragment")


def test_a_large_ping(play):
    """Both ways, and backwards."""
    ping = play.ping()
    for end, icmp_type, reason in (
        (INSIDE, ping.query, "opened"),
        (OUTSIDE, ping.response, "session"),
    ):
        body = wire.icmp(icmp_type, 77, bytes(1000))
        first = ping.packet(end, body[:800], fragment=(3, 0, True))
        rest = ping.packet(end, body[800:], fragment=(3, 100, False))
        held = play.receives(rest, end).held()
        play.receives(first, end).accepted(reason).releases("fragment", held)


def test_an_error_in_fragments(play):
    """One about a session passes whole; the rest of any other goes nowhere."""
    play.conversation.establish()
    play.now += SECOND
    number = {4: 1, 6: 58}[play.version]
    for asked, reason, rest in (
        (play.conversation, "related", "fragment"),
        (play.tcp(port=9), "unrelated_icmp", "unknown_fragment"),
    ):
        about = asked.segment(INSIDE, "A", 1, 1, 600)
        body = wire.icmp({4: 3, 6: 1}[play.version], payload=about, code=1)
        body += bytes(-len(body) % 8)
        ends = asked.address[OUTSIDE], asked.address[INSIDE]
        later = wire.ip(*ends, number, body[400:], fragment=(asked.ports[INSIDE], 50, False))
        first = wire.ip(*ends, number, body[:400], fragment=(asked.ports[INSIDE], 0, True))
        held = play.receives(later, OUTSIDE).held()
        outcome = play.receives(first, OUTSIDE).releases(rest, held)
        assert outcome.decision.reason.word == reason


# -- refused --


def test_fragments_of_a_refused_datagram_are_refused(play):
    """Otherwise half of it would get through."""
    play.under(rules=[rule("deny", ports=((53, 53),))])
    datagram = Datagram(play)
    middle = datagram.middle().held()
    datagram.first().dropped("denied").releases("unknown_fragment", middle)
    datagram.last().dropped("unknown_fragment")
    nothing_is_held(play)


def test_fragments_when_the_table_is_full(play):
    """The datagram had no session, so it has no fragments."""
    play.under(capacity=1, when_full="reject-new")
    play.client("S")
    datagram = Datagram(play)
    datagram.first().dropped("table_full")
    datagram.middle().dropped("unknown_fragment")


def test_a_refused_datagram_may_be_repeated(play):
    """Under the same number, once a rule allows it."""
    play.under(rules=[rule("deny", ports=((53, 53),))])
    datagram = Datagram(play)
    datagram.first().dropped("denied")
    play.reconfigure()
    datagram.middle().dropped("unknown_fragment")
    datagram.first().opens("UDP_UNREPLIED")
    datagram.middle().accepted("fragment")


def test_a_first_fragment_that_is_no_packet_takes_the_others_along(play):
    """Nobody will put them together without it."""
    body = wire.tcp(40000, 80, "SF", payload=bytes(4))
    held = play.receives(
        play.conversation.packet(INSIDE, bytes(8), fragment=(7, 3, False)), INSIDE
    ).held()
    first = play.conversation.packet(INSIDE, body, fragment=(7, 0, True))
    play.receives(first, INSIDE).dropped("bad_flags").releases("unknown_fragment", held)


def test_later_fragments_are_never_answered(play):
    """An ICMP error quotes ports, and a later fragment has none (RFC 1122 section 3.2.2)."""
    play.under(inside="reject", default_inside="reject")
    datagram = Datagram(play)
    middle = datagram.middle().held()
    prohibited = {4: "client gets icmp 3/13", 6: "client gets icmp 1/1"}[play.version]
    datagram.first().dropped("rejected", "reject").releases("unknown_fragment", middle).says(
        prohibited
    )
    refused = datagram.last().dropped("unknown_fragment").says_nothing().effects[0]
    assert refused.flow == (
        UDP,
        play.conversation.address[INSIDE],
        0,
        play.conversation.address[OUTSIDE],
        0,
    )


def test_what_becomes_of_a_held_packet_says_all_there_is_to_say(play):
    """The log shows a refused one like any other."""
    play.under(rules=[rule("deny")])
    datagram = Datagram(play)
    middle = datagram.middle().held()
    outcome = datagram.first()
    (released,) = outcome.all(PacketReleased)
    _, refused = outcome.all(PacketRefused)
    flow = (UDP, play.conversation.address[INSIDE], 0, play.conversation.address[OUTSIDE], 0)
    for effect in (released, refused):
        assert effect.at == play.now
        assert (effect.reason, effect.zone, effect.flow) == (Reason.UNKNOWN_FRAGMENT, INSIDE, flow)
        assert effect.length == len(
            datagram.conversation.packet(INSIDE, bytes(600), fragment=(7, 1, True))
        )
    assert released.ticket == middle.decision.ticket
    assert refused.answer.word == "drop"


# -- overlapping --

OVERLAPS = [(0, 600), (592, 1200), (600, 1208), (608, 1200), (600, 1192), (1192, 1400), (8, 16)]


@pytest.mark.parametrize(("start", "stop"), OVERLAPS)
def test_overlapping_fragments_take_their_datagram_along(play, start, stop):
    """Which octets would count depends on who puts them together (RFC 5722): nobody may."""
    datagram = Datagram(play)
    datagram.part(0, 608).opens("UDP_UNREPLIED")
    datagram.part(608, 1208).accepted("fragment")
    datagram.part(start, stop).dropped("overlapping_fragment").says_nothing()
    datagram.part(608, 1208).dropped("overlapping_fragment")
    datagram.part(1208, SIZE).dropped("overlapping_fragment")
    datagram.part(0, 608).dropped("overlapping_fragment")
    assert len(play.firewall.table) == 1


@pytest.mark.parametrize(("start", "stop"), [(592, 1000), (1192, 1296), (600, 1000), (800, 1000)])
def test_overlapping_fragments_that_wait(play, start, stop):
    """Nobody needs to know the first one for that."""
    datagram = Datagram(play)
    one, other = datagram.part(600, 1200).held(), datagram.part(1200, 1304).held()
    datagram.part(start, stop, more=True).dropped("overlapping_fragment").releases(
        "overlapping_fragment", one, other
    )
    datagram.first().dropped("overlapping_fragment")
    assert len(play.firewall.table) == 0
    nothing_is_held(play)


def test_a_first_fragment_that_overlaps_one_that_waits(play):
    """It opens nothing."""
    datagram = Datagram(play)
    middle = datagram.middle().held()
    datagram.part(0, 608).dropped("overlapping_fragment").releases("overlapping_fragment", middle)
    assert len(play.firewall.table) == 0


@pytest.mark.parametrize(
    ("start", "stop", "more"),
    [
        (1408, 1416, False),  # after the end
        (1408, 1416, True),
        (1200, 1408, True),  # the last one is none
        (600, 1200, False),  # the end is elsewhere
        (608, 616, False),
    ],
)
def test_fragments_that_contradict_the_end_of_their_datagram(play, start, stop, more):
    """A datagram has one end."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    datagram.last().accepted("fragment")
    datagram.part(start, stop, more=more).dropped("overlapping_fragment")


def test_an_end_before_what_is_there_already(play):
    """The same the other way round."""
    for number, (start, stop) in enumerate([(600, 1200), (608, 800)]):
        datagram = Datagram(play, number)
        datagram.first()
        datagram.middle().accepted("fragment")
        datagram.part(start, stop, more=False).dropped("overlapping_fragment")
    datagram = Datagram(play, 8)
    datagram.last().held()
    datagram.part(600, 800, more=False).dropped("overlapping_fragment")
    datagram = Datagram(play, 9)  # beside it, not over it, and its own end is not known yet
    datagram.first()
    datagram.part(800, 1200).accepted("fragment")
    datagram.part(600, 800, more=False).dropped("overlapping_fragment")


def test_exact_repetitions_pass(play):
    """Networks repeat packets; RFC 8200 section 4.5 and Linux let them (IPFRAG_DUP)."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    datagram.last().accepted("fragment")
    datagram.last().accepted("fragment")
    datagram.first().accepted("session")
    for _ in range(2):
        datagram.middle().accepted("fragment")
    datagram.last().accepted("fragment")


def test_exact_repetitions_wait_together(play):
    """All of them, within the bounds."""
    datagram = Datagram(play)
    held = [datagram.middle().held() for _ in range(3)]
    datagram.first().releases("fragment", *held)


def test_a_repeated_first_fragment_that_is_refused_refuses_nothing_else(play):
    """It is judged like any packet; what passes by the other one goes on passing."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    play.kill(datagram.conversation)
    play.reconfigure(rules=[rule("deny")])
    datagram.first().dropped("denied")
    datagram.middle().accepted("fragment")


# -- headers in pieces --


def test_a_tcp_header_in_two_fragments_is_refused(play):
    """Its flags would be in the second one, where no rule looks (RFC 1858 section 3)."""
    segment = wire.tcp(40000, 80, "S", payload=bytes(20))
    parts = [
        play.conversation.packet(INSIDE, segment[:16], fragment=(7, 0, True)),
        play.conversation.packet(INSIDE, segment[16:], fragment=(7, 2, False)),
    ]
    for data in (*parts, *reversed(parts)):
        play.receives(data, INSIDE).dropped("overlapping_fragment").says_nothing()


def test_a_fragment_over_the_flags_is_refused(play):
    """It would change what the first one said after it was judged (RFC 3128)."""
    whole = wire.tcp(40000, 80, "A", payload=bytes(20))
    flags = play.conversation.packet(INSIDE, bytes(32), fragment=(7, 1, False))
    play.conversation.establish()
    play.receives(play.conversation.packet(INSIDE, whole, fragment=(8, 0, True)), INSIDE)
    play.receives(flags, INSIDE).dropped("overlapping_fragment")
    first = play.conversation.packet(INSIDE, whole, fragment=(7, 0, True))
    play.receives(first, INSIDE).dropped("overlapping_fragment")


def test_options_in_the_second_fragment_are_refused(play):
    """A header is whole or it is none (RFC 7112)."""
    segment = wire.tcp(40000, 80, "S", options=wire.MSS + wire.SACK_PERMITTED)
    cut = play.conversation.packet(INSIDE, segment[:24], fragment=(7, 0, True))
    play.receives(cut, INSIDE).dropped("overlapping_fragment")


def test_a_router_sees_through_it_as_well(play):
    """RFC 1858 and RFC 3128 were written for them; otherwise they know of no datagram."""
    play.under(mode="acl", rules=[rule("allow", protocols=[6], ports=((80, 80),))])
    conversation = play.conversation
    segment = wire.tcp(40000, 80, "S", payload=bytes(20))
    first = conversation.packet(INSIDE, segment, fragment=(7, 0, True))
    later = conversation.packet(INSIDE, bytes(8), fragment=(7, 5, False))
    for data in (later, first, later, first):
        play.receives(data, INSIDE).accepted("permitted")
    for body, offset in ((segment[:16], 0), (bytes(32), 1)):
        data = conversation.packet(INSIDE, body, fragment=(7, offset, True))
        play.receives(data, INSIDE).dropped("overlapping_fragment")
    strange = wire.tcp(40000, 80, "SF", payload=bytes(4))
    play.receives(conversation.packet(INSIDE, strange, fragment=(7, 0, True)), INSIDE).dropped(
        "bad_flags"
    )
    assert play.wait("1h").effects == ()


# -- segments in pieces --


class Segment:
    """A TCP segment of the client, cut after `first` octets of its data."""

    def __init__(self, play: Play, data: int, first: int, flags: str = "A") -> None:
        body = play.conversation.segment(INSIDE, flags, 1, 1, data)
        body = body[-20 - data :]
        self.play = play
        self.parts = [
            play.conversation.packet(INSIDE, body[: 20 + first], fragment=(7, 0, True)),
            play.conversation.packet(
                INSIDE, body[20 + first :], fragment=(7, (20 + first) // 8, False)
            ),
        ]

    def send(self, index):
        return self.play.receives(self.parts[index], INSIDE, f"part {index}")


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 1), (0, 1, 0)])
@pytest.mark.parametrize("flags", ["A", "FA"])
def test_the_whole_of_a_segment_in_fragments_may_be_acknowledged(play, order, flags):
    """Its first fragment alone does not say where it ends."""
    play.conversation.establish()
    segment = Segment(play, 3000, 1428, flags)
    for index in order:
        segment.send(index)
    end = 3001 + ("F" in flags)
    play.server("A", ack=end).accepted("session")
    play.server("A", ack=end + 1).dropped("out_of_window")


def test_a_segment_that_is_not_there_whole_is_not_acknowledged_whole(play):
    """Before its end has come."""
    play.conversation.establish()
    Segment(play, 3000, 1428).send(0).accepted("session")
    play.server("A", ack=1429).accepted("session")
    play.server("A", ack=3001).dropped("out_of_window")


def test_a_segment_whose_session_has_ended_meanwhile(play):
    """There is nothing left to learn."""
    play.conversation.establish()
    segment = Segment(play, 3000, 1428)
    segment.send(0)
    play.kill(play.conversation)
    segment.send(1).accepted("fragment")


def test_a_segment_in_fragments_beyond_the_window(play):
    """The sender may have known of a larger window: bounds move as for a whole segment."""
    play.conversation.client("S").opens("SYN_SENT")
    play.server("SA", window=2000).moves_to("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")
    segment = Segment(play, 3000, 1428)
    segment.send(0).accepted("session")
    segment.send(1).accepted("fragment")
    play.server("A", ack=3001).accepted("session")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_segment_in_fragments_from_the_server(play, order):
    """Either direction has its own end."""
    play.conversation.establish()
    body = play.conversation.segment(OUTSIDE, "A", 1, 1, 1000)[-1020:]
    parts = [
        play.conversation.packet(OUTSIDE, body[:800], fragment=(9, 0, True)),
        play.conversation.packet(OUTSIDE, body[800:], fragment=(9, 100, False)),
    ]
    for index in order:
        play.receives(parts[index], OUTSIDE)
    play.client("A", ack=1001).accepted("session")


def test_a_fragment_of_a_stream_that_was_never_answered(play):
    """Nothing is known of the other end's window yet."""
    play.under(inside="pick-up")
    segment = Segment(play, 3000, 1428)
    segment.send(0).picked_up()
    segment.send(1).accepted("fragment")


# -- never completed --


def test_nothing_waits_longer_than_the_timeout(play):
    """It is dropped when its time is over, though nobody sends anything."""
    datagram = Datagram(play)
    middle = datagram.middle().held()
    assert play.firewall.next_deadline() == play.now + 30 * SECOND
    play.wait("29.999s")
    last = datagram.last().held()
    play.wait("1ms").releases("fragment_timeout", middle, last).says_nothing()
    nothing_is_held(play)
    assert play.firewall.next_deadline() is None
    assert len(play.firewall._fragments) == 0


def test_the_timeout_is_noticed_without_a_sweep(play):
    """By the next fragment, whose own datagram begins anew."""
    datagram = Datagram(play)
    middle = datagram.middle().held()
    play.pass_unswept("31s")
    outcome = datagram.first().opens("UDP_UNREPLIED").releases("fragment_timeout", middle)
    assert outcome.all(PacketReleased)[0].at == play.now - SECOND
    datagram.middle().accepted("fragment")


def test_a_fragment_that_comes_too_late(play):
    """After thirty seconds no receiver is waiting for it either."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    play.now += 30 * SECOND - 1
    datagram.middle().accepted("fragment")
    play.pass_unswept("1ns")
    late = datagram.last().held()
    play.wait("30s").releases("fragment_timeout", late)


def test_the_timeout_is_a_limit_like_the_others(play):
    """Devices wait for 3 to 60 seconds."""
    play.under(fragments={"timeout": 5 * SECOND})
    middle = Datagram(play).middle().held()
    play.wait("4.999s")
    play.wait("1ms").releases("fragment_timeout", middle)


def test_sessions_and_fragments_share_one_clock(play):
    """The earlier of their deadlines is the next."""
    play.client("S")
    play.now += SECOND
    Datagram(play).middle()
    assert play.firewall.next_deadline() == play.now + 29 * SECOND
    play.wait("29s").expires("SYN_SENT")
    assert play.firewall.next_deadline() == play.now + SECOND
    play.client("S")
    assert play.firewall.next_deadline() == play.now + SECOND


def test_a_flush_drops_what_waits_and_forgets_what_passed(play):
    """The firewall after it knows nothing, as after a restart."""
    passed, waiting = Datagram(play, 7), Datagram(play, 8)
    passed.first().opens("UDP_UNREPLIED")
    middle = waiting.middle().held()
    play.flush().releases("unknown_fragment", middle).ends("flushed")
    nothing_is_held(play)
    passed.middle().held()


def test_a_flush_that_comes_late_times_out_first(play):
    """What was over before it is not its doing."""
    middle = Datagram(play).middle().held()
    play.pass_unswept("31s")
    play.flush().releases("fragment_timeout", middle)


# -- bounds --


def test_a_datagram_has_so_many_fragments_and_no_more(play):
    """Cisco ASA: `fragment chain`; the whole datagram is refused then."""
    play.under(fragments={"per_datagram": 3})
    datagram = Datagram(play)
    datagram.part(0, 16).opens("UDP_UNREPLIED")
    for start in (16, 24):
        datagram.part(start, start + 8).accepted("fragment")
    datagram.part(24, 32).accepted("fragment")  # a repetition is no more
    datagram.part(32, 40).dropped("too_many_fragments")
    datagram.part(16, 24).dropped("too_many_fragments")


def test_so_many_fragments_of_a_datagram_wait_and_no_more(play):
    """Repetitions as well: they need room."""
    play.under(fragments={"per_datagram": 3})
    for number, parts in enumerate([(16, 24, 32, 40), (16, 16, 16, 16)]):
        datagram = Datagram(play, number)
        *held, last = parts
        waiting = [datagram.part(start, start + 8).held() for start in held]
        refused = datagram.part(last, last + 8).dropped("too_many_fragments")
        refused.releases("too_many_fragments", *waiting)
    nothing_is_held(play)


def test_so_many_fragments_wait_in_all_and_no_more(play):
    """Each is a place in the kernel's queue: the newcomer gives way."""
    play.under(fragments={"held": 2})
    one, other = Datagram(play, 1), Datagram(play, 2)
    first, second = one.middle().held(), one.last().held()
    other.middle().dropped("too_many_fragments")
    other.first().dropped("too_many_fragments")
    one.first().releases("fragment", first, second)
    Datagram(play, 3).middle().held()


def test_datagrams_are_forgotten_in_the_order_in_which_they_began(play):
    """A flood must not eat the machine; what waited is dropped."""
    play.under(fragments={"datagrams": 2})
    oldest, passed = Datagram(play, 1), Datagram(play, 2)
    middle = oldest.middle().held()
    passed.first().opens("UDP_UNREPLIED")
    newest = Datagram(play, 3)
    third = newest.middle().held_after("too_many_fragments", middle)
    passed.middle().accepted("fragment")
    newest.first().releases("fragment", third)


def test_the_limits_are_those_of_a_usual_network(play):
    """A datagram of 64 KiB passes over links of 576 octets, backwards too."""
    assert FragmentLimits() == FragmentLimits(
        timeout=30 * SECOND, per_datagram=128, held=200, datagrams=4096
    )
    datagram = Datagram(play, size=65_000)
    starts = range(0, 65_000, 552)
    *held, first = [datagram.part(s, min(s + 552, 65_000)) for s in reversed(starts)]
    first.opens("UDP_UNREPLIED").releases("fragment", *held)
    assert len(held) == 117


# -- numbers that are used again --


def test_a_number_is_used_again_after_the_datagram_is_whole(play):
    """Identifications are 16 bits in IPv4 (RFC 6864): another size is no contradiction."""
    Datagram(play).first()
    Datagram(play).middle()
    Datagram(play).last()
    other = Datagram(play, size=2008)
    other.part(0, 1000).accepted("session")
    other.part(1000, 2008).accepted("fragment")


def test_a_number_is_used_again_and_the_first_fragment_is_overtaken(play):
    """What is no repetition of the old datagram waits for the new one."""
    for part in ("first", "middle", "last"):
        getattr(Datagram(play), part)()
    other = Datagram(play, size=2008)
    held = other.part(1000, 2008).held()
    other.part(0, 1000).accepted("session").releases("fragment", held)
