"""When a kernel asks a peer that has closed its window: net/ipv4/tcp_timer.c, tcp_probe0_when."""

import socket

import pytest

from fwemu.core.instants import SECOND
from fwemu.sockets.window_probe import WindowProbe

MILLISECOND = SECOND // 1000

LINUX = WindowProbe(120 * SECOND, 15, 0)


def test_the_time_between_two_questions_doubles_up_to_two_minutes():
    """As `ss -o` shows it: 208 ms of retransmission timeout, and so on."""
    waits = [LINUX.interval(208 * MILLISECOND, doublings) for doublings in range(13)]
    assert waits[:4] == [each * MILLISECOND for each in (208, 416, 832, 1664)]
    assert waits[9] == 106_496 * MILLISECOND
    assert waits[10:] == [120 * SECOND] * 3


def test_it_begins_with_a_fifth_of_a_second_at_least():
    """TCP_RTO_MIN, whatever the route is like."""
    assert LINUX.interval(5 * MILLISECOND, 0) == 200 * MILLISECOND


def test_few_retries_keep_it_short():
    """The doublings are counted up to tcp_retries2."""
    assert LINUX._replace(retries=3).interval(200 * MILLISECOND, 9) == 1600 * MILLISECOND


def test_a_longest_time_below_the_first_one_counts():
    """TCP_RTO_MAX_MS of a second, on a slow way."""
    assert LINUX._replace(longest=SECOND).interval(3 * SECOND, 0) == SECOND


@pytest.mark.parametrize(
    ("user_timeout", "blocked", "asked", "gives_up"),
    [
        (0, 10**6, 14, False),  # answered, it goes on for ever
        (0, 1, 15, True),
        (60, 59, 1, False),
        (60, 60, 0, True),  # without room it ends, answered or not
    ],
)
def test_when_it_gives_up(user_timeout, blocked, asked, gives_up):
    """As tcp_probe_timer decides it."""
    probes = LINUX._replace(user_timeout=user_timeout * SECOND)
    assert probes.gives_up(blocked * SECOND, asked) is gives_up


def test_a_socket_has_the_values_of_its_kernel():
    """Two minutes, where nobody has set TCP_RTO_MAX_MS, and the timeout that it has set."""
    with socket.socket() as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500)
        probes = WindowProbe.of(tcp, 15)
    assert probes == WindowProbe(120 * SECOND, 15, 1500 * MILLISECOND)
    assert probes.scaled(60) == WindowProbe(7200 * SECOND, 15, 90 * SECOND)
