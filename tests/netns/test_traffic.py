"""Whether there was any traffic in a namespace."""

from __future__ import annotations

import os
import socket

import pytest

from netns import Network, traffic
from netns.traffic import Traffic
from tests.kit.labs import unique

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("files", [("snmp", "snmp6"), ("snmp", "of a kernel without IPv6")])
def test_a_datagram_is_seen_and_silence_is(
    files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any thread, and of that namespace alone; a kernel without IPv6 counts none of it."""
    monkeypatch.setattr(traffic, "_COUNTERS", files)
    before = len(os.listdir("/proc/self/fd"))
    with Network() as network:
        quiet, busy = (network.namespace(unique("traffic")) for _ in range(2))
        watched = {each: Traffic(each) for each in (quiet, busy)}
        counted = {each: it.counted() for each, it in watched.items()}
        assert all(counted.values())
        with busy.enter(), socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9))

        assert watched[quiet].counted() == counted[quiet]
        assert watched[busy].counted() != counted[busy]
        for each in watched.values():
            each.close()
    assert len(os.listdir("/proc/self/fd")) == before
