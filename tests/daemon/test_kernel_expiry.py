"""The moment of expiry on the real kernel, seen from both ends of a real connection."""

import socket
import time
from ipaddress import ip_interface

import pytest

from fwemu.lab import Lab
from tests.kit.labs import (
    SOON,
    Log,
    Pair,
    Wire,
    as_new,
    connected,
    count,
    eventually,
    resets_sent_by_kernel,
    say,
    what_comes,
    word,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])


def let_expire(lab: Lab) -> None:
    """Shorten the idle timeout so far that what is open expires now, and put it back."""
    log = Log(lab)
    lab.firewall.configure(["timeouts.tcp_established=1ms"])
    eventually(lambda: log("torn_down", reason="expired"), what="expiry")
    lab.firewall.configure(["timeouts.tcp_established=1h"])


ACTIONS = pytest.mark.parametrize(
    ("action", "client_hears", "server_hears"),
    [
        ("silent", "nothing", "nothing"),
        ("reset-both", "ECONNRESET", "ECONNRESET"),
        ("reset-original", "ECONNRESET", "nothing"),
        ("reset-reply", "nothing", "ECONNRESET"),
    ],
)


@VERSIONS
@ACTIONS
def test_each_end_hears_what_the_expiry_action_says(
    lab: Lab, version: int, action: str, client_hears: str, server_hears: str
) -> None:
    """And each RST is the firewall's: no end has sent one, though both seem to have."""
    lab.firewall.configure([f"expiry.action={action}"])
    resets_by_kernels = [resets_sent_by_kernel(host) for host in (lab.client, lab.server)]
    with (
        connected(lab, version) as pair,
        Wire(lab.client) as client_wire,
        Wire(lab.server) as server_wire,
    ):
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        let_expire(lab)
        for end, hears in ((pair.client, client_hears), (pair.server, server_hears)):
            assert what_comes(end, within=SOON if hears == "nothing" else 10) == hears
        for wire, hears in ((client_wire, client_hears), (server_wire, server_hears)):
            assert len(wire.heard_rsts()) == (hears == "ECONNRESET")
            assert wire.sent_rsts() == []
        # the RST seems to come from the other end
        for wire, peer in ((client_wire, pair.server), (server_wire, pair.client)):
            for frame in wire.heard_rsts():
                assert frame.source == peer.getsockname()[0]
        after = [resets_sent_by_kernel(host) for host in (lab.client, lab.server)]
        assert after == resets_by_kernels


@VERSIONS
@pytest.mark.parametrize("action", ["reset-original", "reset-reply"])
def test_original_is_whoever_opened_the_connection_not_the_inside(
    lab: Lab, version: int, action: str
) -> None:
    """A connection from the outside, let in by a rule, has its original end there."""
    lab.firewall.configure(
        ['rules=[{action="allow", from="outside", proto="tcp"}]', f"expiry.action={action}"]
    )
    with connected(lab, version, client=lab.server, server=lab.client) as pair:
        let_expire(lab)
        told, untold = pair.client, pair.server
        if action == "reset-reply":
            told, untold = untold, told
        assert what_comes(told) == "ECONNRESET"
        assert what_comes(untold, within=SOON) == "nothing"


@pytest.fixture
def quiet_second(lab: Lab) -> None:
    """An idle timeout of one second, for those tests that really wait."""
    lab.firewall.configure(["timeouts.tcp_established=1s", "expiry.action=reset-both"])


@VERSIONS
def test_a_blocked_recv_returns_after_the_idle_timeout_and_not_before(
    lab: Lab, quiet_second: None, version: int
) -> None:
    """The clock of the firewall is the clock of the application."""
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        began = time.monotonic()
        say(pair.server, pair.client)
        assert what_comes(pair.client) == "ECONNRESET"
        assert 1.0 <= time.monotonic() - began < 3.0


def test_traffic_in_either_direction_keeps_the_session_alive(lab: Lab, quiet_second: None) -> None:
    """Something every quarter of a second: longer than the timeout, and never idle."""
    with connected(lab) as pair:
        for turn in range(6):
            ends = (pair.client, pair.server) if turn % 2 else (pair.server, pair.client)
            assert what_comes(ends[0], within=0.25) == "nothing"
            say(*ends)
        assert what_comes(pair.client) == "ECONNRESET"


def keepalive(end: socket.socket, after: int) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, after)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, after)


@VERSIONS
def test_keepalive_probes_keep_a_session_alive_and_are_counted(lab: Lab, version: int) -> None:
    """What every DBA is told to switch on, seen to work: probe, answer, and not a byte of data."""
    lab.firewall.configure(
        ["timeouts.tcp_established=1500ms", 'daemon.log_events=["keepalive", "torn_down"]']
    )
    log = Log(lab)
    probes = lab.firewall.statistics()["keepalive_probes"]
    with connected(lab, version) as quiet, connected(lab, version) as kept:
        say(kept.client, kept.server)
        keepalive(kept.client, 1)
        eventually(lambda: len(log("keepalive")) >= 2, what="two probes")
        (ended,) = eventually(lambda: log("torn_down"), what="the end of the quiet session")
        assert ended["source_port"] == quiet.port
        say(kept.client, kept.server)
        say(kept.server, kept.client)
        assert {event["direction"] for event in log("keepalive")} == {"original"}
    now = lab.firewall.statistics()["keepalive_probes"]
    assert now["original"] - probes.get("original", 0) == len(log("keepalive"))
    assert now.get("reply", 0) == probes.get("reply", 0)


def test_a_server_that_probes_is_seen_in_the_reply_direction(lab: Lab) -> None:
    """Half of all keepalives in the world are the server's."""
    lab.firewall.configure(['daemon.log_events=["keepalive"]'])
    log = Log(lab)
    with connected(lab) as pair:
        say(pair.client, pair.server)
        keepalive(pair.server, 1)
        eventually(lambda: log("keepalive", direction="reply"), what="a probe of the server")


@VERSIONS
def test_keepalive_after_a_silent_expiry_is_what_finds_out(lab: Lab, version: int) -> None:
    """Too late to save the session, but early enough to tell the application: ETIMEDOUT."""
    with connected(lab, version) as pair:
        keepalive(pair.client, 1)
        pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
        let_expire(lab)
        assert what_comes(pair.client) == "ETIMEDOUT"


# -- unknown packets ------------------------------------------------------------------------------

RECVERR = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR: an ICMP error ends even a connection that is established."""

USER_TIMEOUT_MS = 400

REJECTED = {4: "EHOSTUNREACH", 6: "EACCES"}
"""What ICMP 3/13 and ICMPv6 1/1 become: icmp_err_convert in net/ipv4/icmp.c, icmpv6_err_convert
in net/ipv6/icmp.c.
"""


def hearing(pair: Pair, end: socket.socket) -> socket.socket:
    """The end, so that it finds out soon: ICMP errors are reported, and patience is short."""
    end.setsockopt(*RECVERR[pair.version], 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    return end


@VERSIONS
@pytest.mark.parametrize("zone", ["inside", "outside"])
@pytest.mark.parametrize("answer", ["drop", "reset", "reject", "pick-up"])
def test_a_sender_without_a_session_hears_what_its_zone_says(
    lab: Lab, version: int, zone: str, answer: str
) -> None:
    """The other end hears nothing of it, and no kernel had a part in it."""
    other = "outside" if zone == "inside" else "inside"
    allow = ['rules=[{action="allow", from="outside"}]'] if answer == "pick-up" else []
    lab.firewall.configure([f"unknown.{zone}={answer}", f"unknown.{other}=drop", *allow])
    before = lab.firewall.statistics()
    resets_by_kernels = [resets_sent_by_kernel(host) for host in (lab.client, lab.server)]
    with connected(lab, version) as pair:
        sender, receiver = pair.client, pair.server
        sending_host, receiving_host = lab.client, lab.server
        if zone == "outside":
            sender, receiver = receiver, sender
            sending_host, receiving_host = receiving_host, sending_host
        hearing(pair, sender)
        log = Log(lab)
        lab.firewall.flush()
        with Wire(sending_host) as near, Wire(receiving_host) as far:
            sender.sendall(b"still there?")
            if answer == "pick-up":
                assert receiver.recv(100) == b"still there?"
                say(receiver, sender)
                (session,) = lab.firewall.sessions()
                assert session["zone"] == zone
                assert log("built", picked_up=True)
                return
            expected = {"drop": "ETIMEDOUT", "reset": "ECONNRESET", "reject": REJECTED[version]}
            assert what_comes(sender) == expected[answer]
            assert far.frames == []
            assert len(near.heard_rsts()) == (answer == "reset")
            if answer == "reject":
                code = (3, 13) if version == 4 else (1, 1)
                assert {frame.more for frame in near.heard_errors()} == {code}
                # the firewall says so itself, with its own address on that side
                here = ip_interface(f"{sender.getsockname()[0]}/{24 if version == 4 else 64}")
                assert {frame.source for frame in near.heard_errors()} == {str(here.network[1])}
            else:
                assert near.heard_errors() == []
            assert near.sent_rsts() == []
        assert what_comes(receiver, within=SOON) == "nothing"
        refused = log("denied", reason="unknown_packet")
        assert {(event["zone"], event["answer"]) for event in refused} == {(zone, answer)}
        after = [resets_sent_by_kernel(host) for host in (lab.client, lab.server)]
        assert after == resets_by_kernels
    counted = ("unknown_packets", zone, answer)
    assert count(lab.firewall.statistics(), *counted) > count(before, *counted)


@VERSIONS
def test_without_recverr_an_established_connection_ignores_the_rejection(
    lab: Lab, version: int
) -> None:
    """RFC 5461: such an error is a soft one; the application sees only silence, until a timeout."""
    lab.firewall.configure(["unknown.inside=reject"])
    with connected(lab, version) as pair, Wire(lab.client) as wire:
        lab.firewall.flush()
        pair.client.sendall(b"anybody?")
        eventually(wire.heard_errors, what="the ICMP error")
        assert what_comes(pair.client, within=SOON) == "nothing"


@VERSIONS
def test_a_reset_that_is_believed_arrives_though_the_peer_has_sent_more(
    lab: Lab, version: int
) -> None:
    """The peer's data was lost after the expiry: the RST must still carry the number expected."""
    lab.firewall.configure(["unknown.inside=reset"])
    with connected(lab, version) as pair:
        say(pair.client, pair.server, b"x" * 1000)
        lab.firewall.flush()
        pair.server.sendall(b"lost")
        pair.client.sendall(b"hello")
        assert what_comes(pair.client) == "ECONNRESET"
        with pytest.raises(BrokenPipeError):
            pair.client.sendall(b"again")


# -- the same for a new connection: rules ----------------------------------------------------------


def connecting(lab: Lab, version: int, timeout: float = 10) -> str:
    """How an attempt to connect ends for the client: `connected`, an errno, or `nothing`."""
    ip = lab.server.ipv4 if version == 4 else lab.server.ipv6
    with lab.client:
        attempt = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6)
    with attempt:
        attempt.settimeout(timeout)
        try:
            attempt.connect((ip, 5000))
        except OSError as error:
            return word(error)
        return "connected"


@VERSIONS
def test_a_denied_connection_hears_nothing_and_a_rejected_one_an_errno(
    lab: Lab, version: int
) -> None:
    """A rule can be silent or polite; a RST is not in its power."""
    with Wire(lab.server) as wire, Wire(lab.client) as client_wire:
        lab.firewall.configure(['rules=[{action="deny", proto="tcp", ports=[5000]}]'])
        assert connecting(lab, version, timeout=SOON) == "nothing"
        assert client_wire.heard_errors() == []
        lab.firewall.configure(['rules=[{action="reject", proto="tcp", ports=[5000]}]'])
        assert connecting(lab, version) == REJECTED[version]
        assert client_wire.heard_rsts() == []
        assert wire.frames == []
    # without the rule it is the server that answers, by its own RST: nobody listens there
    as_new(lab)
    assert connecting(lab, version) == "ECONNREFUSED"
