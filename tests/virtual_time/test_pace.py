"""Hosts and sockets at the pace of a firewall, and as they were afterwards."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fwemu.virtual_time.scaled_sockets import HostPace
from netns import Namespace, Network, sysctl
from tests.kit.labs import eventually, unique

pytestmark = pytest.mark.kernel

TIMES = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_fin_timeout", "tcp_retries2",
         "tcp_syn_retries", "tcp_syn_linear_timeouts")  # fmt: skip


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with nothing but its loopback."""
    with Network() as network:
        yield network.namespace(unique())


def settings(host: Namespace) -> list[int]:
    """What TCP takes its times from there."""
    return [int(sysctl(host, f"net.ipv4.{name}")) for name in TIMES]


def idle(tcp: socket.socket) -> int:
    """Its TCP_KEEPIDLE."""
    return tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)


def test_everything_is_as_it_was_when_the_firewall_has_ended(host: Namespace) -> None:
    """It may run beside applications that live on: their settings and those of their sockets."""
    before = settings(host)
    with host.enter(), socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 600)
        pace = HostPace({"app": host.name}, 60)
        noted: list[dict[str, Any]] = []
        with pace.scaled_hosts():
            assert settings(host) == [120, 1, 1, 9, 1, 0]
            with pace.watched_sockets(lambda event, fields: noted.append(fields)):
                eventually(lambda: idle(near) == 10, what="10 s")
                assert idle(far) == 120
            assert idle(near) == 600
        (event,) = [each for each in noted if len(each["values"]) > 2]
        assert event["values"][0]["set"] == 10
        assert settings(host) == before
        assert idle(far) == 7200


def test_a_socket_is_not_kept_open_by_being_looked_at(host: Namespace) -> None:
    """The descriptor is borrowed for a moment only: whoever closes it closes the connection."""
    pace = HostPace({"app": host.name}, 60)
    with pace.scaled_hosts(), pace.watched_sockets(lambda event, fields: None):
        for _ in range(20):
            with host.enter(), socket.create_server(("127.0.0.1", 0)) as listener:
                near = socket.create_connection(listener.getsockname())
                far, _ = listener.accept()
            with far:
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 600)
                near.close()
                far.settimeout(5)
                assert far.recv(1) == b""
