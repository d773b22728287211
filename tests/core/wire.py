"""Packets as bytes, built with nothing but `struct`: a test makes thousands in the blink of an eye.

Checksums are left zero; the firewall does not look at those of the packets it forwards.  The
packets that it makes itself are read by scapy instead (`test_forge.py`).
"""

from __future__ import annotations

import ipaddress
from struct import pack
from typing import Final

from fwemu.core.flow import ICMP, ICMPV6

FLAGS: Final = {"F": 0x01, "S": 0x02, "R": 0x04, "P": 0x08, "A": 0x10, "U": 0x20}


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
) -> bytes:
    """An IP packet of the version of its addresses.

    `fragment` is (identification, offset in units of eight octets, more follow).  `options` are
    IPv4 options; for IPv6 see `extension`.
    """
    number, offset, more = fragment or (0, 0, False)
    if len(source) == 16:
        if fragment is not None:
            body = pack("!BBHI", protocol, 0, offset << 3 | more, number) + body
            protocol = 44
        return pack("!IHBB", 6 << 28, len(body), protocol, 64) + source + destination + body
    words = 5 + len(options) // 4
    total = words * 4 + len(body)
    place = more << 13 | offset
    head = pack("!BBHHHBBH", 4 << 4 | words, 0, total, number, place, 64, protocol, 0)
    return head + source + destination + options + body


def extension(following: int, body: bytes, octets: int = 8) -> bytes:
    """An IPv6 extension header (hop-by-hop, routing, destination options) before a body."""
    return bytes((following, octets // 8 - 1)) + bytes(octets - 2) + body


def tcp(
    port: int,
    to_port: int,
    flags: str,
    seq: int = 0,
    ack: int = 0,
    payload: bytes = b"",
    options: bytes = b"",
    window: int = 65535,
) -> bytes:
    """A TCP segment."""
    options += bytes(-len(options) % 4)
    offset = 5 + len(options) // 4 << 4
    seq, ack = seq % 2**32, ack % 2**32
    fixed = pack("!HHIIBBHHH", port, to_port, seq, ack, offset, flag_bits(flags), window, 0, 0)
    return fixed + options + payload


MSS: Final = b"\x02\x04\x05\xb4"
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


def icmp(icmp_type: int, identifier: int = 0, payload: bytes = b"", code: int = 0) -> bytes:
    """An ICMP message, of either version."""
    return pack("!BBHHH", icmp_type, code, 0, identifier, 0) + payload


def icmp_error(source: bytes, destination: bytes, about: bytes, code: int = 1) -> bytes:
    """Destination unreachable, about a packet of which it quotes what it is given."""
    if len(source) == 4:
        return ip(source, destination, ICMP, icmp(3, payload=about, code=code))
    return ip(source, destination, ICMPV6, icmp(1, payload=about, code=code))


def quotation(packet: bytes) -> bytes:
    """As much of a plain packet as an error must quote: its header and eight octets (RFC 792)."""
    return packet[: (40 if packet[0] >> 4 == 6 else 20) + 8]
