"""What each protocol makes of a packet."""

import pytest

from fwemu.core.flow import ICMP, TCP, UDP, Direction
from fwemu.core.packet import parse
from fwemu.core.tcp_table import Cell, State
from fwemu.core.trackers import ASSURED_STATES, first_state, needs_pick_up, track
from tests.kit import wire

ENDS = bytes(4), bytes(4)


def packet(protocol, body):
    return parse(wire.ip(*ENDS, protocol, body))


def segment(flags):
    return packet(TCP, wire.tcp(1, 2, flags))


def test_a_packet_without_sequence_numbers_is_tracked_by_the_table():
    """`test_datagram_table.py` has its cells."""
    answer = packet(UDP, wire.udp(2, 1))
    assert track(State.UDP_UNREPLIED, answer, Direction.REPLY) is State.UDP_REPLIED
    assert track(State.UDP_UNREPLIED, answer, Direction.ORIGINAL) is State.UDP_UNREPLIED


@pytest.mark.parametrize(
    ("first", "state"),
    [
        (segment("S"), State.SYN_SENT),
        (segment("A"), State.ESTABLISHED),
        (segment("SA"), Cell.BAD),
        (segment("FA"), Cell.BAD),
        (segment("R"), Cell.BAD),
        (packet(UDP, wire.udp(1, 2)), State.UDP_UNREPLIED),
        (packet(ICMP, wire.icmp(8)), State.ICMP),
        (packet(ICMP, wire.icmp(0)), Cell.BAD),
        (packet(47, b""), State.OTHER),
    ],
)
def test_the_state_that_a_first_packet_opens(first, state):
    """BAD where it may open none."""
    assert first_state(first) is state


def test_what_comes_from_the_middle_of_a_conversation():
    """Only TCP knows a middle."""
    assert not needs_pick_up(segment("S"))
    for flags in ("A", "SA", "FA", "R"):
        assert needs_pick_up(segment(flags))
    assert not needs_pick_up(packet(UDP, wire.udp(1, 2)))
    assert not needs_pick_up(packet(ICMP, wire.icmp(0)))


def test_states_in_which_both_ends_have_answered():
    """A SYN-ACK alone proves nothing about the client: it may be spoofed."""
    assert {state.name for state in ASSURED_STATES} == {"ESTABLISHED", "UDP_REPLIED"}
