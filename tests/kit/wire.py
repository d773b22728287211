"""How tests make packets: as stories do (`fwemu/scenarios/segments.py`), and a bit more."""

from typing import Final

from fwemu.core.flow import ICMP, ICMPV6
from fwemu.scenarios.segments import (
    FLAGS,
    SACK_PERMITTED,
    TIMESTAMPS,
    address,
    flag_bits,
    icmp,
    ip,
    quotation,
    sack,
    scale,
    tcp,
    udp,
)

__all__ = [
    "FLAGS",
    "MSS",
    "SACK_PERMITTED",
    "TIMESTAMPS",
    "address",
    "extension",
    "flag_bits",
    "icmp",
    "icmp_error",
    "ip",
    "quotation",
    "sack",
    "scale",
    "tcp",
    "udp",
]

MSS: Final = b"\x02\x04\x05\xb4"


def icmp_error(source: bytes, destination: bytes, about: bytes, code: int = 1) -> bytes:
    """The ICMP error "destination unreachable" with this quotation."""
    if len(source) == 4:
        return ip(source, destination, ICMP, icmp(3, payload=about, code=code))
    return ip(source, destination, ICMPV6, icmp(1, payload=about, code=code))


def extension(following: int, body: bytes, octets: int = 8) -> bytes:
    """An IPv6 extension header (hop-by-hop, routing, destination options) before a body."""
    return bytes((following, octets // 8 - 1)) + bytes(octets - 2) + body
