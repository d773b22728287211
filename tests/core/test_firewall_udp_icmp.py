"""Everything that is not TCP: datagrams, pings, protocols without ports."""

import pytest

from fwemu.core.effects import PacketInjected
from fwemu.core.flow import ICMP, ICMPV6, UDP
from fwemu.core.tcp_table import State
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE

# -- UDP --


def test_a_question_and_its_answer(play):
    """The answer is let in, and makes the session live longer."""
    conversation = play.udp()
    conversation.client().opens("UDP_UNREPLIED")
    conversation.client().stays("UDP_UNREPLIED")
    conversation.server().moves_to("UDP_REPLIED")
    conversation.client().stays("UDP_REPLIED")
    conversation.server().stays("UDP_REPLIED")


def test_a_question_without_an_answer_is_forgotten_sooner(play):
    """Thirty seconds without, two minutes with."""
    asked, answered = play.udp(port=1), play.udp(port=2)
    asked.client().opens("UDP_UNREPLIED")
    answered.client().opens("UDP_UNREPLIED")
    answered.server().moves_to("UDP_REPLIED")
    play.wait("29.999999999s").nothing_ends()
    play.wait("1ns").expires("UDP_UNREPLIED").ends_conversations(asked)
    asked.server().dropped("denied")
    play.wait("89.999999999s").nothing_ends()
    play.wait("1ns").expires("UDP_REPLIED").ends("expired")


def test_an_uninvited_datagram_is_judged_by_the_rules(play):
    """There is no middle of a conversation in UDP: it is a first packet like any other."""
    play.under(inside="reset", outside="reset")
    play.udp().server().dropped("denied").says_nothing()


@pytest.mark.parametrize("port", [1, 2])
def test_a_host_that_talks_to_itself(play, port):
    """Its two directions are one: the session opens, lives and ends without confusion."""
    conversation = play.udp(port=port, to_port=1)
    conversation.address[OUTSIDE] = conversation.address[INSIDE]
    conversation.client().opens("UDP_UNREPLIED")
    conversation.client().stays("UDP_UNREPLIED")
    play.wait("30s").expires("UDP_UNREPLIED")
    conversation.client().opens("UDP_UNREPLIED")


# -- ICMP queries --


def test_a_ping_and_its_answer(play):
    """A session of its own for thirty seconds after the last of them."""
    ping = play.ping()
    ping.client("echo").opens("ICMP")
    ping.server("answer").stays("ICMP")
    play.wait("29s").nothing_ends()
    ping.client("echo").stays("ICMP")
    play.wait("29s").nothing_ends()
    ping.server("answer").stays("ICMP")
    play.wait("30s").expires("ICMP")
    ping.server("answer").dropped("unknown_packet")


def test_an_answer_to_another_ping_is_unknown(play):
    """The identifier tells two pings between the same hosts apart."""
    ping = play.ping(identifier=77)
    ping.client("echo").opens("ICMP")
    ping.server("answer", identifier=78).dropped("unknown_packet")


def test_an_answer_never_opens_a_session(play):
    """Whatever the zone does with unknown TCP packets: this is none, and hears nothing."""
    for unknown in ("reset", "reject", "pick-up"):
        play.under(inside=unknown, outside=unknown, default_outside="allow")
        firewall = play.firewall
        ping = play.ping()
        for end in (INSIDE, OUTSIDE):
            data = ping.packet(end, wire.icmp(ping.response, 77))
            decision = firewall.handle(data, play.now, end)
            assert decision.reason.word == "unknown_packet"
            assert len(decision.effects) == 1
            assert decision.effects[0].answer.word == "drop"


def test_both_hosts_ping_each_other(play):
    """Two sessions: an echo request is never taken for an answer."""
    play.under(default_outside="allow")
    ping = play.ping()
    ping.client("echo").opens("ICMP")
    ping.server("echo").opens("ICMP")
    assert len(play.firewall.table) == 2


# -- protocols without ports --


@pytest.mark.parametrize("protocol", [47, 50])
def test_a_tunnel(play, protocol):
    """One session a pair of hosts and protocol, whoever of them speaks."""
    conversation = play.udp()

    def sends(end, number):
        return play.receives(conversation.packet(end, b"payload"), end)

    conversation.protocol = protocol
    sends(INSIDE, protocol).opens("OTHER")
    sends(OUTSIDE, protocol).accepted("session")
    play.wait("599s").nothing_ends()
    sends(OUTSIDE, protocol).accepted("session")
    conversation.protocol = 132
    sends(OUTSIDE, 132).dropped("denied")
    play.wait("600s").expires("OTHER")


# -- ICMP errors --


def unreachable(play, arrival, about, *, source=None, destination=None):
    """An ICMP error arrives from a zone, about a packet of the other one."""
    source = source or play.conversation.address[arrival]
    destination = destination or play.conversation.address[arrival.other]
    data = wire.icmp_error(source, destination, about)
    return play.receives(data, arrival, "unreachable")


@pytest.fixture
def established(play):
    play.conversation.establish()
    return play


def test_an_error_about_a_packet_of_a_session_passes(established):
    """The client must hear that its segments do not arrive (path MTU discovery depends on it)."""
    play = established
    about = play.conversation.segment(INSIDE, "A", 1, 1, 1400)
    assert unreachable(play, OUTSIDE, about).accepted("related").effects == ()


def test_an_error_about_a_packet_of_the_reply_direction_passes(established):
    """The server's segments may get lost as well."""
    play = established
    about = play.conversation.segment(OUTSIDE, "A", 1, 1, 1400)
    unreachable(play, INSIDE, about).accepted("related")


def test_a_router_on_the_way_may_send_it(established):
    """Errors come from anywhere on the path."""
    play = established
    router = wire.address("192.0.2.1" if play.version == 4 else "2001:db8::1")
    about = play.conversation.segment(INSIDE, "A", 1, 1, 1400)
    unreachable(play, OUTSIDE, about, source=router).accepted("related")


@pytest.mark.parametrize("sender", [INSIDE, OUTSIDE])
def test_an_error_from_the_side_that_sent_the_packet_is_forged(established, sender):
    """The packet went the other way: on this side nobody has an error to report about it."""
    play = established
    about = play.conversation.segment(sender, "A", 1, 1, 1400)
    victim = play.conversation.address[sender]
    unreachable(play, sender, about, destination=victim).dropped("unrelated_icmp")
    unreachable(play, sender.other, about, destination=victim).accepted("related")


def test_an_error_addressed_to_somebody_else_is_forged(established):
    """It belongs to whoever sent the packet; Linux checks this too (nf_conntrack_inet_error)."""
    play = established
    neighbour = wire.address("10.0.1.3" if play.version == 4 else "fd00:1::3")
    about = play.conversation.segment(INSIDE, "A", 1, 1, 1400)
    unreachable(play, OUTSIDE, about, destination=neighbour).dropped("unrelated_icmp")


def test_an_error_of_the_other_ip_version_is_forged(established):
    """No router turns an IPv4 packet into an ICMPv6 error."""
    play = established
    about = wire.quotation(play.conversation.segment(INSIDE, "A", 1, 1))
    ends = ("192.0.2.1", "192.0.2.2") if play.version == 6 else ("2001:db8::1", "2001:db8::2")
    data = wire.icmp_error(*map(wire.address, ends), about)
    play.receives(data, OUTSIDE).dropped("unrelated_icmp")


def test_an_error_about_no_session_is_refused(established):
    """Neither about other ports, nor about nothing that can be read."""
    play = established
    other = play.tcp(port=1).segment(INSIDE, "A", 1, 1)
    unreachable(play, OUTSIDE, other).dropped("unrelated_icmp").says_nothing()
    unreachable(play, OUTSIDE, other[:15]).dropped("unrelated_icmp").says_nothing()


def test_an_error_about_an_expired_session_is_refused(established):
    """Swept or not."""
    play = established
    about = play.conversation.segment(INSIDE, "A", 1, 1)
    play.now += 3600 * 10**9 - 1
    unreachable(play, OUTSIDE, about).accepted("related")
    play.pass_unswept("1ns")
    unreachable(play, OUTSIDE, about).dropped("unrelated_icmp")


def test_an_error_about_a_session_whose_ends_are_being_asked(play):
    """It is alive until they have not answered, whoever notices first that its time is over."""
    play.under(at_expiry="probe")
    play.conversation.establish()
    about = play.conversation.segment(INSIDE, "A", 1, 1)
    play.pass_unswept("1h")
    probed = unreachable(play, OUTSIDE, about).accepted("related")
    assert [effect.kind.word for effect in probed.all(PacketInjected)] == ["probe", "probe"]
    assert unreachable(play, OUTSIDE, about).accepted("related").effects == ()


def test_an_error_about_what_was_denied_is_refused(play):
    """That the denial is remembered lets nothing pass: no packet has, so no error is about it."""
    play.under(default_inside="deny", tcp_discard="90s")
    play.client("S").dropped("denied")
    assert len(play.firewall.table) == 1
    unreachable(play, OUTSIDE, play.conversation.segment(INSIDE, "S", 0, 0)).dropped(
        "unrelated_icmp"
    )


def test_an_error_does_not_refresh_the_timer(established):
    """It says nothing about the connection being alive, rather the contrary."""
    play = established
    about = play.conversation.segment(INSIDE, "A", 1, 1)
    play.wait("59m")
    unreachable(play, OUTSIDE, about).accepted("related")
    play.wait("1m").expires("ESTABLISHED")


def test_an_error_about_a_ping_and_about_a_datagram(play):
    """Any session may have its packets lost."""
    ping, conversation = play.ping(), play.udp()
    ping.client("echo").opens("ICMP")
    conversation.client().opens("UDP_UNREPLIED")
    echo = ping.packet(INSIDE, wire.icmp(ping.query, 77))
    datagram = conversation.packet(INSIDE, wire.udp(40000, 53))
    unreachable(play, OUTSIDE, echo).accepted("related")
    unreachable(play, OUTSIDE, datagram).accepted("related")


def test_an_error_is_never_answered(play):
    """RFC 1122 section 3.2.2; two firewalls would conversation for ever."""
    play.under(inside="reject", outside="reject", default_outside="reject")
    about = play.conversation.segment(INSIDE, "A", 1, 1)
    unreachable(play, OUTSIDE, about).dropped("unrelated_icmp").says_nothing()


def test_every_session_that_is_not_tcp_has_its_own_state(play):
    """So that metrics by state add up."""
    play.udp().client()
    play.ping().client("echo")
    population = play.firewall.table.population
    assert population[State.UDP_UNREPLIED] == population[State.ICMP] == 1
    assert sum(population) == 2
    assert {UDP, ICMP if play.version == 4 else ICMPV6} == {
        session.protocol for session in play.firewall.table
    }
