"""Failover, reboot and policy push on real sockets: which connections survive, and who hears it."""

import socket
from collections.abc import Iterator

import pytest

from fwemu.lab import Lab
from tests.kit.labs import (
    PATIENCE,
    SOON,
    Log,
    Wire,
    connected,
    count,
    datagrams,
    dropped,
    eventually,
    family,
    listening,
    receive,
    resets_sent_by_kernel,
    say,
    what_comes,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])

LAG = 0.5
"""Seconds."""


@pytest.fixture
def up_again(lab: Lab) -> Iterator[Lab]:
    """However the test ends, the shared firewall is no longer rebooting."""
    yield lab
    lab.firewall.reboot("0s")


def seconds_pass(lab: Lab, seconds: float) -> None:
    """By the firewall's own clock."""
    begin = lab.firewall.statistics()["uptime_s"]
    eventually(lambda: lab.firewall.statistics()["uptime_s"] > begin + seconds, what="time")


@VERSIONS
def test_a_connection_survives_a_failover_to_a_synchronised_peer(lab: Lab, version: int) -> None:
    """Both ends go on in mid-stream, with windows that scale, and nobody has sent a RST."""
    log = Log(lab)
    with connected(lab, version) as pair, Wire(lab.client) as near, Wire(lab.server) as far:
        say(pair.client, pair.server)
        assert lab.firewall.fail_over(state="synchronised")["kept"] == 1
        for size in (5, 50_000, 50_000):
            say(pair.client, pair.server, bytes(size))
            say(pair.server, pair.client, bytes(size))
        assert near.heard_rsts() == far.heard_rsts() == []
        assert dropped(lab).get("out_of_window", 0) == 0
        assert log("torn_down") == []
        assert [event["kept"] for event in log("failed_over")] == [1]


@VERSIONS
def test_a_connection_ends_in_silence_where_the_peer_knows_nothing(lab: Lab, version: int) -> None:
    """Its next packet is an unknown one; the kernel repeats it in vain."""
    log = Log(lab)
    with connected(lab, version) as pair, Wire(lab.client) as near, Wire(lab.server) as far:
        assert lab.firewall.fail_over(state="none")["lost"] == 1
        pair.client.sendall(b"still there?")
        eventually(lambda: len(log("denied", reason="unknown_packet")) >= 2, what="repetitions")
        assert what_comes(pair.server, within=SOON) == "nothing"
        assert near.heard_rsts() == far.heard_rsts() == []
    (ended,) = log("torn_down")
    assert ended["reason"] == "failed_over"
    assert count(lab.firewall.statistics(), "sessions_ended", "tcp", "failed_over") >= 1


def test_a_peer_that_resets_tells_who_asks_first(lab: Lab) -> None:
    """The client's kernel closes; the server's, which has not asked, still believes in it."""
    lab.firewall.configure(["unknown.inside=reset"])
    with connected(lab) as pair:
        lab.firewall.fail_over()
        before = resets_sent_by_kernel(lab.server)
        pair.client.sendall(b"still there?")
        assert what_comes(pair.client) == "ECONNRESET"
        assert what_comes(pair.server, within=SOON) == "nothing"
        assert resets_sent_by_kernel(lab.server) == before


def test_a_connection_younger_than_the_lag_dies_and_an_older_one_lives(lab: Lab) -> None:
    """The peer had not heard of it yet."""
    lab.firewall.configure(
        ["unknown.inside=reset", "standby.state=synchronised", f"standby.lag={LAG}s"]
    )
    with connected(lab) as older:
        seconds_pass(lab, LAG)
        with connected(lab) as younger:
            done = lab.firewall.fail_over()
            assert (done["kept"], done["lost"], done["lag_s"]) == (1, 1, LAG)
            younger.client.sendall(b"still there?")
            assert what_comes(younger.client) == "ECONNRESET"
            say(older.client, older.server)
            say(older.server, older.client)


def test_a_connection_that_was_killed_lives_on_with_a_peer_that_lags(lab: Lab) -> None:
    """It is as if it had never been killed: both ends never knew."""
    lab.firewall.configure(["standby.state=synchronised", "standby.lag=1h"])
    with connected(lab) as pair:
        # from now on the peer knows of it
        lab.firewall.configure(["standby.lag=30m"])
        lab.firewall.kill(match={"port": pair.port})
        done = lab.firewall.fail_over()
        assert (done["kept"], done["lost"], done["returned"]) == (0, 0, 1)
        say(pair.client, pair.server)
        say(pair.server, pair.client)


@VERSIONS
def test_nothing_passes_during_a_reboot_and_the_kernel_loses_nothing(
    up_again: Lab, version: int
) -> None:
    """Each drop is the emulated firewall's and says so; what the queue has lost stays as it was.

    A client that tries long enough gets through when it is up again.
    """
    lab = up_again
    lost = lab.firewall.statistics()["queue"]
    log = Log(lab)
    with (
        connected(lab, version) as pair,
        datagrams(lab.client, version) as sender,
        datagrams(lab.server, version) as receiver,
        listening(lab.server, version) as listener,
        Wire(lab.server) as far,
    ):
        assert lab.firewall.reboot("1500ms") == 1
        pair.client.sendall(b"still there?")
        for _ in range(20):
            sender.sendto(b"anybody?", receiver.getsockname())
        eventually(lambda: len(log("denied", reason="rebooting")) > 20, what="drops")
        with lab.client.namespace.enter():
            connection = socket.socket(family(version), socket.SOCK_STREAM)
        with connection:
            connection.settimeout(PATIENCE)
            connection.connect(listener.getsockname()[:2])
            connection.sendall(b"at last")
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(PATIENCE)
                assert receive(accepted, 7) == b"at last"
        assert [frame for frame in far.frames if frame.protocol == 17] == []
    (noted,) = log("rebooting")
    assert noted["sessions"] == 1
    assert len(log("torn_down", reason="rebooted")) == 1
    opened = [event for event in log("built") if event["number"] > noted["number"]]
    assert [event["protocol"] for event in opened] == ["tcp"]
    assert opened[0]["at_s"] - noted["at_s"] >= 1.5
    after = lab.firewall.statistics()
    for limit in ("lost_queue_full", "lost_buffer_full"):
        assert after["queue"][limit] == lost[limit]
    assert after["packets"]["drop"]["rebooting"] >= 21


@VERSIONS
def test_a_policy_push_that_flushes_is_one_step(lab: Lab, version: int) -> None:
    """A busy connection finds no moment between the new settings and the empty table."""
    log = Log(lab)
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        lab.firewall.configure(["unknown.inside=pick-up", "unknown.outside=pick-up"], flush=True)
        say(pair.client, pair.server)
    (ended,) = log("torn_down", reason="flushed")
    built = [event for event in log("built") if event["picked_up"]]
    assert len(built) == 1
    (noted,) = log("configured")
    assert noted["flushed"] is True
    assert noted["number"] < ended["number"] < built[0]["number"]
