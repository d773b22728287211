"""What the profiles mean for real sockets: who hears what, and by which errno.

One lab takes on one device after the other; only the idle time is shorter than on the device.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from fwemu.lab import Lab
from tests.kit.labs import (
    SOON,
    Log,
    Pair,
    Wire,
    behave_like,
    connected,
    eventually,
    say,
    what_comes,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])

IDLE: Final = "timeouts.tcp_established=700ms"
ESTABLISHED: Final = 1
"""TCP_ESTABLISHED (include/net/tcp_states.h), the first octet of TCP_INFO."""


class Scene:
    """A connection whose idle time has run out, and the wires of both ends."""

    def __init__(self, lab: Lab, pair: Pair, near: Wire, far: Wire, log: Log) -> None:
        self.lab, self.pair, self.near, self.far, self.log = lab, pair, near, far, log

    @property
    def resets(self) -> tuple[int, int]:
        """How many RSTs have come to the client and to the server."""
        return len(self.near.heard_rsts()), len(self.far.heard_rsts())

    def lives(self, end: socket.socket) -> bool:
        """Does the kernel of this end hold the connection for open?"""
        return end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED

    def hear_nothing(self) -> None:
        """Neither end is told anything, and both connections are open."""
        for end in (self.pair.client, self.pair.server):
            assert what_comes(end, within=SOON) == "nothing"
            assert self.lives(end)

    def says_into_nothing(self, end: socket.socket) -> None:
        """One end goes on; the segment is dropped, and nobody tells."""
        before = self.resets
        end.sendall(b"still there?")
        eventually(lambda: self.log("denied", reason="unknown_packet"), what="the drop")
        assert what_comes(end, within=SOON) == "nothing"
        assert self.lives(end)
        assert self.resets == before

    def says_and_is_reset(self, end: socket.socket) -> None:
        """One end goes on, and is told at once."""
        end.sendall(b"still there?")
        assert what_comes(end) == "ECONNRESET"


@contextmanager
def forgotten(lab: Lab, name: str, version: int) -> Iterator[Scene]:
    """A connection on which both ends have sent data, after its time under this profile."""
    behave_like(lab, name)
    log = Log(lab)
    with connected(lab, version) as pair, Wire(lab.client) as near, Wire(lab.server) as far:
        say(pair.client, pair.server, b"x" * 1000)
        say(pair.server, pair.client, b"y" * 2000)
        eventually(lambda: all_acknowledged(pair), what="the last ACK")
        lab.firewall.configure([IDLE])
        assert lab.firewall.sessions(), "it was open until now"
        (ended,) = eventually(lambda: log("torn_down"), what="the end")
        assert (ended["reason"], ended["state"]) == ("expired", "ESTABLISHED")
        yield Scene(lab, pair, near, far, log)


def all_acknowledged(pair: Pair) -> bool:
    """Nothing that an end has sent is still on its way (SIOCOUTQ)."""

    def waiting(end: socket.socket) -> int:
        return int(struct.unpack("i", fcntl.ioctl(end, 0x5411, bytes(4)))[0])

    return waiting(pair.client) == waiting(pair.server) == 0


@VERSIONS
def test_the_asa_resets_an_inside_sender(lab: Lab, version: int) -> None:
    """Nothing at expiry; the client that goes on hears at once that its connection is gone."""
    with forgotten(lab, "cisco-asa", version) as scene:
        scene.hear_nothing()
        assert scene.resets == (0, 0)
        scene.says_and_is_reset(scene.pair.client)
        assert scene.resets == (1, 0)


@VERSIONS
def test_the_asa_lets_an_outside_sender_wait(lab: Lab, version: int) -> None:
    """A server that speaks first, as after a long query, sends into nothing."""
    with forgotten(lab, "cisco-asa", version) as scene:
        scene.says_into_nothing(scene.pair.server)
        assert scene.resets == (0, 0)


@VERSIONS
@pytest.mark.parametrize("end", ["client", "server"])
def test_behind_the_balancer_of_azure_both_ends_hear_nothing(
    lab: Lab, version: int, end: str
) -> None:
    """Not when the time is over, and not when they go on: a black hole."""
    with forgotten(lab, "azure-load-balancer", version) as scene:
        scene.hear_nothing()
        scene.says_into_nothing(getattr(scene.pair, end))
        assert scene.resets == (0, 0)


@VERSIONS
@pytest.mark.parametrize("name", ["azure-load-balancer-reset", "fortigate-timeout-send-rst"])
def test_with_the_option_both_ends_are_reset_at_the_moment_of_expiry(
    lab: Lab, version: int, name: str
) -> None:
    """Neither has said a word, and both sockets fail."""
    with forgotten(lab, name, version) as scene:
        assert what_comes(scene.pair.client) == "ECONNRESET"
        assert what_comes(scene.pair.server) == "ECONNRESET"
        assert scene.resets == (1, 1)
        assert not scene.near.sent_rsts()
        assert not scene.far.sent_rsts()


@VERSIONS
def test_the_nat_gateway_of_aws_resets_the_next_inside_sender(lab: Lab, version: int) -> None:
    """Nothing at expiry."""
    with forgotten(lab, "aws-nat-gateway", version) as scene:
        scene.hear_nothing()
        assert scene.resets == (0, 0)
        scene.says_and_is_reset(scene.pair.client)
        assert scene.resets == (1, 0)


@VERSIONS
def test_the_nat_gateway_of_aws_does_not_hear_the_outside(lab: Lab, version: int) -> None:
    """No mapping, no way in, no answer."""
    with forgotten(lab, "aws-nat-gateway", version) as scene:
        scene.says_into_nothing(scene.pair.server)


@pytest.mark.parametrize("end", ["client", "server"])
def test_the_nat_gateway_of_azure_resets_whoever_goes_on(lab: Lab, end: str) -> None:
    """And only that one."""
    with forgotten(lab, "azure-nat-gateway", 4) as scene:
        scene.hear_nothing()
        scene.says_and_is_reset(getattr(scene.pair, end))
        assert scene.resets == ((1, 0) if end == "client" else (0, 1))


@VERSIONS
@pytest.mark.parametrize("end", ["client", "server"])
def test_both_ends_ignore_the_rst_of_an_offloaded_fortigate(
    lab: Lab, version: int, end: str
) -> None:
    """The RSTs arrive, no socket fails, and whoever then uses the connection waits for ever."""
    with forgotten(lab, "fortigate-offload", version) as scene:
        eventually(lambda: scene.resets == (1, 1), what="the RSTs")
        scene.hear_nothing()
        scene.says_into_nothing(getattr(scene.pair, end))
        assert scene.resets == (1, 1)


def test_linux_goes_on_as_if_nothing_had_been_forgotten(lab: Lab) -> None:
    """tcp_loose: the client's next data opens a session in mid-stream."""
    with forgotten(lab, "linux-conntrack", 4) as scene:
        lab.firewall.configure(["timeouts.tcp_established=5d"])
        say(scene.pair.client, scene.pair.server)
        say(scene.pair.server, scene.pair.client)
        (session,) = lab.firewall.sessions()
        assert session["state"] == "ESTABLISHED"


def test_dead_connection_detection_keeps_an_idle_connection(lab: Lab) -> None:
    """Both kernels answer the probes of the ASA; no application notices anything."""
    behave_like(lab, "cisco-asa-dcd")
    log = Log(lab)
    with connected(lab) as pair:
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        lab.firewall.configure([IDLE])
        eventually(lambda: len(log("injected", kind="probe")) >= 4, what="two rounds of probes")
        assert not log("torn_down")
        say(pair.client, pair.server)


def test_a_denial_is_remembered_by_pan_os(lab: Lab) -> None:
    """A server that tries to open a connection is discarded; a second try is not judged again."""
    behave_like(lab, "palo-alto")
    log = Log(lab)
    with lab.server.namespace.enter():
        attempt = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with attempt:
        attempt.settimeout(1.5)  # long enough for the kernel to repeat its SYN
        with pytest.raises(TimeoutError):
            attempt.connect((lab.client.ipv4, 9))
    eventually(lambda: log("denied", reason="discarded"), what="the second SYN")
    (session,) = lab.firewall.sessions()
    assert session["state"] == "TCP_DISCARD"


def test_the_balancer_that_counts_data_says_how_long_there_was_none(lab: Lab) -> None:
    """Keepalives come and go, and the numbers are those of the timer that runs out."""
    behave_like(lab, "aws-alb")
    log = Log(lab)
    with connected(lab) as pair:
        pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            pair.client.setsockopt(socket.IPPROTO_TCP, option, 11)
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        lab.fast_forward("56s")
        (session,) = lab.firewall.sessions()
        assert session["keepalive_probes"]["original"] >= 4
        assert round(session["idle_s"] + session["expires_in_s"]) == session["timeout_s"] == 60
        assert session["idle_s"] > 55
        lab.fast_forward("10s")
        (ended,) = log("torn_down")
    assert (ended["reason"], round(ended["idle_s"])) == ("expired", 60)
    assert "(its idle timer ran out), idle for 1m" in " ".join(lab.story().split())
