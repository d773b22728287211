"""A pair of firewalls that each see one direction: what passes, what cannot, with what settings.

The usual accident of two data centres or two uplinks: requests by way of one box, answers by way of
the other, and neither tells the other anything.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fwemu.client import Client
from fwemu.lab import Host, Lab, Layout, Topology, register
from fwemu.lab.lab import remove
from netns import Namespace, names, sysctl
from tests.kit.labs import (
    BASELINE,
    PATIENCE,
    SOON,
    Pair,
    connected,
    datagrams,
    eventually,
    family,
    listening,
    receive,
    say,
    unique,
)

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("asymmetric")]

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])

ASYMMETRIC = Topology(layout=Layout.ASYMMETRIC)


@pytest.fixture(scope="module")
def pair_lab(base: Path) -> Iterator[Lab]:
    """One such lab for all tests of this module; ask for `lab` instead."""
    with Lab(name=unique(), base=base, topology=ASYMMETRIC) as lab:
        yield lab


@pytest.fixture
def lab(pair_lab: Lab) -> Iterator[Lab]:
    """It looks as if new."""
    both(pair_lab)
    yield pair_lab
    servers_send_through(pair_lab, 2)


def both(lab: Lab, *settings: str) -> None:
    """Empty both tables, and set these beside the defaults."""
    for firewall in lab.firewalls:
        firewall.configure([*BASELINE, *settings], flush=True)


def servers_send_through(lab: Lab, number: int) -> None:
    """Change the server's routes, as a routing protocol does when a link comes or goes."""
    for version, address in (("-4", lab.server.ipv4), ("-6", lab.server.ipv6)):
        gateway = address.removesuffix("10") + str(number)
        replace = ["ip", version, "route", "replace", "default", "via", gateway]
        assert lab.server.start(replace).wait(PATIENCE) == 0


class Drops:
    """What a firewall has dropped since this was made, by reason."""

    def __init__(self, firewall: Client) -> None:
        self._firewall = firewall
        self._before = self._all()

    def _all(self) -> dict[str, int]:
        return dict(self._firewall.statistics()["packets"]["drop"])

    def __call__(self) -> dict[str, int]:
        counts = {reason: n - self._before.get(reason, 0) for reason, n in self._all().items()}
        return {reason: n for reason, n in counts.items() if n}


def calling(host: Host, version: int, to: Any) -> socket.socket:
    """A client that has begun to connect and does not wait."""
    with host.namespace.enter():
        client = socket.socket(family(version), socket.SOCK_STREAM)
    client.setblocking(False)
    client.connect_ex(to[:2])
    return client


def arrives(sender: socket.socket, receiver: socket.socket, text: bytes) -> bool:
    """Does the other end hear this?"""
    sender.sendall(text)
    receiver.settimeout(5 * SOON)
    try:
        return receive(receiver, len(text)) == text
    except TimeoutError:
        return False


def is_answered(pair: Pair) -> bool:
    """Does a request arrive, and its answer?"""
    say(pair.client, pair.server, b"request")
    return arrives(pair.server, pair.client, b"answer")


# -- what passes where --------------------------------------------------------------------------


@VERSIONS
def test_clients_send_through_the_first_and_servers_through_the_second(
    lab: Lab, version: int
) -> None:
    """Two routers carry a whole connection between them, each one half of it."""
    both(lab, "mode=acl", "default_action.outside=allow")
    before = [firewall.statistics()["bytes"]["accept"] for firewall in lab.firewalls]
    with connected(lab, version) as pair:
        say(pair.client, pair.server, bytes(100_000))
        say(pair.server, pair.client, bytes(300_000))
    after = [firewall.statistics()["bytes"]["accept"] for firewall in lab.firewalls]
    there, back = (
        counts["permitted"] - was.get("permitted", 0)
        for counts, was in zip(after, before, strict=True)
    )
    assert 100_000 < there < 200_000 < 300_000 < back < 400_000


def test_strict_reverse_path_filters_drop_nothing(base: Path) -> None:
    """A machine may have them on for every new namespace."""
    settings = ["mode=acl", "default_action.outside=allow"]
    with Lab(name=unique(), base=base, topology=ASYMMETRIC, settings=settings) as lab:
        for name in register.entry(base, lab.name).plan.namespaces:
            sysctl(Namespace.named(name), "net.ipv4.conf.all.rp_filter", 1)
        with connected(lab) as pair:
            assert is_answered(pair)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["tcp.window=liberal"],
        ["unknown.inside=pick-up", "unknown.outside=pick-up", "default_action.outside=allow"],
        [
            "unknown.inside=pick-up",
            "unknown.outside=pick-up",
            "default_action.outside=allow",
            "tcp.window=off",
        ],
    ],
    ids=["default", "liberal", "pick-up", "anything"],
)
@VERSIONS
def test_no_handshake_is_completed_whatever_the_settings(
    lab: Lab, version: int, settings: list[str]
) -> None:
    """The second firewall sees a SYN-ACK to a SYN that it has not seen.

    That opens no session, not even with `pick-up`: it cannot be the middle of a conversation.
    """
    both(lab, *settings)
    drops = [Drops(firewall) for firewall in lab.firewalls]
    with listening(lab.server, version) as listener:
        client = calling(lab.client, version, listener.getsockname())
        with client:
            eventually(lambda: drops[1]().get("unknown_packet", 0) >= 2, what="dropped SYN-ACKs")
            denied = [
                event
                for event in lab.firewalls[1].events()
                if event["event"] == "denied" and event.get("source_port") == port_of(listener)
            ]
            assert {event["segment"] for event in denied} == {"SYN_ACK"}
            (session,) = lab.firewalls[0].sessions()
            assert session["state"] == "SYN_SENT"
            assert list(lab.firewalls[1].sessions()) == []
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert drops[0]() == {}


def port_of(listener: socket.socket) -> int:
    """Where it listens."""
    return int(listener.getsockname()[1])


@VERSIONS
def test_datagrams_pass_if_the_second_lets_servers_begin(lab: Lab, version: int) -> None:
    """UDP has no order of packets that would have to be seen: an answer is a conversation."""
    with datagrams(lab.client, version) as client, datagrams(lab.server, version) as server:
        client.sendto(b"question", server.getsockname())
        _, sender = server.recvfrom(100)
        drops = Drops(lab.firewalls[1])
        server.sendto(b"answer", sender)
        eventually(lambda: drops() == {"denied": 1}, what="the denial")
        both(lab, "default_action.outside=allow")
        server.sendto(b"answer", sender)
        assert client.recv(100) == b"answer"
        states = [[session["state"] for session in each.sessions()] for each in lab.firewalls]
        assert states == [[], ["UDP_UNREPLIED"]]


# -- a path that becomes asymmetric under an open connection ------------------------------------

OPEN = ["unknown.outside=pick-up", "default_action.outside=allow"]


@pytest.mark.parametrize(
    ("settings", "first", "second", "reasons"),
    [
        ([], False, False, [set(), {"unknown_packet"}]),
        (OPEN, True, False, [{"out_of_window"}, set()]),
        ([*OPEN, "tcp.window=liberal"], True, True, [set(), set()]),
        ([*OPEN, "tcp.window=off"], True, True, [set(), set()]),
        (["mode=acl", "default_action.outside=allow"], True, True, [set(), set()]),
    ],
    ids=["default", "pick-up", "pick-up and liberal", "pick-up and off", "router"],
)
@VERSIONS
def test_an_open_connection_whose_answers_take_another_way(
    lab: Lab,
    version: int,
    settings: list[str],
    first: bool,
    second: bool,
    reasons: list[set[str]],
) -> None:
    """The second firewall has to pick it up; then the first one refuses what it cannot follow.

    It sees acknowledgements of data that it has never seen pass: with `strict` that is out of the
    window.
    """
    both(lab, *settings)
    servers_send_through(lab, 1)
    with connected(lab, version) as pair:
        assert is_answered(pair)
        servers_send_through(lab, 2)
        drops = [Drops(firewall) for firewall in lab.firewalls]
        assert is_answered(pair) is first
        if first:
            assert arrives(pair.client, pair.server, b"next request") is second
        assert [set(each()) for each in drops] == reasons


# -- the lab itself -----------------------------------------------------------------------------


def test_each_firewall_has_its_name_its_log_and_its_namespace(lab: Lab) -> None:
    """The second one is called after the first."""
    first, second = lab.abouts
    assert lab.about is first
    assert (first.name, second.name) == (lab.name, f"{lab.name}-b")
    assert first.netns == f"fwemu-{lab.name}-firewall"
    assert second.netns == f"fwemu-{lab.name}-firewall-b"
    assert [each.status()["name"] for each in lab.firewalls] == [first.name, second.name]
    assert Path(first.events).parent != Path(second.events).parent
    assert lab.firewall is lab.firewalls[0]


def test_several_hosts_share_both_firewalls(base: Path) -> None:
    """Every client sends through the first, every server through the second."""
    topology = Topology(2, 2, Layout.ASYMMETRIC)
    settings = ["mode=acl", "default_action.outside=allow"]
    with Lab(name=unique(), base=base, topology=topology, settings=settings) as lab:
        client, server = lab.hosts["client2"], lab.hosts["server2"]
        for version in (4, 6):
            with connected(lab, version, client=client, server=server) as pair:
                say(pair.client, pair.server)
                say(pair.server, pair.client)
        for firewall in lab.firewalls:
            assert firewall.statistics()["packets"]["accept"]["permitted"] >= 6


def test_a_pair_that_is_kept_is_taken_down_by_its_record(base: Path) -> None:
    """Both firewalls, both directories, the switch."""
    name = unique()
    lab = Lab(name=name, base=base, topology=ASYMMETRIC).up()
    lab.keep()
    lab.close()
    entry = register.entry(base, name)
    assert entry.has_firewall
    assert [each for each in names() if each.startswith(f"fwemu-{name}-")] == sorted(
        entry.plan.namespaces
    )
    remove(entry, print)
    assert not entry.has_firewall
    assert [each for each in names() if each.startswith(f"fwemu-{name}-")] == []
    assert not [path for path in base.iterdir() if path.name.startswith(name)]
