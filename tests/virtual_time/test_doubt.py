"""How far an answer can be trusted, from what programs waited for when time was passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fwemu.applications.signal_timers import INTERVAL_TIMER, SignalTimer
from fwemu.virtual_time.doubt import Doubt, Process, Trust, doubts, trust
from fwemu.waits.threads import Wait
from fwemu.waits.timers import TimerDescriptor

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
SOCKET, ANOTHER = 71, 72


def wait(seconds: float | None, *, sockets=(), call="epoll_wait", **others) -> Wait:
    """A thread that has just begun to wait."""
    length = None if seconds is None else int(seconds * SECOND)
    return Wait(812, 812, "main", call, length, length, frozenset(sockets), **others)


def about(*waits: Wait, timers=(), unreadable="", horizon=HOUR) -> list[Doubt]:
    """The doubts about a session whose socket a program with these threads holds."""
    process = Process(812, "websocket-server (pid 812)", waits, timers, unreadable)
    return doubts(frozenset({SOCKET}), [process], horizon)


def test_a_program_that_waits_for_ever_leaves_the_answer_sure():
    """ssh without ServerAliveInterval, sshd, memcached: nothing is said about them."""
    found = about(wait(None, sockets=[SOCKET]), wait(None, call="futex"))

    assert found == []
    assert trust(found) is Trust.SURE


def test_a_loop_that_watches_the_socket_and_would_have_woken_makes_it_untrustworthy():
    """A ping every 20 s would have kept the session alive."""
    (doubt,) = about(wait(11.6, sockets=[SOCKET]))

    assert doubt.trust is Trust.NOT_TO_BE_TRUSTED
    assert doubt.record == {
        "trust": "not-to-be-trusted",
        "process": "websocket-server (pid 812)",
        "pid": 812,
        "call": "epoll_wait",
        "after_s": 11.6,
        "why": "watches this socket",
        "text": "websocket-server (pid 812) watches this socket, and would have woken by itself "
        "after 11.6 s (epoll_wait), 59.8 min earlier",
    }


def test_whoever_would_have_woken_only_after_the_end_changes_nothing():
    """MariaDB's wait_timeout of eight hours is beyond a travel of one."""
    assert about(wait(8 * 3600, sockets=[SOCKET])) == []
    assert about(wait(3600, sockets=[SOCKET]))[0].trust is Trust.NOT_TO_BE_TRUSTED


def test_a_timer_descriptor_that_is_watched_beside_the_socket_counts_as_its_timeout():
    """Loops that wait for ever may be woken by a timerfd."""
    loop = wait(None, sockets=[SOCKET], timers=(TimerDescriptor(5, 20 * SECOND, 20 * SECOND),))

    (doubt,) = about(loop)

    assert (doubt.trust, doubt.after) == (Trust.NOT_TO_BE_TRUSTED, 20 * SECOND)


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(30, "has a timer of its own"), (0.05, "ticks (a heartbeat may hide there)")],
)
def test_a_timer_of_another_thread_makes_it_possible(seconds, why):
    """A connection pool's housekeeper may close what it holds, and a runtime only ticks."""
    (doubt,) = about(wait(None, sockets=[SOCKET]), wait(seconds, call="futex"))

    assert (doubt.trust, doubt.why) == (Trust.POSSIBLE, why)


def test_the_loop_of_another_socket_makes_it_possible_only():
    """It may have nothing to do with this one."""
    (doubt,) = about(wait(20, sockets=[ANOTHER]))

    assert doubt.trust is Trust.POSSIBLE


def test_of_several_the_earliest_is_named():
    """One line for a program is enough."""
    (doubt,) = about(wait(60, sockets=[SOCKET]), wait(20, sockets=[SOCKET]), wait(10))

    assert doubt.after == 20 * SECOND


def test_what_cannot_be_read_is_never_sure():
    """Silence would be a false all-clear."""
    runs = Wait(812, 813, "worker", "", unknown="runs")

    assert [doubt.why for doubt in about(runs)] == ["its thread worker runs"]
    seccomp = "has 1 POSIX timer: not to be read (it is under seccomp)"
    assert [doubt.text for doubt in about(unreadable=seccomp)] == [
        f"websocket-server (pid 812) {seccomp}"
    ]
    hidden = Process(9, "p (pid 9)", (), refused="Operation not permitted")
    assert [each.trust for each in doubts(frozenset({SOCKET}), [hidden], HOUR)] == [Trust.POSSIBLE]


def test_a_timer_that_wakes_by_a_signal_makes_it_possible_if_it_fires_in_that_time():
    """A signal has nothing to do with a socket that anybody could see."""
    later = SignalTimer(3, 1, 2 * HOUR, 0, 0, 0)
    alarm = SignalTimer(INTERVAL_TIMER, 1, 11 * SECOND, 20 * SECOND, 0, 0)

    assert about(timers=[later]) == []
    (doubt,) = about(timers=[later, alarm])

    assert doubt.trust is Trust.POSSIBLE
    assert doubt.text == (
        "websocket-server (pid 812) has an interval timer, and would have woken by itself after "
        "11 s (setitimer), 59.8 min earlier"
    )
    assert about(timers=[later], horizon=3 * HOUR)[0].why == "has a POSIX timer"


def test_the_worst_doubt_comes_first_and_decides():
    """Whoever reads one line reads the one that matters."""
    strong = Process(1, "a (pid 1)", [wait(50, sockets=[SOCKET])])
    weak = replace(strong, pid=2, name="b (pid 2)", waits=[wait(10)])

    found = doubts(frozenset({SOCKET}), [weak, strong], HOUR)

    assert [doubt.process for doubt in found] == ["a (pid 1)", "b (pid 2)"]
    assert trust(found) is Trust.NOT_TO_BE_TRUSTED
