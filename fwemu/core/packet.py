"""The parser: bytes become a packet, or a reason why they are none.  No input raises an exception.

The firewall sees the head of each packet (the daemon copies only headers out of the kernel), so
lengths come from the headers, and a packet is `TRUNCATED` only where a header that is needed is
cut short.  Checksums are not verified: routers and firewalls forward what they do not terminate.

Sources: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768 (UDP), RFC 792 and 4443 (ICMP).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from fwemu.core.flow import ICMP, ICMPV6, PROTOCOL_NAMES, TCP, UDP, Flow, flow_of
from fwemu.core.reasons import Reason
from fwemu.core.seq import MASK
from fwemu.core.tcp_options import TIMESTAMPS_ONLY
from fwemu.core.tcp_table import FIN, SEGMENT_OF_FLAGS, SYN, Segment


class Kind(IntEnum):
    """The kinds of packet, by the way they are looked up and what they may do."""

    TCP = 0
    UDP = 1
    QUERY = 2
    """ICMP request: may open a session."""
    RESPONSE = 3
    """ICMP reply: only ever answers."""
    ERROR = 4
    """ICMP error: `quoted` says which packet it is about."""
    OTHER = 5
    """Any other protocol: known by its address pair."""
    FRAGMENT = 6
    """Part of a datagram without a transport header: all that it shows is its address pair."""


class Packet(NamedTuple):
    """The fields of a packet that the firewall needs.  Those of TCP are zero or empty in others."""

    kind: Kind
    protocol: int
    key: bytes
    """The flow that it belongs to, cut out of the packet; `flow.flow_of` decodes it."""
    length: int
    """Octets of the whole IP packet."""
    segment: Segment | None = None
    seq: int = 0
    ack: int = 0
    seq_end: int = 0
    """The sequence number after its last octet; SYN and FIN count one (RFC 9293 section 3.4)."""
    window: int = 0
    """The window as it stands in the header, not scaled."""
    flags: int = 0
    """The TCP flags (`tcp_table` names them)."""
    options: bytes = b""
    """The TCP options; empty also where they are timestamps and nothing else."""
    quoted: Quoted | None = None
    """Set on an ICMP error whose quotation names a flow."""


class Quoted(NamedTuple):
    """The packet that an ICMP error is about."""

    protocol: int
    key: bytes


class Malformed(NamedTuple):
    """Bytes that are no packet: the reason, and their length in octets."""

    reason: Reason
    length: int


class Fragment(NamedTuple):
    """A fragment of a datagram: octets `offset` to `offset_end` (not included) of its payload."""

    datagram: bytes
    """The key that the fragments of a datagram share: its identification and its addresses."""
    offset: int
    offset_end: int
    is_last: bool
    cuts_header: bool
    """The first fragment does not hold the whole transport header (RFC 1858, 3128, 7112)."""
    packet: Packet | Malformed
    """The packet that a first fragment begins; of a later one only its addresses (FRAGMENT)."""

    @property
    def length(self) -> int:
        """Octets of the whole IP packet."""
        return self.packet.length


_IPV4: Final = Struct("!BxHxxHxBxx8s")
_IPV4_TCP: Final = Struct("!xxHxxH16xIIBBH")
_IPV6_TCP: Final = Struct("!4xH38xIIBBH")
"""A plain IP header and a TCP header in one step: nearly every packet has these."""

_TCP: Final = Struct("!4xIIBBH")
_WORD: Final = Struct("!H")

_PLAIN_IPV4: Final = 0x45
_FRAGMENTED: Final = 0x3FFF  # IPv4: more fragments follow, or an offset
_OFFSET: Final = 0x1FFF
_MORE_FOLLOW: Final = 0x2000

_LONGEST: Final = 65_535
"""Octets of an IPv4 packet, and behind the fixed header of an IPv6 one: no datagram has more."""

_OCTETS_OF_FLAGS: Final = tuple(1 if flags & (SYN | FIN) else 0 for flags in range(256))
"""The octets of sequence space that the flags take (RFC 9293 section 3.4)."""

ICMP_QUERIES: Final = {
    ICMP: {8: 0, 13: 14, 15: 16, 17: 18},
    ICMPV6: {128: 129},
}
"""Per protocol: the type of a query and of its answer (as nf_conntrack pairs them)."""

_ICMP_ERRORS: Final = {ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset({1, 2, 3, 4})}

# IPv6 extension headers that may stand before the payload (RFC 8200 section 4).
_HOP_BY_HOP, _ROUTING, _FRAGMENT_HEADER, _AH, _DESTINATION = 0, 43, 44, 51, 60
_EXTENSIONS: Final = frozenset({_HOP_BY_HOP, _ROUTING, _FRAGMENT_HEADER, _AH, _DESTINATION})

# Enum members looked up once: on the path of every packet an attribute costs as much as a slice.
_TCP_KIND: Final = Kind.TCP
_new_packet: Final = tuple.__new__


def parse(data: bytes) -> Packet | Fragment | Malformed:
    """Parse an IP packet, from its IP header on.  Any bytes give an answer."""
    if len(data) >= 60 and data[0] >> 4 == 6 and data[6] == TCP:
        total, seq, ack, offset, flags, window = _IPV6_TCP.unpack_from(data)
        total += 40
        payload = total - 40 - (offset >> 4) * 4
        segment = SEGMENT_OF_FLAGS[flags]
        if payload >= 0 and offset >= 0x50 and segment is not None:
            seq_end = seq + payload + _OCTETS_OF_FLAGS[flags] & MASK
            options = _options(data, 60, offset) if offset >= 0x60 else b""
            return _new_packet(
                Packet,
                (
                    _TCP_KIND, TCP, data[8:44], total, segment, seq, ack, seq_end,
                    window, flags, options, None,
                ),
            )  # fmt: skip
    elif len(data) >= 40 and data[0] == _PLAIN_IPV4 and data[9] == TCP:
        total, fragment, seq, ack, offset, flags, window = _IPV4_TCP.unpack_from(data)
        payload = total - 20 - (offset >> 4) * 4
        segment = SEGMENT_OF_FLAGS[flags]
        if payload >= 0 and offset >= 0x50 and segment is not None and not fragment & _FRAGMENTED:
            seq_end = seq + payload + _OCTETS_OF_FLAGS[flags] & MASK
            options = _options(data, 40, offset) if offset >= 0x60 else b""
            return _new_packet(
                Packet,
                (
                    _TCP_KIND, TCP, data[12:24], total, segment, seq, ack, seq_end,
                    window, flags, options, None,
                ),
            )  # fmt: skip
    return _parse_any(data)


def reverse_key(packet: Packet) -> bytes:
    """The key of the packets that answer this one (of any kind but errors and later fragments)."""
    key = packet.key
    width = 16 if len(key) >= 32 else 4
    swapped = key[width : 2 * width] + key[:width]
    rest = key[2 * width :]
    if packet.kind is Kind.QUERY:
        return swapped + rest[:2] + _WORD.pack(ICMP_QUERIES[packet.protocol][rest[3]])
    return swapped + rest[2:] + rest[:2]


def keys_of(flow: Flow) -> tuple[bytes, bytes]:
    """The keys of a session's packets, in the original direction and in reply, from its flow."""
    here, there = flow.source + flow.destination, flow.destination + flow.source
    if flow.protocol not in PROTOCOL_NAMES:
        return here, there
    first, second = _WORD.pack(flow.source_port), _WORD.pack(flow.destination_port)
    if flow.protocol in ICMP_QUERIES:
        answer = ICMP_QUERIES[flow.protocol][flow.destination_port]
        return here + first + second, there + first + _WORD.pack(answer)
    return here + first + second, there + second + first


def flow_of_packet(packet: Packet) -> Flow:
    """The flow of a packet, for rules and logs; a later fragment has no ports."""
    return flow_of(packet.protocol, packet.key)


class Piece(NamedTuple):
    """The fragment fields of an IP header: which part of which datagram it is."""

    datagram: bytes
    """The key that the fragments of the datagram share."""
    offset: int
    """Octets of the datagram before it."""
    more_follow: bool
    begins: int
    """Where in the packet the fragment's payload begins."""


class Located(NamedTuple):
    """An IP packet whose transport header begins at `start`."""

    start: int
    total: int
    protocol: int
    pair: bytes
    """Source and destination address."""
    piece: Piece | None = None
    """Set if it is one of several fragments; a later one has no transport header."""


def locate(data: bytes) -> Located | Malformed:
    """Read the IP header, and IPv6 extension headers, up to the transport header."""
    if not data:
        return Malformed(Reason.TRUNCATED, 0)
    version = data[0] >> 4
    if version == 4:
        return _locate_ipv4(data)
    if version == 6:
        return _locate_ipv6(data)
    return Malformed(Reason.BAD_HEADER, len(data))


def _locate_ipv4(data: bytes) -> Located | Malformed:
    if len(data) < 20:
        return Malformed(Reason.TRUNCATED, len(data))
    first, total, fragment, protocol, pair = _IPV4.unpack_from(data)
    start = (first & 0x0F) * 4
    if start < 20 or total < start:
        return Malformed(Reason.BAD_LENGTH, len(data))
    if len(data) < start:
        return Malformed(Reason.TRUNCATED, total)
    if not fragment & _FRAGMENTED:
        return Located(start, total, protocol, pair)
    datagram = data[4:6] + data[9:10] + pair
    more_follow = bool(fragment & _MORE_FOLLOW)
    piece = Piece(datagram, (fragment & _OFFSET) * 8, more_follow, start)
    return Located(start, total, protocol, pair, piece)


def _locate_ipv6(data: bytes) -> Located | Malformed:
    if len(data) < 40:
        return Malformed(Reason.TRUNCATED, len(data))
    total = 40 + _WORD.unpack_from(data, 4)[0]
    pair = data[8:40]
    protocol, position = data[6], 40
    piece = None
    has_fragment_header = False
    while protocol in _EXTENSIONS:
        if total < position + 8:
            return Malformed(Reason.BAD_LENGTH, len(data))
        if len(data) < position + 8:
            return Malformed(Reason.TRUNCATED, total)
        following, units = data[position], data[position + 1]
        if protocol == _FRAGMENT_HEADER:
            if has_fragment_header:  # as in Linux (ipv6_frag_rcv in net/ipv6/reassembly.c)
                return Malformed(Reason.BAD_HEADER, total)
            has_fragment_header = True
            fragment = _WORD.unpack_from(data, position + 2)[0]
            position += 8
            if fragment & 0xFFF9:  # an offset, or more fragments; neither is an atomic fragment
                datagram = data[position - 4 : position] + pair
                piece = Piece(datagram, fragment & 0xFFF8, bool(fragment & 1), position)
            if fragment & 0xFFF8:
                return Located(position, total, following, pair, piece)
        elif protocol == _AH:  # counts in units of four octets (RFC 4302 section 2.2)
            position += (units + 2) * 4
        else:
            position += (units + 1) * 8
        protocol = following
    if total < position:
        return Malformed(Reason.BAD_LENGTH, len(data))
    return Located(position, total, protocol, pair, piece)


def _parse_any(data: bytes) -> Packet | Fragment | Malformed:
    place = locate(data)
    if isinstance(place, Malformed):
        return place
    if place.piece is not None:
        return _parse_fragment(data, place, place.piece)
    return _parse_transport(data, place)


def _parse_fragment(data: bytes, place: Located, piece: Piece) -> Fragment | Malformed:
    """Check a fragment: all but the last are multiples of eight octets, and none is empty."""
    octets = place.total - piece.begins
    offset_end = piece.offset + octets
    before = piece.begins if len(place.pair) == 8 else piece.begins - 48
    if octets == 0 or (piece.more_follow and octets % 8) or before + offset_end > _LONGEST:
        return Malformed(Reason.BAD_LENGTH, place.total)
    cuts_header = _cuts_header(data, place, piece)
    packet: Packet | Malformed
    if piece.offset or cuts_header:
        packet = Packet(Kind.FRAGMENT, place.protocol, place.pair, place.total)
    else:
        packet = _parse_transport(data, place)
    is_last = not piece.more_follow
    return Fragment(piece.datagram, piece.offset, offset_end, is_last, cuts_header, packet)


def _cuts_header(data: bytes, place: Located, piece: Piece) -> bool:
    """True if the transport header is cut in the first fragment; a later one can show it, too."""
    layout = _LAYOUTS.get(place.protocol)
    if layout is None:
        return False
    if piece.offset:
        return piece.offset < layout.shortest
    octets = place.total - place.start
    if octets < layout.shortest:
        return True
    header = data[place.start : place.start + 13]
    return place.protocol == TCP and len(header) == 13 and octets < (header[12] >> 4) * 4


def _parse_transport(data: bytes, place: Located) -> Packet | Malformed:
    layout = _LAYOUTS.get(place.protocol)
    if layout is None:
        return Packet(Kind.OTHER, place.protocol, place.pair, place.total)
    if place.total - place.start < layout.shortest:
        return Malformed(Reason.BAD_LENGTH, place.total)
    if len(data) < place.start + layout.shortest:
        return Malformed(Reason.TRUNCATED, place.total)
    return layout.parse(data, place)


def _parse_tcp(data: bytes, place: Located) -> Packet | Malformed:
    start, total = place.start, place.total
    seq, ack, offset, flags, window = _TCP.unpack_from(data, start)
    payload = total - start - (offset >> 4) * 4
    if offset < 0x50 or payload < 0:
        return Malformed(Reason.BAD_LENGTH, total)
    segment = SEGMENT_OF_FLAGS[flags]
    if segment is None:
        return Malformed(Reason.BAD_FLAGS, total)
    key = place.pair + data[start : start + 4]
    seq_end = seq + payload + _OCTETS_OF_FLAGS[flags] & MASK
    options = _options(data, start + 20, offset)
    return Packet(Kind.TCP, TCP, key, total, segment, seq, ack, seq_end, window, flags, options)


def _options(data: bytes, start: int, offset: int) -> bytes:
    """The options that begin at `start`; empty for timestamps alone, which say nothing to us."""
    options = data[start : start - 20 + (offset >> 4) * 4]
    if len(options) == 12 and options[:4] == TIMESTAMPS_ONLY:
        return b""
    return options


def _parse_udp(data: bytes, place: Located) -> Packet | Malformed:
    length = _WORD.unpack_from(data, place.start + 4)[0]
    if length < 8 or (length > place.total - place.start and place.piece is None):
        return Malformed(Reason.BAD_LENGTH, place.total)
    key = place.pair + data[place.start : place.start + 4]
    return Packet(Kind.UDP, UDP, key, place.total)


def _parse_icmp(data: bytes, place: Located) -> Packet | Malformed:
    start, protocol = place.start, place.protocol
    if data[start] in _ICMP_ERRORS[protocol]:
        return _parse_error(data, place)
    kind = Kind.QUERY if data[start] in ICMP_QUERIES[protocol] else Kind.RESPONSE
    return Packet(kind, protocol, _query_key(data, place), place.total)


def _query_key(data: bytes, place: Located) -> bytes:
    """Queries and answers share an identifier (octets 4 and 5) and differ by their type."""
    start = place.start
    return place.pair + data[start + 4 : start + 6] + b"\x00" + data[start : start + 1]


def _parse_error(data: bytes, place: Located) -> Packet:
    """An ICMP error and the flow that it quotes.

    Eight octets of the quoted transport header are there (RFC 792), which is enough for its ports.
    """
    key = _query_key(data, place)
    quoted = _parse_quotation(data[place.start + 8 :])
    return Packet(Kind.ERROR, place.protocol, key, place.total, quoted=quoted)


def _parse_quotation(quotation: bytes) -> Quoted | None:
    inner = locate(quotation)
    if isinstance(inner, Malformed) or (inner.piece is not None and inner.piece.offset):
        return None
    if inner.protocol not in _LAYOUTS:
        return Quoted(inner.protocol, inner.pair)
    if len(quotation) < inner.start + 8:
        return None
    if inner.protocol in _ICMP_ERRORS:
        if quotation[inner.start] in _ICMP_ERRORS[inner.protocol]:
            return None  # no error is sent about an error (RFC 1122 section 3.2.2)
        return Quoted(inner.protocol, _query_key(quotation, inner))
    return Quoted(inner.protocol, inner.pair + quotation[inner.start : inner.start + 4])


class _Layout(NamedTuple):
    """A transport protocol: the octets of its header that must be there, and its parser."""

    shortest: int
    parse: Callable[[bytes, Located], Packet | Malformed]


_LAYOUTS: Final = {
    TCP: _Layout(20, _parse_tcp),
    UDP: _Layout(8, _parse_udp),
    ICMP: _Layout(8, _parse_icmp),
    ICMPV6: _Layout(8, _parse_icmp),
}
