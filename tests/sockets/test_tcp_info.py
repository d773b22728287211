"""What a kernel tells of a connection."""

import socket

import pytest

from fwemu.core.instants import SECOND
from fwemu.sockets.tcp_info import ESTABLISHED, Info


@pytest.fixture
def pair():
    """Both ends of a connection over the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield near, far


def test_what_the_kernel_knows_of_a_connection(pair):
    """Its state, and how many segments have come in."""
    near, far = pair
    before = Info.of(near)
    far.sendall(b"hello")
    assert near.recv(5) == b"hello"
    after = Info.of(near)
    assert before.state == after.state == ESTABLISHED
    assert after.received > before.received
    assert after.octets == before.octets + 5
    assert after.unacknowledged == after.asked == after.unsent == 0
    assert after.window > 0
    assert after.quiet < SECOND
