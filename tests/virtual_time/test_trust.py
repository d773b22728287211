"""A fast-forward for which programs stand still says who would have woken by itself meanwhile.

The programs are real and wait in the kernel.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fwemu.errors import DoubtfulError
from fwemu.lab import Lab
from netns import Process
from tests.kit.heartbeat import BEATS, PORT, SILENT, beats
from tests.kit.labs import as_new, eventually

pytestmark = pytest.mark.kernel

HOUR = "timeouts.tcp_established=1h"
HOUSEKEEPER = f"""
import socket, threading, time
threading.Thread(target=lambda: time.sleep(600), daemon=True).start()
listener = socket.create_server(("", {PORT}))
held = []
while True:
    held.append(listener.accept()[0])
"""

AT_WORK = f"""
import select, socket, time
held = socket.create_server(("", {PORT})).accept()[0]
held.sendall(held.recv(100))
until = time.monotonic() + 0.1
while time.monotonic() < until:
    pass
poll = select.poll()
poll.register(held, select.POLLIN)
poll.poll(75_000)
"""

ALARM = "signal.alarm(2000)\n"


@contextmanager
def served(lab: Lab, code: str) -> Iterator[tuple[Process, socket.socket]]:
    """A program that serves, and a connection to it that is open."""
    server = lab.server.start([sys.executable, "-c", code], port=PORT)
    try:
        with lab.client:
            connection = socket.create_connection((lab.server.ip, PORT))
        with connection:
            connection.sendall(b"hello")
            yield server, connection
    finally:
        server.stop()


@contextmanager
def beating(lab: Lab) -> Iterator[socket.socket]:
    """A connection to a server with a heartbeat, which waits for the time of the next one."""
    with served(lab, BEATS) as (server, connection):
        eventually(lambda: beats(server), what="the loop that waits for the next beat")
        yield connection


def test_a_program_that_waits_for_ever_leaves_the_answer_sure(lab: Lab) -> None:
    """The most frequent case: nothing is said, neither of the session nor of the programs.

    One of them is the thread that holds the client's socket, and waits for the hour to pass.
    """
    as_new(lab, HOUR)
    with served(lab, SILENT):
        done = lab.fast_forward("65m", applications=False, strict=True)

    (ended,) = done["sessions_ended"]
    assert (ended["reason"], ended["trust"], ended["doubtful"]) == ("expired", "sure", [])
    assert (done["sessions_doubtful"], done["not_played"]) == ([], [])


def test_a_program_with_a_heartbeat_makes_the_end_of_its_session_untrustworthy(lab: Lab) -> None:
    """It would have said something after 20 seconds, and the session would have lived."""
    as_new(lab, HOUR)
    with beating(lab):
        done = lab.fast_forward("65m", applications=False)

    (ended,) = done["sessions_ended"]
    (doubt,) = ended["doubtful"]
    assert ended["trust"] == doubt["trust"] == "not-to-be-trusted"
    assert doubt["call"].startswith("epoll")
    assert 15 < doubt["after_s"] <= 20
    assert doubt["process"].startswith("python")


def test_who_is_still_at_work_is_waited_for(lab: Lab) -> None:
    """It has answered, and writes its log before it waits for what comes next."""
    as_new(lab, HOUR)
    with served(lab, AT_WORK) as (_, connection):
        assert connection.recv(100) == b"hello"
        done = lab.fast_forward("65m", applications=False)

    (ended,) = done["sessions_ended"]
    (doubt,) = ended["doubtful"]
    assert doubt["trust"] == "not-to-be-trusted"
    assert 70 < doubt["after_s"] <= 75


def test_whoever_is_strict_gets_an_error_that_says_what_to_do(lab: Lab) -> None:
    """A red test is better than a green one that is not to be trusted."""
    as_new(lab, HOUR)
    why = r"would have woken by itself .*--time-scale"
    with beating(lab), pytest.raises(DoubtfulError, match=why):
        lab.fast_forward("65m", applications=False, strict=True)


def test_a_session_that_lives_is_doubtful_as_well(lab: Lab) -> None:
    """The server might have hung up long before."""
    as_new(lab, HOUR)
    with beating(lab) as connection:
        done = lab.fast_forward("30m", applications=False)

        (lives,) = done["sessions_doubtful"]
        assert lives["trust"] == "not-to-be-trusted"
        assert lives["source_port"] == connection.getsockname()[1]
        with pytest.raises(AssertionError, match=r"not to be trusted: .* would have woken"):
            lab.assert_survived(connection)


def test_a_timer_that_lies_beyond_the_time_that_passes_is_no_doubt(lab: Lab) -> None:
    """Ten seconds are over before anybody wakes."""
    as_new(lab, HOUR)
    with beating(lab) as connection:
        done = lab.fast_forward("10s", applications=False, strict=True)

        assert done["sessions_doubtful"] == []
        lab.assert_survived(connection)


def test_a_housekeeper_beside_it_makes_the_answer_possible(lab: Lab) -> None:
    """It does not watch the socket, but it might close it: told, and no failure."""
    as_new(lab, HOUR)
    with served(lab, HOUSEKEEPER):
        done = lab.fast_forward("65m", applications=False, strict=True)

    (ended,) = done["sessions_ended"]
    assert ended["trust"] == "possible"
    assert [doubt["why"] for doubt in ended["doubtful"]] == ["has a timer of its own"]


def test_an_alarm_that_would_have_fired_makes_the_answer_possible_and_one_beyond_it_does_not(
    lab: Lab,
) -> None:
    """A program that stands still is had to ask when its alarm is due, however often."""
    as_new(lab, HOUR)
    with served(lab, "import signal\nsignal.signal(signal.SIGALRM, print)\n" + ALARM + SILENT):
        first = lab.fast_forward("20m", applications=False)
        done = lab.fast_forward("45m", applications=False)

    assert first["sessions_doubtful"] == []
    (ended,) = done["sessions_ended"]
    (doubt,) = ended["doubtful"]
    assert ended["trust"] == doubt["trust"] == "possible"
    assert doubt["call"] == "setitimer"
    assert 1900 < doubt["after_s"] <= 2000
    assert "has an interval timer, and would have woken by itself after 3" in doubt["text"]


def test_an_event_loop_that_stands_still_because_it_asks_is_one(lab: Lab) -> None:
    """Its heartbeats would have been sent, had it not waited for the hour to pass."""
    as_new(lab, HOUR)

    async def ask() -> dict[str, Any]:
        with lab.client:
            _, writer = await asyncio.open_connection(lab.server.ip, PORT)
        writer.write(b"hello")
        await writer.drain()
        done = lab.fast_forward("65m", applications=False)
        writer.close()
        return done

    server = lab.server.start([sys.executable, "-c", SILENT], port=PORT)
    try:
        done = asyncio.run(ask())
    finally:
        server.stop()

    (ended,) = done["sessions_ended"]
    assert ended["trust"] == "possible"
    assert "event loop" in ended["doubtful"][0]["why"]


def test_the_log_tells_of_what_is_not_to_be_trusted(lab: Lab) -> None:
    """Whoever reads it later must not take it for what would have happened."""
    as_new(lab, HOUR)
    with beating(lab):
        lab.fast_forward("65m", applications=False)

    moved = [event for event in lab.firewall.events() if event["event"] == "time_moved"][-1]
    assert [row["trust"] for row in moved["doubtful"]] == ["not-to-be-trusted"]


def test_of_a_session_of_udp_nothing_is_promised(lab: Lab) -> None:
    """Whoever sends datagrams by itself is not looked for: that is said, and not taken for sure."""
    as_new(lab)
    with lab.client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", (lab.server.ip, PORT))
        eventually(lambda: list(lab.firewall.sessions(protocol="udp")), what="its session")
        done = lab.fast_forward("1h")

    (ended,) = done["sessions_ended"]
    assert ended["trust"] == "possible"
    assert "behind udp" in ended["doubtful"][0]["text"]


def test_the_story_of_a_flow_tells_that_its_end_is_not_to_be_trusted(lab: Lab) -> None:
    """It is what a failing test shows."""
    as_new(lab, HOUR)
    with beating(lab) as connection:
        lab.fast_forward("65m", applications=False)
        flow = f":{connection.getsockname()[1]} -> "
        story = lab.story()

    told = story[story.index(flow) :]
    assert "not to be trusted in the fast-forward before: python" in " ".join(told.split())
    assert "1 session not to be trusted" in " ".join(story.split())
