"""Fragments through the firewall, to a real stack that puts them together or does not."""

import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Callable

import pytest

from fwemu.core.flow import UDP
from fwemu.lab import Lab
from netns import Namespace
from tests.kit.ground import Ground
from tests.kit.labs import (
    SOON,
    Log,
    Wire,
    address,
    count,
    datagrams,
    dropped,
    eventually,
    what_comes,
)
from tests.kit.raw import fragments, packed, raw, udp

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])

PORT = 4000
EDGES = (1000, 2000)
"""Where the datagrams of these stories are cut in three."""

_numbers = itertools.count(1)


class Question:
    """A datagram of the client for the server, in fragments that nobody has sent yet."""

    def __init__(self, lab: Lab, version: int, server: socket.socket, size: int = 2800) -> None:
        self.payload = os.urandom(size - 8)
        ends = packed(lab.client, version), packed(lab.server, version)
        self.body = udp(ends, PORT, server.getsockname()[1], self.payload)
        self.number = next(_numbers)
        self.ends = ends
        self.parts = self.cut(EDGES)

    def cut(self, edges: tuple[int, ...]) -> list[bytes]:
        return fragments(self.ends, UDP, self.body, edges, self.number)


# -- any order ------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_a_datagram_arrives_whole_whatever_the_order(
    lab: Lab, version: int, order: tuple[int, ...]
) -> None:
    """What overtakes the first fragment waits in the firewall, and then follows it."""
    with datagrams(lab.server, version) as server, raw(lab.client) as client:
        question = Question(lab, version, server)
        for index in order:
            assert client.send(question.parts[index])
        assert server.recv(1 << 16) == question.payload
    statistics = lab.firewall.statistics()
    assert statistics["fragments_held"] == statistics["queue"]["waiting"] == 0
    (session,) = lab.firewall.sessions()
    assert session["packets"] == {"original": 1, "reply": 0}


@VERSIONS
def test_an_answer_arrives_whole_whatever_the_order(lab: Lab, version: int) -> None:
    """From the outside as well, with nothing but a session to let it in."""
    with (
        datagrams(lab.client, version, PORT) as client,
        datagrams(lab.server, version) as server,
        raw(lab.server) as sender,
    ):
        client.sendto(b"question", server.getsockname())
        server.recvfrom(100)
        ends = packed(lab.server, version), packed(lab.client, version)
        answer = os.urandom(2792)
        body = udp(ends, server.getsockname()[1], PORT, answer)
        for part in reversed(fragments(ends, UDP, body, EDGES, next(_numbers))):
            assert sender.send(part)
        assert client.recv(1 << 16) == answer


@VERSIONS
def test_each_fragment_is_counted_and_logged_once(lab: Lab, version: int) -> None:
    """When its verdict is known, and not before."""
    lab.firewall.configure(['daemon.log_events=["released", "denied"]'])
    log = Log(lab)
    before = lab.firewall.statistics()
    with datagrams(lab.server, version) as server, raw(lab.client) as client:
        question = Question(lab, version, server)
        client.send(question.parts[2])
        client.send(question.parts[1])
        eventually(lambda: lab.firewall.statistics()["fragments_held"] == 2, what="two that wait")
        waiting = lab.firewall.statistics()
        assert waiting["packets"] == before["packets"]
        assert waiting["queue"]["waiting"] == 0  # they wait for their first one, not for us
        assert log() == []
        client.send(question.parts[0])
        assert server.recv(1 << 16) == question.payload
    after = lab.firewall.statistics()
    for path, times in (
        (("packets", "accept", "fragment"), 2),
        (("packets", "accept", "opened"), 1),
    ):
        assert count(after, *path) - count(before, *path) == times
    released = log("released")
    assert [event["verdict"] for event in released] == ["accept", "accept"]
    assert {event["source"] for event in released} == {address(lab.client, version)}


# -- what overlaps --------------------------------------------------------------------------------


@VERSIONS
def test_overlapping_fragments_never_make_a_datagram(lab: Lab, version: int) -> None:
    """The stack behind the firewall gets no chance to choose between two versions of an octet."""
    before = count(dropped(lab), "overlapping_fragment")
    with (
        datagrams(lab.server, version) as server,
        raw(lab.client) as client,
        Wire(lab.server) as cable,
    ):
        question = Question(lab, version, server)
        first, _, last = question.parts
        _, over, _ = question.cut((992, 2000))
        _, middle, _ = question.parts
        for part in (first, over, middle, last):
            client.send(part)
        eventually(
            lambda: count(dropped(lab), "overlapping_fragment") == before + 3, what="three refusals"
        )
        assert what_comes(server, within=SOON) == "nothing"
        assert len(cable.frames) == 1


@VERSIONS
def test_a_repeated_fragment_is_no_attack(lab: Lab, version: int) -> None:
    """Some networks repeat packets."""
    with datagrams(lab.server, version) as server, raw(lab.client) as client:
        question = Question(lab, version, server)
        first, middle, last = question.parts
        for part in (first, middle, middle, last):
            client.send(part)
        assert server.recv(1 << 16) == question.payload


# -- never completed ------------------------------------------------------------------------------


@VERSIONS
def test_fragments_that_wait_in_vain_leave_nothing(lab: Lab, version: int) -> None:
    """Neither in the firewall nor in the kernel's queue."""
    lab.firewall.configure(["fragments.timeout=300ms"])
    log = Log(lab)
    with (
        datagrams(lab.server, version) as server,
        raw(lab.client) as client,
        Wire(lab.server) as cable,
    ):
        question = Question(lab, version, server)
        client.send(question.parts[1])
        client.send(question.parts[2])
        eventually(lambda: len(log("denied")) == 2, what="the end of their time")
        assert {event["reason"] for event in log("denied")} == {"fragment_timeout"}
        statistics = lab.firewall.statistics()
        assert statistics["fragments_held"] == statistics["queue"]["waiting"] == 0
        assert queued_in(Namespace.named(lab.about.netns)) == [0]
        assert cable.frames == []
        client.send(question.parts[0])  # too late for the others, but right by itself
        eventually(lambda: len(cable.frames) == 1, what="the first fragment")


def queued_in(namespace: Namespace) -> list[int]:
    """Packets in each queue of a namespace, as the kernel says."""
    with namespace.enter(), open("/proc/thread-self/net/netfilter/nfnetlink_queue") as file:
        return [int(line.split()[2]) for line in file]


@VERSIONS
def test_a_flood_of_halves_does_not_stop_the_whole_ones(lab: Lab, version: int) -> None:
    """What may wait has a bound; it is dropped at a flush."""
    lab.firewall.configure(["fragments.held=10"])
    before = lab.firewall.statistics()
    with datagrams(lab.server, version) as server, raw(lab.client) as client:
        for _ in range(50):
            client.send(Question(lab, version, server).parts[1])
        eventually(
            lambda: (
                count(dropped(lab), "too_many_fragments")
                == count(before, "packets", "drop", "too_many_fragments") + 40
            ),
            what="the refusal of all others",
        )
        assert lab.firewall.statistics()["fragments_held"] == 10
        whole = Question(lab, version, server)
        for part in whole.parts:
            client.send(part)
        assert server.recv(1 << 16) == whole.payload
        lab.firewall.flush()
        assert lab.firewall.statistics()["fragments_held"] == 0
        assert queued_in(Namespace.named(lab.about.netns)) == [0]


def test_what_is_held_when_the_firewall_ends_is_dropped_and_logged(
    new_lab: Callable[..., Lab],
) -> None:
    """Nothing gets through by ending the firewall."""
    lab = new_lab()
    log = lab.about.events
    with datagrams(lab.server) as server, raw(lab.client) as client, Wire(lab.server) as cable:
        client.send(Question(lab, 4, server).parts[1])
        eventually(lambda: lab.firewall.statistics()["fragments_held"] == 1, what="one that waits")
        with open(log) as events:
            os.kill(lab.about.pid, signal.SIGTERM)
            eventually(lambda: '"unknown_fragment"' in events.read(), what="its refusal")
        assert cable.frames == []


# -- who puts them together -----------------------------------------------------------------------


def reassembled(namespace: Namespace) -> int:
    """Fragments that the IPv4 stack of a namespace was asked to put together."""
    with namespace.enter(), open("/proc/thread-self/net/snmp") as file:
        names, values = (line.split() for line in file if line.startswith("Ip:"))
    return int(values[names.index("ReasmReqds")])


@VERSIONS
def test_nobody_defragments_in_front_of_the_firewall(lab: Lab, version: int) -> None:
    """A lab has no conntrack, so each fragment comes as it is, and is judged by itself."""
    firewall = Namespace.named(lab.about.netns)
    before, asked = lab.firewall.statistics(), reassembled(firewall)
    with datagrams(lab.client, version) as client, datagrams(lab.server, version) as server:
        client.sendto(bytes(4000), server.getsockname())
        assert len(server.recv(1 << 16)) == 4000
    after = lab.firewall.statistics()
    path = "packets", "accept", "fragment"
    assert count(after, *path) - count(before, *path) == 2
    assert reassembled(firewall) == asked


@VERSIONS
def test_where_conntrack_defragments_the_firewall_sees_whole_datagrams(
    ground: Ground, version: int
) -> None:
    """Another rule of the namespace may bring conntrack along: the kernel then puts together what
    comes, in whatever order, and cuts it up again behind the firewall.
    """
    with ground.firewall.enter():
        for command in ("iptables", "ip6tables"):
            rule = ["-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"]
            subprocess.run([command, *rule], check=True, timeout=10)
    daemon = ground.start()
    with (
        daemon.client() as firewall,
        datagrams(ground.client, version) as client,  # type: ignore[arg-type]
        datagrams(ground.server, version) as server,  # type: ignore[arg-type]
        raw(ground.client) as sender,  # type: ignore[arg-type]
    ):
        client.sendto(bytes(4000), server.getsockname())
        assert len(server.recv(1 << 16)) == 4000
        server.sendto(bytes(5000), client.getsockname())
        assert len(client.recv(1 << 16)) == 5000
        question = Question(ground, version, server)  # type: ignore[arg-type]
        for part in reversed(question.parts):
            sender.send(part)
        assert server.recv(1 << 16) == question.payload
        packets = firewall.statistics()["packets"]
        assert packets == {"accept": {"opened": 2, "session": 1}, "drop": {}}
