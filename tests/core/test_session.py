"""What is remembered of a conversation; the stories are in `test_firewall_tcp.py`."""

from fwemu.core.flow import TCP, Direction, Zone
from fwemu.core.packet import parse
from fwemu.core.session import End, Session
from fwemu.core.tcp_table import State
from fwemu.core.timeouts import with_idle_timeout
from tests.core import wire
from tests.core.play import CLIENT, SERVER, policy

LIFETIMES = policy().lifetimes


def segment(flags, seq=0, ack=0, octets=0):
    return parse(wire.ip(CLIENT[4], SERVER[4], TCP, wire.tcp(1, 2, flags, seq, ack, bytes(octets))))


def after(*segments):
    """An end that has sent these."""
    end = End()
    for each in segments:
        end.sends(segment(*each), End())
    return end


# -- one end --


def test_an_end_that_has_sent_nothing():
    """No number is known of it."""
    end = End()
    assert (end.packets, end.octets, end.next, end.acked) == (0, 0, None, None)


def test_a_syn_acknowledges_nothing():
    """The field is there, and means nothing without ACK."""
    end = after(("S", 1000, 777))
    assert (end.next, end.acked) == (1001, None)


def test_a_rst_acknowledges_nothing_either():
    """Its acknowledgement is for the handshake only."""
    end = after(("SA", 1000, 50), ("RA", 1001, 70))
    assert end.acked == 50


def test_numbers_only_go_forward():
    """A late segment does not move them back; the seam is no end."""
    top = 2**32 - 1
    end = after(("A", top, top, 10), ("A", top - 5, top - 5, 3))
    assert (end.next, end.acked) == (9, top)
    end = after(("A", top, top, 10), ("A", 9, 3, 5))
    assert (end.next, end.acked) == (14, 3)


def test_half_the_circle_away_is_not_forward():
    """Such a number is a guess of somebody else's."""
    end = after(("A", 0, 0), ("A", 2**31, 2**31))
    assert (end.next, end.acked) == (0, 0)
    end = after(("A", 0, 0), ("A", 2**31 - 1, 2**31 - 1))
    assert (end.next, end.acked) == (2**31 - 1, 2**31 - 1)


def test_packets_and_octets():
    """Whole IP packets."""
    end = after(("S",), ("A", 1, 1, 100))
    assert (end.packets, end.octets) == (2, 40 + 140)


# -- the session --


def session(zone=Zone.INSIDE, state=State.SYN_SENT):
    key = CLIENT[4] + SERVER[4] + b"\x9c\x40\x00\x50"
    lifetimes = with_idle_timeout(LIFETIMES, 5)
    return Session(7, TCP, key, b"", zone, state, 3, lifetimes, 1000)


def test_its_deadline_moves_with_traffic():
    """From the last packet on, by the lifetime of its state."""
    one = session(state=State.ESTABLISHED)
    assert (one.opened, one.last_seen, one.lifetime, one.deadline) == (1000, 1000, 5, 1005)
    one.last_seen = 1003
    assert one.deadline == 1008


def test_its_ends_stand_where_it_was_opened_from():
    """The original end is on the side of the first packet."""
    for zone in Zone:
        one = session(zone)
        assert one.zone_of_end(Direction.ORIGINAL) is zone
        assert one.zone_of_end(Direction.REPLY) is zone.other


def test_its_flow_is_that_of_the_original_direction():
    """As its key says."""
    assert str(session().flow) == "tcp 10.0.1.2:40000 -> 10.0.2.2:80"


def test_sessions_are_told_apart_by_identity():
    """Two of the same flow are two: one may have taken the other's place."""
    one, other = session(), session()
    assert len({one, other}) == 2
    assert one != other
