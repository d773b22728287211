"""Random traffic: few hosts and ports, so that packets meet each other's sessions."""

from __future__ import annotations

from hypothesis import strategies as st

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Zone
from tests.core import wire
from tests.core.play import CLIENT, SERVER

PORTS = st.sampled_from([1, 2, 3])
FLAGS = st.sampled_from(["S", "S", "SA", "A", "A", "PA", "FA", "R", "RA", "SF", ""])
NUMBERS = st.sampled_from([0, 1, 2, 100, 2**31, 2**32 - 1])
PAYLOADS = st.sampled_from([b"", b"x", bytes(100)])


@st.composite
def bodies(draw: st.DrawFn, version: int, end: Zone) -> tuple[int, bytes]:
    """A transport protocol and what is in the packet."""
    here, there = draw(PORTS), 80
    if end is Zone.OUTSIDE:
        here, there = there, here
    kind = draw(st.sampled_from(["tcp", "tcp", "tcp", "udp", "icmp", "error", "other"]))
    if kind == "tcp":
        numbers = draw(NUMBERS), draw(NUMBERS)
        return TCP, wire.tcp(here, there, draw(FLAGS), *numbers, draw(PAYLOADS))
    if kind == "udp":
        return UDP, wire.udp(here, there, draw(PAYLOADS))
    if kind == "other":
        return 47, draw(PAYLOADS)
    protocol = ICMP if version == 4 else ICMPV6
    if kind == "error":
        about = draw(packets(version, end.other))
        return protocol, wire.icmp(3 if version == 4 else 1, payload=about)
    types = [8, 0] if version == 4 else [128, 129]
    return protocol, wire.icmp(draw(st.sampled_from(types)), draw(PORTS))


@st.composite
def packets(draw: st.DrawFn, version: int, end: Zone) -> bytes:
    """A packet from this end, now and then a fragment of one."""
    addresses = CLIENT[version], SERVER[version]
    if end is Zone.OUTSIDE:
        addresses = addresses[1], addresses[0]
    protocol, body = draw(bodies(version, end))
    places = [None, None, None, (1, 0, True), (1, 10, True), (2, 20, False)]
    return wire.ip(*addresses, protocol, body, fragment=draw(st.sampled_from(places)))


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[bytes, Zone]:
    """A packet and the zone it comes from, which now and then is the wrong one."""
    version, end = draw(st.sampled_from([4, 6])), draw(st.sampled_from(list(Zone)))
    data = draw(packets(version, end))
    return data, draw(st.sampled_from([end, end, end, end.other]))


@st.composite
def mutilated(draw: st.DrawFn) -> tuple[bytes, Zone]:
    """A packet with some octets changed, cut short or grown."""
    data, zone = draw(arrivals())
    octets = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets[: draw(st.integers(0, len(octets)))]) + draw(st.binary(max_size=8)), zone


ANY_BYTES = st.tuples(st.binary(max_size=120), st.sampled_from(list(Zone)))
"""Usually no packet at all."""
