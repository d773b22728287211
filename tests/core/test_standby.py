"""Failover: what the peer knows is what was so a while ago, without timers and without numbers."""

import pytest

from fwemu.core import standby
from fwemu.core.choices import Refresh, UnderPressure
from fwemu.core.effects import (
    PacketRefused,
    PacketReleased,
    SessionOpened,
    StateChanged,
    Traffic,
)
from fwemu.core.flow import Zone
from fwemu.core.packet import Packet, flow_of_packet, keys_of, parse, reverse_key
from fwemu.core.policy import PressurePolicy, RefreshPolicy
from fwemu.core.standby import Standby
from fwemu.core.tcp import TcpConnection
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, SERVER, remembered, rule, snapshot

# -- another policy meanwhile --


def test_a_session_that_returns_has_its_rule_wherever_that_stands_now(play):
    """The peer has the new rules at once, and has not heard of the end."""
    ssh = rule("allow", name="ssh", idle_timeout="10m")
    guest = rule("allow", name="guest", idle_timeout="5s")
    play.under(lag="1h", rules=[ssh])
    play.conversation.establish()
    play.wait("10m").ends("expired")
    play.reconfigure(rules=[guest, ssh])
    (returned,) = play.fail_over(lag="1s").returns("ESTABLISHED").all(SessionOpened)
    assert returned.rule == 1
    play.wait("599s").nothing_ends()
    play.wait("1s").ends("expired")


def test_the_same_rules_change_nothing_of_what_the_peer_will_hear(play):
    """Another timeout is no other rule."""
    play.under(lag="1h", rules=[rule("allow")])
    play.conversation.establish()
    play.wait("1h").ends("expired")
    play.reconfigure(rules=[rule("allow")], tcp_established="2h")
    (returned,) = play.fail_over(lag="1s").returns("ESTABLISHED").all(SessionOpened)
    assert returned.rule == 0


# -- a peer without state --


def test_a_peer_without_state_knows_nothing(play):
    """The cheap pair: every connection ends with the box, and its ends find out later."""
    play.under(at_expiry="reset-both", inside="reset")
    play.conversation.establish()
    play.udp().client()
    play.fail_over().ends("failed_over", "failed_over").says_nothing()
    assert play.firewall.next_deadline() is None
    play.client("A", 1).dropped("unknown_packet", "reset")
    play.conversation.again().client("S").opens("SYN_SENT")


def test_later_fragments_do_not_pass_on_the_credit_of_the_other_box(play):
    """Their first one crossed a firewall that is gone: they wait for it, in vain."""
    body = wire.udp(40000, 53, bytes(8))
    first = wire.ip(CLIENT[4], SERVER[4], 17, body, fragment=(7, 0, True))
    later = wire.ip(CLIENT[4], SERVER[4], 17, bytes(8), fragment=(7, 16, False))
    play.receives(first, INSIDE).opens("UDP_UNREPLIED")
    play.fail_over()
    play.receives(later, INSIDE).held()


def test_a_failover_claims_no_dead(play):
    """What had expired before, unnoticed, has expired, with its RST."""
    play.under(at_expiry="reset-original", lag="5s")
    play.conversation.establish()
    play.server("A", 1)
    play.pass_unswept("61m")
    play.fail_over().ends("expired").ends_ago("1m").says("client gets RA seq 1 ack 1")


# -- a peer with all state --


def test_a_connection_survives_with_a_peer_that_knows_it(play):
    """Nobody notices: same session, same number, its counters go on."""
    play.under(lag="0s")
    play.conversation.establish()
    play.client("A", 100)
    number = play.conversation.session.id
    play.fail_over().nothing_ends()
    play.server("A", 10).stays("ESTABLISHED")
    play.client("A", 5).stays("ESTABLISHED")
    session = play.conversation.session
    assert (session.id, session.assured) == (number, True)
    assert [end.packets for end in session.ends] == [4, 2]


def test_no_packet_moves_a_session_back(play):
    """A log that tells who closed must not take the failover for one of the ends."""
    play.under(lag="5s")
    play.conversation.establish()
    play.wait("10s")
    play.client("FA").moves_to("FIN_WAIT")
    (changed,) = play.fail_over().all(StateChanged)
    assert (changed.before.name, changed.after.name) == ("FIN_WAIT", "ESTABLISHED")
    assert changed.direction is None


def test_timers_begin_anew(play):
    """No peer hears of every packet: what nearly had expired has its whole time again."""
    play.under(lag="0s")
    play.conversation.establish()
    play.wait("59m")
    play.fail_over()
    play.wait("59m").nothing_ends()
    play.wait("1m").expires("ESTABLISHED")


def test_numbers_are_not_known_and_never_checked_again(play):
    """As after a pick-up: what is far outside the window passes."""
    play.under(lag="0s")
    play.conversation.establish()
    play.client("A", 100, seq=10**6).dropped("out_of_window")
    play.fail_over()
    play.client("A", 100, seq=10**6).stays("ESTABLISHED")
    play.server("A", 100, seq=10**7).stays("ESTABLISHED")
    play.client("A", 1, seq=10**8).stays("ESTABLISHED")


def test_nobody_is_reset_at_expiry_who_has_not_spoken_since(play):
    """The peer could not make a RST that is believed: it knows no number."""
    play.under(lag="0s", at_expiry="reset-both")
    play.conversation.establish()
    play.fail_over()
    play.wait("1h").expires("ESTABLISHED").says_nothing()


def test_one_segment_is_enough_to_know_what_a_rst_must_carry(play):
    """It has its own next number and the one that it expects."""
    play.under(lag="0s", at_expiry="reset-both")
    play.conversation.establish()
    play.fail_over()
    play.client("A", 10)
    lines = "client gets RA seq 1 ack 11", "server gets R seq 11"
    play.wait("1h").expires("ESTABLISHED").says(*lines)


@pytest.mark.parametrize("steps", range(1, 4))
def test_a_handshake_goes_on_wherever_it_was(play, steps):
    """Its next segment is taken as it comes."""
    play.under(lag="0s")
    handshake = [lambda: play.client("S"), lambda: play.server("SA"), lambda: play.client("A")]
    for step in handshake[:steps]:
        step()
    play.fail_over().nothing_ends()
    for step in handshake[steps:]:
        step().accepted("session")
    assert play.conversation.state == "ESTABLISHED"


def test_a_repeated_syn_begins_what_the_peer_has_no_numbers_of(play):
    """The client tries again; whether that is an earlier or a later number nobody can say."""
    play.under(lag="0s")
    play.client("S")
    play.fail_over()
    play.client("S", seq=0).stays("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")


def test_a_close_goes_on_and_its_tuple_can_be_used_again(play):
    """Who closed first belongs to the state, and the state is replicated."""
    play.under(lag="0s")
    play.conversation.establish().close()
    play.fail_over().nothing_ends()
    outcome = play.conversation.again().client("S")
    outcome.ends("reused").opens("SYN_SENT")


def test_a_rst_is_believed_when_the_numbers_are_not_known(play):
    """The window cannot tell."""
    play.under(lag="0s")
    play.conversation.establish()
    play.fail_over()
    play.server("R", seq=4711).moves_to("CLOSE")


# -- a peer that lags --


def test_a_younger_connection_is_lost_and_an_older_one_is_not(play):
    """The one that was opened while the news was on its way."""
    play.under(lag="5s")
    play.conversation.establish()
    play.wait("5s")
    younger = play.tcp(port=1).establish()
    play.wait("4.9s")
    play.fail_over().ends("failed_over").ends_conversations(younger)
    play.client("A", 1).stays("ESTABLISHED")
    younger.client("A", 1).dropped("unknown_packet")


def test_what_the_peer_heard_just_in_time_it_knows(play):
    """It knows what was so exactly `lag` ago, and nothing younger."""
    play.under(lag="5s")
    play.conversation.establish()
    play.wait("5s")
    play.fail_over().nothing_ends()
    play.wait("1ns")
    younger = play.tcp(port=1).establish()
    play.wait("4999999999ns")
    play.fail_over().ends_conversations(younger)


def test_a_lag_can_be_smaller_than_usual(play):
    """This time the link between the two was quicker."""
    play.under(lag="5s")
    play.conversation.establish()
    play.wait("1s")
    play.fail_over(lag="1s").nothing_ends()


def test_states_are_those_of_then(play):
    """An open connection for the peer, which both ends have closed: it keeps it for an hour."""
    play.under(lag="5s")
    play.conversation.establish()
    play.wait("10s")
    play.conversation.close()
    play.wait("1s")
    play.fail_over().nothing_ends().moves_back("ESTABLISHED")
    assert play.conversation.session.assured
    play.wait("59m").nothing_ends()
    play.wait("1m").expires("ESTABLISHED")


def test_a_session_can_be_half_open_for_the_peer(play):
    """And then it is one that a full table may push out."""
    play.under(lag="5s")
    play.client("S")
    play.wait("5s")
    play.server("SA")
    play.client("A")
    play.fail_over().moves_back("SYN_SENT")
    assert not play.conversation.session.assured
    play.wait("30s").expires("SYN_SENT")


def test_what_ended_since_is_there_again(play):
    """Closed, and forgotten by both ends, but not by the peer; its story goes on under a new id."""
    play.under(lag="60s")
    play.conversation.establish()
    play.client("A", 100)
    number, opened = play.conversation.session.id, play.conversation.session.opened
    play.wait("60s")
    play.conversation.close()
    play.wait("15s").expires("TIME_WAIT")
    play.fail_over().nothing_ends().returns("ESTABLISHED")
    session = play.conversation.session
    assert session.id > number
    assert (session.opened, session.zone, session.assured) == (opened, INSIDE, True)
    assert [end.packets for end in session.ends] == [5, 3]
    play.client("A", 1, seq=4711).stays("ESTABLISHED")
    play.server("A", 1, seq=4711).stays("ESTABLISHED")


def test_a_flush_that_the_peer_has_not_heard_of_is_undone(play):
    """Whatever the reason of the end was: every kind of session comes back."""
    play.under(lag="5s")
    play.client("S")
    play.udp().client()
    play.ping().client("echo")
    play.receives(other(play), INSIDE).opens("OTHER")
    play.wait("5s")
    flows = [session.flow for session in play.firewall.table]
    keys = [(session.key, session.reply_key) for session in play.firewall.table]
    play.flush().ends(*["flushed"] * 4)
    play.fail_over().returns("SYN_SENT", "UDP_UNREPLIED", "ICMP", "OTHER")
    assert [session.flow for session in play.firewall.table] == flows
    assert [(session.key, session.reply_key) for session in play.firewall.table] == keys
    play.server("SA").moves_to("SYN_RECV")
    play.udp().server().moves_to("UDP_REPLIED")
    play.ping().server("answer").stays("ICMP")


def other(play):
    """A packet of a protocol without ports."""
    return wire.ip(CLIENT[play.version], SERVER[play.version], 47, bytes(8))


def test_what_was_opened_and_ended_since_never_was(play):
    """The peer has heard neither."""
    play.under(lag="5s")
    play.conversation.establish()
    play.kill(play.conversation).ends("killed")
    play.fail_over().nothing_ends().returns()
    assert len(play.firewall.table) == 0


def test_the_old_one_of_a_tuple_that_was_used_again_is_back(play):
    """Its successor is lost, and there is room for one."""
    play.under(lag="5s")
    play.conversation.establish().close()
    play.wait("6s")
    again = play.conversation.again()
    again.client("S").ends("reused")
    play.fail_over().ends("failed_over").returns("TIME_WAIT")


def test_after_the_failover_the_other_one_is_told_everything(play):
    """A second one at once changes nothing more."""
    play.under(lag="5s")
    play.conversation.establish()
    play.fail_over().ends("failed_over")
    younger = play.tcp(port=1).establish()
    play.fail_over().ends_conversations(younger).returns()


def test_what_comes_back_fits_into_the_table(play):
    """The capacity was made smaller meanwhile; those opened first come back."""
    play.under(lag="5s")
    for port in (1, 2, 3):
        play.udp(port=port).client()
    play.wait("5s")
    play.flush()
    play.reconfigure(capacity=2)
    play.fail_over().returns("UDP_UNREPLIED", "UDP_UNREPLIED")
    assert [session.flow.source_port for session in play.firewall.table] == [1, 2]


def test_a_router_has_nothing_to_take_over(play):
    """The mode was changed while the peer was not looking."""
    play.under(lag="5s")
    play.conversation.establish()
    play.wait("5s")
    play.reconfigure(mode="acl").ends("flushed")
    play.fail_over().nothing_ends().returns()
    assert len(play.firewall.table) == 0


@pytest.mark.parametrize(("rules_then", "timeout"), [(2, "7s"), (0, "30s")])
def test_a_session_comes_back_under_its_rule_if_that_is_still_there(play, rules_then, timeout):
    """Else under the default."""
    rules = [rule("deny", protocols=[99]), rule("allow", idle_timeout="7s")]
    play.under(lag="5s", rules=rules)
    play.udp().client()
    play.wait("5s")
    play.flush()
    play.reconfigure(rules=rules[:rules_then])
    play.fail_over().returns("UDP_UNREPLIED")
    play.wait(timeout).expires("UDP_UNREPLIED")


def test_an_age_is_no_timer_and_goes_on(play):
    """How old a session is, the peer knows; what would be over age does not come back."""
    play.under(lag="5s", longest="30s", udp_unreplied="1h")
    play.udp(port=1).client()
    play.wait("10s")
    play.udp(port=2).client()
    play.wait("19s")
    play.flush()
    play.wait("1s")
    play.fail_over().returns("UDP_UNREPLIED")
    play.wait("10s").ends("lifetime")


def test_timers_of_each_direction_begin_anew(play):
    """However long one of the ends had been quiet."""
    play.under(lag="0s", refresh=RefreshPolicy(tcp=Refresh.EACH), tcp_established="60s")
    play.conversation.establish()
    play.wait("30s")
    play.client("A", 1)
    play.fail_over()
    play.wait("30s")
    play.client("A", 1)
    play.wait("29s").nothing_ends()
    play.wait("1s").expires("ESTABLISHED")


def test_probes_that_the_other_box_has_sent_are_forgotten(play):
    """The session has its whole time again, and is asked again after that if its ends can be."""
    play.under(lag="0s", at_expiry="probe", tcp_established="60s")
    play.conversation.establish()
    play.server("A", 1)
    play.wait("60s").nothing_ends()
    assert play.conversation.session.probes_sent == 1
    play.fail_over()
    assert play.conversation.session.probes_sent == 0
    play.wait("59s").nothing_ends()
    play.wait("1s").ends("expired")  # no number is known that an end would answer


def test_pressure_is_that_of_the_peers_table(play):
    """It may be emptier than the one before, and fuller again."""
    rush = PressurePolicy(policy=UnderPressure.ACCELERATE, start=50, factor=10)
    play.under(lag="60s", capacity=4, pressure=rush, udp_unreplied="30s")
    for port in (1, 2):
        play.udp(port=port).client()
    play.fail_over().ends("failed_over", "failed_over")
    play.udp(port=3).client()
    play.wait("29s").nothing_ends()
    play.flush()
    play.udp(port=4).client()
    play.fail_over(lag="1s").returns("UDP_UNREPLIED").ends("failed_over")
    play.wait("29s").nothing_ends()


def test_fuller_again_by_what_comes_back_it_hurries(play):
    """Three of four, once more: a tenth of thirty seconds is left to each."""
    rush = PressurePolicy(policy=UnderPressure.ACCELERATE, start=75, factor=10)
    play.under(lag="1s", capacity=4, pressure=rush, udp_unreplied="30s")
    for port in (1, 2, 3):
        play.udp(port=port).client()
    play.wait("1s")
    play.flush()
    play.fail_over().returns(*["UDP_UNREPLIED"] * 3)
    play.wait("3s").expires("UDP_UNREPLIED")  # then the two others have time again


def test_what_had_expired_unnoticed_within_the_lag_is_alive_for_the_peer(play):
    """It cannot have heard of what nobody had noticed."""
    play.under(lag="5s")
    play.udp().client()
    play.pass_unswept("32s")
    play.fail_over().ends("expired").ends_ago("2s").returns("UDP_UNREPLIED")


@pytest.mark.parametrize(
    ("steps", "state"),
    [(1, "FIN_WAIT"), (2, "CLOSE_WAIT"), (3, "LAST_ACK"), (4, "TIME_WAIT")],
)
def test_what_comes_back_while_it_closes_counts_as_answered(play, steps, state):
    """A full table does not take it for a handshake that was given up."""
    play.under(lag="1s")
    play.conversation.establish()
    close = [
        lambda: play.client("FA"),
        lambda: play.server("A"),
        lambda: play.server("FA"),
        lambda: play.client("A"),
    ]
    for step in close[:steps]:
        step()
    play.wait("1s")
    play.kill(play.conversation)
    play.fail_over().returns(state)
    assert play.conversation.session.assured


def test_of_a_connection_nothing_is_left_but_that_it_was_picked_up(play):
    """Not what was ignored, not what was repeated, not who offered what."""
    play.under(lag="0s")
    play.conversation.establish()
    for _ in range(3):
        play.client("A", 10, seq=1)
    play.client("S", seq=0).is_ignored()
    play.fail_over()
    conversation, fresh = play.conversation.session.tcp, TcpConnection()
    fresh.is_liberal = True
    fresh.last_direction = conversation.last_direction
    for end in fresh.ends:
        end.is_selective = True
    assert remembered(conversation) == remembered(fresh)
    for end, blank in zip(conversation.ends, fresh.ends, strict=True):
        assert end.state() == blank.state()


def test_a_keepalive_that_the_other_box_saw_is_not_awaited(play):
    """The next ACK of its end is one like any other, and restarts the timer."""
    play.under(lag="0s", refresh=RefreshPolicy(keepalives=False))
    play.conversation.establish()
    play.server("A", 1)
    play.client("A")
    play.client("A", seq=0).probes()
    play.fail_over()
    play.wait("30m")
    play.server("A").stays("ESTABLISHED")
    play.wait("59m").nothing_ends()


# -- what is kept for it --


def test_only_what_the_peer_has_not_heard_is_kept(play):
    """However long it goes on; and denials are none of its business."""
    play.under(lag="5s")
    for port in range(1, 50):
        play.udp(port=port).client()
        play.udp(port=port).server().moves_to("UDP_REPLIED")
        play.server("A").dropped("unknown_packet")
        play.wait("1s")
    assert len(play.peer._in_flight) == 2 * 5


def test_beyond_a_bound_the_peer_hears_of_the_oldest_early(monkeypatch):
    """Memory has an end; what is lost is only some of the lag."""
    monkeypatch.setattr(standby, "IN_FLIGHT", 3)
    peer = Standby(100)
    opened = [
        SessionOpened(5, number, None, Zone.INSIDE, None, None, False, 1) for number in range(9)
    ]
    peer.follow(opened)
    assert peer.unreplicated(0).opened == {6, 7, 8}
    peer.synchronise()
    assert peer.unreplicated(0) == (set(), {}, {})


def test_everything_that_undoing_touches_is_put_right(play):
    """The table is the same as if the firewall had stood still since, but for timers and ids."""
    play.under(lag="9s")
    play.conversation.establish()
    play.udp(port=1).client()
    play.ping(3).client("echo")
    play.wait("9s")
    before = [(s.key, s.reply_key, s.state, s.rule, s.assured) for s in play.firewall.table]
    play.conversation.close()
    play.udp(port=1).server().moves_to("UDP_REPLIED")
    play.udp(port=2).client()
    play.tcp(port=2).establish().close()
    play.fail_over()
    after = [(s.key, s.reply_key, s.state, s.rule, s.assured) for s in play.firewall.table]
    assert after == before
    assert {s.last_seen for s in play.firewall.table} == {play.now}
    assert len(snapshot(play.firewall)) == 3


# -- reboots --


def test_a_reboot_forgets_everything_and_lets_nothing_pass_until_it_is_over(play):
    """To the nanosecond; and nobody hears of it."""
    play.under(at_expiry="reset-both", inside="reset")
    play.conversation.establish()
    play.udp().client()
    play.reboot("30s").ends("rebooted", "rebooted").says_nothing()
    assert play.firewall.next_deadline() == play.now + 30 * 10**9
    play.client("A", 1).dropped("rebooting")
    play.pass_unswept("29999999999ns")
    play.conversation.again().client("S").dropped("rebooting")
    play.pass_unswept("1ns")
    play.conversation.again().client("S").opens("SYN_SENT")
    assert play.firewall.next_deadline() == play.now + 30 * 10**9  # that of the SYN


def test_time_alone_ends_a_reboot(play):
    """With nothing to do there is no next deadline any more."""
    play.reboot("30s")
    play.wait("29s")
    assert play.firewall.next_deadline() == play.now + 10**9
    play.wait("1s")
    assert play.firewall.next_deadline() is None
    play.client("S").opens("SYN_SENT")


def test_whatever_comes_while_it_is_down_has_the_same_reason(play):
    """It looks at nothing, so it finds no fault either."""
    play.reboot("1s")
    first = play.receives(b"nonsense", INSIDE)
    first.dropped("rebooting")
    (refused,) = first.all(PacketRefused)
    assert refused.flow is None
    play.receives(other(play), INSIDE).dropped("rebooting")
    play.ping().client("echo").dropped("rebooting")
    play.pass_unswept("1s")
    assert play.receives(b"nonsense", INSIDE).decision.reason.word != "rebooting"


def test_a_router_reboots_as_well(play):
    """It has no sessions to lose, but it is down all the same."""
    play.under(mode="acl", inside="drop")
    play.reboot("1s").nothing_ends()
    play.client("S").dropped("rebooting")
    play.wait("1s")
    play.client("S").accepted("permitted")


def test_a_change_of_settings_does_not_end_a_reboot(play):
    """They hold when it is up again."""
    play.reboot("1s")
    play.reconfigure(tcp_syn_sent="5s")
    play.client("S").dropped("rebooting")
    play.wait("1s")
    play.client("S").opens("SYN_SENT")
    play.wait("5s").expires("SYN_SENT")


def test_a_reboot_claims_no_dead(play):
    """What had expired before, unnoticed, has expired."""
    play.udp().client()
    play.pass_unswept("31s")
    play.reboot("1s").ends("expired").ends_ago("1s")


def test_a_peer_that_takes_over_is_up_at_once(play):
    """It was the other one that was started again."""
    play.reboot("1h")
    play.fail_over()
    assert play.firewall.next_deadline() is None
    play.client("S").opens("SYN_SENT")


def test_a_fragment_that_waits_is_dropped_by_a_reboot(play):
    """What it waited for would not be let through."""
    body = wire.udp(40000, 53, bytes(8))
    later = wire.ip(CLIENT[4], SERVER[4], 17, bytes(8), fragment=(7, 16, False))
    assert play.receives(later, INSIDE).decision.reason.word == "held"
    (released,) = play.reboot("1s").all(PacketReleased)
    assert released.reason.word == "unknown_fragment"
    first = wire.ip(CLIENT[4], SERVER[4], 17, body, fragment=(7, 0, True))
    play.receives(first, INSIDE).dropped("rebooting")


def test_fragments_of_before_do_not_pass_after_a_reboot(play):
    """The table of datagrams is gone with the rest: they wait."""
    body = wire.udp(40000, 53, bytes(8))
    first = wire.ip(CLIENT[4], SERVER[4], 17, body, fragment=(7, 0, True))
    later = wire.ip(CLIENT[4], SERVER[4], 17, bytes(8), fragment=(7, 16, False))
    play.receives(first, INSIDE).opens("UDP_UNREPLIED")
    play.reboot("0s").ends("rebooted")
    play.receives(later, INSIDE).held()


# -- the flow of a session is enough to find it again --


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        (6, wire.tcp(1000, 80, "S", 1, 0)),
        (17, wire.udp(1000, 53, b"")),
        (47, bytes(8)),
        ("icmp", None),
    ],
)
def test_keys_of_a_flow_are_those_of_its_packets(version, protocol, body):
    """The peer is told of endpoints, and has to find packets by them."""
    if protocol == "icmp":
        protocol, number = (1, 8) if version == 4 else (58, 128)
        body = wire.icmp(number, 77)
    packet = parse(wire.ip(CLIENT[version], SERVER[version], protocol, body))
    assert isinstance(packet, Packet)
    assert keys_of(flow_of_packet(packet)) == (packet.key, reverse_key(packet))


def test_traffic_has_the_order_in_which_it_is_put_back():
    """Packets and octets of the original direction, then of the reply."""
    assert Traffic._fields == (
        "original_packets", "original_octets", "reply_packets", "reply_octets",
    )  # fmt: skip
