"""Bytes become packets, or a named reason why not."""

from struct import pack

import pytest

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP
from fwemu.core.packet import (
    Kind,
    Malformed,
    Packet,
    Quoted,
    flow_of_packet,
    locate,
    parse,
    reverse_key,
)
from fwemu.core.reasons import Reason
from fwemu.core.tcp_table import Segment
from tests.kit import wire
from tests.kit.play import CLIENT, SERVER

VERSIONS = pytest.mark.parametrize("version", [4, 6])
HEADER = {4: 20, 6: 40}


def pair(version):
    return CLIENT[version] + SERVER[version]


def ports(source, destination):
    return source.to_bytes(2, "big") + destination.to_bytes(2, "big")


def packet_of(version, protocol, body, **options):
    return wire.ip(CLIENT[version], SERVER[version], protocol, body, **options)


def kind_of(data):
    packet = parse(data)
    assert isinstance(packet, Packet), packet
    return packet.kind


def refused(data, reason, length=None):
    """These bytes are refused for this reason, and counted with this length."""
    assert parse(data) == Malformed(reason, len(data) if length is None else length)


# -- TCP --


@VERSIONS
def test_a_tcp_segment(version):
    """Everything the firewall wants to know of it."""
    data = packet_of(version, TCP, wire.tcp(40000, 80, "PA", 1000, 2000, b"hello"))
    assert parse(data) == Packet(
        kind=Kind.TCP,
        protocol=TCP,
        key=pair(version) + ports(40000, 80),
        length=len(data),
        segment=Segment.ACK,
        seq=1000,
        ack=2000,
        seq_end=1005,
        window=65535,
        flags=0x18,
        options=b"",
        quoted=None,
    )


@VERSIONS
@pytest.mark.parametrize(
    ("flags", "payload", "octets"),
    [("S", 0, 1), ("SA", 0, 1), ("A", 0, 0), ("A", 1, 1), ("FA", 0, 1), ("FA", 9, 10), ("R", 0, 0)],
)
def test_syn_and_fin_count_one_octet(version, flags, payload, octets):
    """RFC 9293 section 3.4; and the numbers go round at 2**32."""
    body = wire.tcp(1, 2, flags, 2**32 - 1, 0, bytes(payload))
    packet = parse(packet_of(version, TCP, body))
    assert packet.seq == 2**32 - 1
    assert packet.seq_end == (2**32 - 1 + octets) % 2**32


@VERSIONS
def test_the_payload_may_be_missing(version):
    """The daemon copies only heads out of the kernel: lengths come from the headers."""
    body = wire.tcp(40000, 80, "A", 1000, 0, bytes(1400), options=wire.TIMESTAMPS)
    whole = packet_of(version, TCP, body)
    head = whole[: HEADER[version] + 20]
    assert parse(head) == parse(whole)
    assert parse(head).seq_end == 2400
    assert parse(head).length == len(whole)


@VERSIONS
def test_options_that_are_cut_off_are_not_there(version):
    """Nothing is made up; whoever reads them stops where they stop."""
    body = wire.tcp(40000, 80, "S", 1000, 0, options=wire.MSS + wire.scale(7))
    whole = packet_of(version, TCP, body)
    for missing in range(9):
        packet = parse(whole[: len(whole) - missing])
        assert packet.options == (wire.MSS + wire.scale(7))[: 8 - missing]
        assert packet.seq_end == 1001


@VERSIONS
@pytest.mark.parametrize("header", [b"", bytes(4)], ids=["plain", "with-ip-options"])
def test_options_as_they_stand(version, header):
    """Timestamps alone, which nearly every segment has, are left out: they say nothing to us."""
    for options, kept in [
        (b"", b""),
        (wire.TIMESTAMPS, b""),
        (wire.MSS, wire.MSS),
        (wire.TIMESTAMPS + wire.sack((1, 2)), wire.TIMESTAMPS + wire.sack((1, 2))),
        (wire.MSS + wire.scale(7) + wire.MSS, wire.MSS + wire.scale(7) + wire.MSS),
        (b"\x01\x01\x08\x09" + bytes(8), b"\x01\x01\x08\x09" + bytes(8)),
        (bytes(40), bytes(40)),
    ]:
        body = wire.tcp(1, 2, "A", 5, 6, b"data", options, window=777)
        extra = {"options": header} if version == 4 else {}
        packet = parse(packet_of(version, TCP, body, **extra))
        assert (packet.options, packet.window, packet.seq_end) == (kept, 777, 9)


@VERSIONS
@pytest.mark.parametrize("octets", [4, 12, 40])
def test_tcp_options_are_no_payload(version, octets):
    """A SYN with options takes one number, not forty-one."""
    body = wire.tcp(1, 2, "S", 0, 0, options=bytes(octets))
    assert parse(packet_of(version, TCP, body)).seq_end == 1


def test_ipv4_options_change_nothing_but_the_length():
    """Rare packets take another way through the parser and must come to the same result."""
    body = wire.tcp(40000, 80, "FA", 5, 6, b"x" * 9)
    plain = parse(packet_of(4, TCP, body))
    for octets in (4, 40):
        long = parse(packet_of(4, TCP, body, options=bytes(octets)))
        assert long == plain._replace(length=plain.length + octets)


@pytest.mark.parametrize(
    ("number", "header"),
    [
        (0, wire.extension(TCP, b"")),
        (0, wire.extension(TCP, b"", octets=24)),
        (43, wire.extension(TCP, b"")),
        (60, wire.extension(TCP, b"", octets=16)),
        (51, bytes((TCP, 4)) + bytes(22)),  # AH counts its length in fours, less two
        (44, bytes((TCP, 0, 0, 0)) + b"\x12\x34\x56\x78"),  # atomic fragment, RFC 6946
        (44, bytes((TCP, 0, 0, 6)) + b"\x12\x34\x56\x78"),  # with its reserved bits set
    ],
)
def test_ipv6_extension_headers_change_nothing_but_the_length(number, header):
    """RFC 8200 section 4: any of them may stand before the segment."""
    body = wire.tcp(40000, 80, "A", 5, 6, b"x" * 9)
    plain = parse(packet_of(6, TCP, body))
    assert parse(packet_of(6, number, header + body)) == plain._replace(
        length=plain.length + len(header)
    )


def test_ipv6_extension_headers_in_a_row():
    """Hop-by-hop, then routing, then destination options."""
    body = wire.tcp(40000, 80, "S", 5)
    chain = wire.extension(43, wire.extension(60, wire.extension(TCP, body)))
    assert parse(packet_of(6, 0, chain)).key == pair(6) + ports(40000, 80)


# -- UDP, ICMP and the rest --


@VERSIONS
def test_a_udp_datagram(version):
    """Ports, and nothing of TCP."""
    data = packet_of(version, UDP, wire.udp(40000, 53, b"question"))
    assert parse(data) == Packet(Kind.UDP, UDP, pair(version) + ports(40000, 53), len(data))


@pytest.mark.parametrize(
    ("protocol", "version", "query", "response"),
    [
        (ICMP, 4, 8, 0),
        (ICMP, 4, 13, 14),
        (ICMP, 4, 15, 16),
        (ICMP, 4, 17, 18),
        (ICMPV6, 6, 128, 129),
    ],
)
def test_an_icmp_query_and_its_answer(protocol, version, query, response):
    """They share an identifier; the answer's type is the one that belongs to the query."""
    data = packet_of(version, protocol, wire.icmp(query, 77))
    asked = parse(data)
    assert asked == Packet(Kind.QUERY, protocol, pair(version) + ports(77, query), len(data))
    back = wire.ip(SERVER[version], CLIENT[version], protocol, wire.icmp(response, 77))
    answered = parse(back)
    assert answered.kind is Kind.RESPONSE
    assert answered.key == reverse_key(asked)


@pytest.mark.parametrize(
    ("protocol", "version", "icmp_type"), [(ICMP, 4, 9), (ICMP, 4, 10), (ICMPV6, 6, 135)]
)
def test_other_icmp_messages_only_ever_answer(protocol, version, icmp_type):
    """Nothing that a router or neighbour announces may open a session."""
    assert kind_of(packet_of(version, protocol, wire.icmp(icmp_type))) is Kind.RESPONSE


@VERSIONS
@pytest.mark.parametrize("protocol", [47, 50, 132])
def test_a_protocol_without_ports(version, protocol):
    """Known by its pair of addresses, however short it is."""
    data = packet_of(version, protocol, b"")
    assert parse(data) == Packet(Kind.OTHER, protocol, pair(version), len(data))


@VERSIONS
def test_the_reverse_of_the_reverse(version):
    """What answers the answer is the packet itself."""
    bodies = {
        TCP: wire.tcp(40000, 80, "A"),
        UDP: wire.udp(40000, 53),
        47: b"",
    }
    for protocol, body in bodies.items():
        packet = parse(packet_of(version, protocol, body))
        back = packet._replace(key=reverse_key(packet))
        flow, mirrored = flow_of_packet(packet), flow_of_packet(back)
        assert mirrored == (
            protocol,
            flow.destination,
            flow.destination_port,
            flow.source,
            flow.source_port,
        )
        assert reverse_key(back) == packet.key


# -- fragments --


@VERSIONS
def test_fragments_share_the_key_of_their_datagram(version):
    """The first has ports and says under which key the later ones come; they have nothing else."""
    body = wire.udp(40000, 53, bytes(600))
    first = parse(packet_of(version, UDP, body, fragment=(7, 0, True)))
    middle = parse(packet_of(version, UDP, bytes(600), fragment=(7, 76, True)))
    last = parse(packet_of(version, UDP, bytes(603), fragment=(7, 151, False)))
    assert first.packet.kind is Kind.UDP
    assert first.packet.key == pair(version) + ports(40000, 53)
    assert middle.packet.kind is last.packet.kind is Kind.FRAGMENT
    assert first.datagram == middle.datagram == last.datagram
    places = [(each.offset, each.offset_end, each.is_last) for each in (first, middle, last)]
    assert places == [(0, 608, False), (608, 1208, False), (1208, 1811, True)]
    assert not any(each.cuts_header for each in (first, middle, last))


@VERSIONS
def test_fragments_that_cannot_be(version):
    """Odd parts before the end, empty ones, and those that make up more than any packet may be."""
    for body, fragment in (
        (bytes(9), (7, 5, True)),
        (wire.udp(1, 2, bytes(3)), (7, 0, True)),
        (b"", (7, 5, True)),
        (b"", (7, 5, False)),
        (bytes(40), (7, 0x1FFF, False)),
    ):
        refused(packet_of(version, UDP, body, fragment=fragment), Reason.BAD_LENGTH)


@VERSIONS
def test_the_longest_datagram(version):
    """65,535 octets with its header (RFC 791), or behind its header (RFC 8200 section 4.5)."""
    longest = 65_535 - {4: 20, 6: 0}[version]
    offset = longest // 8
    rest = bytes(longest - offset * 8)
    assert parse(packet_of(version, UDP, rest, fragment=(7, offset, False))).offset_end == longest
    refused(packet_of(version, UDP, rest + b"!", fragment=(7, offset, False)), Reason.BAD_LENGTH)


@VERSIONS
def test_a_header_in_two_parts(version):
    """Either part tells by itself; it shows addresses, and nothing that rules could look at."""
    segment = wire.tcp(40000, 80, "S", options=wire.TIMESTAMPS)
    for protocol, body, fragment, cuts in (
        (TCP, segment[:16], (7, 0, True), True),
        (TCP, segment[16:], (7, 2, False), True),
        (TCP, segment[:24], (7, 0, True), True),  # without the end of its options
        (TCP, segment[24:], (7, 3, False), False),  # nobody knows how long the header is
        (TCP, segment, (7, 0, True), False),
        (UDP, wire.udp(1, 2), (7, 0, True), False),
        (UDP, bytes(8), (7, 1, False), False),
        (47, bytes(8), (7, 0, True), False),
        (47, bytes(8), (7, 1, True), False),
    ):
        found = parse(packet_of(version, protocol, body, fragment=fragment))
        assert found.cuts_header is cuts
        if cuts:
            assert found.packet.kind is Kind.FRAGMENT
            assert (
                found.length
                == found.packet.length
                == len(body) + HEADER[version] + {4: 0, 6: 8}[version]
            )


@VERSIONS
def test_a_first_fragment_that_is_no_packet(version):
    """Its datagram is known nevertheless, so that the rest of it can be refused."""
    first = parse(
        packet_of(version, TCP, wire.tcp(1, 2, "SF", payload=bytes(4)), fragment=(7, 0, True))
    )
    later = parse(packet_of(version, TCP, bytes(8), fragment=(7, 3, False)))
    assert first.packet.reason is Reason.BAD_FLAGS
    assert first.datagram == later.datagram
    cut = packet_of(version, TCP, wire.tcp(1, 2, "S", payload=bytes(4)), fragment=(7, 0, True))[
        : HEADER[version] + 16
    ]
    assert parse(cut).packet.reason is Reason.TRUNCATED
    assert not parse(cut).cuts_header


def test_an_ipv6_fragment_within_a_fragment():
    """No host makes them, and no stack takes them."""
    inner = bytes((UDP, 0, 0, 1)) + bytes(4) + wire.udp(1, 2)
    for fragment in ((7, 0, True), (7, 0, False)):
        refused(packet_of(6, 44, inner, fragment=fragment), Reason.BAD_HEADER)


def test_an_atomic_ipv6_fragment_is_a_whole_packet():
    """RFC 6946: it has the header of a fragment, and nothing else of one."""
    data = packet_of(6, UDP, wire.udp(40000, 53), fragment=(7, 0, False))
    assert parse(data) == Packet(Kind.UDP, UDP, pair(6) + ports(40000, 53), len(data))


def test_extension_headers_before_and_after_that_of_a_fragment():
    """What stands before it comes with each fragment, what stands after it with the first."""
    whole = wire.extension(UDP, wire.udp(40000, 53, bytes(8)))
    head = bytes((60, 0, 0, 1)) + bytes(3) + b"\7"
    first = parse(packet_of(6, 0, wire.extension(44, head + whole)))
    assert (first.offset, first.offset_end, first.packet.kind) == (0, 24, Kind.UDP)
    head = bytes((60, 0, 0, 24)) + bytes(3) + b"\7"
    last = parse(packet_of(6, 0, wire.extension(44, head + bytes(10))))
    assert (last.offset, last.offset_end, last.is_last) == (24, 34, True)
    assert first.datagram == last.datagram


@VERSIONS
def test_another_datagram_has_another_key(version):
    """Otherwise anybody's fragments would pass on another's credit."""
    here, there = CLIENT[version], SERVER[version]
    keys = [
        parse(wire.ip(*ends, UDP, bytes(8), fragment=(number, 5, False))).datagram
        for ends in ((here, there), (there, here), (here, here))
        for number in (7, 8)
    ]
    assert len(set(keys)) == len(keys)


def test_an_ipv4_datagram_is_also_known_by_its_protocol():
    """RFC 791: identification is unique for source, destination and protocol."""
    keys = {
        parse(packet_of(4, number, bytes(8), fragment=(7, 5, False))).datagram for number in (6, 17)
    }
    assert len(keys) == 2


@VERSIONS
def test_the_flow_of_a_later_fragment_has_no_ports(version):
    """Rules and logs see its addresses."""
    data = packet_of(version, UDP, bytes(8), fragment=(7, 5, True))
    assert flow_of_packet(parse(data).packet) == (UDP, CLIENT[version], 0, SERVER[version], 0)
    assert parse(data).length == len(data)


@VERSIONS
@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        (TCP, wire.tcp(1, 2, "A", payload=bytes(4))),
        (47, bytes(8)),
        (ICMP, wire.icmp(8)),
        (ICMPV6, wire.icmp(128)),
    ],
)
def test_a_first_fragment_of_any_protocol_names_its_datagram(version, protocol, body):
    """So that the rest of it can follow."""
    first = parse(packet_of(version, protocol, body, fragment=(7, 0, True)))
    later = parse(packet_of(version, protocol, bytes(8), fragment=(7, 3, False)))
    assert first.datagram == later.datagram
    assert first.packet.kind is not later.packet.kind is Kind.FRAGMENT


def test_dont_fragment_is_no_fragment():
    """The bit that nearly every packet carries."""
    data = bytearray(packet_of(4, TCP, wire.tcp(1, 2, "A")))
    data[6] = 0x40
    assert kind_of(bytes(data)) is Kind.TCP


def test_an_offset_alone_makes_an_ipv4_fragment():
    """The last fragment has no "more" bit, and an offset of any size."""
    for offset in (1, 0x1000, 0x1FFD):
        found = parse(packet_of(4, TCP, b"!", fragment=(7, offset, False)))
        assert (found.offset, found.is_last) == (offset * 8, True)


def test_an_udp_length_beyond_the_first_fragment():
    """The header speaks of the whole datagram, the fragment holds a part of it."""
    long = pack("!HHHH", 1, 2, 2000, 0) + bytes(8)
    assert parse(packet_of(4, UDP, long, fragment=(7, 0, True))).packet.kind is Kind.UDP
    refused(packet_of(4, UDP, long), Reason.BAD_LENGTH)


# -- ICMP errors --


@VERSIONS
def test_an_error_names_the_packet_it_is_about(version):
    """Eight octets of the quoted segment are enough for its ports."""
    segment = packet_of(version, TCP, wire.tcp(40000, 80, "A", 1, 2, bytes(100)))
    error = wire.icmp_error(SERVER[version], CLIENT[version], wire.quotation(segment))
    packet = parse(error)
    assert packet.kind is Kind.ERROR
    assert packet.quoted == Quoted(TCP, pair(version) + ports(40000, 80))
    assert flow_of_packet(packet)[1::2] == (SERVER[version], CLIENT[version])
    assert packet.length == len(error)


@VERSIONS
@pytest.mark.parametrize(
    ("protocol", "body", "rest"),
    [
        (UDP, wire.udp(40000, 53), ports(40000, 53)),
        (ICMP, wire.icmp(8, 77), ports(77, 8)),
        (ICMP, wire.icmp(0, 77), ports(77, 0)),
        (ICMPV6, wire.icmp(128, 77), ports(77, 128)),
        (47, b"", b""),
    ],
)
def test_errors_about_any_protocol(version, protocol, body, rest):
    """The key is that of the quoted packet itself."""
    quoted = packet_of(version, protocol, body)
    error = wire.icmp_error(SERVER[version], CLIENT[version], quoted)
    assert parse(error).quoted == Quoted(protocol, pair(version) + rest)
    assert parse(error).quoted.key == parse(quoted).key


@pytest.mark.parametrize(
    ("protocol", "version", "icmp_type"),
    [*((ICMP, 4, t) for t in (3, 4, 5, 11, 12)), *((ICMPV6, 6, t) for t in (1, 2, 3, 4))],
)
def test_the_types_that_are_errors(protocol, version, icmp_type):
    """RFC 792, RFC 4443 section 2.1."""
    segment = packet_of(version, TCP, wire.tcp(1, 2, "A"))
    data = packet_of(version, protocol, wire.icmp(icmp_type, payload=segment))
    assert kind_of(data) is Kind.ERROR
    assert parse(data).quoted is not None


@VERSIONS
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda quoted: b"", id="nothing"),
        pytest.param(lambda quoted: quoted[:10], id="half a header"),
        pytest.param(lambda quoted: quoted[:-1], id="seven octets of the segment"),
        pytest.param(lambda quoted: b"\x90" + quoted[1:], id="another IP version"),
    ],
)
def test_a_quotation_that_names_nothing(version, spoil):
    """The error is still an error; it is about nobody."""
    segment = packet_of(version, TCP, wire.tcp(1, 2, "A"))
    error = wire.icmp_error(SERVER[version], CLIENT[version], spoil(wire.quotation(segment)))
    assert kind_of(error) is Kind.ERROR
    assert parse(error).quoted is None


@VERSIONS
def test_no_error_is_about_a_later_fragment_or_another_error(version):
    """RFC 1122 section 3.2.2: hosts send none, so whoever does lies."""
    fragment = packet_of(version, UDP, bytes(16), fragment=(7, 5, False))
    inner = wire.icmp_error(CLIENT[version], SERVER[version], packet_of(version, UDP, bytes(16)))
    for about in (fragment, inner):
        error = wire.icmp_error(SERVER[version], CLIENT[version], about)
        assert kind_of(error) is Kind.ERROR
        assert parse(error).quoted is None


# -- what is no packet --


def test_nothing():
    """An empty buffer."""
    refused(b"", Reason.TRUNCATED)


@pytest.mark.parametrize("version", [0, 5, 7, 15])
def test_an_unknown_ip_version(version):
    """Neither 4 nor 6."""
    refused(bytes((version << 4 | 5,)) + bytes(59), Reason.BAD_HEADER)


@VERSIONS
def test_every_cut_through_a_header(version):
    """Wherever the bytes end before the headers do, that is the reason."""
    bodies = {
        TCP: (wire.tcp(1, 2, "S"), 20),
        UDP: (wire.udp(1, 2, bytes(9)), 8),
        ICMP: (wire.icmp(8), 8),
        ICMPV6: (wire.icmp(1), 8),
    }
    for protocol, (body, needed) in bodies.items():
        data = packet_of(version, protocol, body)
        for cut in range(len(data)):
            known = cut >= HEADER[version]  # from here on the length is told by the header
            if cut < HEADER[version] + needed:
                refused(data[:cut], Reason.TRUNCATED, len(data) if known else cut)
            else:
                assert parse(data[:cut]) == parse(data)


@VERSIONS
def test_a_total_shorter_than_the_transport_header(version):
    """The header says there is less than a header."""
    for protocol, shortest in ((TCP, 20), (UDP, 8), (ICMP, 8), (ICMPV6, 8)):
        data = packet_of(version, protocol, bytes(shortest - 1))
        refused(data + bytes(60), Reason.BAD_LENGTH, len(data))


@VERSIONS
@pytest.mark.parametrize("offset", [0, 1, 4, 6, 15])
def test_a_tcp_header_length_that_cannot_be(version, offset):
    """Less than five words, or more than there are."""
    body = bytearray(wire.tcp(1, 2, "A"))
    body[12] = offset << 4
    refused(packet_of(version, TCP, bytes(body)), Reason.BAD_LENGTH)


@VERSIONS
def test_a_tcp_header_length_that_just_fits(version):
    """Six words and nothing behind them."""
    body = wire.tcp(1, 2, "A", 10, options=bytes(4))
    assert parse(packet_of(version, TCP, body)).seq_end == 10


@VERSIONS
def test_the_reserved_bits_beside_the_tcp_header_length(version):
    """They must be ignored (RFC 9293 section 3.1)."""
    body = bytearray(wire.tcp(1, 2, "A", 10, payload=b"four"))
    body[12] |= 0x0F
    for options in (b"", bytes(4)) if version == 4 else (b"",):
        assert parse(packet_of(version, TCP, bytes(body), options=options)).seq_end == 14


@VERSIONS
@pytest.mark.parametrize("flags", ["", "F", "SF", "SR"])
def test_flags_that_nobody_sends(version, flags):
    """Refused before any state is asked."""
    refused(packet_of(version, TCP, wire.tcp(1, 2, flags)), Reason.BAD_FLAGS)


@VERSIONS
@pytest.mark.parametrize("length", [0, 7, 17])
def test_an_udp_length_that_cannot_be(version, length):
    """Shorter than its header, or longer than the packet."""
    refused(packet_of(version, UDP, pack("!HHHH", 1, 2, length, 0) + bytes(8)), Reason.BAD_LENGTH)


@VERSIONS
@pytest.mark.parametrize("length", [8, 15, 16])
def test_an_udp_length_that_can_be(version, length):
    """Anything behind the datagram is padding."""
    assert kind_of(packet_of(version, UDP, pack("!HHHH", 1, 2, length, 0) + bytes(8))) is Kind.UDP


@pytest.mark.parametrize("first", [0x40, 0x44])
def test_an_ipv4_header_length_that_cannot_be(first):
    """Less than five words."""
    refused(bytes((first,)) + packet_of(4, TCP, wire.tcp(1, 2, "A"))[1:], Reason.BAD_LENGTH)


def test_an_ipv4_total_shorter_than_the_header():
    """Nineteen octets in all."""
    data = bytearray(packet_of(4, TCP, wire.tcp(1, 2, "A")))
    data[2:4] = pack("!H", 19)
    refused(bytes(data), Reason.BAD_LENGTH)


def test_ipv4_options_cut_off():
    """The header says eleven words, and five are there."""
    data = packet_of(4, TCP, wire.tcp(1, 2, "A"), options=bytes(24))
    refused(data[:40], Reason.TRUNCATED, len(data))


def test_an_ipv6_extension_header_cut_off():
    """By the end of the bytes, or by the length in the IP header."""
    data = packet_of(6, 0, wire.extension(TCP, wire.tcp(1, 2, "A")))
    refused(data[:47], Reason.TRUNCATED, len(data))
    refused(packet_of(6, 0, bytes(7)), Reason.BAD_LENGTH)


def test_an_ipv6_extension_header_longer_than_the_packet():
    """It says sixteen octets where eight are left."""
    refused(packet_of(6, 0, bytes((TCP, 1)) + bytes(6)), Reason.BAD_LENGTH)


def test_a_long_chain_of_ipv6_extension_headers_ends():
    """Each takes eight octets, so that no packet keeps the parser busy."""
    refused(packet_of(6, 60, bytes((60, 0)) + bytes(6)), Reason.BAD_LENGTH)
    chain = (bytes((60, 0)) + bytes(6)) * 8000
    refused(packet_of(6, 60, chain), Reason.BAD_LENGTH)


def test_an_ipv6_packet_without_a_payload():
    """ "No next header" (59) is a protocol without ports."""
    data = packet_of(6, 59, b"")
    assert parse(data) == Packet(Kind.OTHER, 59, pair(6), 40)


# -- where the transport header is --


@VERSIONS
def test_locate_finds_the_transport_header(version):
    """Captures and answers use it too."""
    body = wire.tcp(1, 2, "A")
    place = locate(packet_of(version, TCP, body))
    assert (place.start, place.total) == (HEADER[version], HEADER[version] + 20)
    assert (place.protocol, place.pair, place.piece) == (TCP, pair(version), None)


def test_the_places_of_a_packet_s_fields():
    """Where a packet costs most, its fields are taken by place: `parse` fills them so,
    `tcp.flows_on` takes them apart so, and `Firewall.handle` looks the kind up at place 0."""
    assert Packet._fields == (
        "kind",
        "protocol",
        "key",
        "length",
        "segment",
        "seq",
        "ack",
        "seq_end",
        "window",
        "flags",
        "options",
        "quoted",
    )


def test_the_quick_way_and_the_general_one_read_the_same_segment():
    """The first is for plain headers; an IPv4 option forces the second."""
    body = wire.tcp(40000, 80, "SA", 5, 7, b"payload", wire.scale(3), 900)
    quick = parse(wire.ip(CLIENT[4], SERVER[4], TCP, body))
    general = parse(wire.ip(CLIENT[4], SERVER[4], TCP, body, options=bytes(4)))
    assert quick == general._replace(length=general.length - 4)
    assert type(quick) is type(general) is Packet
