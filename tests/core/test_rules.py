"""Rules: what they match, and that the first match decides."""

import pytest

from fwemu.core.flow import ICMP, TCP, UDP, Zone
from fwemu.core.packet import parse
from fwemu.core.rules import Action, Rule, first_match
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, network, rule

CLIENT, SERVER = wire.address("10.0.1.2"), wire.address("10.0.2.2")
CLIENT6, SERVER6 = wire.address("fd00:1::2"), wire.address("fd00:2::2")

SYN = parse(wire.ip(CLIENT, SERVER, TCP, wire.tcp(40000, 443, "S")))
SYN6 = parse(wire.ip(CLIENT6, SERVER6, TCP, wire.tcp(40000, 443, "S")))
QUESTION = parse(wire.ip(CLIENT, SERVER, UDP, wire.udp(40000, 443)))
PING = parse(wire.ip(CLIENT, SERVER, ICMP, wire.icmp(8, 40000)))
TUNNEL = parse(wire.ip(CLIENT, SERVER, 47, b""))
LATER = parse(wire.ip(CLIENT, SERVER, TCP, bytes(8), fragment=(1, 5, False))).packet


def matches(packet, zone=INSIDE, **conditions):
    return rule("allow", **conditions).matches(packet, zone)


# -- networks --


@pytest.mark.parametrize(
    ("prefix", "address", "inside"),
    [
        ("10.0.2.0/24", "10.0.2.0", True),
        ("10.0.2.0/24", "10.0.2.255", True),
        ("10.0.2.0/24", "10.0.3.0", False),
        ("10.0.2.0/24", "10.0.1.255", False),
        ("10.0.2.2/32", "10.0.2.2", True),
        ("10.0.2.2/32", "10.0.2.3", False),
        ("0.0.0.0/0", "192.0.2.1", True),
        ("0.0.0.0/0", "fd00::1", False),
        ("::/0", "10.0.0.1", False),
        ("::/0", "::", True),
        ("fd00:1::/32", "fd00:1:ffff::1", True),
        ("fd00:1::/32", "fd00:2::1", False),
    ],
)
def test_an_address_in_a_network(prefix, address, inside):
    """Both ends of the range, and the version counts."""
    assert network(prefix).contains(wire.address(address)) is inside


# -- one condition at a time --


@pytest.mark.parametrize("packet", [SYN, SYN6, QUESTION, PING, TUNNEL, LATER])
@pytest.mark.parametrize("arrival", Zone)
def test_a_rule_that_names_nothing_matches_everything(packet, arrival):
    """What a rule does not name does not matter."""
    assert matches(packet, arrival)


def test_the_zone_it_comes_from():
    """A rule without one is for both."""
    assert matches(SYN, INSIDE, arrival=INSIDE)
    assert not matches(SYN, OUTSIDE, arrival=INSIDE)
    assert not matches(SYN, INSIDE, arrival=OUTSIDE)


def test_the_protocol():
    """One of several."""
    assert matches(SYN, protocols=[TCP])
    assert matches(QUESTION, protocols=[TCP, UDP])
    assert not matches(PING, protocols=[TCP, UDP])
    assert matches(TUNNEL, protocols=[47])
    assert matches(LATER, protocols=[TCP])
    assert not matches(LATER, protocols=[UDP])


def test_where_it_comes_from_and_where_it_goes():
    """Source and destination are not exchanged."""
    here, there = ["10.0.1.0/24"], ["10.0.2.0/24"]
    assert matches(SYN, source=here, to=there)
    assert matches(SYN, source=[*there, *here])
    assert matches(SYN, to=[*here, *there])
    assert not matches(SYN, source=there)
    assert not matches(SYN, to=here)
    assert matches(LATER, source=here, to=there)
    assert not matches(LATER, source=there)
    assert not matches(LATER, to=here)
    assert matches(SYN6, source=[*here, "fd00:1::/64"], to=["fd00:2::2/128"])
    assert not matches(SYN6, source=here)


@pytest.mark.parametrize(
    ("ports", "holds"),
    [
        ([(443, 443)], True),
        ([(400, 443)], True),
        ([(443, 500)], True),
        ([(444, 65535)], False),
        ([(0, 442)], False),
        ([(80, 80), (443, 443)], True),
        ([(40000, 40000)], False),
    ],
)
def test_destination_ports(ports, holds):
    """Ranges include both ends."""
    for packet in (SYN, SYN6, QUESTION):
        assert matches(packet, ports=tuple(ports)) is holds


def test_source_ports():
    """With and without destination ports."""
    here, elsewhere = ((40000, 40000),), ((1, 1023),)
    assert matches(SYN, source_ports=here)
    assert matches(SYN, source_ports=here, ports=((443, 443),))
    assert not matches(SYN, source_ports=elsewhere)
    assert not matches(SYN, source_ports=elsewhere, ports=((443, 443),))
    assert not matches(SYN, source_ports=here, ports=((80, 80),))


def test_ports_are_of_tcp_and_udp_only():
    """The identifier of a ping is no port, even if its number fits."""
    everything = ((0, 65535),)
    for packet in (PING, TUNNEL):
        assert not matches(packet, ports=everything)
        assert not matches(packet, source_ports=everything)


def test_a_later_fragment_has_neither_ports_nor_flags():
    """A rule with ports speaks of all fragments between its networks."""
    assert matches(LATER, ports=((80, 80),))
    assert matches(LATER, source_ports=((80, 80),))
    assert matches(LATER, established=True)


@pytest.mark.parametrize(
    ("flags", "holds"), [("S", False), ("SA", True), ("A", True), ("FA", True), ("R", True)]
)
def test_established_as_routers_mean_it(flags, holds):
    """ACK or RST is set: anything but the first packet of a connection."""
    packet = parse(wire.ip(CLIENT, SERVER, TCP, wire.tcp(40000, 443, flags)))
    assert matches(packet, established=True) is holds
    assert matches(packet, established=True, ports=((443, 443),)) is holds
    assert not matches(packet, established=True, ports=((80, 80),))
    assert matches(packet, established=False)


def test_established_is_a_matter_of_tcp():
    """Nothing else has the flags."""
    for packet in (QUESTION, PING, TUNNEL):
        assert not matches(packet, established=True)


# -- all of them --

DEFAULT = {INSIDE: Action.ALLOW, OUTSIDE: Action.REJECT}


def test_the_first_match_decides():
    """Its index goes into the log."""
    rules = [
        rule("deny", ports=((80, 80),)),
        rule("reject", ports=((443, 443),)),
        rule("allow"),
    ]
    assert first_match(SYN, INSIDE, rules, DEFAULT) == (Action.REJECT, 1)
    assert first_match(PING, INSIDE, rules, DEFAULT) == (Action.ALLOW, 2)


def test_without_a_match_the_default_of_the_zone_decides():
    """There is no rule to name then."""
    rules = [rule("deny", protocols=[UDP])]
    assert first_match(SYN, INSIDE, rules, DEFAULT) == (Action.ALLOW, None)
    assert first_match(SYN, OUTSIDE, rules, DEFAULT) == (Action.REJECT, None)
    assert first_match(SYN, INSIDE, [], DEFAULT) == (Action.ALLOW, None)


# -- through the firewall --


def test_the_default_actions(play):
    """Inside may begin, outside may not."""
    play.client("S").opens("SYN_SENT")
    play.tcp(port=1).server("S").dropped("denied").says_nothing()


def test_a_rejected_packet_is_answered_by_icmp(play):
    """Whatever the protocol; but a silent denial is silent."""
    play.under(rules=[rule("deny", ports=((80, 80),)), rule("reject")])
    prohibited = "client gets icmp 3/13" if play.version == 4 else "client gets icmp 1/1"
    play.tcp(to_port=80).client("S").dropped("denied").says_nothing()
    play.tcp(to_port=81).client("S").dropped("rejected", "reject").says(prohibited)
    play.udp().client().dropped("rejected", "reject").says(prohibited)
    play.ping().client("echo").dropped("rejected", "reject").says(prohibited)


def test_the_default_may_reject_too(play):
    """By zone."""
    play.under(default_inside="deny", default_outside="reject")
    play.client("S").dropped("denied")
    outcome = play.server("S").dropped("rejected", "reject")
    assert outcome.effects[0].rule is None


def test_rules_are_asked_for_the_first_packet_only(play):
    """The answer of the server needs no rule: that is what stateful means."""
    play.under(rules=[rule("allow", arrival=INSIDE), rule("deny")])
    (opened,) = play.client("S").opens("SYN_SENT").effects
    assert opened.rule == 0
    play.server("SA").moves_to("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")
    (refused,) = play.tcp(port=1).server("S").dropped("denied").effects
    assert refused.rule == 1


def test_a_rule_has_its_own_idle_timeout(play):
    """The database may be quiet for four hours, everybody else for one; nobody half-open is."""
    play.under(rules=[rule("allow", ports=((5432, 5432),), idle_timeout="4h")])
    database, web = play.tcp(to_port=5432), play.tcp(to_port=80)
    database.client("S").opens("SYN_SENT")
    play.wait("30s").expires("SYN_SENT")
    database.again().establish()
    web.establish()
    play.wait("1h").expires("ESTABLISHED").ends_conversations(web)
    play.wait("2h").nothing_ends()
    database.again().client("FA", seq=1).moves_to("FIN_WAIT")
    play.wait("2m").expires("FIN_WAIT")


def test_a_rule_may_be_stricter_than_the_rest(play):
    """Ten seconds for DNS."""
    play.under(rules=[rule("allow", protocols=[UDP], idle_timeout="10s")])
    conversation = play.udp()
    conversation.client().opens("UDP_UNREPLIED")
    conversation.server().moves_to("UDP_REPLIED")
    play.wait("9.9s").nothing_ends()
    play.wait("0.1s").expires("UDP_REPLIED")


@pytest.mark.parametrize("action", [Action.DENY, Action.REJECT])
def test_a_later_fragment_is_not_refused_by_a_port_that_it_does_not_show(action):
    """Cisco IOS goes on to the next rule; a rule by addresses alone does refuse it."""
    assert not Rule(action=action, ports=((53, 53),)).matches(LATER, Zone.INSIDE)
    assert Rule(action=action).matches(LATER, Zone.INSIDE)
    assert Rule(action=Action.ALLOW, ports=((53, 53),)).matches(LATER, Zone.INSIDE)
