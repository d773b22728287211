"""The TCP connections of a namespace, and borrowing the sockets behind them."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from netns import Namespace
from netns.connections import (
    Connection,
    Connections,
    Holder,
    SocketAddress,
    borrow,
    connections,
    cookie_of,
    holders,
)
from tests.kit.labs import eventually

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])

Pair = tuple[socket.socket, socket.socket]


def connected(address: str) -> Pair:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        near = socket.create_connection(listener.getsockname()[:2])
        far, _ = listener.accept()
    return near, far


@pytest.fixture
def pair(host: Namespace, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Both ends of a connection inside the namespace."""
    near, far = host.run(lambda: connected(getattr(request, "param", "127.0.0.1")))
    with near, far:
        yield near, far


def end_of(tcp: socket.socket) -> SocketAddress:
    return SocketAddress(*tcp.getsockname()[:2])


def find(host: Namespace, tcp: socket.socket) -> Connection:
    (found,) = [each for each in connections(host) if each.local == end_of(tcp)]
    return found


@pytest.mark.parametrize("pair", ["127.0.0.1", "::1"], indirect=True)
def test_both_ends_are_there_with_state_and_inode(host: Namespace, pair: Pair) -> None:
    """Each with its own cookie; the listening socket is not among them."""
    near, far = pair
    here, there = find(host, near), find(host, far)
    assert len(connections(host)) == 2
    assert (here.local, here.remote) == (there.remote, there.local)
    assert here.state == there.state == "ESTABLISHED"
    assert here.inode == os.fstat(near.fileno()).st_ino
    assert here.cookie != there.cookie


def test_what_is_unread_and_unacknowledged_is_counted(host: Namespace, pair: Pair) -> None:
    """The other end has it in its buffer."""
    near, far = pair
    near.sendall(b"hello")
    assert find(host, far).unread == 5
    far.recv(5)
    assert find(host, far).unread == 0


def test_a_half_closed_connection_says_so(host: Namespace, pair: Pair) -> None:
    """The states are those of RFC 9293."""
    near, far = pair
    near.shutdown(socket.SHUT_WR)
    far.recv(1)  # the FIN has come, and was acknowledged
    eventually(lambda: find(host, near).state == "FIN_WAIT2", what="the acknowledgement")
    assert find(host, far).state == "CLOSE_WAIT"


def test_a_namespace_without_connections_has_none(host: Namespace) -> None:
    """Those of other namespaces are not its own."""
    assert connections(host) == []


def test_the_holders_of_a_socket_are_found(pair: Pair) -> None:
    """The process and the descriptor; both, where there are two."""
    near, _ = pair
    inode = os.fstat(near.fileno()).st_ino
    with near.dup() as again:
        mine = {Holder(os.getpid(), each.fileno()) for each in (near, again)}
        assert set(holders({inode})[inode]) == mine
    assert holders({1}) == {}


@pytest.fixture
def other(pair: Pair) -> Iterator[tuple[socket.socket, Holder]]:
    """A process that has inherited one end, which we do not have any more."""
    near, _ = pair
    code = "import sys, time; print(flush=True); time.sleep(60)"
    program = subprocess.Popen(
        [sys.executable, "-c", code], pass_fds=[near.fileno()], stdout=subprocess.PIPE
    )
    assert program.stdout is not None
    program.stdout.readline()
    number = near.fileno()
    yield near, Holder(program.pid, number)
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()


def test_a_borrowed_socket_is_the_same_socket(
    pair: Pair, other: tuple[socket.socket, Holder]
) -> None:
    """What is set here is set there."""
    near, holder = other
    with borrow(holder) as borrowed:
        assert borrowed.getsockname() == near.getsockname()
        borrowed.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77


def test_what_is_gone_cannot_be_borrowed(pair: Pair) -> None:
    """Neither a closed descriptor nor an ended process."""
    with pytest.raises(OSError, match="Bad file descriptor"):
        borrow(Holder(os.getpid(), 9999))
    with subprocess.Popen([sys.executable, "-c", ""]) as program:
        pass
    with pytest.raises(ProcessLookupError):
        borrow(Holder(program.pid, 0))


def test_a_number_that_is_used_again_is_not_borrowed(pair: Pair) -> None:
    """The cookie tells one socket from the next that has its descriptor."""
    near, far = pair
    holder = Holder(os.getpid(), near.fileno())
    with borrow(holder, cookie_of(near)) as borrowed:
        assert cookie_of(borrowed) == cookie_of(near)
    with pytest.raises(OSError, match="that of another socket by now"):
        borrow(holder, cookie_of(far))


def test_what_is_no_socket_is_not_kept(host: Namespace) -> None:
    """Else a descriptor would be lost with every try."""
    before = len(os.listdir("/proc/self/fd"))
    reader, writer = os.pipe()
    try:
        with pytest.raises(OSError, match="non-socket"):
            borrow(Holder(os.getpid(), reader))
    finally:
        os.close(reader)
        os.close(writer)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def watched(host: Namespace) -> Iterator[Connections]:
    """What becomes of the connections of the namespace."""
    watched = Connections(host)
    yield watched
    watched.close()


def test_a_connection_is_looked_at_again(watched: Connections, pair: Pair) -> None:
    """Without a descriptor; its numbers move, and in the end it is gone."""
    near, far = pair
    (before,) = [each for each in watched.now() if each.local == end_of(near)]
    near.sendall(b"hello")
    after = watched.again(before)
    assert after is not None
    assert (after.cookie, after.timer) == (cookie_of(near), None)
    assert len(after.tcp_info) > 200
    assert after.tcp_info != before.tcp_info
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    assert watched.again(before) is None


def test_what_ends_leaves_its_last_numbers(watched: Connections, pair: Pair) -> None:
    """Once no process holds it any more."""
    near, far = pair
    cookie = cookie_of(near)
    for end in (near, far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
    seen: dict[int, Connection] = {}

    def has_ended() -> bool:
        seen.update((each.cookie, each) for each in watched.ended())
        return cookie in seen

    eventually(has_ended, what="the end of the first socket")
    assert len(seen[cookie].tcp_info) > 200


def test_an_ipv4_address_of_an_ipv6_socket_is_said_plainly(host: Namespace) -> None:
    """Servers that listen on all addresses of both versions have such sockets."""
    with host.enter():
        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        near = socket.create_connection(("127.0.0.1", listener.getsockname()[1]))
    far, _ = listener.accept()
    with listener, near, far:
        assert find(host, near).remote.host == "127.0.0.1"
        assert SocketAddress("127.0.0.1", far.getsockname()[1]) in {
            each.local for each in connections(host)
        }
        assert str(SocketAddress("::1", 80)) == "[::1]:80"
