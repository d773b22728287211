"""What a kernel tells of a connection."""

from fwemu.core.instants import SECOND
from fwemu.sockets.tcp_info import ESTABLISHED, Info


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
