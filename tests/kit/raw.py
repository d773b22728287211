"""Sends packets from a host that its kernel would not make, and receives at the other end."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from fwemu.core.flow import ICMP, ICMPV6, UDP
from fwemu.daemon.inject import Injector
from fwemu.lab import Host
from tests.kit import wire
from tests.kit.labs import address


@contextmanager
def raw(host: Host) -> Iterator[Injector]:
    """Sends IP packets from a host, whatever their source address."""
    with host.namespace.enter():
        sender = Injector()
    try:
        yield sender
    finally:
        sender.close()


def packed(host: Host, version: int) -> bytes:
    """The address of a host as packets have it."""
    return wire.address(address(host, version))


def checksum(covered: bytes) -> bytes:
    """The Internet checksum (RFC 1071)."""
    covered += bytes(len(covered) % 2)
    total = sum(struct.unpack(f"!{len(covered) // 2}H", covered))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def pseudo_header(ends: tuple[bytes, bytes], protocol: int, body: bytes) -> bytes:
    """The pseudo-header of UDP and ICMPv6 (RFC 8200 section 8.1)."""
    return b"".join(ends) + struct.pack("!II", len(body), protocol)


def udp(ends: tuple[bytes, bytes], port: int, to_port: int, payload: bytes) -> bytes:
    """A UDP datagram that a receiver takes for right."""
    bare = wire.udp(port, to_port, payload)
    return bare[:6] + checksum(pseudo_header(ends, UDP, bare) + bare) + bare[8:]


def fragments(
    ends: tuple[bytes, bytes], protocol: int, body: bytes, edges: Sequence[int], number: int
) -> list[bytes]:
    """The body of a packet, cut at these octets."""
    return [
        wire.ip(*ends, protocol, body[start:stop], fragment=(number, start // 8, stop < len(body)))
        for start, stop in pairwise([0, *edges, len(body)])
    ]


def too_big(ends: tuple[bytes, bytes], mtu: int, about: bytes) -> bytes:
    """The ICMP error of a router about a packet that does not fit (RFC 1191, RFC 8201)."""
    if len(ends[0]) == 4:
        message = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + about
        return wire.ip(*ends, ICMP, message[:2] + checksum(message) + message[4:])
    message = struct.pack("!BBHI", 2, 0, 0, mtu) + about
    value = checksum(pseudo_header(ends, ICMPV6, message) + message)
    return wire.ip(*ends, ICMPV6, message[:2] + value + message[4:])
