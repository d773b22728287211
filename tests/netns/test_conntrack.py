"""TUN devices and the kernel's connection table, on the real kernel."""

import socket
import struct
import subprocess

import pytest

from netns import LinkError, sysctl
from netns.conntrack import Conntrack, Tuple
from netns.tun import Tun
from tests.kit import wire

pytestmark = pytest.mark.kernel

A, B = wire.address("10.0.1.2"), wire.address("10.0.2.2")
A6, B6 = wire.address("fd00:1::2"), wire.address("fd00:2::2")
RULES = "table inet t { chain c { type filter hook forward priority 0; ct state invalid drop; }; }"


@pytest.fixture
def tuns(host, network):
    """Two devices, between which the namespace forwards and tracks."""
    sysctl(host, "net.ipv4.ip_forward", 1)
    sysctl(host, "net.ipv6.conf.all.forwarding", 1)
    made = []
    for number in (1, 2):
        addresses = [f"10.0.{number}.1/24", f"fd00:{number}::1/64"]
        made.append(Tun(host, f"tun{number}", addresses))
        network.on_close(made[-1].close)
    return made


@pytest.fixture
def table(host, network, tuns):
    """The connection table of that namespace."""
    with host.enter():
        subprocess.run(["nft", RULES], check=True)
    sysctl(host, "net.netfilter.nf_conntrack_checksum", 0)
    opened = Conntrack(host)
    network.on_close(opened.close)
    return opened


def udp(source, destination, port=1000, to_port=2000, octets=3):
    """A datagram that Linux will forward."""
    packet = wire.ip(source, destination, 17, wire.udp(port, to_port, bytes(octets)))
    if len(source) == 16:
        return packet
    total = sum(struct.unpack("!10H", packet[:20]))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return packet[:10] + struct.pack("!H", checksum) + packet[12:]


def arrived(tun):
    """What was sent out there, but for the kernel's greetings to its IPv6 neighbours."""
    packets = iter(tun.read, None)
    return [each for each in packets if not (each[0] >> 4 == 6 and each[24] == 0xFF)]


@pytest.mark.parametrize(("source", "destination"), [(A, B), (A6, B6)], ids=["ipv4", "ipv6"])
def test_what_is_written_to_one_is_there_on_the_other_at_once(tuns, source, destination):
    """Nobody has to wait, and even the largest packet passes."""
    assert arrived(tuns[1]) == []

    tuns[0].write(udp(source, destination, octets=60_000))

    (packet,) = arrived(tuns[1])
    assert len(packet) > 60_000
    assert packet.endswith(bytes(60_000))
    assert arrived(tuns[0]) == []


def test_a_closed_device_is_gone(host, tuns):
    """Its name can be taken again."""
    tuns[0].close()
    tuns[0].close()

    Tun(host, "tun1").close()


def test_a_name_that_is_taken(host, tuns):
    """The error says which one."""
    with pytest.raises(LinkError, match="TUN device tun2"):
        Tun(host, "tun2")


@pytest.mark.parametrize(("source", "destination"), [(A, B), (A6, B6)], ids=["ipv4", "ipv6"])
def test_an_entry_is_found_from_either_side(tuns, table, source, destination):
    """As a packet of either direction finds it."""
    there, back = (
        Tuple(17, source, destination, 1000, 2000),
        Tuple(17, destination, source, 2000, 1000),
    )
    assert table.get(there) is None

    tuns[0].write(udp(source, destination))

    entry = table.get(back)
    assert entry == table.get(there)
    assert entry.original == there
    assert 25 < entry.remaining <= 30
    assert (entry.is_replied, entry.is_assured, entry.tcp_state) == (False, False, None)
    tuns[1].write(udp(destination, source, 2000, 1000))
    assert table.get(there).is_replied
    assert [each.original for each in table.entries()] == [there]


def test_a_timer_can_be_set(tuns, table):
    """So that an hour passes in a moment."""
    name = Tuple(17, A, B, 1000, 2000)
    assert not table.set_remaining(name, 5)
    tuns[0].write(udp(A, B))

    assert table.set_remaining(name, 5000)

    assert 4990 < table.get(name).remaining <= 5000


def test_entries_are_deleted_one_by_one_or_all(tuns, table):
    """And others stay."""
    for port in (1, 2, 3):
        tuns[0].write(udp(A, B, port))
    tuns[0].write(udp(A6, B6))

    assert table.delete(Tuple(17, A, B, 2, 2000))
    assert not table.delete(Tuple(17, A, B, 2, 2000))

    assert sorted(entry.original.first for entry in table.entries()) == [1, 3, 1000]
    table.flush()
    assert table.entries() == []


def test_a_tcp_entry_has_a_state_and_an_icmp_entry_an_identifier(tuns, table):
    """What ctnetlink says of each protocol."""
    syn = wire.ip(A6, B6, socket.IPPROTO_TCP, wire.tcp(7, 8, "S", options=wire.SACK_PERMITTED))
    echo = wire.ip(A6, B6, 58, wire.icmp(128, 77))
    tuns[0].write(syn)
    tuns[0].write(echo)

    tcp = table.get(Tuple(6, B6, A6, 8, 7))
    assert (tcp.tcp_state, tcp.tcp_flags) == (1, (2, 0))
    ping = Tuple(58, A6, B6, 77, 128 << 8)
    assert table.get(ping).original == ping
