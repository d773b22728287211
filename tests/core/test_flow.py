"""Zones, directions, and flows as people read them."""

import pytest

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Zone, flow_of, protocol_name
from tests.kit.wire import address

V4 = address("10.0.1.2") + address("10.0.2.2")
V6 = address("fd00:1::2") + address("fd00:2::2")


def test_a_zone_and_its_other_side():
    """A packet leaves where it did not come from."""
    assert Zone.INSIDE.other is Zone.OUTSIDE
    assert Zone.OUTSIDE.other is Zone.INSIDE
    assert [zone.word for zone in Zone] == ["inside", "outside"]


@pytest.mark.parametrize(
    ("protocol", "key", "text"),
    [
        (TCP, V4 + b"\x9c\x40\x00\x50", "tcp 10.0.1.2:40000 -> 10.0.2.2:80"),
        (UDP, V6 + b"\x9c\x40\x00\x35", "udp [fd00:1::2]:40000 -> [fd00:2::2]:53"),
        (ICMP, V4 + b"\x00\x4d\x00\x08", "icmp 10.0.1.2 -> 10.0.2.2 id 77"),
        (ICMPV6, V6 + b"\x00\x4d\x00\x80", "icmpv6 fd00:1::2 -> fd00:2::2 id 77"),
        (47, V4, "protocol 47 10.0.1.2 -> 10.0.2.2"),
        (47, V6, "protocol 47 fd00:1::2 -> fd00:2::2"),
    ],
)
def test_a_flow_in_words(protocol, key, text):
    """As it stands in logs and reports."""
    assert str(flow_of(protocol, key)) == text


def test_a_flow_from_its_key():
    """Key and flow say the same; a protocol without ports has zeros."""
    flow = flow_of(TCP, V4 + b"\x9c\x40\x00\x50")
    assert flow == (TCP, V4[:4], 40000, V4[4:], 80)
    assert flow.version == 4
    flow = flow_of(47, V6)
    assert flow == (47, V6[:16], 0, V6[16:], 0)
    assert flow.version == 6


def test_names_of_protocols():
    """A number without a name is its own name."""
    assert [protocol_name(number) for number in (1, 6, 17, 58, 47)] == [
        "icmp",
        "tcp",
        "udp",
        "icmpv6",
        "47",
    ]
