"""What an operator may do to sessions: empty the table, end some of them."""

import pytest

# -- flush --


def test_a_flush_ends_all_silently(play):
    """The nightly clean-up: everybody finds out with the next packet."""
    play.under(at_expiry="reset-both")
    play.conversation.establish()
    play.udp().client()
    play.ping().client("echo")
    play.wait("1s")
    play.flush().ends("flushed", "flushed", "flushed").ends_ago("0s", "0s", "0s").says_nothing()
    assert play.firewall.next_deadline() is None
    play.client("A", 1).dropped("unknown_packet")
    play.flush().nothing_ends()


def test_life_after_a_flush(play):
    """Numbers go on: a session is never taken for one that is gone."""
    play.conversation.establish()
    play.flush()
    (opened,) = play.conversation.again().client("S").opens("SYN_SENT").effects
    assert opened.id == 2


def test_a_flush_does_not_claim_the_dead(play):
    """A late sweep changes nothing: they had expired, at their deadline and with their RST."""
    play.under(at_expiry="reset-original")
    play.conversation.establish()
    play.server("A", 1)
    play.pass_unswept("59m")
    living = play.tcp(port=1).establish()
    play.pass_unswept("2m")
    outcome = play.flush().ends("expired", "flushed").ends_ago("1m", "0s")
    outcome.ends_conversations(play.conversation, living).says("client gets RA seq 1 ack 1")


# -- kill --


@pytest.mark.parametrize(
    ("notify", "lines"),
    [
        ("silent", []),
        ("reset-both", ["client gets RA seq 11 ack 101", "server gets RA seq 101 ack 11"]),
        ("reset-original", ["client gets RA seq 11 ack 101"]),
        ("reset-reply", ["server gets RA seq 101 ack 11"]),
    ],
)
def test_killing_a_session(play, notify, lines):
    """Whatever happens at expiry: the operator says who hears of it."""
    play.under(at_expiry="reset-both")
    play.conversation.establish()
    play.client("A", 100)
    play.server("A", 10)
    play.client("A")
    play.wait("1s")
    play.kill(play.conversation, notify=notify).ends("killed").ends_ago("0s").says(*lines)
    play.client("A", 1).dropped("unknown_packet")
    play.wait("2h").nothing_ends()


def test_killing_a_half_open_session_is_believed_by_both_ends(play):
    """The client by the acknowledgement of its SYN, the server by the number after it."""
    play.client("S")
    outcome = play.kill(play.conversation, notify="reset-both").ends("killed")
    outcome.says("client gets RA seq zero ack 1", "server gets R seq 1")


def test_killing_sessions_that_are_not_tcp(play):
    """They end; there is no RST for them."""
    conversation = play.udp()
    conversation.client()
    play.kill(conversation, notify="reset-both").ends("killed").says_nothing()


def test_killing_several_and_none(play):
    """In the order they are named; a number that is not there is passed over."""
    first, second, third = (play.tcp(port=port).establish() for port in (1, 2, 3))
    play.kill(third, first).ends_conversations(third, first)
    assert play.firewall.kill([1, 3, 999, -1], play.now, play.firewall.policy.at_expiry) == ()
    assert second.state == "ESTABLISHED"


def test_killing_one_twice(play):
    """It ends once."""
    play.conversation.establish()
    play.kill(play.conversation, play.conversation).ends("killed")


def test_a_kill_does_not_claim_the_dead(play):
    """It had expired already, and those who heard of it then need not hear of it again."""
    play.under(at_expiry="silent")
    play.conversation.establish()
    play.pass_unswept("61m")
    outcome = play.kill(play.conversation, notify="reset-both").expires("ESTABLISHED")
    outcome.ends("expired").ends_ago("1m").says_nothing()
