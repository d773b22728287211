"""TCP conversations through the firewall, from the handshake to the last ACK."""

import pytest

from fwemu.core.flow import Direction, Zone
from tests.kit.play import INSIDE, OUTSIDE, duration, rule

# -- opening --


def test_a_handshake_and_some_data(play):
    """The ordinary case."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")
    play.client("PA", 100).stays("ESTABLISHED")
    play.server("A").stays("ESTABLISHED")
    play.server("PA", 1400).stays("ESTABLISHED")
    play.client("A").stays("ESTABLISHED")


def test_what_an_opened_session_is(play):
    """Its effect says all that a log needs."""
    (opened,) = play.client("S").opens("SYN_SENT").effects
    assert opened.at == play.now
    assert opened.id == 1
    assert opened.flow == play.conversation.flow_of(INSIDE)
    assert (opened.zone, opened.rule, opened.picked_up) == (Zone.INSIDE, None, False)


def test_what_a_changed_session_tells(play):
    """From where, to where, when, and by whom: logs tell which end closed."""
    play.client("S")
    play.wait("1s")
    (changed,) = play.server("SA").effects
    assert (changed.at, changed.id) == (play.now, 1)
    assert (changed.before.name, changed.after.name) == ("SYN_SENT", "SYN_RECV")
    assert changed.direction is Direction.REPLY
    (changed,) = play.client("A").effects
    assert changed.direction is Direction.ORIGINAL


def test_an_unanswered_syn_is_forgotten(play):
    """Otherwise a scan fills the table and real clients are refused."""
    play.client("S").opens("SYN_SENT")
    play.wait("29.9s").nothing_ends()
    play.wait("0.2s").expires("SYN_SENT")
    play.server("SA").dropped("unknown_packet")


def test_a_repeated_syn_keeps_waiting(play):
    """Each retransmission starts the timer again."""
    play.client("S").opens("SYN_SENT")
    for _ in range(3):
        play.wait("29s").nothing_ends()
        play.client("S", seq=0).stays("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")


def test_the_client_gives_up_its_syn(play):
    """Nothing is left that the late SYN-ACK could belong to."""
    play.client("S").opens("SYN_SENT")
    play.client("R", seq=1).moves_to("CLOSE")
    play.wait("10s").expires("CLOSE").ends("closed_by_rst")


def test_the_server_refuses_the_connection(play):
    """A closed port answers RST: the client hears it."""
    play.client("S").opens("SYN_SENT")
    play.server("RA", ack=1).moves_to("CLOSE")


def test_a_half_open_server_is_heard(play):
    """It still has an old connection; its ACK makes the client send RST (RFC 9293 figure 9)."""
    play.client("S").opens("SYN_SENT")
    play.server("A", seq=300, ack=-5000).is_ignored()
    play.client("R", seq=-5000).moves_to("CLOSE")


def test_both_ends_open_at_once(play):
    """RFC 9293 figure 7: four packets, one connection."""
    play.client("S").opens("SYN_SENT")
    play.server("S").moves_to("SYN_SENT2")
    play.client("SA", seq=0).moves_to("SYN_RECV")
    play.server("SA", seq=0).is_ignored()
    play.client("A").moves_to("ESTABLISHED")
    play.server("A", 10).stays("ESTABLISHED")


def test_a_simultaneous_open_that_stops_half_way(play):
    """Two SYNs and no answer live as long as one."""
    play.client("S").opens("SYN_SENT")
    play.server("S").moves_to("SYN_SENT2")
    play.client("S", seq=0).stays("SYN_SENT2")
    play.wait("30s").expires("SYN_SENT2")


def test_repeats_within_the_handshake(play):
    """SYN, SYN-ACK: both may arrive twice."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.client("S", seq=0).is_ignored()
    play.server("SA", seq=0).is_ignored()
    play.client("A").moves_to("ESTABLISHED")
    play.server("SA", seq=0).is_ignored()


def test_a_handshake_without_the_last_ack_is_forgotten(play):
    """A SYN flood from spoofed addresses looks like this."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.wait("30s").expires("SYN_RECV")
    play.client("A").dropped("unknown_packet")


def test_data_before_the_syn_ack_cannot_be(play):
    """An ACK acknowledges something."""
    play.client("S").opens("SYN_SENT")
    play.client("A", ack=1).dropped("invalid_state")
    play.client("FA", ack=1).dropped("invalid_state")
    play.client("SA", ack=1).dropped("invalid_state")
    play.server("SA").moves_to("SYN_RECV")


def test_a_refused_packet_names_the_session_it_pretended_to_belong_to(play):
    """The log can be followed from the drop to the session."""
    play.client("S")
    (refused,) = play.client("A", ack=1).dropped("invalid_state").effects
    assert refused.session == play.conversation.session.id
    assert refused.zone is Zone.INSIDE
    assert refused.segment.name == "ACK"
    assert refused.flow == play.conversation.flow_of(INSIDE)
    assert refused.rule is None


# -- a SYN where there is a session --


def test_a_syn_in_an_open_connection_changes_nothing(play):
    """It passes: the server's challenge ACK makes the client find out (RFC 5961 section 4)."""
    play.conversation.establish()
    play.client("A", 100)
    play.wait("59m")
    play.conversation.again().client("S").is_ignored()
    play.wait("59.9s").nothing_ends()
    play.wait("0.1s").expires("ESTABLISHED")


def test_a_syn_from_the_server_in_an_open_connection_is_refused(play):
    """No server does that."""
    play.conversation.establish()
    play.server("S").dropped("invalid_state")


# -- closing --


def test_the_client_closes_first(play):
    """FIN, ACK, FIN, ACK; then a rest in which late repeats still pass."""
    play.conversation.establish()
    play.client("FA").moves_to("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")
    play.server("FA", seq=1).stays("TIME_WAIT")
    play.client("A").stays("TIME_WAIT")
    play.wait("14.999999999s").nothing_ends()
    play.wait("1ns").expires("TIME_WAIT").ends("closed_by_fin")
    play.client("A").dropped("unknown_packet")


def test_the_server_closes_first(play):
    """The same, from the other end."""
    play.conversation.establish()
    play.server("FA").moves_to("FIN_WAIT")
    play.client("A").moves_to("CLOSE_WAIT")
    play.client("FA").moves_to("LAST_ACK")
    play.server("A").moves_to("TIME_WAIT")


def test_a_half_closed_connection_goes_on(play):
    """One end has sent all it has; the other may take its time."""
    play.conversation.establish()
    play.client("FA").moves_to("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    for _ in range(3):
        play.wait("119s").nothing_ends()
        play.server("A", 1000).stays("CLOSE_WAIT")
        play.client("A").stays("CLOSE_WAIT")
    play.wait("120s").expires("CLOSE_WAIT").ends("expired")


def test_both_ends_close_at_once(play):
    """RFC 9293 figure 13: each end has to acknowledge the other's FIN."""
    play.conversation.establish()
    play.client("FA").moves_to("FIN_WAIT")
    play.server("FA", ack=1).moves_to("LAST_ACK")
    play.client("A").stays("LAST_ACK")
    play.server("A").moves_to("TIME_WAIT")


def test_the_answer_to_a_fin_may_carry_one(play):
    """Three packets instead of four."""
    play.conversation.establish()
    play.client("FA").moves_to("FIN_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")


def test_a_repeated_fin(play):
    """The first was lost behind the firewall: it is the FIN of the same end."""
    play.conversation.establish()
    play.client("FA").moves_to("FIN_WAIT")
    play.client("FA", seq=1).stays("FIN_WAIT")
    play.client("FA", seq=1).stays("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")


def test_closing_at_once_after_the_syn_ack(play):
    """A health check connects and goes away."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.client("FA").moves_to("FIN_WAIT")


@pytest.mark.parametrize(
    ("packets", "state", "time"),
    [
        (["client FA"], "FIN_WAIT", "120s"),
        (["client FA", "server A"], "CLOSE_WAIT", "120s"),
        (["client FA", "server FA"], "LAST_ACK", "30s"),
    ],
)
def test_a_close_that_stops_half_way_is_forgotten(play, packets, state, time):
    """Each state of the close has its own timer, shorter than the hour before."""
    play.conversation.establish()
    for who, flags in map(str.split, packets):
        getattr(play, who)(flags).moves_to(play.conversation.state)
    assert play.conversation.state == state
    play.now += duration(time) - 1
    play.wait("0s").nothing_ends()
    play.wait("1ns").expires(state).ends("expired")


@pytest.mark.parametrize("end", ["client", "server"])
def test_a_rst_ends_the_session(play, end):
    """After ten seconds in which the other end's packets in flight still pass."""
    play.conversation.establish()
    getattr(play, end)("R").moves_to("CLOSE")
    play.client("A", 10).stays("CLOSE")
    play.server("FA", 10).stays("CLOSE")
    play.wait("9.9s").nothing_ends()
    play.wait("0.1s").expires("CLOSE").ends("closed_by_rst")
    play.server("A", 10).dropped("unknown_packet")


# -- the same addresses and ports again --


def test_a_new_connection_after_the_close(play):
    """A busy client reuses its ports before TIME_WAIT is over."""
    old = play.conversation.establish()
    old.close()
    new = old.again()
    outcome = new.client("S").opens("SYN_SENT").ends("reused")
    assert [effect.id for effect in outcome.effects] == [1, 2]
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")


def test_a_new_connection_after_a_rst(play):
    """The client crashed and connects again."""
    play.conversation.establish()
    play.client("R").moves_to("CLOSE")
    play.conversation.again().client("S").opens("SYN_SENT").ends("reused")


def test_the_server_may_not_connect_back_after_a_rst(play):
    """Only after an orderly close may the roles be exchanged."""
    play.under(default_outside="allow")
    play.conversation.establish()
    play.client("R").moves_to("CLOSE")
    play.conversation.again().server("S").dropped("invalid_state")


def test_the_server_connects_back_after_the_close(play):
    """A new session, in which the server's direction is the original one."""
    play.under(default_outside="allow")
    old = play.conversation.establish()
    old.close()
    new = old.again()
    outcome = new.server("S").opens("SYN_SENT").ends("reused")
    opened = outcome.effects[-1]
    assert opened.zone is Zone.OUTSIDE
    assert opened.flow == new.flow_of(OUTSIDE)
    new.client("SA").moves_to("SYN_RECV")
    new.server("A").moves_to("ESTABLISHED")


def test_a_new_connection_that_no_rule_allows_leaves_the_old_one_alone(play):
    """A dropped packet changes nothing: late repeats of the old connection still pass."""
    play.conversation.establish().close()
    play.conversation.again().server("S").dropped("denied").nothing_ends()
    play.server("FA", seq=1).stays("TIME_WAIT")


def test_reuse_needs_no_room(play):
    """The new session takes the place of the old one, whatever the policy for a full table."""
    play.under(capacity=1, when_full="reject-new")
    play.conversation.establish().close()
    play.conversation.again().client("S").opens("SYN_SENT").ends("reused")


def test_other_ports_are_another_session(play):
    """Nothing is shared between them."""
    first, second = play.tcp(port=40001).establish(), play.tcp(port=40002).establish()
    first.client("R").moves_to("CLOSE")
    second.client("A", 10).stays("ESTABLISHED")
    play.tcp(port=40003).server("A").dropped("unknown_packet")


def test_two_hosts_on_the_same_side(play):
    """A packet goes in the direction that its addresses say, whichever side it comes from."""
    conversation = play.conversation
    for end, segment, state in (
        (INSIDE, ("S", 0, 0), "SYN_SENT"),
        (OUTSIDE, ("SA", 0, 1), "SYN_RECV"),
        (INSIDE, ("A", 1, 1), "ESTABLISHED"),
        (OUTSIDE, ("FA", 1, 1), "FIN_WAIT"),
    ):
        play.receives(conversation.segment(end, *segment), INSIDE)
        assert conversation.state == state
    assert [end.packets for end in conversation.session.ends] == [2, 2]


# -- what a session remembers --


def test_packets_and_octets_of_both_directions(play):
    """Counted as whole IP packets, and reported at the end."""
    head = 20 + (20 if play.version == 4 else 40)
    play.conversation.establish()
    play.client("A", 100)
    play.server("A", 1000)
    play.server("A", 1)
    (ended,) = play.wait("1h").expires("ESTABLISHED").effects
    assert ended.traffic == (3, 3 * head + 100, 3, 3 * head + 1001)


def test_ignored_packets_are_not_counted_to_the_session(play):
    """Nor do they refresh it: nothing of the session has moved."""
    play.conversation.establish()
    counted = play.conversation.session.ends[Direction.REPLY].packets
    play.wait("30m")
    play.server("SA", seq=0).is_ignored()
    assert play.conversation.session.ends[Direction.REPLY].packets == counted
    play.wait("30m").expires("ESTABLISHED")


def test_what_an_ended_session_tells(play):
    """Enough to explain it to whoever misses it."""
    play.under(rules=[rule("deny", ports=((81, 81),)), rule("allow", arrival=INSIDE)])
    play.client("S")
    opened = play.now
    play.wait("1s")
    play.server("SA")
    play.wait("1s")
    play.client("A")
    seen = play.now
    (ended,) = play.wait("2h").expires("ESTABLISHED").ends("expired").effects
    assert ended.id == 1
    assert ended.flow == play.conversation.flow_of(INSIDE)
    assert ended.zone is Zone.INSIDE
    assert ended.rule == 1
    assert (ended.opened, ended.idle_since) == (opened, seen)
    assert ended.at == seen + duration("1h")


# -- keepalive --


@pytest.mark.parametrize("octets", [0, 1])
@pytest.mark.parametrize("end", ["client", "server"])
def test_a_keepalive_probe_is_seen_and_keeps_alive(play, end, octets):
    """One below the next number, with no octet or a useless one (RFC 9293 section 3.8.4)."""
    play.conversation.establish()
    play.client("A", 100)
    play.server("A", 200)
    play.client("A")
    probe, other = (play.client, play.server) if end == "client" else (play.server, play.client)
    asker = INSIDE if end == "client" else OUTSIDE
    for _ in range(3):
        play.wait("59m").nothing_ends()
        outcome = probe("A", octets, seq=play.conversation.next[asker] - 1).probes()
        (seen,) = outcome.effects
        assert (seen.at, seen.id) == (play.now, 1)
        assert seen.direction is (Direction.ORIGINAL if end == "client" else Direction.REPLY)
        other("A").stays("ESTABLISHED")
    play.wait("1h").expires("ESTABLISHED")


def test_a_probe_right_after_the_handshake(play):
    """Nothing was ever sent on this connection but its SYN."""
    play.conversation.establish()
    play.client("A", seq=0).probes()
    play.server("A", seq=0).probes()


def test_ordinary_packets_are_no_probes(play):
    """Data, its acknowledgement, a pure ACK, and one repeated."""
    play.conversation.establish()
    play.client("A", 1).stays("ESTABLISHED")
    play.server("A").stays("ESTABLISHED")
    play.server("A").stays("ESTABLISHED")
    play.client("A", 1000).stays("ESTABLISHED")
    play.server("A").stays("ESTABLISHED")
    play.client("A").stays("ESTABLISHED")


def test_a_repeated_octet_is_no_probe_while_it_is_outstanding(play):
    """The retransmission of one octet looks like a probe but for this."""
    play.conversation.establish()
    play.client("A", 1).stays("ESTABLISHED")
    play.client("A", 1, seq=1).stays("ESTABLISHED")
    play.server("A").stays("ESTABLISHED")
    play.client("A", 1, seq=1).probes()


def test_repeats_further_back_or_longer_are_no_probes(play):
    """Two octets, or two below the next number."""
    play.conversation.establish()
    play.client("A", 10)
    play.server("A")
    play.client("A", 0, seq=9).stays("ESTABLISHED")
    play.client("A", 2, seq=9).stays("ESTABLISHED")
    play.client("A", 2, seq=10).stays("ESTABLISHED")


def test_a_repeated_fin_is_no_probe(play):
    """It is one below the next number too."""
    play.conversation.establish().close()
    play.client("FA", seq=1).stays("TIME_WAIT")


def test_a_probe_that_changes_the_state_tells_both(play):
    """The server probes while the client's FIN is unanswered."""
    play.conversation.establish()
    play.client("FA").moves_to("FIN_WAIT")
    outcome = play.server("A", seq=0).probes()
    outcome.moves_to("CLOSE_WAIT")


# -- lifetimes --


def test_the_hour_begins_with_each_packet(play):
    """From either end."""
    play.conversation.establish()
    for end in (play.client, play.server, play.client):
        play.wait("3599.999999999s").nothing_ends()
        end("A", 1).stays("ESTABLISHED")
    play.wait("3599.999999999s").nothing_ends()
    play.wait("1ns").expires("ESTABLISHED").ends_ago("0s")


def test_never(play):
    """Some devices let an operator say so, and then it is meant."""
    play.under(tcp_established="never")
    play.conversation.establish()
    play.wait("999999h").nothing_ends()
    assert play.firewall.next_deadline() is None
    play.client("A", 1).stays("ESTABLISHED")
    play.client("FA").moves_to("FIN_WAIT")
    play.wait("120s").expires("FIN_WAIT")


def test_a_lifetime_of_zero_ends_at_once(play):
    """This device keeps nothing after the close; the last ACK still passes."""
    play.under(tcp_time_wait="0s", tcp_closed="0s")
    play.conversation.establish()
    play.client("FA").moves_to("FIN_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT").ends("closed_by_fin").ends_ago("0s")
    assert play.conversation.find() is None
    play.server("A").dropped("unknown_packet")
    again = play.conversation.again().establish()
    again.server("R").moves_to("CLOSE").ends("closed_by_rst")
    assert play.firewall.next_deadline() is None


def test_a_session_that_opens_with_a_lifetime_of_zero(play):
    """It passes its packet and is gone for the next."""
    play.under(tcp_syn_sent="0s")
    play.client("S").opens("SYN_SENT")
    play.server("SA").dropped("unknown_packet").expires("SYN_SENT").ends_ago("0s")
