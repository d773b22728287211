"""Another policy while sessions are open."""

import pytest

from fwemu.core.choices import AtExpiry
from fwemu.core.eviction import WhenFull
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, SERVER, duration, policy, rule


def test_the_same_policy_changes_nothing(play):
    """Saving the file twice is harmless."""
    play.conversation.establish()
    assert play.reconfigure().nothing_ends().effects == ()
    play.wait("3599s").nothing_ends()
    play.wait("1s").expires("ESTABLISHED")


def test_a_longer_timeout_is_for_open_sessions_too(play):
    """The operator raises it because of the connections there are."""
    play.conversation.establish()
    play.wait("59m")
    play.reconfigure(tcp_established="2h").nothing_ends()
    play.wait("60m").nothing_ends()
    play.client("A", 1).stays("ESTABLISHED")
    play.wait("2h").expires("ESTABLISHED")


def test_a_shorter_timeout_is_too(play):
    """And the daemon is told to look earlier."""
    play.conversation.establish()
    play.wait("1m")
    play.reconfigure(tcp_established="5m").nothing_ends()
    assert play.firewall.next_deadline() <= play.now + duration("4m")
    play.wait("239.999999999s").nothing_ends()
    play.wait("1ns").expires("ESTABLISHED").ends_ago("0s")


def test_a_session_that_is_too_old_for_the_new_timeout(play):
    """It ends when the timeout is set, not twenty minutes before: a log never runs backwards."""
    first, second = play.tcp(port=1).establish(), play.tcp(port=2).establish()
    play.wait("30m")
    ended = play.reconfigure(tcp_established="10m").effects
    assert [(each.at, each.reason.word) for each in ended] == [(play.now, "expired")] * 2
    assert play.firewall.next_deadline() is None
    for conversation in (first, second):
        conversation.client("A", 1).dropped("unknown_packet")


def test_a_session_that_was_dead_stays_dead(play):
    """A late sweep changes nothing: what had expired is not raised by a longer timeout."""
    play.conversation.establish()
    play.pass_unswept("61m")
    play.reconfigure(tcp_established="2h").expires("ESTABLISHED").ends_ago("1m")
    play.client("A", 1).dropped("unknown_packet")


def test_from_never_and_to_never(play):
    """Both are lifetimes like any other."""
    play.under(tcp_established="never")
    play.conversation.establish()
    play.wait("999h").nothing_ends()
    play.reconfigure(tcp_established="1000h").nothing_ends()
    play.wait("59m")
    play.reconfigure(tcp_established="never").nothing_ends()
    play.wait("9999h").nothing_ends()
    assert play.firewall.next_deadline() is None


def test_what_happens_at_expiry(play):
    """The policy of the moment of expiry counts."""
    play.conversation.establish()
    play.server("A", 10)
    play.reconfigure(at_expiry="reset-reply")
    play.wait("1h").expires("ESTABLISHED").says("server gets RA seq 1 ack 11")


def test_what_unknown_packets_get(play):
    """From now on."""
    play.client("A").dropped("unknown_packet", "drop")
    play.reconfigure(inside="reset")
    play.client("A", ack=5).dropped("unknown_packet", "reset")


# -- rules --


DENY_81 = rule("deny", ports=((81, 81),))


def test_new_rules_are_for_new_sessions(play):
    """What is open stays open."""
    play.conversation.establish()
    play.reconfigure(rules=[rule("deny")])
    play.client("A", 1).stays("ESTABLISHED")
    play.tcp(port=1).client("S").dropped("denied")


def test_a_session_follows_the_timeout_of_its_rule(play):
    """The rule of the same name, though it says something else now."""
    play.under(rules=[DENY_81, rule("allow", name="db", idle_timeout="4h")])
    play.conversation.establish()
    play.wait("2h").nothing_ends()
    play.reconfigure(rules=[rule("allow"), rule("allow", name="db", idle_timeout="3h")])
    assert play.conversation.session.rule == 1
    play.wait("59m").nothing_ends()
    play.wait("1m").expires("ESTABLISHED").ends_ago("0s")


def test_a_rule_loses_its_timeout(play):
    """Then the general one counts."""
    play.under(rules=[rule("allow", idle_timeout="4h")])
    play.conversation.establish()
    play.reconfigure(rules=[rule("allow")])
    (ended,) = play.wait("1h").expires("ESTABLISHED").effects
    assert ended.rule == 0


def test_a_rule_is_removed(play):
    """If none of the others would let them in, its sessions are like those of the default."""
    play.under(rules=[DENY_81, rule("allow", idle_timeout="4h")])
    play.conversation.establish()
    play.wait("30m")
    play.reconfigure(rules=[DENY_81]).nothing_ends()
    assert play.conversation.session.rule is None
    play.client("A", 1).stays("ESTABLISHED")
    (ended,) = play.wait("1h").expires("ESTABLISHED").effects
    assert ended.rule is None


SSH = rule("allow", name="ssh", protocols=[6], idle_timeout="10m")
GUEST = rule("allow", name="guest", source=["10.9.9.0/24"], idle_timeout="5s")


def test_a_session_keeps_its_rule_when_another_is_put_in_front(play):
    """Its name in the logs, its timeout, its action at expiry; those of `guest` are not for it."""
    play.under(rules=[SSH])
    play.conversation.establish()
    play.reconfigure(rules=[GUEST, SSH]).nothing_ends()
    play.wait("599s").nothing_ends()
    (ended,) = play.wait("1s").expires("ESTABLISHED").effects
    assert ended.rule == 1


def test_a_session_keeps_the_action_of_its_rule(play):
    """RSTs are sent in the name of the rule that let it in."""
    told = rule("allow", name="told", idle_timeout="1h", at_expiry=AtExpiry.RESET_ORIGINAL)
    play.under(rules=[told])
    play.conversation.establish()
    play.reconfigure(rules=[SSH, told])
    play.wait("1h").expires("ESTABLISHED").says("client gets RA seq 1 ack 1")


def test_sessions_of_a_rule_that_is_gone_are_judged_anew(play):
    """By the flow that they are, and the zone that they came from."""
    of_udp = rule("allow", protocols=[17], idle_timeout="3m")
    of_icmp = rule("allow", protocols=[1, 58], idle_timeout="4m")
    of_gre = rule("allow", protocols=[47], idle_timeout="5m")
    play.under(rules=[rule("allow", idle_timeout="1m")])
    play.conversation.establish()
    udp, ping = play.udp(), play.ping()
    udp.client()
    ping.client("echo")
    gre = wire.ip(CLIENT[play.version], SERVER[play.version], 47, bytes(8))
    play.receives(gre, INSIDE).opens("OTHER")
    play.reconfigure(rules=[of_gre, of_icmp, of_udp, SSH]).nothing_ends()
    assert [session.rule for session in play.firewall.table] == [3, 2, 1, 0]
    play.wait("3m").ends_conversations(udp)
    play.wait("1m").ends_conversations(ping)
    play.wait("1m").expires("OTHER")
    play.wait("5m").ends_conversations(play.conversation)


def test_a_session_that_would_be_denied_now_goes_on_without_a_rule(play):
    """Policies are for new sessions; `flush` is there for the others."""
    play.under(rules=[SSH])
    play.conversation.establish()
    play.reconfigure(rules=[rule("deny", name="ssh"), GUEST]).nothing_ends()
    assert play.conversation.session.rule is None
    play.wait("3599s").nothing_ends()
    play.wait("1s").expires("ESTABLISHED")


def test_equal_rules_are_told_apart_by_their_order(play):
    """And two of one name are not mistaken for each other."""
    twins = [rule("allow", name="a", idle_timeout=each) for each in ("1h", "2h")]
    play.under(rules=[GUEST, *twins])
    play.conversation.establish()
    play.reconfigure(rules=[twins[1], twins[0], GUEST])
    assert play.conversation.session.rule == 1
    play.reconfigure(rules=[GUEST, twins[0], twins[0]])
    assert play.conversation.session.rule == 1
    play.reconfigure(rules=[rule("allow", name="a", idle_timeout="3h"), GUEST, GUEST])
    assert play.conversation.session.rule == 0


def test_a_session_of_the_default_action_stays_one(play):
    """Whatever new rules would say of it."""
    play.conversation.establish()
    play.reconfigure(rules=[SSH])
    assert play.conversation.session.rule is None


def test_a_denial_that_is_remembered_keeps_its_rule(play):
    """It was made by that rule; one that would allow the flow now has not made it."""
    deny = rule("deny", name="no", protocols=[17])
    play.under(rules=[deny], udp_discard="1m")
    udp = play.udp()
    udp.client().dropped("denied")
    play.reconfigure(rules=[SSH, deny], udp_discard="1m")
    assert udp.session.rule == 1
    play.reconfigure(rules=[GUEST, rule("deny", protocols=[17])], udp_discard="1m")
    assert udp.session.rule == 1
    play.reconfigure(rules=[rule("allow")], udp_discard="1m")
    assert udp.session.rule is None
    udp.client().dropped("discarded")


def test_what_was_due_before_is_told_by_the_new_numbers(play):
    """One line of the log after the other: it ended before, and its rule stands elsewhere now."""
    play.under(rules=[SSH])
    play.conversation.establish()
    play.pass_unswept("11m")
    (ended,) = play.reconfigure(rules=[GUEST, SSH]).expires("ESTABLISHED").effects
    assert ended.rule == 1


def test_a_policy_push_that_empties_the_table_ends_all_at_once(play):
    """No timer of the new policy comes first; rules are named as they are numbered now."""
    play.under(rules=[SSH], at_expiry="reset-both")
    play.conversation.establish()
    play.wait("1m")
    (ended,) = play.firewall.reconfigure(
        policy(rules=[GUEST, SSH], tcp_established="1s", at_expiry="reset-both"),
        play.now,
        flush=True,
    )
    assert (ended.reason.word, ended.rule) == ("flushed", 1)


# -- capacity --


def test_a_smaller_table_evicts_at_once(play):
    """By the policy: who was quiet longest."""
    first, second, third = (play.tcp(port=port).establish() for port in (1, 2, 3))
    first.client("A", 1)
    play.reconfigure(capacity=1).ends("evicted", "evicted").ends_conversations(second, third)
    assert first.state == "ESTABLISHED"


def test_the_dead_go_first(play):
    """If they are enough, nobody is evicted."""
    dead, living = play.tcp(port=1), play.tcp(port=2).establish()
    dead.client("S")
    play.pass_unswept("31s")
    play.reconfigure(capacity=1).expires("SYN_SENT").ends_ago("1s").ends_conversations(dead)
    assert living.state == "ESTABLISHED"


def test_sessions_that_the_new_timeouts_end_go_before_those_they_do_not(play):
    """Nobody is evicted to make room for the dead."""
    quiet = play.tcp(port=1).establish()
    half_open = play.tcp(port=2)
    half_open.client("S")
    play.wait("11s")
    quiet.client("A", 1)
    other = play.tcp(port=3).establish()
    play.reconfigure(capacity=2, tcp_syn_sent="10s").expires("SYN_SENT").ends_conversations(
        half_open
    )
    assert (quiet.state, other.state) == ("ESTABLISHED", "ESTABLISHED")


@pytest.mark.parametrize("when_full", ["evict-unassured", "reject-new"])
def test_a_policy_that_spares_all_must_choose_here(play, when_full):
    """The oldest go: the table never holds more than it may."""
    play.under(when_full=when_full)
    conversations = [play.tcp(port=port).establish() for port in (1, 2, 3)]
    play.reconfigure(when_full=when_full, capacity=1).ends_conversations(*conversations[:2])
    assert conversations[2].state == "ESTABLISHED"
    play.reconfigure(when_full=when_full, capacity=0).ends_conversations(conversations[2])


# -- the policy for a full table --


def test_a_new_policy_knows_how_quiet_the_sessions_were(play):
    """LRU from now on, and the quiet of the past counts."""
    play.under(capacity=3, when_full="reject-new")
    first, second, third = (play.tcp(port=port).establish() for port in (1, 2, 3))
    play.wait("1s")
    second.client("A", 1)
    play.wait("1s")
    first.client("A", 1)
    play.reconfigure(capacity=3, when_full="evict-lru").nothing_ends()
    play.tcp(port=4).client("S").opens("SYN_SENT").ends_conversations(third)
    second.client("A", 1).stays("ESTABLISHED")
    play.tcp(port=5).client("S").opens("SYN_SENT").ends_conversations(first)


def test_a_new_policy_knows_who_is_assured(play):
    """From LRU to the protection of those who are in the middle of something."""
    play.under(capacity=3)
    first, half_open, third = (play.tcp(port=port) for port in (1, 2, 3))
    first.establish()
    half_open.client("S")
    third.establish()
    play.reconfigure(capacity=3, when_full="evict-unassured")
    new = play.tcp(port=4)
    new.client("S").opens("SYN_SENT").ends_conversations(half_open)
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")
    play.tcp(port=5).client("S").dropped("table_full")


@pytest.mark.parametrize("after", [each.value for each in WhenFull])
@pytest.mark.parametrize("before", [each.value for each in WhenFull])
def test_from_any_policy_to_any_other(play, before, after):
    """And sessions that were opened under the old one end under the new one."""
    play.under(capacity=3, when_full=before, choose=lambda n: n - 1)
    conversations = [play.tcp(port=port).establish() for port in (1, 2, 3)]
    play.reconfigure(capacity=3, when_full=after)
    conversations[0].client("R", seq=1).moves_to("CLOSE")
    play.kill(conversations[2]).ends("killed")
    play.wait("10s").expires("CLOSE")
    for port in (4, 5, 6):
        play.tcp(port=port).client("S")
    assert len(play.firewall.table) == 3
    play.flush()


def test_the_old_policy_is_not_told_any_more(play):
    """LRU listens to every packet; reject-new does not, nor to those of sessions it never saw."""
    play.under(capacity=2)
    play.reconfigure(capacity=2, when_full="reject-new")
    play.conversation.establish()
    play.client("A", 1).stays("ESTABLISHED")


# -- the mode --


def test_a_change_of_mode_empties_the_table(play):
    """What a router forgets, a firewall has never known."""
    play.conversation.establish()
    datagram = play.udp()
    body = wire.udp(40000, 53, bytes(1000))
    first = datagram.packet(INSIDE, body[:800], fragment=(1, 0, True))
    rest = datagram.packet(INSIDE, body[800:], fragment=(1, 100, False))
    play.receives(first, INSIDE).opens("UDP_UNREPLIED")
    play.reconfigure(mode="acl").ends("flushed", "flushed").says_nothing()
    play.client("A", 1).accepted("permitted")
    play.receives(rest, INSIDE).accepted("permitted")
    play.reconfigure(mode="stateful").nothing_ends()
    play.client("A", 1).dropped("unknown_packet")
    play.receives(rest, INSIDE).held()
