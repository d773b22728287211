"""Builds packets as bytes with `struct` alone, quickly enough for thousands of them in a test.

Checksums are left zero, which is enough for the core; a kernel checks them: use `with_checksums`.
"""

from __future__ import annotations

import ipaddress
from struct import pack, pack_into
from typing import Final

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP
from fwemu.core.forge import checksum
from fwemu.core.packet import Malformed, locate

FLAGS: Final = {
    "F": 0x01, "S": 0x02, "R": 0x04, "P": 0x08, "A": 0x10, "U": 0x20, "E": 0x40, "C": 0x80,
}  # fmt: skip


def address(text: str) -> bytes:
    """The packed form of `10.0.1.2` or `fd00:1::2`."""
    return ipaddress.ip_address(text).packed


def flag_bits(letters: str) -> int:
    """`SA` is SYN and ACK, as tcpdump writes flags."""
    return sum(FLAGS[letter] for letter in letters)


def ip(
    source: bytes,
    destination: bytes,
    protocol: int,
    body: bytes,
    *,
    fragment: tuple[int, int, bool] | None = None,
    options: bytes = b"",
    ttl: int = 64,
) -> bytes:
    """An IP packet of the version of its addresses.

    `fragment` is (identification, offset in units of eight octets, more follow).  `options` are
    IPv4 options.
    """
    number, offset, more = fragment or (0, 0, False)
    if len(source) == 16:
        if fragment is not None:
            body = pack("!BBHI", protocol, 0, offset << 3 | more, number) + body
            protocol = 44
        return pack("!IHBB", 6 << 28, len(body), protocol, ttl) + source + destination + body
    words = 5 + len(options) // 4
    total = words * 4 + len(body)
    place = more << 13 | offset
    head = pack("!BBHHHBBH", 4 << 4 | words, 0, total, number, place, ttl, protocol, 0)
    return head + source + destination + options + body


def tcp(
    port: int,
    to_port: int,
    flags: str,
    seq: int = 0,
    ack: int = 0,
    payload: bytes = b"",
    options: bytes = b"",
    window: int = 65535,
    urgent: int = 0,
) -> bytes:
    """A TCP segment."""
    options += bytes(-len(options) % 4)
    offset = 5 + len(options) // 4 << 4
    seq, ack = seq % 2**32, ack % 2**32
    fixed = pack("!HHIIBBHHH", port, to_port, seq, ack, offset, flag_bits(flags), window, 0, urgent)
    return fixed + options + payload


TIMESTAMPS: Final = b"\x01\x01\x08\x0a" + bytes(8)
SACK_PERMITTED: Final = b"\x04\x02"


def scale(shift: int) -> bytes:
    """The option that announces scaled windows."""
    return bytes((1, 3, 3, shift))


def sack(*blocks: tuple[int, int]) -> bytes:
    """The option that acknowledges selectively: left and right edges."""
    edges = b"".join(pack("!II", left % 2**32, right % 2**32) for left, right in blocks)
    return bytes((1, 1, 5, 2 + len(edges))) + edges


def udp(port: int, to_port: int, payload: bytes = b"") -> bytes:
    """A UDP datagram."""
    return pack("!HHHH", port, to_port, 8 + len(payload), 0) + payload


def icmp(
    icmp_type: int, identifier: int = 0, payload: bytes = b"", code: int = 0, last: int = 0
) -> bytes:
    """An ICMP message, of either version; `last` is the last word of its header."""
    return pack("!BBHHH", icmp_type, code, 0, identifier, last) + payload


def quotation(packet: bytes) -> bytes:
    """The part of a packet that an ICMP error must quote: header and eight octets (RFC 792)."""
    return packet[: (40 if packet[0] >> 4 == 6 else 20) + 8]


def without_hops(packet: bytes) -> bytes:
    """A packet without the fields that a router changes: hop limit, and the IPv4 checksum."""
    if packet[0] >> 4 == 6:
        return packet[:7] + packet[8:]
    return packet[:8] + packet[9:10] + packet[12:]


_CHECKSUM_AT: Final = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
"""Where the checksum stands in the header of a protocol (RFC 9293, 768, 792, 4443)."""


def with_checksums(packet: bytes) -> bytes:
    """Fill in the checksums of a packet, which must be zero in it.

    A fragment gets that of its IP header only: the other one belongs to the whole datagram.
    """
    place = locate(packet)
    assert not isinstance(place, Malformed)
    filled = bytearray(packet)
    at = _CHECKSUM_AT.get(place.protocol)
    if at is not None and place.piece is None:
        body = packet[place.start :]
        pseudo = place.pair + pack("!II", len(body), place.protocol)
        covered = body if place.protocol == ICMP else pseudo + body
        value = checksum(covered)
        if place.protocol == UDP and value == 0:  # zero says that there is none (RFC 768)
            value = 0xFFFF
        pack_into("!H", filled, place.start + at, value)
    if packet[0] >> 4 == 4:
        pack_into("!H", filled, 10, checksum(packet[: (packet[0] & 0x0F) * 4]))
    return bytes(filled)
