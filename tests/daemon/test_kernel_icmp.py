"""ICMP errors through the firewall: the right ones reach the kernel that needs them, no others do.

A host of the lab becomes a router with a narrow link behind it, so that the errors come from where
they come from in the world: beyond the firewall, about packets that have crossed it.
"""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from fwemu.core.flow import TCP, UDP
from fwemu.lab import Host, Lab, Topology
from netns import Namespace, Network, add_route, sysctl
from tests.kit import wire
from tests.kit.ground import End
from tests.kit.labs import (
    PATIENCE,
    SOON,
    Pair,
    Wire,
    address,
    connected,
    count,
    datagrams,
    dropped,
    eventually,
    family,
    say,
    unique,
    what_comes,
)
from tests.kit.raw import packed, raw, too_big, udp

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])

NARROW = 1300
"""Octets: what fits through the narrow link, whose ends believe in 1500."""

BULK = 3_000_000

_MTU = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}
"""IP_MTU and IPV6_MTU (linux/in.h, linux/in6.h): the path MTU that a connected socket knows."""

_TTL = {4: (socket.IPPROTO_IP, socket.IP_TTL), 6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)}


def path_mtu(end: socket.socket, version: int) -> int:
    """What the kernel believes to fit on the way to the other end."""
    return end.getsockopt(*_MTU[version])


def narrow(namespace: Namespace, interface: str, *destinations: str) -> None:
    """What this namespace forwards to these hosts must not be larger than `NARROW`."""
    for destination in destinations:
        route(namespace, "replace", destination, "dev", interface, "mtu", "lock", str(NARROW))


@contextmanager
def beyond(lab: Lab, router: Host) -> Iterator[End]:
    """Another host behind a host of the lab, which becomes its router."""
    with Network() as network:
        far = End(network.namespace(unique("far")), "10.255.7.10", "fd00:7::10")
        network.link(
            router.namespace,
            "eth1",
            far.namespace,
            "eth0",
            a_addresses=["10.255.7.1/24", "fd00:7::1/64"],
            b_addresses=[f"{far.ipv4}/24", f"{far.ipv6}/64"],
        )
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            sysctl(router.namespace, key, 1)
        for via in ("10.255.7.1", "fd00:7::1"):
            add_route(far.namespace, "default", via)
        ways = ((router.ipv4, "10.255.7.0/24"), (router.ipv6, "fd00:7::/64"))
        firewall = Namespace.named(lab.about.netns)
        for via, to in ways:
            route(firewall, "add", to, "via", via)
        try:
            yield far
        finally:
            for _, to in ways:
                route(firewall, "delete", to)


def route(namespace: Namespace, *words: str) -> None:
    """`ip route` in a namespace; what it says about IPv6 is said of IPv6."""
    version = "-6" if any(":" in word for word in words) else "-4"
    with namespace.enter():
        subprocess.run(["ip", version, "route", *words], check=True, timeout=10)


def pour(source: socket.socket, sink: socket.socket, octets: int = BULK) -> int:
    """Octets of so many that arrive, within the patience of both sockets."""
    block = os.urandom(100_000)

    def send() -> None:
        with suppress(OSError):
            for _ in range(octets // len(block)):
                source.sendall(block)

    thread = threading.Thread(target=send)
    thread.start()
    got = 0
    try:
        while got < octets:
            part = sink.recv(1 << 18)
            if not part:
                break
            got += len(part)
    except TimeoutError:
        pass
    finally:
        if got < octets:
            source.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)
    return got


# -- path MTU discovery ---------------------------------------------------------------------------


@VERSIONS
def test_a_narrow_link_at_the_firewall_is_discovered(
    new_lab: Callable[..., Lab], version: int
) -> None:
    """The firewall's own namespace answers: its kernel does, before the hook sees the packet."""
    lab = new_lab()
    with connected(lab, version) as pair:
        outside = f"{address(lab.server, version)}/{32 if version == 4 else 128}"
        narrow(Namespace.named(lab.about.netns), "outside", outside)
        assert path_mtu(pair.client, version) == 1500
        assert pour(pair.client, pair.server) == BULK
        assert path_mtu(pair.client, version) == NARROW
        assert path_mtu(pair.server, version) == 1500


@VERSIONS
@pytest.mark.parametrize("side", ["server", "client"])
def test_a_narrow_link_beyond_the_firewall_is_discovered(
    new_lab: Callable[..., Lab], version: int, side: str
) -> None:
    """A router behind it says so: the error crosses the firewall to whoever sends, either way."""
    lab = new_lab()
    router, sender = (lab.server, lab.client) if side == "server" else (lab.client, lab.server)
    with beyond(lab, router) as far:
        narrow(router.namespace, "eth1", far.ipv4, far.ipv6)
        with conversation(lab, version, far, side) as pair:
            source, sink = (pair.client, pair.server)[:: 1 if side == "server" else -1]
            with Wire(sender) as cable:
                assert pour(source, sink) == BULK
                (error, *_) = cable.heard_errors()
            assert error.source == address(router, version)
            assert error.more == {4: (3, 4), 6: (2, 0)}[version]
            assert path_mtu(source, version) == NARROW
            assert path_mtu(sink, version) == 1500
    statistics = lab.firewall.statistics()
    assert count(statistics, "packets", "accept", "related") > 0
    assert count(statistics, "packets", "drop", "unrelated_icmp") == 0


def conversation(lab: Lab, version: int, far: End, side: str) -> Pair:
    """A connection that the inside has opened; one of its ends is far away."""
    if side == "server":
        return connected(lab, version, server=far)  # type: ignore[arg-type]
    return connected(lab, version, client=far)  # type: ignore[arg-type]


@VERSIONS
def test_a_filter_that_drops_the_errors_is_a_black_hole(
    new_lab: Callable[..., Lab], version: int
) -> None:
    """The classic fault of an access list that permits TCP alone: small messages pass, and nothing
    that fills a packet ever arrives.
    """
    lab = new_lab(
        settings=["mode=acl", "acl.replies=false", 'rules=[{action="allow", proto="tcp"}]']
    )
    with beyond(lab, lab.server) as far:
        narrow(lab.server.namespace, "eth1", far.ipv4, far.ipv6)
        with conversation(lab, version, far, "server") as pair:
            say(pair.client, pair.server)
            pair.server.settimeout(5 * SOON)
            assert pour(pair.client, pair.server) == 0
            assert path_mtu(pair.client, version) == 1500
    assert count(dropped(lab), "denied") > 0


# -- on the way -----------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])
def test_a_trace_sees_every_router_on_the_way(lab: Lab, version: int, protocol: int) -> None:
    """The firewall's own answer, that of a router behind it, and the end."""
    exceeded = {4: (11, 0), 6: (3, 0)}[version]
    kind = socket.SOCK_STREAM if protocol == TCP else socket.SOCK_DGRAM
    heard = []
    with beyond(lab, lab.server) as far:
        for hops in (1, 2):
            with lab.client.namespace.enter():
                probe = socket.socket(family(version), kind)
            with probe, Wire(lab.client) as cable:
                probe.setsockopt(*_TTL[version], hops)
                probe.setblocking(False)
                with suppress(BlockingIOError):
                    probe.connect((address(far, version), 33434))  # type: ignore[arg-type]
                if protocol == UDP:
                    probe.send(b"trace")
                (error, *_) = eventually(cable.heard_errors, what="the answer of a router")
                assert error.more == exceeded
                heard.append(error.source)
        with lab.client.namespace.enter():
            probe = socket.socket(family(version), kind)
        with probe:
            probe.settimeout(PATIENCE)
            assert last_hop(probe, far, version, protocol) == "ECONNREFUSED"
    own = lab.firewall_host[{4: "ipv4", 6: "ipv6"}[version]]
    assert heard == [own, address(lab.server, version)]


def last_hop(probe: socket.socket, far: End, version: int, protocol: int) -> str:
    """What the application hears at the end of the way, where nobody listens."""
    there = (address(far, version), 33434)  # type: ignore[arg-type]
    if protocol == UDP:
        probe.connect(there)
        probe.send(b"trace")
        return what_comes(probe)
    with pytest.raises(ConnectionRefusedError):
        probe.connect(there)
    return "ECONNREFUSED"


# -- forged ---------------------------------------------------------------------------------------


@dataclass
class Forgery:
    """An error that somebody outside made up, but for what is changed of it."""

    lab: Lab
    version: int
    pair: Pair

    def quoted(self, *, port: int = 0, back: bool = False) -> bytes:
        """The head of a segment of the connection, as the client sends them, or the server."""
        ends = packed(self.lab.client, self.version), packed(self.lab.server, self.version)
        ports = port or self.pair.port, self.pair.server.getsockname()[1]
        if back:
            ends, ports = ends[::-1], ports[::-1]
        return wire.ip(*ends, TCP, wire.tcp(*ports, "A", 1, 1, bytes(1440)))[:100]

    def error(self, about: bytes, *, source: Host, destination: Host) -> bytes:
        """That a packet does not fit through a link of 600 octets (1280 with IPv6)."""
        ends = packed(source, self.version), packed(destination, self.version)
        return too_big(ends, {4: 600, 6: 1280}[self.version], about)


@VERSIONS
def test_forged_errors_are_dropped_and_change_nothing(
    new_lab: Callable[..., Lab], version: int
) -> None:
    """RFC 5927: whoever can lower a path MTU from outside can slow down or stop a connection."""
    lab = new_lab(topology=Topology(servers=2))
    client, server, other = lab.client, lab.server, lab.hosts["server2"]
    with (
        connected(lab, version) as pair,
        raw(server) as outside,
        raw(client) as inside,
        Wire(client) as near,
        Wire(server) as far,
        Wire(other) as third,
    ):
        forge = Forgery(lab, version, pair)
        no_session = forge.quoted(port=pair.port ^ 1)
        original, reply = forge.quoted(), forge.quoted(back=True)
        forgeries = {
            "about no session": (
                outside, forge.error(no_session, source=server, destination=client)
            ),
            "about a packet that went this way itself": (
                inside, forge.error(original, source=client, destination=server)
            ),
            "about the other direction": (
                outside, forge.error(reply, source=server, destination=client)
            ),
            "to somebody who did not send it": (
                inside, forge.error(reply, source=client, destination=other)
            ),
        }  # fmt: skip
        for number, (what, (sender, packet)) in enumerate(forgeries.items(), start=1):
            assert sender.send(packet), what
            eventually(
                lambda wanted=number: count(dropped(lab), "unrelated_icmp") == wanted, what=what
            )
        assert near.heard_errors() == far.heard_errors() == third.heard_errors() == []
        assert path_mtu(pair.client, version) == path_mtu(pair.server, version) == 1500
        say(pair.client, pair.server)
        # the same packet about the right segment is believed: it was only forged badly before
        assert outside.send(forge.error(original, source=server, destination=client))
        eventually(lambda: near.heard_errors(), what="the arrival of a good forgery")
        assert count(dropped(lab), "unrelated_icmp") == len(forgeries)


@VERSIONS
def test_an_error_from_the_side_of_the_sender_itself_is_dropped(
    new_lab: Callable[..., Lab], version: int
) -> None:
    """A neighbour has not seen the packet go by: errors come from where it was going."""
    lab = new_lab(topology=Topology(clients=2))
    with (
        beyond(lab, lab.client) as far,
        conversation(lab, version, far, "client") as pair,
        raw(lab.hosts["client2"]) as neighbour,
        raw(lab.server) as outside,
        Wire(far) as cable,  # type: ignore[arg-type]
    ):
        sender = packed(far, version)  # type: ignore[arg-type]
        server = packed(lab.server, version)
        ports = pair.port, pair.server.getsockname()[1]
        about = wire.ip(sender, server, TCP, wire.tcp(*ports, "A", 1, 1, bytes(1440)))[:100]
        mtu = {4: 600, 6: 1280}[version]
        own_side = packed(lab.hosts["client2"], version), sender
        assert neighbour.send(too_big(own_side, mtu, about))
        eventually(lambda: count(dropped(lab), "unrelated_icmp") == 1, what="the refusal")
        assert cable.heard_errors() == []
        assert outside.send(too_big((server, sender), mtu, about))
        eventually(cable.heard_errors, what="the same from the other side")
        assert count(dropped(lab), "unrelated_icmp") == 1


@VERSIONS
def test_an_error_about_a_connection_that_is_forgotten_is_dropped(lab: Lab, version: int) -> None:
    """The firewall knows as little of it as of any other stranger."""
    before = count(dropped(lab), "unrelated_icmp")
    with connected(lab, version) as pair, raw(lab.server) as outside, Wire(lab.client) as cable:
        forge = Forgery(lab, version, pair)
        lab.firewall.flush()
        error = forge.error(forge.quoted(), source=lab.server, destination=lab.client)
        assert outside.send(error)
        eventually(lambda: count(dropped(lab), "unrelated_icmp") == before + 1, what="the refusal")
        assert cable.heard_errors() == []


@VERSIONS
def test_a_closed_port_is_heard_of_by_its_sender_alone(lab: Lab, version: int) -> None:
    """A forged refusal is not: the socket goes on, and then hears the real one."""
    with datagrams(lab.client, version) as client, raw(lab.server) as outside:
        client.connect((address(lab.server, version), 9))
        ends = packed(lab.client, version), packed(lab.server, version)
        about = wire.ip(*ends, UDP, udp(ends, client.getsockname()[1], 9, b"question"))
        forged = wire.icmp_error(*ends[::-1], about, code={4: 3, 6: 4}[version])
        before = count(dropped(lab), "unrelated_icmp")
        assert outside.send(forged)
        eventually(lambda: count(dropped(lab), "unrelated_icmp") == before + 1, what="the refusal")
        assert what_comes(client, within=SOON) == "nothing"
        client.send(b"question")
        assert what_comes(client) == "ECONNREFUSED"
        (session,) = lab.firewall.sessions()
        assert session["packets"] == {"original": 1, "reply": 0}
