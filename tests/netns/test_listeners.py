"""Which sockets listen, and waiting for them."""

import signal
import socket
import struct
import sys
import threading
from contextlib import ExitStack

import pytest

from netns import (
    Listener,
    Namespace,
    ProcessError,
    WaitTimeout,
    add_address,
    listeners,
    spawn,
    wait_for_listener,
)
from netns.listeners import parse_diag_message


def diag_message(family: int, address: bytes, port: int, attributes: bytes = b"") -> bytes:
    """A struct inet_diag_msg: 4 bytes, the socket's id, 20 bytes, attributes."""
    identity = struct.pack(">HH", port, 0) + address.ljust(16, b"\0") + bytes(16 + 12)
    return bytes([family, 10, 0, 0]) + identity + bytes(20) + attributes


class TestReading:
    def test_an_ipv4_socket_is_read(self):
        """Port and address stand in network order."""
        message = diag_message(socket.AF_INET, bytes([127, 0, 0, 1]), 8080)
        assert parse_diag_message(message) == Listener("127.0.0.1", 8080)

    def test_an_ipv6_socket_tells_whether_it_takes_ipv4(self):
        """The attribute comes among others; its neighbours are padded to four bytes."""
        other = struct.pack("=HHB3x", 5, 8, 1)
        only = other + struct.pack("=HHB3x", 5, 11, 1)
        message = diag_message(socket.AF_INET6, bytes(16), 53, only)
        assert parse_diag_message(message) == Listener("::", 53, is_ipv6_only=True)
        message = diag_message(socket.AF_INET6, bytes(16), 53, other)
        assert parse_diag_message(message) == Listener("::", 53)

    @pytest.mark.parametrize(
        ("listener", "reached", "unreached"),
        [
            (Listener("10.0.0.1", 1), ["10.0.0.1"], ["10.0.0.2", "::1"]),
            (Listener("0.0.0.0", 1), ["10.0.0.1", "127.0.0.1"], ["::1"]),
            (Listener("::", 1), ["10.0.0.1", "::1", "fd00::1"], []),
            (Listener("::", 1, is_ipv6_only=True), ["::1"], ["10.0.0.1"]),
            (Listener("::1", 1), ["::1"], ["127.0.0.1", "fd00::1"]),
            (Listener("::ffff:10.0.0.1", 1), ["10.0.0.1"], ["10.0.0.2", "::1"]),
        ],
        ids=str,
    )
    def test_which_addresses_reach_it(self, listener, reached, unreached):
        """A server on 127.0.0.1 listens, and yet nobody gets there."""
        assert all(listener.accepts(host) for host in reached)
        assert not any(listener.accepts(host) for host in unreached)


@pytest.mark.kernel
class TestListing:
    def test_all_kinds_of_listeners_are_seen(self, host):
        """IPv4, IPv6, both at once, and not those that are connected or elsewhere."""
        add_address(host, "lo", "10.0.0.1/32")
        v6 = socket.AF_INET6
        with ExitStack() as sockets:
            with host.enter():
                for opened in (
                    socket.create_server(("10.0.0.1", 1001)),
                    socket.create_server(("", 1002)),
                    socket.create_server(("::1", 1003), family=v6),
                    socket.create_server(("", 1004), family=v6),
                    socket.create_server(("", 1005), family=v6, dualstack_ipv6=True),
                    socket.create_connection(("10.0.0.1", 1001)),
                ):
                    sockets.enter_context(opened)
            assert sorted(listeners(host), key=lambda listener: listener.port) == [
                Listener("10.0.0.1", 1001),
                Listener("0.0.0.0", 1002),
                Listener("::1", 1003, is_ipv6_only=True),
                Listener("::", 1004, is_ipv6_only=True),
                Listener("::", 1005),
            ]
        assert listeners(host) == []

    def test_bound_udp_sockets_count_as_listeners(self, host):
        """UDP servers have no other sign of being ready."""
        with host.enter():
            bound = socket.socket(type=socket.SOCK_DGRAM)
        with bound:
            bound.bind(("127.0.0.1", 53))
            assert listeners(host, "udp") == [Listener("127.0.0.1", 53)]
            assert listeners(host) == []

    def test_other_protocols_are_a_mistake(self, host):
        """Of the calling code."""
        with pytest.raises(ValueError, match="'tcp' or 'udp'"):
            listeners(host, "sctp")


@pytest.mark.kernel
class TestWaiting:
    def test_it_returns_when_the_server_is_ready_and_makes_no_connection(self, host):
        """A stray connection would appear in the server's log, and in the firewall's."""
        code = (
            "import socket, sys\n"
            "server = socket.create_server(('127.0.0.1', 5432))\n"
            "server.settimeout(60)\n"
            "print('connected by', server.accept()[1])\n"
        )
        with spawn(host, [sys.executable, "-uc", code]) as server:
            wait_for_listener(host, 5432, host="127.0.0.1", process=server)
            assert server.output() == ""
            assert server.is_running

    def test_a_server_that_dies_is_told_at_once_with_its_words(self, host):
        """Nobody should wait for a timeout to read "address already in use"."""
        server = spawn(host, ["sh", "-c", "echo cannot bind >&2; exit 9"])
        with pytest.raises(
            ProcessError,
            match=r"ended with code 9 before it listened on tcp port 5432.*cannot bind",
        ) as caught:
            wait_for_listener(host, 5432, process=server, timeout=120)
        assert not isinstance(caught.value, WaitTimeout)
        server.stop()

    def test_a_killed_server_is_told_too(self, host):
        """Also when it dies while we wait."""
        server = spawn(host, ["sleep", "60"])
        killer = threading.Timer(0.02, server._signal_group, [signal.SIGKILL])
        killer.start()
        with pytest.raises(ProcessError, match=r"ended with code -9"):
            wait_for_listener(host, 5432, process=server, timeout=120)
        killer.join()
        server.stop()

    def test_too_late_tells_what_listens_instead(self, host):
        """Most often it is the right port on 127.0.0.1."""
        with host.enter():
            server = socket.create_server(("127.0.0.1", 5432))
        with (
            server,
            pytest.raises(
                WaitTimeout,
                match=r"tcp port 5432 of 10\.0\.0\.1 .*after 0\.02 s; .*there: 127\.0\.0\.1:5432",
            ),
        ):
            wait_for_listener(host, 5432, host="10.0.0.1", timeout=0.02)

    def test_a_listener_of_another_namespace_does_not_count(self, host):
        """Every server of every lab listens on the same port."""
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            port = elsewhere.getsockname()[1]
            wait_for_listener(Namespace.current(), port)
            with pytest.raises(WaitTimeout, match="what listens there: nothing"):
                wait_for_listener(host, port, timeout=0)
