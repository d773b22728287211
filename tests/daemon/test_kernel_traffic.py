"""Real traffic of every kind through the firewall, both IP versions: it arrives as it was sent."""

import os
import socket
import struct
import threading

import pytest

from fwemu.lab import Host, Lab
from tests.kit.labs import (
    PATIENCE,
    SOON,
    Frame,
    Log,
    Wire,
    address,
    connected,
    count,
    datagrams,
    eventually,
    family,
    receive,
    say,
    what_comes,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])


# -- TCP in bulk --------------------------------------------------------------------------------

BULK = 20_000_000


@VERSIONS
@pytest.mark.parametrize("sender", ["client", "server"])
def test_bulk_data_arrives_whole_and_crosses_in_super_packets(
    lab: Lab, version: int, sender: str
) -> None:
    """Each packet that the firewall sees stands for many on the wire; else it would be slow."""
    block = os.urandom(1 << 20)
    with connected(lab, version) as pair:
        source, sink = pair.client, pair.server
        direction = "original"
        if sender == "server":
            source, sink, direction = sink, source, "reply"

        def send() -> None:
            for offset in range(0, BULK, len(block)):
                source.sendall(block[: min(len(block), BULK - offset)])

        thread = threading.Thread(target=send)
        thread.start()
        try:
            got = 0
            while got < BULK:
                part = sink.recv(1 << 18)
                assert part, "the sender has closed too early"
                start = got % len(block)
                expected = (block + block)[start : start + len(part)]
                assert part == expected
                got += len(part)
        finally:
            thread.join(PATIENCE)
        (session,) = lab.firewall.sessions(port=pair.port)
        assert session["bytes"][direction] > BULK
        assert session["packets"][direction] < BULK / 1448 / 4
    assert lab.firewall.statistics()["queue"]["lost_queue_full"] == 0
    assert lab.firewall.statistics()["queue"]["lost_buffer_full"] == 0


@VERSIONS
def test_a_connection_that_closes_properly_ends_by_its_fins(lab: Lab, version: int) -> None:
    """The whole life of a session, as the log tells it."""
    lab.firewall.configure(
        ["timeouts.tcp_time_wait=0s", 'daemon.log_events=["built", "torn_down", "state_changed"]']
    )
    log = Log(lab)
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        pair.client.shutdown(socket.SHUT_WR)
        assert what_comes(pair.server) == "end"
        say(pair.server, pair.client)  # half closed, and still good for the other direction
        pair.server.close()
        assert what_comes(pair.client) == "end"
        (ended,) = eventually(lambda: log("torn_down"), what="the end of the session")
    assert ended["reason"] == "closed_by_fin"
    states = [event["state"] for event in log("state_changed")]
    assert states == [
        "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
    ]  # fmt: skip


@VERSIONS
def test_a_connection_that_is_reset_ends_by_its_rst(lab: Lab, version: int) -> None:
    """And both ends know, because a real RST crosses the firewall."""
    lab.firewall.configure(["timeouts.tcp_closed=0s"])
    log = Log(lab)
    with connected(lab, version) as pair:
        pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        pair.client.close()
        assert what_comes(pair.server) == "ECONNRESET"
        (ended,) = eventually(lambda: log("torn_down"), what="the end of the session")
    assert ended["reason"] == "closed_by_rst"


# -- UDP --------------------------------------------------------------------------------------

SIZES = pytest.mark.parametrize("size", [0, 100, 4_000, 60_000])


@VERSIONS
@SIZES
def test_datagrams_of_any_size_pass_both_ways(lab: Lab, version: int, size: int) -> None:
    """Those above the MTU come in fragments, of which only the first has ports."""
    payload = os.urandom(size)
    with datagrams(lab.client, version) as client, datagrams(lab.server, version) as server:
        for _ in range(3):
            client.sendto(payload, server.getsockname())
            question, asker = server.recvfrom(1 << 16)
            assert question == payload
            server.sendto(payload[::-1], asker)
            assert client.recv(1 << 16) == payload[::-1]
        (session,) = lab.firewall.sessions(protocol="udp")
        assert session["state"] == "UDP_REPLIED"
        assert session["packets"] == {"original": 3, "reply": 3}


@VERSIONS
def test_fragments_of_what_is_denied_are_dropped_as_well(lab: Lab, version: int) -> None:
    """None of them says by itself that it belongs to something forbidden."""
    lab.firewall.configure(['rules=[{action="deny", proto="udp"}]'])
    log = Log(lab)
    with (
        datagrams(lab.client, version) as client,
        datagrams(lab.server, version) as server,
        Wire(lab.server) as wire,
    ):
        client.sendto(bytes(4000), server.getsockname())
        eventually(lambda: len(log("denied")) >= 3, what="the refusal of each fragment")
        assert [event["reason"] for event in log("denied")] == [
            "denied", "unknown_fragment", "unknown_fragment",
        ]  # fmt: skip
        assert wire.frames == []


@VERSIONS
def test_the_two_timers_of_udp(lab: Lab, version: int) -> None:
    """Short for a question that nobody answered, longer for a conversation."""
    lab.firewall.configure(["timeouts.udp_unreplied=500ms", "timeouts.udp_replied=1m"])
    log = Log(lab)
    with (
        datagrams(lab.client, version) as asked,
        datagrams(lab.client, version) as answered,
        datagrams(lab.server, version) as server,
    ):
        for client in (asked, answered):
            client.sendto(b"question", server.getsockname())
            _, asker = server.recvfrom(100)
        server.sendto(b"answer", asker)
        assert answered.recv(100) == b"answer"
        (ended,) = eventually(lambda: log("torn_down"), what="the expiry")
        assert (ended["state"], ended["source_port"]) == ("UDP_UNREPLIED", asked.getsockname()[1])
        # an answer that comes too late finds no session, and may not open one from the outside
        server.sendto(b"late", asked.getsockname())
        assert what_comes(asked, within=SOON) == "nothing"
        (session,) = lab.firewall.sessions()
        assert session["source_port"] == answered.getsockname()[1]


@VERSIONS
def test_a_rejected_datagram_is_an_errno_at_the_sender(lab: Lab, version: int) -> None:
    """A connected UDP socket hears of it; the errno is not that of a closed port."""
    lab.firewall.configure(['rules=[{action="reject", proto="udp"}]'])
    with datagrams(lab.client, version) as client, Wire(lab.client) as wire:
        client.connect((address(lab.server, version), 9))
        client.send(b"question")
        assert what_comes(client) == {4: "EHOSTUNREACH", 6: "EACCES"}[version]
        assert [frame.more for frame in wire.heard_errors()] == [{4: (3, 13), 6: (1, 1)}[version]]


@VERSIONS
def test_an_icmp_error_about_a_session_passes(lab: Lab, version: int) -> None:
    """A closed port behind the firewall is heard of as without it."""
    with datagrams(lab.client, version) as client, Wire(lab.client) as wire:
        client.connect((address(lab.server, version), 9))
        client.send(b"question")
        assert what_comes(client) == "ECONNREFUSED"
        (error,) = wire.heard_errors()
        assert error.source == address(lab.server, version)
    assert count(lab.firewall.statistics(), "packets", "accept", "related") > 0


# -- ICMP echo ----------------------------------------------------------------------------------


class Ping:
    """Echo requests with an identifier of their own."""

    def __init__(self, host: Host, version: int) -> None:
        self.version = version
        self.identifier = os.getpid() & 0xFFFF
        protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
        with host.namespace.enter():
            self.socket = socket.socket(family(version), socket.SOCK_RAW, protocol)
        self.socket.settimeout(PATIENCE)

    def __enter__(self) -> "Ping":
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, host: Host, payload: bytes) -> None:
        kind = 8 if self.version == 4 else 128
        head = struct.pack("!BBHHH", kind, 0, 0, self.identifier, 1)
        message = head + payload
        if self.version == 4:  # the kernel fills in that of ICMPv6
            words = sum(struct.unpack(f"!{len(message) // 2}H", message))
            words = (words & 0xFFFF) + (words >> 16)
            total = ~(words + (words >> 16)) & 0xFFFF
            message = head[:2] + struct.pack("!H", total) + head[4:] + payload
        self.socket.sendto(message, (address(host, self.version), 0))

    def reply(self, within: float = PATIENCE) -> bytes | None:
        """The payload of the next echo reply."""
        self.socket.settimeout(within)
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                return None
            if self.version == 4:
                data = data[20:]
            if data[0] == (0 if self.version == 4 else 129):
                return data[8:]


@VERSIONS
@pytest.mark.parametrize("size", [8, 4_000])
def test_echo_passes_from_the_inside_and_its_reply_comes_back(
    lab: Lab, version: int, size: int
) -> None:
    """`ping`, also with more than fits into one packet."""
    payload = os.urandom(size)
    with Ping(lab.client, version) as ping:
        for _ in range(3):
            ping.send(lab.server, payload)
            assert ping.reply() == payload
        (session,) = lab.firewall.sessions()
        assert session["protocol"] == ("icmp" if version == 4 else "icmpv6")
        assert session["state"] == "ICMP"
        assert session["packets"] == {"original": 3, "reply": 3}


@VERSIONS
def test_echo_from_the_outside_needs_a_rule(lab: Lab, version: int) -> None:
    """A reply is only let in where there was a request."""
    proto = "icmp" if version == 4 else "icmpv6"
    with Ping(lab.server, version) as ping, Wire(lab.client) as wire:
        ping.send(lab.client, b"hello.")
        assert ping.reply(within=SOON) is None
        assert _about(wire, version) == []
        lab.firewall.configure([f'rules=[{{action="allow", from="outside", proto="{proto}"}}]'])
        ping.send(lab.client, b"hello.")
        assert ping.reply() == b"hello."


@VERSIONS
def test_an_echo_session_expires_like_any_other(lab: Lab, version: int) -> None:
    """And the next request opens another."""
    log = Log(lab)
    with Ping(lab.client, version) as ping:
        ping.send(lab.server, b"one.")
        assert ping.reply() == b"one."
        lab.firewall.configure(["timeouts.icmp=1ms"])
        eventually(lambda: log("torn_down", reason="expired"), what="the expiry")
        lab.firewall.configure(["timeouts.icmp=30s"])
        ping.send(lab.server, b"two.")
        assert ping.reply() == b"two."
    assert len(log("built")) == 2


def _about(wire: Wire, version: int) -> list[Frame]:
    return [frame for frame in wire.frames if frame.is_icmp and frame.version == version]


# -- sizes and paths ------------------------------------------------------------------------------


def test_many_small_messages_each_way_arrive_in_order(lab: Lab) -> None:
    """Request and response, a thousand times, and the session has counted each packet."""
    with connected(lab) as pair:
        for number in range(1000):
            say(pair.client, pair.server, struct.pack("!I", number))
            say(pair.server, pair.client, struct.pack("!I", ~number & 0xFFFFFFFF))
        (session,) = lab.firewall.sessions()
        assert session["packets"]["original"] >= 1000
        assert session["packets"]["reply"] >= 1000
    with connected(lab) as pair:
        pair.server.sendall(bytes(100_000))
        assert receive(pair.client, 100_000) == bytes(100_000)
