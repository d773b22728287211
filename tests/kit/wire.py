"""How tests make packets: as stories do, see `fwemu/scenarios/segments.py`."""

from fwemu.scenarios.segments import (
    FLAGS,
    MSS,
    SACK_PERMITTED,
    TIMESTAMPS,
    address,
    extension,
    flag_bits,
    icmp,
    icmp_error,
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
