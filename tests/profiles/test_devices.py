"""Each shipped profile does what its device does: what both ends see, and when.

The engine is made from the profile; what is expected of it stands in `devices.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pytest

from fwemu.config import load, policy, profiles
from fwemu.config.catalogue import leaves
from fwemu.core.policy import Policy
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, Conversation, Outcome, Play, duration
from tests.profiles.devices import DEVICES, Device

OPEN: Final = "tcp_established"


@cache
def made(name: str) -> Policy:
    """The policy of a profile."""
    return policy(load(profile=name))


def begun(name: str) -> Play:
    """A firewall of this profile that nothing has crossed yet."""
    return Play().follows(made(name))


def talked(play: Play) -> Play:
    """An open connection on which both ends have sent data, and all of it is acknowledged."""
    play.conversation.establish()
    play.client("A", 100)
    play.server("A", 200)
    play.client("A")
    return play


def those(**wanted: Any) -> list[str]:
    """The devices of which this is true."""
    return [
        name
        for name, device in DEVICES.items()
        if all(getattr(device, key) == value for key, value in wanted.items())
    ]


def gone_after(
    play: Play, time: str, *, reason: str = "expired", conversation: Conversation | None = None
) -> None:
    """The session lives until that time has passed, and then no longer."""
    left = duration(time)
    if left == 0:
        assert (conversation or play.conversation).find() is None, "forgotten at once"
        return
    play.wait(f"{left - 1}ns").nothing_ends()
    assert (conversation or play.conversation).find() is not None
    play.wait("1ns").ends(reason)


# -- every profile has a row, and every number of a profile a place in it -------------------------


def test_every_shipped_profile_has_a_row() -> None:
    """A new profile without one would be a claim that nothing has looked at."""
    assert {*DEVICES, "router-acl"} == set(profiles.names())


@pytest.mark.parametrize("name", DEVICES)
def test_a_row_has_every_timer_that_its_profile_sets(name: str) -> None:
    """Neither a number that is not tested nor a story about one that is only fwemu's default."""
    stated = {
        key.removeprefix("timeouts.")
        for profile in profiles.lineage(name)
        for key, _ in leaves(profile.settings)
        if key.startswith("timeouts.")
    }
    assert set(DEVICES[name].timers) == stated


# -- how long each state may be quiet -------------------------------------------------------------


def syn_sent(play: Play) -> None:
    """The client's SYN, and no answer."""
    play.client("S").opens("SYN_SENT")


def syn_recv(play: Play) -> None:
    """The answer, and no ACK to it."""
    play.client("S")
    play.server("SA").moves_to("SYN_RECV")


def fin_wait(play: Play) -> None:
    """The first FIN, and no answer."""
    talked(play).client("FA").moves_to("FIN_WAIT")


def close_wait(play: Play) -> None:
    """The FIN is acknowledged: half closed."""
    fin_wait(play)
    play.server("A").moves_to("CLOSE_WAIT")


def last_ack(play: Play) -> None:
    """The other FIN, and no last ACK."""
    close_wait(play)
    play.server("FA").moves_to("LAST_ACK")


def time_wait(play: Play) -> None:
    """Closed by both ends."""
    last_ack(play)
    play.client("A").moves_to("TIME_WAIT")


def closed(play: Play) -> None:
    """The server has reset the connection."""
    talked(play).server("R").moves_to("CLOSE")


def rst_unverified(play: Play) -> None:
    """A RST in the window, but not on the number that the client expects."""
    talked(play).server("R", seq=300).stays("ESTABLISHED")


def unacknowledged(play: Play) -> None:
    """The server has gone: the client's data is not acknowledged."""
    talked(play).client("A", 10).accepted("session")


def retransmitted(play: Play) -> None:
    """The server's window is closed, and does not open any more."""
    talked(play).server("A", window=0).accepted("session")


TCP_STORIES: Final[dict[str, tuple[Callable[[Play], None], str]]] = {
    "tcp_syn_sent": (syn_sent, "expired"),
    "tcp_syn_recv": (syn_recv, "expired"),
    "tcp_fin_wait": (fin_wait, "expired"),
    "tcp_close_wait": (close_wait, "expired"),
    "tcp_last_ack": (last_ack, "expired"),
    "tcp_time_wait": (time_wait, "closed_by_fin"),
    "tcp_closed": (closed, "closed_by_rst"),
    "tcp_rst_unverified": (rst_unverified, "expired"),
    "tcp_unacknowledged": (unacknowledged, "expired"),
    "tcp_retransmitted": (retransmitted, "expired"),
}


def timers(*names: str) -> list[tuple[str, str, str]]:
    """Every device that has one of these timers: its name, the timer's, the time."""
    return [
        (device, name, DEVICES[device].timers[name])
        for device in DEVICES
        for name in names
        if name in DEVICES[device].timers
    ]


@pytest.mark.parametrize(("name", "timer", "time"), timers(*TCP_STORIES))
def test_a_connection_is_forgotten_in_each_state_after_its_time(
    name: str, timer: str, time: str
) -> None:
    """Handshakes that stay half open, and each step of a close; nobody is ever told of those."""
    story, reason = TCP_STORIES[timer]
    play = begun(name)
    story(play)
    gone_after(play, time, reason=reason)


@pytest.mark.parametrize("name", those(asks=None))
def test_an_open_connection_is_forgotten_after_its_time_and_the_ends_hear_of_it_or_not(
    name: str,
) -> None:
    """To the nanosecond; a RST has the numbers that its receiver expects, or those of old."""
    device = DEVICES[name]
    play = talked(begun(name))
    left = duration(device.timers[OPEN])
    play.wait(f"{left - 1}ns").nothing_ends().says_nothing()
    numbers = {
        "client": "seq 1 ack 1" if device.stale else "seq 201 ack 101",
        "server": "seq 1 ack 1" if device.stale else "seq 101 ack 201",
    }
    told = [f"{end} gets RA {numbers[end]}" for end in device.told]
    play.wait("1ns").expires("ESTABLISHED").says(*told)


@pytest.mark.parametrize(("name", "timer", "time"), timers("udp_unreplied", "udp_replied"))
def test_udp_is_forgotten_after_its_time(name: str, timer: str, time: str) -> None:
    """Before and after the answer; an answer that comes too late is a stranger."""
    play = begun(name)
    conversation = play.udp()
    conversation.client().opens("UDP_UNREPLIED")
    if timer == "udp_replied":
        conversation.server().moves_to("UDP_REPLIED")
    gone_after(play, time, conversation=conversation)
    if DEVICES[name].outside_opens:
        conversation.server().opens("UDP_UNREPLIED")
    else:
        conversation.server().dropped("denied")


@pytest.mark.parametrize(("name", "timer", "time"), timers("icmp"))
def test_a_ping_is_answered_within_its_time(name: str, timer: str, time: str) -> None:
    """A slow echo reply vanishes."""
    play = begun(name)
    quick, slow = play.ping(1), play.ping(2)
    quick.client("echo").opens("ICMP")
    slow.client("echo").opens("ICMP")
    quick.server("answer").accepted("session")
    play.wait(f"{duration(time) - 1}ns").nothing_ends()
    play.wait("1ns").ends("expired", "expired")
    slow.server("answer").dropped("unknown_packet")


class Tunnel(Conversation):
    """Packets of a protocol without ports (GRE)."""

    protocol = 47

    def __init__(self, play: Play) -> None:
        super().__init__(play)
        self.ports = dict.fromkeys(self.address, 0)

    def send(self, end: Any, *arguments: Any, **named: Any) -> Outcome:
        """One end sends a packet."""
        data = wire.ip(self.address[end], self.address[end.other], 47, bytes(8))
        return self.play.receives(data, end, "gre", self)


@pytest.mark.parametrize(("name", "timer", "time"), timers("other"))
def test_any_other_protocol_is_forgotten_after_its_time(name: str, timer: str, time: str) -> None:
    """A tunnel, for one."""
    play = begun(name)
    tunnel = Tunnel(play)
    tunnel.client().opens("OTHER")
    tunnel.server().accepted("session")
    gone_after(play, time, conversation=tunnel)


DENIED: Final[dict[str, Callable[[Play], Outcome]]] = {
    "tcp_discard": lambda play: play.server("S", ack=0),
    "udp_discard": lambda play: play.udp().server(),
    "other_discard": lambda play: Tunnel(play).server(),
}


@pytest.mark.parametrize(("name", "timer", "time"), timers(*DENIED))
def test_a_denial_is_remembered_for_its_time(name: str, timer: str, time: str) -> None:
    """No packet prolongs it, and nobody who tries again is judged again before it is over."""
    play, attempt = begun(name), DENIED[timer]
    attempt(play).dropped("denied")
    play.wait(f"{duration(time) - 1}ns").nothing_ends()
    attempt(play).dropped("discarded")
    play.wait("1ns").ends("expired")
    attempt(play).dropped("denied")


# -- what comes too late --------------------------------------------------------------------------


def forgotten(name: str) -> Play:
    """A connection whose time is over, and whatever was said then is said."""
    play = talked(begun(name))
    play.wait(DEVICES[name].timers[OPEN])
    asks = DEVICES[name].asks
    if asks is not None:
        for _ in range(asks[1]):
            play.wait(asks[0])
    assert play.conversation.find() is None
    return play


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("end", ["client", "server"])
def test_data_after_the_connection_was_forgotten(name: str, end: str) -> None:
    """What each end notices when it goes on: nothing, a RST to itself alone, or nothing at all."""
    device = DEVICES[name]
    play = forgotten(name)
    if end == "client":
        late, fate, rst = play.client("A", 10), device.late_client, "client gets R seq 201"
    else:
        late, fate, rst = play.server("A", 10), device.late_server, "server gets R seq 101"
    if fate == "drop":
        late.dropped("unknown_packet").says_nothing()
    elif fate == "reset":
        late.dropped("unknown_packet", "reset").says(rst)
    elif fate == "denied":
        late.dropped("denied").says_nothing()
    else:
        assert fate == "picked up"
        late.picked_up().says_nothing()


@pytest.mark.parametrize("name", those(late_client="picked up", trusts="at once"))
def test_what_was_picked_up_is_as_good_as_before(name: str) -> None:
    """Nothing tells that the connection was ever forgotten; a full table spares it, too."""
    play = forgotten(name)
    play.client("A", 10).picked_up()
    assert play.conversation.session.assured
    play.server("A").accepted("session").ends_up_alive(within=DEVICES[name].timers[OPEN])


def test_ovs_trusts_what_it_picked_up_when_the_other_end_answers() -> None:
    """30 seconds until then, whoever sends; a day from then on."""
    play = forgotten("ovs-userspace")
    play.client("A", 10).picked_up().ends_up_alive(within="30s")
    play.wait("29s").nothing_ends()
    play.server("A").accepted("session").ends_up_alive(within="24h")


@pytest.mark.parametrize("name", ["linux-conntrack", "kube-proxy", "mikrotik"])
def test_linux_trusts_what_it_picked_up_when_the_other_end_answers(name: str) -> None:
    """Five minutes until then, and no protection when the table is full."""
    play = forgotten(name)
    play.client("A", 10).picked_up().ends_up_alive(within="5m")
    assert not play.conversation.session.assured
    play.server("A").accepted("session").ends_up_alive(within=DEVICES[name].timers[OPEN])
    assert play.conversation.session.assured


def test_ovs_forgets_what_nobody_answers() -> None:
    """The server is gone, or has never known of it."""
    play = forgotten("ovs-userspace")
    play.client("A", 10).picked_up()
    play.wait("29s").nothing_ends()
    play.wait("1s").expires("ESTABLISHED")


def test_vpp_never_trusts_what_it_picked_up() -> None:
    """It has seen no SYN, so two minutes of silence end it for as long as it lives."""
    play = forgotten("vpp-acl")
    play.client("A", 10).picked_up()
    for _ in range(3):
        play.server("A").accepted("session")
        play.wait("119s").nothing_ends()
        play.client("A", 10).accepted("session").ends_up_alive(within="2m")
    play.wait("2m").expires("ESTABLISHED")


@pytest.mark.parametrize("name", DEVICES)
def test_who_may_open_connections(name: str) -> None:
    """The client of every device; the server only of those that stand in nobody's way."""
    begun(name).client("S").opens("SYN_SENT")
    attempt = begun(name).server("S", ack=0)
    if DEVICES[name].outside_opens:
        attempt.opens("SYN_SENT")
    else:
        attempt.dropped("denied").says_nothing()


@pytest.mark.parametrize("name", DEVICES)
def test_who_may_ping(name: str) -> None:
    """Some services carry no ICMP queries."""
    attempt = begun(name).ping().client("echo")
    if DEVICES[name].pings:
        attempt.opens("ICMP")
    else:
        attempt.dropped("denied")


@pytest.mark.parametrize("name", DEVICES)
def test_whether_numbers_that_cannot_be_are_dropped(name: str) -> None:
    """A balancer that looks at flags alone lets them pass."""
    late = talked(begun(name)).client("A", 10, seq=10**8)
    if DEVICES[name].strict:
        late.dropped("out_of_window")
    else:
        late.accepted("session")


# -- what keeps a connection ----------------------------------------------------------------------


@pytest.mark.parametrize("name", those(asks=None))
def test_whether_keepalives_keep_an_idle_connection(name: str) -> None:
    """A probe of the client's and its answer, just in time: with most devices that is enough."""
    device = DEVICES[name]
    play = talked(begun(name))
    time = device.timers[OPEN]
    play.wait(f"{duration(time) - 10**9}ns").nothing_ends()
    play.client("A", seq=100).probes()
    play.server("A").accepted("session")
    if device.keepalives:
        gone_after(play, time)
    else:
        gone_after(play, "1s")


def kept(play: Play, says: Callable[[], Outcome], time: str) -> bool:
    """Does the session outlive its time if only this is said in the middle of it?"""
    half = duration(time) // 2
    play.wait(f"{half}ns").nothing_ends()
    says().accepted("session")
    return not play.wait(f"{half + 1}ns").effects


KEEPS: Final = {"either": (True, True), "client": (True, False), "both": (False, False)}
"""Whether the client alone, and the server alone, keep a connection."""


@pytest.mark.parametrize("name", those(asks=None))
@pytest.mark.parametrize("end", ["client", "server"])
def test_whose_packets_keep_an_open_connection(name: str, end: str) -> None:
    """Those of either end, with most devices."""
    device = DEVICES[name]
    play = talked(begun(name))
    size = 10 if device.payload_only else 0
    says = {"client": play.client, "server": play.server}[end]
    is_kept = kept(play, lambda: says("A", size), device.timers[OPEN])
    assert is_kept is KEEPS[device.tcp_kept_by][end == "server"]


@pytest.mark.parametrize(
    "name", [name for name in DEVICES if "udp_replied" in DEVICES[name].timers]
)
@pytest.mark.parametrize("end", ["client", "server"])
def test_whose_datagrams_keep_a_flow(name: str, end: str) -> None:
    """A server that streams to a silent client is cut off by some devices."""
    device = DEVICES[name]
    play = begun(name)
    conversation = play.udp()
    conversation.client()
    conversation.server().moves_to("UDP_REPLIED")
    says = {"client": conversation.client, "server": conversation.server}[end]
    assert (
        kept(play, says, device.timers["udp_replied"]) is KEEPS[device.udp_kept_by][end == "server"]
    )


@pytest.mark.parametrize("name", those(udp_kept_by="both"))
def test_a_flow_that_both_ends_have_to_keep_lives_if_they_do(name: str) -> None:
    """UDP keepalives of one side are not enough for the NAT gateway of Azure; of two they are."""
    play = begun(name)
    conversation = play.udp()
    conversation.client()
    conversation.server()
    for _ in range(3):
        play.wait("3m").nothing_ends()
        conversation.client().accepted("session")
        conversation.server().accepted("session")


def test_data_keeps_a_connection_that_only_data_keeps() -> None:
    """The application balancer: a byte a minute is enough, a bare ACK is not."""
    play = talked(begun("aws-alb"))
    play.wait("59s").nothing_ends()
    play.client("A", 1).accepted("session")
    play.wait("59s").nothing_ends()
    play.server("A").accepted("session")
    play.wait("1s").expires("ESTABLISHED")


def test_a_keepalive_with_an_octet_in_it_is_no_data() -> None:
    """Old stacks send one octet that was sent before; the application balancer is not misled."""
    play = talked(begun("aws-alb"))
    play.wait("59s").nothing_ends()
    play.client("A", 1, seq=100).probes()
    play.wait("1s").expires("ESTABLISHED")


def goes_on(play: Play) -> Outcome:
    """The end that has not closed sends, and is answered."""
    play.server("A", 10).accepted("session")
    return play.client("A")


REPEATED: Final[dict[str, Callable[[Play], Outcome]]] = {
    "tcp_syn_sent": lambda play: play.client("S", seq=0),
    "tcp_syn_recv": lambda play: play.server("A"),
    "tcp_close_wait": goes_on,
    "tcp_last_ack": lambda play: play.server("FA", seq=201),
    "tcp_time_wait": lambda play: play.client("A"),
    "tcp_closed": lambda play: play.client("A"),
}
"""What comes after the story of a timer, and leaves the state as it is."""


@pytest.mark.parametrize(
    ("name", "timer", "time"),
    [
        (name, timer, time)
        for name, timer, time in timers(*REPEATED)
        if duration(time) and DEVICES[name].tcp_kept_by == "either"
    ],
)
def test_whether_a_packet_prolongs_a_handshake_or_a_close(name: str, timer: str, time: str) -> None:
    """Where the time is fixed a half-closed transfer ends after two minutes however busy it is."""
    device, play = DEVICES[name], begun(name)
    story, reason = TCP_STORIES[timer]
    story(play)
    half = duration(time) // 2
    play.wait(f"{half}ns").nothing_ends()
    REPEATED[timer](play).accepted("session")
    rest = play.wait(f"{duration(time) - half}ns")
    if timer in device.absolute:
        rest.ends(reason)
    else:
        rest.nothing_ends()
        play.wait(f"{half}ns").ends(reason)


@pytest.mark.parametrize("name", DEVICES)
def test_the_timers_that_no_packet_restarts_are_those_of_the_device(name: str) -> None:
    """Also those that no story above tells."""
    assert set(load(profile=name).refresh.absolute) == set(DEVICES[name].absolute)


@pytest.mark.parametrize("name", DEVICES)
def test_a_fin_that_is_repeated_does_not_cut_off_who_has_not_closed(name: str) -> None:
    """The ACK to it was slow; the other end has a long answer to send, and sends it."""
    play = begun(name)
    fin_wait(play)
    by_end = DEVICES[name].counts_fins == "by end"
    again = play.client("FA", seq=101)
    again.stays("FIN_WAIT") if by_end else again.moves_to("LAST_ACK")
    answer = play.server("A")
    answer.moves_to("CLOSE_WAIT" if by_end else "TIME_WAIT").nothing_ends()
    for _ in range(20):
        play.wait("50ms").nothing_ends()
        play.server("A", 1000).accepted("session").nothing_ends()
        play.client("A").accepted("session").nothing_ends()


@pytest.mark.parametrize("name", DEVICES)
def test_the_last_ack_is_the_one_that_covers_the_last_fin(name: str) -> None:
    """Those to the data before it are on their way when it passes; they find a session."""
    play = begun(name)
    close_wait(play)
    play.server("A", 1000)
    play.server("FA", 1000).moves_to("LAST_ACK")
    early = play.client("A", ack=1201)
    if DEVICES[name].counts_fins == "by end":
        early.stays("LAST_ACK")
        play.client("A").moves_to("TIME_WAIT")
    else:
        early.moves_to("TIME_WAIT")
        play.client("A").stays("TIME_WAIT")


def test_what_a_rst_that_was_not_believed_leaves_behind_is_lifted_by_the_next_packet() -> None:
    """PAN-OS and Linux: an attacker's guess does not shorten the life of a busy connection."""
    for name in ("palo-alto", "linux-conntrack"):
        play = begun(name)
        rst_unverified(play)
        after = play.client("A", ack=201).accepted("session")
        after.ends_up_alive(within=DEVICES[name].timers[OPEN])


@pytest.mark.parametrize("name", ["linux-conntrack", "kube-proxy", "mikrotik"])
def test_linux_gives_up_sooner_on_an_end_that_repeats_itself(name: str) -> None:
    """Three times the same segment: five minutes, however long an idle connection would live."""
    play = talked(begun(name))
    for _ in range(2):
        play.client("A").ends_up_alive(within=DEVICES[name].timers[OPEN])
    play.client("A").ends_up_alive(within="5m")


# -- devices that ask -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, device in DEVICES.items() if device.asks])
def test_ends_that_answer_keep_their_connection(name: str) -> None:
    """Each is asked at expiry, by an ACK one below what it expects."""
    play = talked(begun(name))
    time = DEVICES[name].timers[OPEN]
    for _ in range(2):
        play.wait(time).nothing_ends().says(
            "client gets A seq 200 ack 101", "server gets A seq 100 ack 201"
        )
        play.client("A").accepted("session")
        play.server("A").accepted("session").ends_up_alive(within=time)


@pytest.mark.parametrize("name", [name for name, device in DEVICES.items() if device.asks])
def test_an_end_that_does_not_answer_costs_the_connection(name: str) -> None:
    """After the last question, silently."""
    asks = DEVICES[name].asks
    assert asks is not None
    interval, questions = asks
    play = talked(begun(name))
    play.wait(DEVICES[name].timers[OPEN]).nothing_ends()
    play.client("A").accepted("session")
    for _ in range(questions - 1):
        play.wait(interval).nothing_ends().says("server gets A seq 100 ack 201")
    play.wait(f"{duration(interval) - 1}ns").nothing_ends().says_nothing()
    play.wait("1ns").ends("unanswered").says_nothing()


@pytest.mark.parametrize("name", [name for name, device in DEVICES.items() if device.asks])
def test_half_closed_connections_are_not_asked(name: str) -> None:
    """They end at their time, in silence."""
    play = begun(name)
    close_wait(play)
    play.wait(DEVICES[name].timers["tcp_close_wait"]).ends("expired").says_nothing()


# -- a table that fills ---------------------------------------------------------------------------


def crowded(name: str, sessions: int, of: int = 10) -> Play:
    """So many open connections in a small table of this device."""
    play = Play().follows(replace(made(name), capacity=of))
    for number in range(sessions):
        play.tcp(1000 + number).establish()
    return play


@pytest.mark.parametrize("name", ["pf", "pfsense", "pf-aggressive", "pf-conservative"])
def test_pf_scales_every_timer_from_60_percent_on(name: str) -> None:
    """(end - states) / (end - start), with 60 and 120 percent: at 90 % half of a timer is left.

    The table is walked through once a second, as pf does every ten.
    """
    time = duration(DEVICES[name].timers[OPEN])
    crowded(name, 6).wait(f"{time - 1}ns").nothing_ends()
    for sessions, part in ((9, 2), (10, 3)):
        play = crowded(name, sessions)
        play.wait(f"{time // part - 10**9}ns").nothing_ends()
        assert len(play.wait("2s").effects) >= 1


def test_pan_os_runs_twice_as_fast_from_80_percent_on() -> None:
    """An hour becomes half of one, until the table is emptier."""
    for sessions, reason in ((79, "session"), (80, "unknown_packet")):
        play = crowded("palo-alto", sessions, of=100)
        play.pass_unswept("30m")
        late = play.receives(play.tcp(1000).segment(INSIDE, "A", 1, 1), INSIDE)
        assert late.decision.reason.word == reason


def test_junos_leaves_twenty_seconds_when_the_table_is_full() -> None:
    """Both watermarks are at 100 percent unless they are set: one less, and all is as before."""
    crowded("juniper-srx", 99, of=100).wait("29m").nothing_ends()
    play = crowded("juniper-srx", 100, of=100)
    play.wait("19s").nothing_ends()
    assert len(play.wait("1s").effects) >= 1
    play = crowded("juniper-srx", 100, of=100)
    play.kill(play.tcp(1000))
    play.wait("29m").nothing_ends()


@pytest.mark.parametrize("name", DEVICES)
def test_what_a_full_table_does_with_a_new_connection(name: str) -> None:
    """Refuse it; take an unassured one's place; or the place of the one that was quiet longest."""
    play = crowded(name, 4, of=4)
    attempt = play.tcp(1).client("S")
    if name in EVICTS:
        attempt.opens("SYN_SENT").ends("evicted")
    else:
        attempt.dropped("table_full").nothing_ends()


EVICTS: Final = {
    # nothing is documented of these: fwemu's own default, the least recently used one goes
    "sonicwall", "huawei-usg", "stonesoft", "kaspersky-ngfw", "clavister", "cisco-staros", "gta",
    "ipvs", "docker-swarm", "vpp-nat44", "rfc5382", "gvisor", "nsx-dfw", "nsx-gateway", "nsx-edge",
    "aws-nlb", "aws-gwlb", "aws-gwlb-reset", "aws-alb", "aws-network-firewall",
    "azure-load-balancer", "azure-load-balancer-reset", "azure-firewall",
    "azure-firewall-east-west", "gcp-cloud-nat", "gcp-nlb-internal", "gcp-nlb-external",
    # a least recently used map
    "cilium",
}  # fmt: skip


@pytest.mark.parametrize("name", ["linux-conntrack", "kube-proxy", "mikrotik", "vpp-acl"])
def test_a_full_table_evicts_only_what_is_not_assured(name: str) -> None:
    """A handshake that is not over gives way, and nothing else."""
    play = crowded(name, 3, of=4)
    play.tcp(1).client("S")
    play.tcp(2).client("S").opens("SYN_SENT").ends("evicted").ends_conversations(play.tcp(1))


# -- answers by pair of networks ------------------------------------------------------------------


def test_a_rule_gives_azure_firewall_both_of_its_personalities() -> None:
    """East-west by the rule in its notes, north-south by the rest of the profile."""
    rule = '{action="allow", from="inside", to="10.0.2.0/24", idle_timeout="5m", expiry="silent"}'
    both = policy(load(profile="azure-firewall", settings=[f"rules=[{rule}]"]))
    east_west = talked(Play().follows(both))
    east_west.wait("299s").nothing_ends()
    east_west.wait("1s").expires("ESTABLISHED").says_nothing()

    elsewhere = policy(
        load(profile="azure-firewall", settings=[f"rules=[{rule.replace('10.0.2.', '10.9.9.')}]"])
    )
    north_south = talked(Play().follows(elsewhere))
    north_south.wait("239s").nothing_ends()
    ended = north_south.wait("1s").expires("ESTABLISHED")
    ended.says("client gets RA seq 201 ack 101", "server gets RA seq 101 ack 201")


# -- the router that remembers nothing ------------------------------------------------------------


def test_the_router_lets_any_ack_in_however_long_it_was_quiet() -> None:
    """No session, no timer: what was open a year ago still is."""
    play = begun("router-acl")
    play.client("S").accepted("permitted")
    play.server("SA").accepted("permitted")
    play.wait("8760h").nothing_ends()
    play.server("A", 10).accepted("permitted")
    assert not list(play.firewall.table)


def test_the_router_lets_nobody_in_who_opens() -> None:
    """A bare SYN has neither ACK nor RST."""
    begun("router-acl").server("S", ack=0).dropped("denied")


def test_the_router_lets_udp_in_above_1023_and_any_icmp() -> None:
    """The holes of the lists of that time."""
    play = begun("router-acl")
    play.udp(40000, 53).server().accepted("permitted")
    play.udp(161, 53).server().dropped("denied")
    play.ping().send(OUTSIDE, "echo").accepted("permitted")


def test_every_row_is_of_its_kind() -> None:
    """A misspelt word in a row would choose the wrong branch of a test."""
    fates = {"drop", "reset", "picked up", "denied"}
    for device in DEVICES.values():
        assert isinstance(device, Device)
        assert {device.late_client, device.late_server} <= fates
        assert {device.tcp_kept_by, device.udp_kept_by} <= KEEPS.keys()
        assert device.trusts in ("at once", "answered", "never")
        assert device.counts_fins in ("by end", "by flags")
        assert set(device.told) <= {"client", "server"}
        assert set(device.absolute) <= device.timers.keys()
