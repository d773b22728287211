"""What the keepalive timer of a socket does, read from the socket itself."""

import socket

import pytest

from fwemu.core.instants import SECOND
from fwemu.sockets.keepalive import Keepalive


def test_what_a_socket_does_not_set_comes_from_the_sysctls(pair):
    """getsockopt(2) tells what counts."""
    near, _ = pair
    keepalive = Keepalive.of(near)
    assert not keepalive.is_on
    for value, name in (
        (keepalive.idle // SECOND, "time"),
        (keepalive.interval // SECOND, "intvl"),
        (keepalive.probes, "probes"),
    ):
        with open(f"/proc/sys/net/ipv4/tcp_keepalive_{name}") as setting:
            assert value == int(setting.read())
    assert keepalive.user_timeout == 0


def test_what_a_socket_sets_counts(pair):
    """Each by itself."""
    near, _ = pair
    near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, 900),
        (socket.TCP_KEEPINTVL, 30),
        (socket.TCP_KEEPCNT, 4),
        (socket.TCP_USER_TIMEOUT, 1500),
    ):
        near.setsockopt(socket.IPPROTO_TCP, option, value)
    assert Keepalive.of(near) == (True, 900 * SECOND, 30 * SECOND, 4, 1500 * 10**6)


@pytest.mark.parametrize(
    ("user_timeout", "quiet", "asked", "gives_up"),
    [
        (0, 10**6, 8, False),
        (0, 1, 9, True),
        (60, 59, 1, False),
        (60, 60, 0, False),
        (60, 60, 1, True),
    ],
)
def test_when_a_kernel_gives_up(user_timeout, quiet, asked, gives_up):
    """As tcp_keepalive_timer in net/ipv4/tcp_timer.c decides it."""
    keepalive = Keepalive(True, 7200 * SECOND, 75 * SECOND, 9, user_timeout * SECOND)
    assert keepalive.gives_up(quiet * SECOND, asked) is gives_up
