"""What restarts the idle timer of a session, and for how long it then runs."""

from dataclasses import fields

import pytest

from fwemu.core.choices import AtExpiry, Refresh, Trust
from fwemu.core.instants import SECOND
from fwemu.core.policy import Policy, RefreshPolicy, ShortTimers
from fwemu.core.rules import Action, Rule
from fwemu.core.tcp_table import State
from fwemu.core.timers import Timers
from tests.kit.play import duration, rule

# -- the quick way --

ODD = {
    "retransmitted": SECOND,
    "unacknowledged": SECOND,
    "rst_unverified": SECOND,
    "picked_up": None,  # only of sessions that are not trusted, see `trust`
    "max_retransmissions": None,  # says when `retransmitted` begins
}
"""A value of each short timer that changes something; None where it does nothing by itself."""


def is_plain(**changes):
    """Whether a policy lets every packet restart the timer that the state says."""
    return Timers(Policy(**changes)).is_plain


@pytest.mark.parametrize("name", [field.name for field in fields(ShortTimers)])
def test_every_short_timer_is_asked_for(name):
    """A timer that `is_plain` does not know of would be set and do nothing."""
    value = ODD[name]
    if value is None:
        assert is_plain(short=ShortTimers(**{name: 7}))
    else:
        assert not is_plain(short=ShortTimers(**{name: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {"refresh": RefreshPolicy(tcp=Refresh.ORIGINAL)},
        {"refresh": RefreshPolicy(udp=Refresh.EACH)},
        {"refresh": RefreshPolicy(other=Refresh.REPLY)},
        {"refresh": RefreshPolicy(keepalives=False)},
        {"refresh": RefreshPolicy(payload_only=True)},
        {"refresh": RefreshPolicy(absolute=frozenset({State.FIN_WAIT}))},
        {"longest": SECOND},
        {"trust": Trust.NEVER},
        {"at_expiry": AtExpiry.PROBE},
        {"rules": (Rule(action=Action.ALLOW, at_expiry=AtExpiry.PROBE),)},
    ],
)
def test_a_policy_that_looks_at_packets_is_not_plain(changes):
    """Nor is one that looks at the age of a session, or asks its ends."""
    assert not is_plain(**changes)


def test_the_default_policy_is_plain():
    """Which is what makes the packet of an open session cheap."""
    assert is_plain()


# -- whose packets --


def refreshed_by(play, refresh, **settings):
    """An open connection under a policy that refreshes like this."""
    play.under(refresh=RefreshPolicy(**refresh), **settings)
    return play.conversation.establish()


@pytest.mark.parametrize(
    ("whose", "client_helps", "server_helps"),
    [("either", True, True), ("original", True, False), ("reply", False, True)],
)
def test_whose_segments_keep_a_connection(play, whose, client_helps, server_helps):
    """A one-way refresh is what makes one-sided keepalives useless (FortiOS refresh-direction)."""
    play.under(refresh=RefreshPolicy(tcp=Refresh(whose)))
    for_client, for_server = play.tcp(1).establish(), play.tcp(2).establish()
    play.wait("40m").nothing_ends()
    for_client.client("A", 10).accepted("session")
    for_server.server("A", 10).accepted("session")
    lost = [
        conversation
        for conversation, helps in ((for_client, client_helps), (for_server, server_helps))
        if not helps
    ]
    play.wait("30m").ends_conversations(*lost)


def test_each_direction_has_its_own_timer(play):
    """One end that goes on alone does not keep the session; both together do."""
    refreshed_by(play, {"tcp": Refresh.EACH})
    play.wait("30m").nothing_ends()
    play.client("A", 10).accepted("session").ends_up_alive(within="30m")
    play.server("A", 10).accepted("session").ends_up_alive(within="1h")
    play.wait("50m").nothing_ends()
    play.client("A", 10).ends_up_alive(within="10m")
    play.wait("10m").expires("ESTABLISHED")


def test_a_change_of_state_restarts_every_timer(play):
    """Whoever caused it, and whichever packets count otherwise."""
    refreshed_by(play, {"tcp": Refresh.ORIGINAL})
    play.wait("59m").nothing_ends()
    play.server("FA").moves_to("FIN_WAIT").ends_up_alive(within="2m")


@pytest.mark.parametrize("protocol", ["tcp", "udp", "other"])
def test_each_protocol_has_its_own_rule(play, protocol):
    """Datagrams of the opener alone keep a UDP session of some boxes; TCP there is as usual."""
    play.under(refresh=RefreshPolicy(**{protocol: Refresh.ORIGINAL}), icmp="1h", udp_replied="1h")
    conversations = {"tcp": play.tcp().establish(), "udp": play.udp(), "other": play.ping()}
    conversations["udp"].client()
    conversations["udp"].server()
    conversations["other"].client("echo")
    play.wait("30m")
    conversations["tcp"].server("A", 1)
    conversations["udp"].server()
    conversations["other"].server("answer")
    play.wait("30m").ends_conversations(conversations[protocol])


@pytest.mark.parametrize(
    ("keepalives", "left"), [(True, "1h"), (False, "30m")], ids=["count", "do not count"]
)
def test_whether_keepalives_count_is_a_setting(play, keepalives, left):
    """Neither the probe nor the ACK that answers it; the next data does in any case."""
    refreshed_by(play, {"keepalives": keepalives})
    play.server("A", 10)
    play.client("A")
    play.wait("30m")
    play.client("A", seq=0).probes().ends_up_alive(within=left)
    play.server("A").stays("ESTABLISHED").ends_up_alive(within=left)
    assert [end.keepalives for end in play.conversation.session.ends] == [1, 0]
    play.server("A").stays("ESTABLISHED").ends_up_alive(within="1h")


def test_data_that_comes_after_a_probe_is_no_answer_to_it(play):
    """The end that was asked had something to say."""
    refreshed_by(play, {"keepalives": False})
    play.server("A", 10)
    play.client("A")
    play.wait("30m")
    play.client("A", seq=0).probes()
    play.server("A", 10).stays("ESTABLISHED").ends_up_alive(within="1h")


def test_only_payload_may_count(play):
    """A proxy that counts bytes: an empty ACK, a probe among them, helps nobody."""
    refreshed_by(play, {"payload_only": True})
    play.wait("30m")
    play.client("A").stays("ESTABLISHED").ends_up_alive(within="30m")
    play.client("A", 1).stays("ESTABLISHED").ends_up_alive(within="1h")
    play.client("FA").moves_to("FIN_WAIT")
    play.wait("1m")
    play.client("FA", seq=2).stays("FIN_WAIT")
    play.server("FA").moves_to("LAST_ACK")


def test_a_datagram_counts_whatever_it_holds(play):
    """Only TCP has segments that carry nothing by design."""
    play.under(refresh=RefreshPolicy(payload_only=True))
    udp = play.udp()
    udp.client()
    play.wait("20s")
    udp.client(0)
    play.wait("20s").nothing_ends()


def test_a_deadline_that_no_packet_moves(play):
    """A SYN repeated for ever keeps no entry alive (Linux, since 5.14, and others)."""
    play.under(refresh=RefreshPolicy(absolute=frozenset({State.SYN_SENT})))
    play.client("S").opens("SYN_SENT")
    play.wait("20s")
    play.client("S", seq=0).stays("SYN_SENT").ends_up_alive(within="10s")
    play.wait("10s").expires("SYN_SENT")


# -- something is odd --


def test_repeats_without_an_answer_shorten_the_timer(play):
    """A dead peer does not hold its session for five days (nf_conntrack_tcp_max_retrans)."""
    play.under(short={"retransmitted": "5m"})
    play.conversation.establish()
    play.client("A", 10).stays("ESTABLISHED")
    for _ in range(2):
        play.client("A", 10, seq=1).stays("ESTABLISHED").ends_up_alive(within="1h")
    play.client("A", 10, seq=1).stays("ESTABLISHED").ends_up_alive(within="5m")
    play.server("A").stays("ESTABLISHED").ends_up_alive(within="1h")


def test_a_closed_window_shortens_the_timer(play):
    """The same timer, as in nf_conntrack."""
    play.under(short={"retransmitted": "5m"})
    play.conversation.establish()
    play.client("A", window=0).stays("ESTABLISHED").ends_up_alive(within="5m")
    play.client("A").stays("ESTABLISHED").ends_up_alive(within="1h")


def test_unacknowledged_data_shortens_the_timer(play):
    """Until the other end has it."""
    play.under(short={"unacknowledged": "5m"})
    play.conversation.establish()
    play.server("A", 10).stays("ESTABLISHED").ends_up_alive(within="5m")
    play.client("A").stays("ESTABLISHED").ends_up_alive(within="1h")
    play.client("A", 10).stays("ESTABLISHED").ends_up_alive(within="5m")
    play.wait("5m").expires("ESTABLISHED")


def test_a_short_timer_never_lengthens_one(play):
    """It counts where it is shorter."""
    play.under(short={"retransmitted": "2h", "unacknowledged": "2h", "rst_unverified": "2h"})
    play.conversation.establish()
    play.client("A", 10, window=0).ends_up_alive(within="1h")
    play.client("R", seq=100).ends_up_alive(within="1h")


def test_a_rst_that_may_be_believed_or_not_shortens_the_timer(play):
    """In the window, not exact: the receiver challenges it, and the device waits (PAN-OS)."""
    play.under(short={"rst_unverified": "30s"})
    play.conversation.establish()
    play.client("R", seq=100).stays("ESTABLISHED").ends_up_alive(within="30s")
    play.server("A", ack=1).stays("ESTABLISHED").ends_up_alive(within="1h")


def test_a_rst_that_is_believed_has_the_timer_of_its_state(play):
    """The connection is closed; nothing about it is odd any more."""
    play.under(short={"rst_unverified": "5s"}, tcp_closed="10s")
    play.conversation.establish()
    play.client("R", seq=1).moves_to("CLOSE").ends_up_alive(within="10s")


# -- age --


def test_a_session_ends_at_its_age_however_busy_it_is(play):
    """An absolute timeout beside the idle one."""
    play.under(longest="90m", at_expiry="reset-both")
    play.conversation.establish()
    play.wait("50m")
    play.client("A", 10).ends_up_alive(within="40m")
    play.wait("39m").nothing_ends()
    play.client("A", 10).ends_up_alive(within="1m")
    play.wait("1m").ends("lifetime").ends_ago("0s").says_nothing()


def test_an_idle_timer_that_runs_out_before_is_an_expiry(play):
    """The age is the end of those only that reach it."""
    play.under(longest="90m")
    play.conversation.establish()
    play.wait("1h").expires("ESTABLISHED")


def test_a_session_shorter_lived_than_its_first_timer(play):
    """The age counts from the first packet."""
    play.under(longest="10s")
    play.client("S").ends_up_alive(within="10s")
    play.wait("10s").ends("lifetime")


# -- picked up --


@pytest.mark.parametrize(
    ("trust", "at_first", "answered"),
    [("at-once", "1h", "1h"), ("answered", "30s", "1h"), ("never", "30s", "30s")],
)
def test_when_a_picked_up_session_is_trusted(play, trust, at_first, answered):
    """At once (Linux of old), when the other end has answered (OVS), or never (VPP)."""
    play.under(inside="pick-up", trust=trust, short={"picked_up": "30s"})
    play.client("A", 10, seq=1, ack=1).picked_up().ends_up_alive(within=at_first)
    assert play.conversation.session.assured is (trust == "at-once")
    play.client("A", 10).ends_up_alive(within=at_first)
    play.server("A", seq=1, ack=21).ends_up_alive(within=answered)
    assert play.conversation.session.assured is (trust != "never")
    play.client("A", 10).ends_up_alive(within=answered)


def test_trust_is_a_matter_of_picked_up_sessions_only(play):
    """A handshake that was seen needs none."""
    play.under(trust="never", short={"picked_up": "30s"})
    play.conversation.establish()
    play.client("A", 10).ends_up_alive(within="1h")


def test_another_policy_keeps_the_mistrust(play):
    """A change of settings does not make anybody trustworthy."""
    settings = {"inside": "pick-up", "trust": "answered", "short": {"picked_up": "30s"}}
    play.under(**settings)
    play.client("A", 10, seq=1, ack=1).picked_up()
    play.reconfigure(**settings, tcp_established="2h").ends_up_alive(within="30s")
    play.server("A", seq=1, ack=11).ends_up_alive(within="2h")


def test_the_idle_timeout_of_a_rule_still_counts(play):
    """The shorter of the two, until the session is trusted."""
    rules = [rule("allow", idle_timeout="4h")]
    play.under(inside="pick-up", trust="answered", short={"picked_up": "30s"}, rules=rules)
    play.client("A", 10, seq=1, ack=1).picked_up().ends_up_alive(within="30s")
    play.server("A", seq=1, ack=11).ends_up_alive(within="4h")


def test_a_session_that_moves_on_without_an_answer_is_plain(play):
    """Policies that ask for nothing special pay for nothing special."""
    assert play.firewall._active.timers.is_plain
    play.reconfigure(longest="1h")
    assert not play.firewall._active.timers.is_plain
    assert duration("1h") == play.firewall.policy.longest


# -- how long a session was idle, as it is told --


def told_idle(play):
    """Seconds for which the timer of the session that has just ended had run."""
    (ended,) = play.wait("24h").effects[-1:]
    return (ended.at - ended.idle_since) / SECOND


@pytest.mark.parametrize(
    ("refresh", "says"),
    [
        ({}, lambda play: play.client("A", 10)),
        ({"payload_only": True}, lambda play: play.client("A")),
        ({"keepalives": False}, lambda play: play.client("A", seq=0)),
        ({"tcp": Refresh.ORIGINAL}, lambda play: play.server("A")),
        ({"tcp": Refresh.REPLY}, lambda play: play.client("A")),
        ({"tcp": Refresh.EACH}, lambda play: play.client("A")),
        ({"absolute": frozenset({State.ESTABLISHED})}, lambda play: play.client("A", 10)),
    ],
)
def test_the_idle_time_of_an_expired_session_is_that_of_its_timer(play, refresh, says):
    """Packets that do not restart the timer are no part of it: the numbers fit together."""
    refreshed_by(play, refresh)
    play.wait("40m")
    says(play).accepted("session")
    session = play.conversation.session
    assert play.now - session.idle_since + session.deadline - play.now == duration("1h")
    assert told_idle(play) == 3600


def test_the_idle_time_of_a_session_that_is_probed_is_that_of_its_ends(play):
    """What the firewall asks itself is no sign of life; one answer of two is none either."""
    play.under(at_expiry="probe")
    play.conversation.establish()
    play.wait("1h")
    play.client("A").accepted("session")
    assert play.now - play.conversation.session.idle_since == duration("1h")
    play.wait("15s")
    assert play.now - play.conversation.session.idle_since == duration("3615s")
    assert told_idle(play) == 3600 + 5 * 15


def test_a_change_of_state_begins_the_idle_time(play):
    """A close that takes its fixed time was idle for that, whatever passed."""
    refreshed_by(play, {"absolute": frozenset({State.FIN_WAIT})})
    play.client("FA").moves_to("FIN_WAIT")
    play.wait("1m")
    play.client("A").accepted("session")
    assert told_idle(play) == 120


# -- the first answer --


@pytest.mark.parametrize("trust", ["at-once", "answered", "never"])
def test_the_first_answer_in_a_picked_up_session_is_told(play, trust):
    """Its state does not change, and something has become of it all the same."""
    play.under(inside="pick-up", trust=trust, short={"picked_up": "2m"})
    play.client("A", 1, seq=1, ack=1).picked_up()
    (answered,) = play.server("A", ack=2).answers().effects
    assert answered.lifetime == duration("2m" if trust == "never" else "1h")
    assert play.server("A", ack=2).effects == ()
    assert play.client("A", 1).effects == ()


def test_the_first_answer_to_a_ping_is_told_and_that_of_udp_is_a_change_of_state(play):
    """Once; a second reply says nothing new."""
    ping = play.ping()
    ping.client("echo")
    (answered,) = ping.server("answer").answers().effects
    assert answered.lifetime == duration("30s")
    assert ping.server("answer").effects == ()
    udp = play.udp()
    udp.client()
    udp.server().moves_to("UDP_REPLIED")
