"""What is remembered of a conversation; the stories are in `test_firewall_tcp.py`."""

from fwemu.core.endpoint import Endpoint, TcpEndpoint
from fwemu.core.flow import TCP, UDP, Direction, Zone
from fwemu.core.session import Session
from fwemu.core.tcp_table import State
from fwemu.core.timeouts import with_idle_timeout
from tests.kit.play import CLIENT, SERVER, policy

LIFETIMES = policy().lifetimes


def session(zone=Zone.INSIDE, state=State.SYN_SENT, protocol=TCP):
    key = CLIENT[4] + SERVER[4] + b"\x9c\x40\x00\x50"
    lifetimes = with_idle_timeout(LIFETIMES, 5)
    return Session(7, protocol, key, b"", zone, state, 3, lifetimes, 1000)


def test_its_deadline_moves_with_traffic():
    """From the last packet that restarted its timer on, by the lifetime of its state."""
    one = session(state=State.ESTABLISHED)
    assert (one.opened, one.restarted, one.lifetime, one.deadline) == (1000, 1000, 5, 1005)
    one.restarted = 1003
    assert one.deadline == 1008


def test_its_ends_stand_where_it_was_opened_from():
    """The original end is on the side of the first packet."""
    for zone in Zone:
        one = session(zone)
        assert one.zone_of_end(Direction.ORIGINAL) is zone
        assert one.zone_of_end(Direction.REPLY) is zone.other


def test_only_tcp_has_a_connection_with_numbers():
    """The ends of the session are those of the conversation."""
    tcp, udp = session(), session(protocol=UDP)
    assert tcp.ends is tcp.tcp.ends
    assert {type(end) for end in tcp.ends} == {TcpEndpoint}
    assert udp.tcp is None
    assert {type(end) for end in udp.ends} == {Endpoint}
    for one in (tcp, udp):
        assert one.ends[0] is not one.ends[1]


def test_its_flow_is_that_of_the_original_direction():
    """As its key says."""
    assert str(session().flow) == "tcp 10.0.1.2:40000 -> 10.0.2.2:80"


def test_sessions_are_told_apart_by_identity():
    """Two of the same flow are two: one may have taken the other's place."""
    one, other = session(), session()
    assert len({one, other}) == 2
    assert one != other
