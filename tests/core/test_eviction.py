"""Who makes room when the table is full."""

import random
from collections import Counter

import pytest

from fwemu.core.effects import SessionEnded
from fwemu.core.eviction import EVICTIONS, WhenFull
from tests.kit.play import OUTSIDE, Play, rule

# -- evict-lru --


def test_the_session_that_was_quiet_longest_goes(play):
    """The default: a full table serves who speaks, not who was first."""
    play.under(capacity=3)
    first, second, third = (play.tcp(port=port).establish() for port in (1, 2, 3))
    play.tcp(port=4).client("S").opens("SYN_SENT").ends("evicted").ends_conversations(first)
    play.tcp(port=5).client("S").opens("SYN_SENT").ends("evicted").ends_conversations(second)
    assert third.state == "ESTABLISHED"


def test_traffic_in_either_direction_counts(play):
    """A download is kept alive by the server's packets."""
    play.under(capacity=3)
    first, second, third = (play.tcp(port=port).establish() for port in (1, 2, 3))
    first.server("A", 1000).stays("ESTABLISHED")
    second.client("A", 10).stays("ESTABLISHED")
    new = play.tcp(port=4)
    new.client("S").opens("SYN_SENT").ends_conversations(third)
    new.server("SA").moves_to("SYN_RECV")
    play.tcp(port=5).client("S").opens("SYN_SENT").ends_conversations(first)
    play.tcp(port=6).client("S").opens("SYN_SENT").ends_conversations(second)
    play.tcp(port=7).client("S").opens("SYN_SENT").ends_conversations(new)


def test_packets_that_do_not_count_as_traffic_do_not_count_here(play):
    """An ignored SYN and a refused one are nothing the session has done."""
    play.under(capacity=2)
    first, second = (play.tcp(port=port).establish() for port in (1, 2))
    first.again().client("S").is_ignored()
    first.server("S", seq=0).dropped("invalid_state")
    play.tcp(port=3).client("S").opens("SYN_SENT").ends_conversations(first)
    assert second.state == "ESTABLISHED"


def test_what_an_evicted_session_tells(play):
    """It ended now, not at its deadline; nobody gets a RST, whatever happens at expiry."""
    play.under(capacity=1, at_expiry="reset-both")
    play.conversation.establish()
    play.wait("10m")
    outcome = play.tcp(port=1).client("S").opens("SYN_SENT")
    outcome.ends("evicted").ends_ago("0s").says_nothing()


def test_a_refused_packet_evicts_nobody(play):
    """Room is made for those who may enter."""
    play.under(capacity=1)
    play.conversation.establish()
    play.tcp(port=1).server("S").dropped("denied").nothing_ends()
    play.tcp(port=1).client("A").dropped("unknown_packet").nothing_ends()


# -- evict-unassured --


def test_half_open_sessions_go_before_open_ones(play):
    """Linux's early drop: a SYN flood must not push real connections out."""
    play.under(capacity=3, when_full="evict-unassured")
    real = play.tcp(port=1).establish()
    flood = [play.tcp(port=port) for port in (2, 3)]
    for conversation in flood:
        conversation.client("S").opens("SYN_SENT")
    flood[0].client("S", seq=0).stays("SYN_SENT")  # repeating helps nobody
    play.tcp(port=4).client("S").opens("SYN_SENT").ends_conversations(flood[0])
    play.tcp(port=5).client("S").opens("SYN_SENT").ends_conversations(flood[1])
    assert real.state == "ESTABLISHED"


def test_a_table_of_open_sessions_refuses_the_new_one(play):
    """Nobody is pushed out who is in the middle of something."""
    play.under(capacity=2, when_full="evict-unassured")
    first = play.tcp(port=1).establish()
    answered = play.udp(port=2)
    answered.client().opens("UDP_UNREPLIED")
    answered.server().moves_to("UDP_REPLIED")
    (refused,) = play.tcp(port=3).client("S").dropped("table_full").says_nothing().effects
    assert refused.rule is None
    first.close()  # still protected
    play.tcp(port=4).client("S").dropped("table_full")


def test_an_unanswered_datagram_is_not_protected(play):
    """Nobody has said that the other end exists."""
    play.under(capacity=1, when_full="evict-unassured")
    conversation = play.udp(port=1)
    conversation.client().opens("UDP_UNREPLIED")
    conversation.client().stays("UDP_UNREPLIED")
    play.udp(port=2).client().opens("UDP_UNREPLIED").ends_conversations(conversation)


def test_a_ping_is_never_protected(play):
    """It is over as soon as it is answered."""
    play.under(capacity=1, when_full="evict-unassured")
    ping = play.ping(identifier=1)
    ping.client("echo").opens("ICMP")
    ping.server("answer").stays("ICMP")
    play.ping(identifier=2).client("echo").opens("ICMP").ends("evicted")


def test_protection_ends_with_the_session(play):
    """What has left the table protects and blocks nobody."""
    play.under(capacity=1, when_full="evict-unassured")
    conversation = play.tcp(port=1).establish()
    play.kill(conversation)
    flood = play.tcp(port=2)
    flood.client("S").opens("SYN_SENT").nothing_ends()
    play.kill(flood)
    play.tcp(port=3).establish()


# -- evict-random --


def test_chance_chooses(play):
    """It is handed in, asked once an eviction, with the number of sessions."""
    asked = []

    def choose(count):
        asked.append(count)
        return 1

    play.under(capacity=3, when_full="evict-random", choose=choose)
    conversations = [play.tcp(port=port) for port in range(6)]
    for conversation in conversations[:3]:
        conversation.client("S").opens("SYN_SENT").nothing_ends()
    assert asked == []
    conversations[3].client("S").opens("SYN_SENT").ends_conversations(conversations[1])
    conversations[4].client("S").opens("SYN_SENT").ends_conversations(
        conversations[2]
    )  # it had moved into the gap
    assert asked == [3, 3]
    play.kill(conversations[4])  # the last of the list leaves no gap
    conversations[5].client("S").opens("SYN_SENT").nothing_ends()
    play.tcp(port=7).client("S").opens("SYN_SENT").ends_conversations(conversations[3])


def test_a_seed_has_an_effect():
    """The same seed gives the same run, another one another; and everybody may be hit."""

    def run(seed):
        play = Play().under(
            capacity=8, when_full="evict-random", choose=random.Random(seed).randrange
        )
        outcomes = [play.tcp(port=port).client("S") for port in range(200)]
        return [effect.id for outcome in outcomes for effect in outcome.all(SessionEnded)]

    assert run(1) == run(1) != run(2)
    ages = Counter(number - victim for number, victim in enumerate(run(1), start=9))
    assert len(ages) > 8, "young and old alike"


# -- reject-new --


def test_the_new_session_is_refused(play):
    """Some devices protect whoever is inside already, half-open or not."""
    play.under(capacity=2, when_full="reject-new")
    first, second = play.tcp(port=1), play.tcp(port=2)
    first.client("S").opens("SYN_SENT")
    second.client("S").opens("SYN_SENT")
    play.tcp(port=3).client("S").dropped("table_full").says_nothing()
    first.server("SA").moves_to("SYN_RECV")
    play.kill(second)
    play.tcp(port=3).client("S").opens("SYN_SENT")


def test_a_refusal_for_want_of_room_names_the_rule_that_let_it_in(play):
    """So that nobody looks for the fault in the rules."""
    play.under(
        capacity=0, when_full="reject-new", rules=[rule("deny", arrival=OUTSIDE), rule("allow")]
    )
    (refused,) = play.client("S").dropped("table_full").effects
    assert refused.rule == 1


# -- all of them --


POLICIES = pytest.mark.parametrize("when_full", [each.value for each in WhenFull])


def test_every_policy_has_its_eviction():
    """A setting without a class would be found at capacity, at night."""
    assert set(EVICTIONS) == set(WhenFull)


@POLICIES
def test_the_dead_go_before_the_living(play, when_full):
    """A session past its deadline is no reason to evict or to refuse, swept or not."""
    play.under(capacity=2, when_full=when_full)
    living = play.tcp(port=1).establish()
    dead = play.tcp(port=2)
    dead.client("S").opens("SYN_SENT")
    play.pass_unswept("31s")
    outcome = play.tcp(port=3).client("S").opens("SYN_SENT")
    outcome.expires("SYN_SENT").ends_ago("1s").ends_conversations(dead)
    assert living.state == "ESTABLISHED"


@POLICIES
def test_a_table_without_room_for_anybody(play, when_full):
    """A capacity of zero refuses all; nothing breaks."""
    play.under(capacity=0, when_full=when_full)
    play.client("S").dropped("table_full")


@POLICIES
def test_a_table_for_one(play, when_full):
    """The smallest that works, and whatever happens it never holds two."""
    play.under(capacity=1, when_full=when_full)
    for port in (1, 2, 3):
        play.tcp(port=port).client("S")
        assert len(play.firewall.table) == 1


@POLICIES
def test_expired_sessions_fill_no_table(play, when_full):
    """A thousand dead ones, never swept: each new one takes the place of one of them."""
    play.under(capacity=20, when_full=when_full)
    for port in range(20):
        play.tcp(port=port).client("S")
    play.pass_unswept("1h")
    for port in range(100, 120):
        play.tcp(port=port).client("S").opens("SYN_SENT").expires("SYN_SENT")
    assert len(play.firewall.table) == 20
