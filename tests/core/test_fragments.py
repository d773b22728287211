"""Later fragments follow their first one, for a while."""

from fwemu.core.flow import UDP
from fwemu.core.fragments import CAPACITY, LIFETIME, AcceptedDatagrams
from tests.core import wire
from tests.core.play import INSIDE, OUTSIDE, Play, duration, rule

# -- the memory --


def test_what_was_accepted_is_known_until_its_lifetime_is_over():
    """Thirty seconds, and not a nanosecond more."""
    memory = AcceptedDatagrams()
    assert not memory.knows(b"a", 0)
    memory.accept(b"a", 1000)
    assert memory.knows(b"a", 1000)
    assert memory.knows(b"a", 1000 + LIFETIME - 1)
    assert not memory.knows(b"a", 1000 + LIFETIME)
    assert duration("30s") == LIFETIME


def test_accepting_again_begins_anew():
    """A repeated datagram may bear the same identification."""
    memory = AcceptedDatagrams()
    memory.accept(b"a", 0)
    memory.accept(b"a", LIFETIME)
    assert memory.knows(b"a", 2 * LIFETIME - 1)


def test_the_memory_is_bounded_and_forgets_the_oldest():
    """A flood of first fragments must not eat the machine."""
    memory = AcceptedDatagrams()
    names = [str(number).encode() for number in range(CAPACITY + 1)]
    for name in names[:-1]:
        memory.accept(name, 0)
    memory.accept(names[0], 1)  # no longer the oldest
    assert all(memory.knows(name, 1) for name in names[:-1])
    memory.accept(names[-1], 1)
    assert [name for name in names if not memory.knows(name, 1)] == [names[1]]


def test_forgetting_all():
    """Nothing passes on old credit."""
    memory = AcceptedDatagrams()
    memory.accept(b"a", 0)
    memory.forget_all()
    assert not memory.knows(b"a", 0)


# -- through the firewall --


class Datagram:
    """A UDP datagram in three fragments."""

    def __init__(self, play: Play, number: int = 7, port: int = 40000) -> None:
        self.play = play
        self.talk = play.udp(port=port)
        self.number = number
        self.bytes = wire.udp(port, 53, bytes(1400))

    def first(self, end=INSIDE):
        return self._sends(end, 0, 600)

    def middle(self, end=INSIDE):
        return self._sends(end, 600, 1200)

    def last(self, end=INSIDE):
        return self._sends(end, 1200, 1408)

    def _sends(self, end, start, stop):
        place = (self.number, start // 8, stop < len(self.bytes))
        data = self.talk.packet(end, self.bytes[start:stop], fragment=place)
        return self.play.receives(data, end, f"fragment {self.number} from {start}", self.talk)


def test_fragments_follow_their_first_one(play):
    """In any order among themselves."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    datagram.last().accepted("fragment")
    datagram.middle().accepted("fragment")


def test_a_fragment_that_overtakes_its_first_one_is_refused(play):
    """Nothing is kept waiting; the sender repeats the datagram."""
    datagram = Datagram(play)
    datagram.middle().dropped("unknown_fragment").says_nothing()
    datagram.first().opens("UDP_UNREPLIED")
    datagram.middle().accepted("fragment")


def test_fragments_of_a_session_that_is_open_already(play):
    """Its first fragment is no first packet."""
    Datagram(play, number=7).first().opens("UDP_UNREPLIED")
    again = Datagram(play, number=8)
    again.middle().dropped("unknown_fragment")
    again.first().stays("UDP_UNREPLIED")
    again.middle().accepted("fragment")


def test_fragments_of_a_refused_datagram_are_refused(play):
    """Otherwise half of it would get through."""
    play.under(rules=[rule("deny", ports=((53, 53),))])
    datagram = Datagram(play)
    datagram.first().dropped("denied")
    datagram.middle().dropped("unknown_fragment")


def test_fragments_when_the_table_is_full(play):
    """The datagram had no session, so it has no fragments."""
    play.under(capacity=1, when_full="reject-new")
    play.client("S")
    datagram = Datagram(play)
    datagram.first().dropped("table_full")
    datagram.middle().dropped("unknown_fragment")


def test_fragments_are_not_packets_of_the_session(play):
    """They refresh nothing: the firewall does not reassemble."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    play.wait("29s")
    assert datagram.middle().accepted("fragment").effects == ()
    play.wait("1s").expires("UDP_UNREPLIED")


def test_a_fragment_that_comes_too_late(play):
    """After thirty seconds no receiver is waiting for it either."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    play.now += LIFETIME - 1
    datagram.middle().accepted("fragment")
    play.pass_unswept("1ns")
    datagram.middle().dropped("unknown_fragment")


def test_a_flush_forgets_fragments_too(play):
    """The firewall after it knows nothing, as after a restart."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    play.flush().ends("flushed")
    datagram.middle().dropped("unknown_fragment")


def test_fragments_of_an_unknown_datagram_are_not_answered(play):
    """An ICMP error quotes ports, and a later fragment has none (RFC 1122 section 3.2.2)."""
    play.under(inside="reject", default_inside="reject")
    datagram = Datagram(play)
    refused = datagram.middle().dropped("unknown_fragment").says_nothing().effects[0]
    assert refused.flow == (UDP, play.talk.address[INSIDE], 0, play.talk.address[OUTSIDE], 0)


def test_fragments_in_the_other_direction_are_another_datagram(play):
    """Two hosts may choose the same identification."""
    datagram = Datagram(play)
    datagram.first().opens("UDP_UNREPLIED")
    datagram.middle(OUTSIDE).dropped("unknown_fragment")


def test_a_large_ping(play):
    """Both ways."""
    ping = play.ping()
    for end, icmp_type, reason in (
        (INSIDE, ping.query, "opened"),
        (OUTSIDE, ping.response, "session"),
    ):
        body = wire.icmp(icmp_type, 77, bytes(1000))
        first = ping.packet(end, body[:800], fragment=(3, 0, True))
        rest = ping.packet(end, body[800:], fragment=(3, 100, False))
        play.receives(first, end).accepted(reason)
        play.receives(rest, end).accepted("fragment")
