"""`acl` mode: a router that looks at every packet, and remembers nothing."""

import pytest

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, Play, rule

HTTP = ((80, 80),)


@pytest.fixture
def router(play) -> Play:
    """Everybody may go out; in come segments of connections that exist, as far as one can see."""
    return play.under(
        mode="acl", rules=[rule("allow", arrival=OUTSIDE, protocols=[TCP], established=True)]
    )


def permitted(outcome):
    """It passed, and left no trace."""
    outcome.accepted("permitted")
    assert outcome.effects == ()
    assert len(outcome.play.firewall.table) == 0


def test_a_conversation_through_a_router(router):
    """The client connects, the server answers."""
    permitted(router.client("S"))
    permitted(router.server("SA"))
    permitted(router.client("A", 100))
    permitted(router.server("A", 1000))
    permitted(router.server("FA"))
    permitted(router.client("R"))


def test_an_hour_of_quiet_means_nothing(router):
    """Nothing is remembered, so nothing is forgotten: the difference that people run into."""
    permitted(router.client("S"))
    assert router.firewall.next_deadline() is None
    router.wait("1000h").nothing_ends()
    permitted(router.server("A", 10))
    permitted(router.client("A", 10))


def test_established_believes_the_flags(router):
    """Nobody ever connected; a stateful firewall would drop these."""
    for flags in ("A", "SA", "FA", "R"):
        permitted(router.server(flags))
    router.server("S").dropped("denied")


def test_established_is_for_tcp_only(router):
    """The answer to a question by UDP needs a rule of its own."""
    conversation = router.udp()
    permitted(conversation.client())
    conversation.server().dropped("denied")


def test_unknown_packets_do_not_exist(play):
    """Whatever the zones would do with them: the rules have the word."""
    play.under(mode="acl", inside="reset", outside="reset", default_outside="allow")
    permitted(play.client("A"))
    permitted(play.server("SA"))


def test_ports_and_networks(play):
    """The rules see each packet, so the way back needs one too."""
    server = "10.0.2.2/32" if play.version == 4 else "fd00:2::2/128"
    play.under(
        mode="acl",
        default_inside="deny",
        rules=[
            rule("allow", to=[server], ports=HTTP),
            rule("allow", source=[server], source_ports=HTTP),
        ],
    )
    permitted(play.client("S"))
    permitted(play.server("SA"))
    (refused,) = play.tcp(to_port=81).client("S").dropped("denied").effects
    assert refused.rule is None
    play.tcp(to_port=81).server("A").dropped("denied")


def test_a_router_may_reject(play):
    """By ICMP; never a RST, an error or a later fragment."""
    play.under(mode="acl", rules=[rule("reject")])
    prohibited = "client gets icmp 3/13" if play.version == 4 else "client gets icmp 1/1"
    play.client("S").dropped("rejected", "reject").says(prohibited)
    play.client("A").dropped("rejected", "reject").says(prohibited)
    play.udp().client().dropped("rejected", "reject").says(prohibited)
    play.client("R").dropped("rejected", "drop").says_nothing()
    error = wire.icmp_error(
        play.conversation.address[INSIDE], play.conversation.address[OUTSIDE], b""
    )
    play.receives(error, INSIDE).dropped("rejected", "drop").says_nothing()
    fragment = play.conversation.packet(INSIDE, bytes(16), fragment=(1, 5, False))
    (refused,) = play.receives(fragment, INSIDE).dropped("rejected").says_nothing().effects
    assert refused.rule == 0


def test_fragments(router):
    """A later fragment has no ports and no flags; addresses and protocol decide."""
    later = router.conversation.packet(OUTSIDE, bytes(16), fragment=(1, 5, False))
    permitted(router.receives(later, OUTSIDE))
    conversation = router.udp()
    assert conversation.protocol == UDP
    later = conversation.packet(OUTSIDE, bytes(16), fragment=(1, 5, False))
    router.receives(later, OUTSIDE).dropped("denied")


def test_icmp(play):
    """Queries, answers and errors are packets like any other."""
    number = ICMP if play.version == 4 else ICMPV6
    play.under(mode="acl", rules=[rule("allow", protocols=[number])])
    ping = play.ping()
    permitted(ping.client("echo"))
    permitted(ping.server("answer"))
    permitted(ping.server("echo"))
    error = wire.icmp_error(
        play.conversation.address[OUTSIDE], play.conversation.address[INSIDE], b""
    )
    permitted(play.receives(error, OUTSIDE))
    play.udp().server().dropped("denied")


def test_nonsense_is_refused_here_too(router):
    """A router drops what it cannot read."""
    router.receives(b"", INSIDE).dropped("truncated")
    router.client("SF").dropped("bad_flags")
