"""Answers by rule, denials that are remembered, and what gives the firewall away."""

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from fwemu.core.choices import AtExpiry, OnUnknown
from fwemu.core.effects import PacketInjected, SessionOpened
from tests.kit.play import INSIDE, OUTSIDE, rule

# -- by pair of zones or networks --


def test_a_rule_says_what_its_flows_hear_at_expiry(play):
    """Azure Firewall: RSTs towards the internet, none between private networks."""
    rules = [rule("allow", arrival=INSIDE, ports=((80, 80),), protocols=[6], at_expiry=BOTH)]
    play.under(rules=rules)
    play.tcp(1, 80).establish()
    play.tcp(2, 81).establish()
    told = play.wait("1h").expires("ESTABLISHED", "ESTABLISHED").all(PacketInjected)
    assert [each.session for each in told] == [1, 1]


BOTH, RESET = AtExpiry.RESET_BOTH, OnUnknown.RESET


@pytest.mark.parametrize("end", ["client", "server"])
def test_a_rule_says_what_its_unknown_packets_get(play, end):
    """Whichever way they go: the rule speaks of the flow as it was opened."""
    rules = [
        rule("deny", arrival=OUTSIDE),
        rule("allow", arrival=INSIDE, ports=((80, 80),), protocols=[6], on_unknown=RESET),
    ]
    play.under(rules=rules)
    getattr(play.tcp(1, 80), end)("A", 1, seq=1, ack=1).dropped("unknown_packet", "reset")
    getattr(play.tcp(1, 81), end)("A", 1, seq=1, ack=1).dropped("unknown_packet")


def test_the_first_rule_that_allows_the_flow_answers(play):
    """Even if it says nothing of its own."""
    rules = [
        rule("allow", arrival=INSIDE, ports=((80, 80),), protocols=[6]),
        rule("allow", on_unknown=RESET),
    ]
    play.under(rules=rules, inside="reject")
    play.tcp(1, 80).client("A", 1, seq=1, ack=1).dropped("unknown_packet", "reject")
    play.tcp(1, 81).client("A", 1, seq=1, ack=1).dropped("unknown_packet", "reset")


# -- denials that are remembered --


def test_a_denial_is_remembered(play):
    """PAN-OS: a discard session takes what comes after, without asking the rules again."""
    play.under(default_inside="deny", tcp_discard="90s")
    denied = receive(play.client("S"), "denied")
    (opened,) = denied.all(SessionOpened)
    assert (opened.state.name, opened.flow) == ("TCP_DISCARD", play.conversation.flow_of(INSIDE))
    play.wait("89s")
    for outcome in (play.client("S", seq=0), play.server("SA")):
        receive(outcome, "discarded").changes_nothing()
        assert not outcome.all(SessionOpened)
    play.wait("1s").expires("TCP_DISCARD")
    receive(play.client("S", seq=0), "denied")


def receive(outcome, reason):
    """It was refused for this reason, silently."""
    assert outcome.decision.reason.word == reason
    return outcome


@pytest.mark.parametrize(
    ("protocol", "timer", "state"),
    [("udp", "udp_discard", "UDP_DISCARD"), ("ping", "other_discard", "OTHER_DISCARD")],
)
def test_other_protocols_have_their_own_timer(play, protocol, timer, state):
    """90 s for TCP, 60 s for the rest on the devices that do this."""
    play.under(default_inside="deny", **{timer: "60s"})
    conversation = {"udp": play.udp(), "ping": play.ping()}[protocol]
    words = ["echo"] if protocol == "ping" else []
    receive(conversation.client(*words), "denied")
    receive(conversation.client(*words), "discarded")
    play.wait("60s").expires(state)


def test_another_policy_lets_a_remembered_flow_wait(play):
    """As on the device: the session must age out, or be cleared."""
    play.under(default_inside="deny", udp_discard="60s")
    receive(play.udp().client(), "denied")
    play.reconfigure(udp_discard="60s")
    receive(play.udp().client(), "discarded")
    play.flush()
    play.udp().client().opens("UDP_UNREPLIED")


def test_a_full_table_remembers_no_denial(play):
    """Nobody is evicted for one."""
    play.under(default_inside="deny", rules=[rule("allow", protocols=[6])], capacity=1,
               udp_discard="60s")  # fmt: skip
    play.conversation.establish()
    assert not receive(play.udp().client(), "denied").all(SessionOpened)


def test_a_denied_successor_is_not_remembered_over_a_session(play):
    """The old connection in TIME_WAIT keeps its place."""
    play.under(tcp_discard="90s", rules=[rule("allow")])
    play.conversation.establish().close()
    play.reconfigure(tcp_discard="90s", default_inside="deny")
    again = play.conversation.again()
    receive(again.client("S"), "denied").changes_nothing()


# -- the packets themselves --


def ttl_of(packet):
    return IP(packet).ttl if packet[0] >> 4 == 4 else IPv6(packet).hlim


@pytest.mark.parametrize("answer", ["reset", "reject"])
def test_the_ttl_of_answers_is_a_setting(play, answer):
    """It is what gives the box in the middle away in a capture."""
    play.under(inside=answer, ttl=255)
    (spoken,) = play.client("A", 1, seq=1, ack=1).all(PacketInjected)
    assert ttl_of(spoken.packet) == 255


@pytest.mark.parametrize("at_expiry", ["reset-both", "probe"])
def test_the_ttl_of_what_it_says_at_expiry_is_a_setting(play, at_expiry):
    """The same one."""
    play.under(at_expiry=at_expiry, ttl=33)
    play.conversation.establish()
    spoken = play.wait("1h").all(PacketInjected)
    assert [ttl_of(each.packet) for each in spoken] == [33, 33]


def test_a_stale_rst_carries_the_numbers_of_the_handshake(play):
    """Sessions in hardware: the processor that sends the RST saw nothing since (FortiOS, NP)."""
    play.under(at_expiry="reset-both", sequence="stale")
    play.conversation.establish()
    play.client("A", 100)
    play.server("A", 200)
    play.client("A")
    play.wait("1h").says("client gets RA seq 1 ack 1", "server gets RA seq 1 ack 1")


def test_without_a_handshake_a_stale_rst_is_as_good_as_any(play):
    """Picked up in mid-stream: no older numbers are known."""
    play.under(at_expiry="reset-original", sequence="stale", inside="pick-up")
    play.client("A", 100, seq=1, ack=1).picked_up()
    play.wait("1h").says("client gets RA seq 1 ack 101")
