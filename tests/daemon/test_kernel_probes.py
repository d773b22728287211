"""What the firewall says at expiry beyond a plain RST, and how real TCP stacks take it."""

import pytest

from fwemu.lab import Lab
from tests.kit.labs import (
    SOON,
    Log,
    Wire,
    connected,
    deaf,
    eventually,
    say,
    vanish,
    what_comes,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])

DETECTION = [
    "expiry.action=probe",
    "expiry.retry_interval=200ms",
    "expiry.max_retries=2",
    "timeouts.tcp_established=300ms",
]


@VERSIONS
def test_living_ends_answer_the_probes_and_keep_their_session(lab: Lab, version: int) -> None:
    """Dead connection detection: both kernels answer, and no application notices."""
    lab.firewall.configure(DETECTION)
    log = Log(lab)
    with connected(lab, version) as pair:
        say(pair.client, pair.server, b"x" * 1000)
        eventually(lambda: len(log("injected", kind="probe")) >= 6, what="three rounds of probes")
        assert not log("torn_down")
        (session,) = lab.firewall.sessions()
        assert session["age_s"] > 0.6
        say(pair.server, pair.client)
        say(pair.client, pair.server)
        assert not log("denied")


@VERSIONS
def test_a_client_that_knows_nothing_of_it_any_more_ends_the_session(
    lab: Lab, version: int
) -> None:
    """Its kernel answers the probe with a RST, which goes on to the server: the way of a reboot."""
    lab.firewall.configure([*DETECTION, "timeouts.tcp_closed=0s"])
    log = Log(lab)
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        vanish(pair.client)
        assert what_comes(pair.server) == "ECONNRESET"
        (ended,) = eventually(lambda: log("torn_down"), what="the end")
        assert ended["reason"] == "closed_by_rst"


@VERSIONS
def test_ends_that_cannot_answer_lose_their_session(lab: Lab, version: int) -> None:
    """The server is cut off: after the last question the session ends, and nobody is told."""
    lab.firewall.configure(DETECTION)
    log = Log(lab)
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        with deaf(lab.server):
            (ended,) = eventually(lambda: log("torn_down"), what="the end")
        assert ended["reason"] == "unanswered"
        asked = [event["zone"] for event in log("injected", kind="probe")]
        assert asked[-3:] == ["inside", "outside", "outside"]
        assert what_comes(pair.client, within=SOON) == "nothing"


@VERSIONS
def test_both_ends_ignore_a_stale_rst(lab: Lab, version: int) -> None:
    """The numbers of the handshake: the RST arrives, and nothing happens (FortiOS with offload)."""
    lab.firewall.configure(["expiry.action=reset-both", "expiry.sequence=stale"])
    log = Log(lab)
    with connected(lab, version) as pair, Wire(lab.client) as near, Wire(lab.server) as far:
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        lab.firewall.configure(["timeouts.tcp_established=1ms"])
        eventually(lambda: log("torn_down", reason="expired"), what="expiry")
        lab.firewall.configure(["timeouts.tcp_established=1h", "unknown.inside=reset"])
        eventually(lambda: near.heard_rsts() and far.heard_rsts(), what="the RSTs")
        assert what_comes(pair.client, within=SOON) == "nothing"
        assert what_comes(pair.server, within=SOON) == "nothing"
        pair.client.sendall(b"still there?")  # only now the client hears of it
        assert what_comes(pair.client) == "ECONNRESET"


@VERSIONS
def test_the_ttl_gives_the_firewall_away(lab: Lab, version: int) -> None:
    """The server's packets have come one hop; the RST in its name has a TTL of its own."""
    lab.firewall.configure(["unknown.inside=reset", "injected.ttl=200"])
    with connected(lab, version) as pair, Wire(lab.client) as wire:
        say(pair.server, pair.client)
        lab.firewall.flush()
        pair.client.sendall(b"still there?")
        assert what_comes(pair.client) == "ECONNRESET"
        (rst,) = wire.heard_rsts()
        assert rst.ttl == 200
        others = {frame.ttl for frame in wire.frames if not frame.outgoing and not frame.is_rst}
        assert others == {63}
