"""The raw sockets by themselves."""

from __future__ import annotations

import pytest

from fwemu.core.flow import UDP
from fwemu.daemon.inject import Injector
from netns import Network
from tests.kit.ground import Ground
from tests.kit.labs import datagrams, unique
from tests.kit.wire import address, ip, udp

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("version", [4, 6])
def test_a_packet_of_our_own_arrives_as_it_was_made(ground: Ground, version: int) -> None:
    """With a source address that is not ours."""
    with ground.firewall.enter():
        injector = Injector()
    ends = [ground.client.ipv4, ground.server.ipv4]
    if version == 6:
        ends = [ground.client.ipv6, ground.server.ipv6]
    with datagrams(ground.server, version) as server:  # type: ignore[arg-type]
        port = server.getsockname()[1]
        segment = bytearray(udp(4000, port, b"from the client?"))
        if version == 6:
            segment[6:8] = udp_checksum(*map(address, ends), bytes(segment))
        assert injector.send(ip(*map(address, ends), UDP, bytes(segment)))
        payload, source = server.recvfrom(100)
        assert payload == b"from the client?"
        assert source[:2] == (ends[0], 4000)
    injector.close()


def udp_checksum(source: bytes, destination: bytes, datagram: bytes) -> bytes:
    """IPv6 insists on it (RFC 8200 section 8.1)."""
    covered = source + destination + len(datagram).to_bytes(4, "big") + bytes((0, 0, 0, UDP))
    covered += datagram + bytes(len(datagram) % 2)
    total = sum(int.from_bytes(covered[i : i + 2], "big") for i in range(0, len(covered), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def test_what_the_kernel_will_not_send_is_counted_and_no_error() -> None:
    """No route, link down: the firewall goes on."""
    with Network() as network:
        with network.namespace(unique("queue")).enter():
            injector = Injector()
        for source, destination in (("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")):
            packet = ip(address(source), address(destination), UDP, udp(1, 2))
            assert not injector.send(packet)
        assert injector.failures == 2
        injector.close()
