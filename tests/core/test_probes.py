"""Dead connection detection: at expiry the firewall asks both ends before it forgets them."""

import pytest

from fwemu.core.choices import AtExpiry
from fwemu.core.effects import PacketInjected
from fwemu.core.instants import SECOND
from fwemu.core.policy import ProbePolicy
from tests.kit.play import INSIDE, rule

PROBE = AtExpiry.PROBE

ASKS_CLIENT = "client gets A seq 200 ack 101"
ASKS_SERVER = "server gets A seq 100 ack 201"


@pytest.fixture
def conversation(play):
    """A connection on which 100 octets went one way and 200 the other, under such a policy."""
    play.under(at_expiry="probe", probe=ProbePolicy(retry_interval=15 * SECOND, max_retries=3))
    play.conversation.establish()
    play.client("A", 100)
    play.server("A", 200)
    play.client("A")
    return play.conversation


def test_both_ends_are_asked_and_their_answers_keep_the_session(play, conversation):
    """A probe is an ACK one below what its receiver expects; it seems to come from the peer."""
    play.wait("59m").says_nothing()
    play.wait("1m").nothing_ends().says(ASKS_CLIENT, ASKS_SERVER)
    conversation.client("A").accepted("session")
    conversation.server("A").accepted("session").ends_up_alive(within="1h")
    play.wait("59m").nothing_ends().says_nothing()


def test_the_probes_are_marked_as_probes(play, conversation):
    """The log and the metrics tell them from RSTs."""
    effects = play.wait("1h").all(PacketInjected)
    assert [(each.kind.word, each.session) for each in effects] == [("probe", 1), ("probe", 1)]


def test_an_end_that_does_not_answer_is_asked_again(play, conversation):
    """The other one is not bothered."""
    play.wait("1h").says(ASKS_CLIENT, ASKS_SERVER)
    conversation.client("A").accepted("session")
    play.wait("14s").says_nothing()
    play.wait("1s").nothing_ends().says(ASKS_SERVER)
    conversation.server("A").accepted("session").ends_up_alive(within="1h")


def test_a_session_whose_ends_are_silent_ends(play, conversation):
    """After so many questions, without a word: a RST would find nobody."""
    play.wait("1h").says(ASKS_CLIENT, ASKS_SERVER)
    play.wait("15s").says(ASKS_CLIENT, ASKS_SERVER)
    play.wait("15s").says(ASKS_CLIENT, ASKS_SERVER)
    play.wait("14s").nothing_ends()
    play.wait("1s").ends("unanswered").says_nothing()
    conversation.client("A").dropped("unknown_packet")


def test_data_is_an_answer_too(play, conversation):
    """Whoever speaks is alive."""
    play.wait("1h").says(ASKS_CLIENT, ASKS_SERVER)
    conversation.client("A", 10).accepted("session").ends_up_alive(within="15s")
    conversation.server("A", 10).accepted("session").ends_up_alive(within="1h")


def test_a_fin_after_a_probe_starts_the_close(play, conversation):
    """The question is forgotten."""
    play.wait("1h").says(ASKS_CLIENT, ASKS_SERVER)
    conversation.client("FA").moves_to("FIN_WAIT").ends_up_alive(within="2m")
    play.wait("2m").expires("FIN_WAIT").says_nothing()


def test_half_closed_sessions_are_not_asked(play, conversation):
    """As on the ASA."""
    conversation.client("FA").moves_to("FIN_WAIT")
    play.wait("2m").expires("FIN_WAIT").says_nothing()


def test_an_end_that_was_never_heard_cannot_be_asked(play):
    """Its number is not known: the other one is, and that is not enough."""
    play.under(at_expiry="probe", inside="pick-up")
    play.client("A", 10, seq=1, ack=1).picked_up()
    play.wait("1h").says("client gets A seq 0 ack 11")
    play.client("A", seq=11, ack=1).accepted("session").ends_up_alive(within="15s")


def test_with_numbers_of_nobody_it_just_expires(play, conversation):
    """There is no one to ask."""
    for end in conversation.session.tcp.ends:
        end.acked = None
    play.wait("1h").expires("ESTABLISHED").says_nothing()


def test_a_packet_before_the_sweep_finds_the_questions_asked(play, conversation):
    """The timer ran out, so both were asked; what comes then is one of the answers."""
    play.pass_unswept("1h")
    outcome = conversation.client("A", 10).accepted("session")
    outcome.says(ASKS_CLIENT, ASKS_SERVER).nothing_ends()
    outcome.ends_up_alive(within="15s")


def test_a_packet_long_after_is_too_late(play, conversation):
    """All the questions were asked meanwhile, and none was answered."""
    play.pass_unswept("2h")
    outcome = conversation.client("A", 10).dropped("unknown_packet")
    outcome.ends("unanswered").ends_ago("3555s")
    assert len(outcome.all(PacketInjected)) == 6


def test_a_full_table_does_not_wait_for_answers(play):
    """A session that is being asked is still a session, and may be evicted."""
    play.under(at_expiry="probe", capacity=1)
    play.conversation.establish()
    play.pass_unswept("1h")
    new = play.tcp(port=50000)
    new.client("S").opens("SYN_SENT").ends("evicted")


def test_another_policy_takes_the_question_back(play, conversation):
    """The session gets the timer of its state."""
    play.wait("1h").says(ASKS_CLIENT, ASKS_SERVER)
    play.reconfigure(tcp_established="3h").ends_up_alive(within="3h")
    play.wait("2h").nothing_ends().says_nothing()


def test_the_age_ends_a_session_even_while_it_is_asked(play):
    """No answer prolongs that."""
    play.under(at_expiry="probe", longest="3610s")
    play.conversation.establish()
    play.wait("1h").nothing_ends()
    play.wait("10s").ends("lifetime")


def test_a_rule_may_ask_where_the_others_do_not(play):
    """DCD is configured by class on the devices, too."""
    database = rule("allow", arrival=INSIDE, protocols=[6], ports=((5432, 5432),), at_expiry=PROBE)
    play.under(rules=[database])
    asked, other = play.tcp(to_port=5432).establish(), play.tcp(port=2).establish()
    outcome = play.wait("1h").expires("ESTABLISHED").ends_conversations(other)
    assert [each.kind.word for each in outcome.all(PacketInjected)] == ["probe", "probe"]
    assert asked.find() is not None
