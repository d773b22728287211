"""Unknown packets: TCP from the middle of something the firewall does not remember."""

import pytest

from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, rule

ICMP_PROHIBITED = {4: "icmp 3/13", 6: "icmp 1/1"}


@pytest.mark.parametrize("flags", ["A", "PA", "FA", "SA", "R", "RA"])
def test_by_default_it_is_dropped_silently(play, flags):
    """The sender waits, repeats, and gives up after a quarter of an hour."""
    for end in (play.client, play.server):
        end(flags).dropped("unknown_packet").says_nothing()
    assert play.conversation.find() is None


@pytest.mark.parametrize(("flags", "bits"), [("PA", 0x18), ("FA", 0x11), ("R", 0x04)])
def test_its_flags_are_told_as_they_came(play, flags, bits):
    """Devices print them: a log says PSH ACK where an application wrote into a dead connection."""
    (refused,) = play.client(flags).dropped("unknown_packet").effects
    assert refused.flags == bits


@pytest.mark.parametrize("flags", ["A", "PA", "FA", "SA"])
def test_reset_tells_the_sender_at_once(play, flags):
    """As a host without this connection would (RFC 9293 section 3.10.7.1)."""
    play.under(inside="reset")
    outcome = play.client(flags, seq=500, ack=900).dropped("unknown_packet", "reset")
    outcome.says("client gets R seq 900")


@pytest.mark.parametrize("flags", ["A", "FA", "SA"])
def test_reject_tells_the_sender_by_icmp(play, flags):
    """Administratively prohibited; Linux hosts take it as a hint and keep trying."""
    play.under(outside="reject")
    outcome = play.server(flags).dropped("unknown_packet", "reject")
    outcome.says(f"server gets {ICMP_PROHIBITED[play.version]}")


@pytest.mark.parametrize("answer", ["reset", "reject"])
@pytest.mark.parametrize("flags", ["R", "RA"])
def test_a_rst_is_never_answered(play, answer, flags):
    """Two firewalls would answer each other for ever (RFC 9293 section 3.5.2)."""
    play.under(inside=answer, outside=answer)
    play.client(flags).dropped("unknown_packet", "drop").says_nothing()
    play.server(flags).dropped("unknown_packet", "drop").says_nothing()


def test_each_zone_has_its_own_answer(play):
    """Be polite to your own, silent to strangers."""
    play.under(inside="reset", outside="drop")
    play.client("A").dropped("unknown_packet", "reset")
    play.server("A").dropped("unknown_packet", "drop").says_nothing()


def test_the_firewall_signs_its_rejections_with_its_own_address(play):
    """The address of the side that the packet came from."""
    own = {
        (zone, version): wire.address(text)
        for zone, version, text in [
            (INSIDE, 4, "10.0.1.1"),
            (OUTSIDE, 4, "10.0.2.1"),
            (INSIDE, 6, "fd00:1::1"),
            (OUTSIDE, 6, "fd00:2::1"),
        ]
    }
    play.under(addresses=own, inside="reject", outside="reject")
    for end, zone in ((play.client, INSIDE), (play.server, OUTSIDE)):
        packet = end("A").dropped("unknown_packet", "reject").effects[-1].packet
        assert own[zone, play.version] in packet[:40]


def test_nobody_is_told_of_a_datagram_to_a_group(play):
    """Every member would be: ICMP forbids errors about multicast (RFC 1122 section 3.2.2)."""
    play.under(rules=[rule("reject")])
    conversation = play.udp()
    conversation.address[OUTSIDE] = wire.address({4: "224.0.0.251", 6: "ff02::fb"}[play.version])
    conversation.client().dropped("rejected").says_nothing()


def test_without_a_session_the_rules_are_not_asked(play):
    """Rules are for first packets; what is unknown gets the answer of its zone."""
    play.under(inside="reset", rules=[rule("reject")])
    (refused, _) = play.client("A").dropped("unknown_packet", "reset").effects
    assert refused.rule is None
    play.client("S").dropped("rejected", "reject")


# -- pick-up --


def test_pick_up_continues_a_forgotten_connection(play):
    """What Linux does unless told otherwise (nf_conntrack_tcp_loose)."""
    play.under(inside="pick-up")
    play.client("A", 100, seq=5000, ack=9000).picked_up()
    play.server("A", 50, seq=9000, ack=5100).stays("ESTABLISHED")
    play.wait("1h").expires("ESTABLISHED")


def test_pick_up_from_outside_makes_outside_the_original_end(play):
    """Whoever speaks first counts as the opener."""
    play.under(outside="pick-up", default_outside="allow")
    (opened,) = play.server("PA", 10).picked_up().effects
    assert opened.zone is OUTSIDE
    play.client("A").stays("ESTABLISHED")


@pytest.mark.parametrize("flags", ["SA", "FA", "R", "RA"])
def test_only_a_plain_ack_is_picked_up(play, flags):
    """Anything else is the end of something, or a lie."""
    play.under(inside="pick-up")
    play.client(flags).dropped("unknown_packet", "drop").says_nothing()
    assert play.conversation.find() is None


def test_the_rules_still_count(play):
    """Picking up is no way around them."""
    play.under(inside="pick-up", outside="pick-up", rules=[rule("deny", ports=((80, 80),))])
    (refused,) = play.client("A").dropped("denied").effects
    assert refused.rule == 0
    play.tcp(to_port=81).client("A").picked_up()
    play.tcp(to_port=82).server("A").dropped("denied")


def test_a_session_picked_up_is_kept_like_any_open_one(play):
    """It is assured, so that pressure on the table passes it over."""
    play.under(inside="pick-up", capacity=1, when_full="evict-unassured")
    play.client("A").picked_up()
    play.tcp(port=40001).client("S").dropped("table_full")


def test_a_syn_is_never_unknown(play):
    """It opens a session, or a rule refuses it."""
    play.under(inside="reset", outside="reset")
    play.server("S").dropped("denied").says_nothing()
    play.client("S").opens("SYN_SENT")


# -- after the end of a session --


def test_the_packet_that_finds_the_session_expired(play):
    """The hour is over: the first packet after it is unknown, even if nobody has swept yet."""
    play.under(inside="reset")
    play.conversation.establish()
    play.pass_unswept("1h")
    outcome = play.client("A", 10).dropped("unknown_packet", "reset")
    outcome.expires("ESTABLISHED").ends_ago("0s").says("client gets R seq 1")


def test_a_keepalive_after_the_end_is_reset_too(play):
    """So that the application hears of it now and not at its next write."""
    play.under(inside="reset")
    play.conversation.establish()
    play.wait("1h").expires("ESTABLISHED")
    play.client("A", seq=0).dropped("unknown_packet", "reset").says("client gets R seq 1")


def test_the_answer_to_a_first_fragment(play):
    """It has ports and numbers, so it can be answered."""
    play.under(inside="reset")
    data = play.conversation.segment(INSIDE, "A", 1, 700, 604, fragment=(7, 0, True))
    outcome = play.receives(data, INSIDE).dropped("unknown_packet", "reset")
    outcome.says("client gets R seq 700")
