"""The firewall's own packets, read by a TCP/IP implementation that is not ours (scapy)."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6

from fwemu.core import forge, tcp
from fwemu.core.choices import Closing
from fwemu.core.flow import ICMP as ICMP_NUMBER
from fwemu.core.flow import TCP as TCP_NUMBER
from fwemu.core.flow import UDP, Direction, Zone, flow_of
from fwemu.core.packet import parse
from fwemu.core.session import Session
from fwemu.core.tcp_table import State
from fwemu.core.tcp_window import WindowCheck
from fwemu.core.timeouts import Lifetimes
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, OUTSIDE, SERVER, policy

VERSIONS = pytest.mark.parametrize("version", [4, 6])
TTL = 64
TOP = 2**32 - 1
LIFETIMES: Lifetimes = policy().lifetimes
ORIGINAL, REPLY = Direction


def read(data):
    """The packet as scapy sees it, its lengths and checksums found right."""
    packet = (IP if data[0] >> 4 == 4 else IPv6)(data)
    assert bytes(packet) == data
    again = packet.copy()
    for layer in (again, again.payload):
        for field in ("chksum", "cksum", "len", "plen"):
            if field in layer.fields:
                layer.delfieldval(field)
    assert bytes(again) == data, "scapy computes other lengths or checksums"
    return packet


def segment(version, flags, seq=0, ack=0, payload=b"", **options):
    body = wire.tcp(40000, 80, flags, seq, ack, payload)
    return parse(wire.ip(CLIENT[version], SERVER[version], TCP_NUMBER, body, **options))


def endpoints(packet):
    return str(packet.src), packet[TCP].sport, str(packet.dst), packet[TCP].dport


FROM_SERVER = {
    4: ("10.0.2.2", 80, "10.0.1.2", 40000),
    6: ("fd00:2::2", 80, "fd00:1::2", 40000),
}
FROM_CLIENT = {version: ends[2:] + ends[:2] for version, ends in FROM_SERVER.items()}


# -- the checksum --


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0xFFFF),
        (b"\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 0x220D),  # the example of RFC 1071, ddf2 inverted
        (b"\xff\xff", 0x0000),
        (b"\xff\xff\x00\x01", 0xFFFE),
        (b"\x80", 0x7FFF),
        (b"\xff\xff" * 700, 0x0000),
        (b"\xff\xff" * 70000, 0x0000),
    ],
)
def test_the_internet_checksum(data, value):
    """Ones' complement, carries brought around twice, an odd octet padded."""
    assert forge.checksum(data) == value


# -- RST in answer to a segment without a connection --


@VERSIONS
@pytest.mark.parametrize("flags", ["A", "PA", "FA", "SA"])
def test_a_segment_with_ack_is_reset_from_its_ack(version, flags):
    """RFC 9293 section 3.10.7.1: SEQ=SEG.ACK, CTL=RST, and no ACK."""
    packet = read(forge.reset_for(segment(version, flags, 1000, TOP, b"data"), TTL))
    assert endpoints(packet) == FROM_SERVER[version]
    assert (packet[TCP].flags, packet[TCP].seq, packet[TCP].ack) == ("R", TOP, 0)


@VERSIONS
@pytest.mark.parametrize(("payload", "ack"), [(b"", 0), (b"four", 4)])
def test_a_syn_is_reset_with_everything_acknowledged(version, payload, ack):
    """The other half of the rule: SEQ=0, ACK=SEG.SEQ+SEG.LEN, CTL=RST,ACK."""
    packet = read(forge.reset_for(segment(version, "S", TOP, 0, payload), TTL))
    assert endpoints(packet) == FROM_SERVER[version]
    assert (packet[TCP].flags, packet[TCP].seq, packet[TCP].ack) == ("RA", 0, ack)


@VERSIONS
def test_a_reset_is_nothing_but_a_header(version):
    """No options, no window, no payload; a time to live as hosts send it."""
    packet = read(forge.reset_for(segment(version, "A", 1, 2), TTL))
    assert len(packet) == (40 if version == 4 else 60)
    assert (packet[TCP].window, packet[TCP].urgptr, packet[TCP].options) == (0, 0, [])
    assert (packet.ttl if version == 4 else packet.hlim) == 64


# -- RST that ends a session --


def session_of(version, *segments):
    """A session that has seen these segments: ("client" or "server", flags, seq, ack)."""
    key = CLIENT[version] + SERVER[version] + b"\x9c\x40\x00\x50"
    session = Session(1, TCP_NUMBER, key, b"", Zone.INSIDE, State.SYN_SENT, None, LIFETIMES, 0)
    for who, flags, seq, ack in segments:
        direction = ORIGINAL if who == "client" else REPLY
        packet = segment(version, flags, seq, ack)
        if flags == "S":
            session.tcp.open(packet)
        else:
            state = tcp.track(
                session.tcp,
                session.state,
                packet,
                direction,
                WindowCheck.STRICT,
                Closing.BY_END,
            )
            assert isinstance(state, State)
            session.state = state
    return session


HANDSHAKE = (("client", "S", TOP, 0), ("server", "SA", 500, 0), ("client", "A", 0, 501))


@VERSIONS
def test_both_ends_of_an_open_connection_believe_it(version):
    """Exactly the number that each expects next (RFC 5961 section 3.2)."""
    session = session_of(version, *HANDSHAKE, ("server", "A", 501, 0))
    to_client = read(forge.reset_of(session, ORIGINAL, TTL))
    assert endpoints(to_client) == FROM_SERVER[version]
    assert (to_client[TCP].flags, to_client[TCP].seq, to_client[TCP].ack) == ("RA", 501, 0)
    to_server = read(forge.reset_of(session, REPLY, TTL))
    assert endpoints(to_server) == FROM_CLIENT[version]
    assert (to_server[TCP].flags, to_server[TCP].seq, to_server[TCP].ack) == ("RA", 0, 501)


@VERSIONS
def test_a_client_that_has_only_sent_its_syn_believes_the_acknowledgement(version):
    """RFC 9293 section 3.10.7.3: in SYN-SENT the ACK must be acceptable."""
    session = session_of(version, ("client", "S", 1000, 0))
    packet = read(forge.reset_of(session, ORIGINAL, TTL))
    assert endpoints(packet) == FROM_SERVER[version]
    assert (packet[TCP].flags, packet[TCP].seq, packet[TCP].ack) == ("RA", 0, 1001)


@VERSIONS
def test_a_server_that_has_not_answered_believes_the_number_after_the_syn(version):
    """The client gives up its SYN in the same way."""
    session = session_of(version, ("client", "S", 1000, 0))
    packet = read(forge.reset_of(session, REPLY, TTL))
    assert endpoints(packet) == FROM_CLIENT[version]
    assert (packet[TCP].flags, packet[TCP].seq, packet[TCP].ack) == ("R", 1001, 0)


def test_without_any_number_there_is_no_reset():
    """Nobody would believe it."""
    assert forge.reset_of(session_of(4), ORIGINAL, TTL) is None
    assert forge.reset_of(session_of(4), REPLY, TTL) is None


# -- ICMP in answer to a refused packet --


@pytest.mark.parametrize(("octets", "quoted"), [(0, 28), (101, 129), (520, 548), (1400, 548)])
def test_an_ipv4_rejection(octets, quoted):
    """Communication administratively prohibited; it quotes what fits in 576 octets (RFC 1812)."""
    data = wire.ip(CLIENT[4], SERVER[4], UDP, wire.udp(40000, 53, bytes(octets)))
    error = forge.rejection_of(data, flow_of(UDP, CLIENT[4] + SERVER[4] + bytes(4)), None, TTL)
    packet = read(error)
    assert (packet.src, packet.dst, packet.proto) == ("10.0.2.2", "10.0.1.2", ICMP_NUMBER)
    assert (packet[ICMP].type, packet[ICMP].code) == (3, 13)
    assert error[24:28] == bytes(4)
    assert error[28:] == data[:quoted]
    assert len(error) <= 576


@pytest.mark.parametrize(("octets", "quoted"), [(0, 48), (101, 149), (1184, 1232), (1400, 1232)])
def test_an_ipv6_rejection(octets, quoted):
    """It quotes what fits in 1280 octets (RFC 4443 section 2.4)."""
    data = wire.ip(CLIENT[6], SERVER[6], UDP, wire.udp(40000, 53, bytes(octets)))
    error = forge.rejection_of(data, flow_of(UDP, CLIENT[6] + SERVER[6] + bytes(4)), None, TTL)
    packet = read(error)
    assert (packet.src, packet.dst) == ("fd00:2::2", "fd00:1::2")
    assert (packet[ICMPv6DestUnreach].type, packet[ICMPv6DestUnreach].code) == (1, 1)
    assert error[48:] == data[:quoted]
    assert len(error) <= 1280


@VERSIONS
def test_a_rejection_comes_from_the_firewall_if_it_has_an_address(version):
    """Then traceroute shows who refused."""
    own = wire.address("10.0.1.1" if version == 4 else "fd00:1::1")
    data = wire.ip(CLIENT[version], SERVER[version], UDP, wire.udp(1, 2))
    flow = flow_of(UDP, CLIENT[version] + SERVER[version] + bytes(4))
    packet = read(forge.rejection_of(data, flow, own, TTL))
    assert packet.src == ("10.0.1.1" if version == 4 else "fd00:1::1")


# -- through the firewall --


def test_whatever_the_firewall_says_is_a_right_packet(play):
    """Every kind of packet it makes, read by scapy."""
    play.under(inside="reset", outside="reject", at_expiry="reset-both")
    spoken = [
        *play.client("A", 10).dropped("unknown_packet", "reset").effects[1:],
        *play.server("A", 10).dropped("unknown_packet", "reject").effects[1:],
    ]
    play.conversation.again().establish()
    spoken += play.wait("1h").expires("ESTABLISHED").effects[1:]
    assert [effect.zone for effect in spoken] == [INSIDE, OUTSIDE, INSIDE, OUTSIDE]
    assert [effect.kind.word for effect in spoken] == ["reset", "reject", "reset", "reset"]
    for effect in spoken:
        packet = read(effect.packet)
        receiver = (CLIENT if effect.zone is INSIDE else SERVER)[play.version]
        assert wire.address(packet.dst) == receiver
