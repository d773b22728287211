"""What running programs wait for, read from outside: call, length, what is left, what it watches.

Nobody stops or asks them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fwemu.waits import threads
from fwemu.waits.threads import Wait, waits_of
from fwemu.waits.timers import SignalTimers, signal_timers, timer_descriptors
from netns.procfs import stat_of
from tests.kit.labs import eventually

SECOND = 1_000_000_000
LATE = 2 * SECOND
"""How long the machine may take between the beginning of a wait and our look, when it is busy."""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python programs that are ended after the test."""
    programs: list[subprocess.Popen[bytes]] = []

    def program(code: str, *descriptors: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", code, *map(str, descriptors)]
        programs.append(subprocess.Popen(words, pass_fds=descriptors))
        return programs[-1]

    yield program
    for each in programs:
        each.kill()
        each.wait()


def only(program: subprocess.Popen[bytes], calls: set[str]) -> Wait:
    """What the only thread of a program waits for, as soon as that is one of these calls."""
    (wait,) = eventually(
        lambda: [wait for wait in waits_of(program.pid) if wait.call in calls],
        what=f"a thread in {calls}",
    )
    return wait


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        ("import time; time.sleep(200)", {"clock_nanosleep", "pselect6"}),
        ("import select; select.select([], [], [], 200)", {"select", "pselect6"}),
        ("import select; select.poll().poll(200_000)", {"poll"}),
        ("import select; select.epoll().poll(200)", {"epoll_wait", "epoll_pwait"}),
        ("import asyncio; asyncio.run(asyncio.sleep(200))", {"epoll_wait", "epoll_pwait"}),
        ("import signal; signal.sigtimedwait([10], 200)", {"rt_sigtimedwait"}),
        (
            "import threading; c = threading.Condition(); c.acquire(); c.wait(200)",
            {"futex"},
        ),
        (
            "import socket, struct; a, b = socket.socketpair();"
            "a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 200, 0));"
            "a.recv(1)",
            {"recvfrom"},
        ),
    ],
)
def test_a_wait_of_200_seconds_is_seen_with_what_is_left_of_it(start, code, calls):
    """Whichever call it is: relative, absolute, or a timeout of the socket."""
    wait = only(start(code), calls)

    assert wait.unknown is None
    assert wait.timeout is not None
    assert abs(wait.timeout - 200 * SECOND) < LATE
    assert wait.left is not None
    assert 200 * SECOND - LATE < wait.left <= 200 * SECOND


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        ("import signal; signal.pause()", {"pause", "ppoll"}),
        ("import select; select.epoll().poll()", {"epoll_wait", "epoll_pwait"}),
        ("import socket; a, b = socket.socketpair(); a.recv(1)", {"recvfrom"}),
    ],
)
def test_a_wait_for_ever_has_no_end(start, code, calls):
    """It says nothing about a session."""
    wait = only(start(code), calls)

    assert (wait.timeout, wait.left, wait.due) == (None, None, None)


@pytest.mark.parametrize(
    "code",
    [
        "import os, sys; os.read(int(sys.argv[1]), 1)",
        "import select, sys; select.select([int(sys.argv[1])], [], [], 200)",
        "import select, sys; p = select.poll(); p.register(int(sys.argv[1]), 1); p.poll(200_000)",
        "import select, sys; e = select.epoll(); e.register(int(sys.argv[1]), 1); e.poll(200)",
        "import select, sys; e, f = select.epoll(), select.epoll();"
        "e.register(int(sys.argv[1]), 1); f.register(e); f.poll(200)",
    ],
    ids=["read", "select", "poll", "epoll", "epoll in epoll"],
)
def test_the_socket_that_a_wait_watches_is_seen(start, code):
    """By its inode, whatever number the descriptor has."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = start(code, theirs.fileno())
        inode = os.fstat(theirs.fileno()).st_ino

        def watching() -> list[Wait]:
            return [wait for wait in waits_of(program.pid) if inode in wait.sockets]

        (wait,) = eventually(watching, what="a wait that watches the socket")

    assert wait.unknown is None


def test_a_wait_that_was_interrupted_and_goes_on_is_known_by_its_code(start):
    """After SIGSTOP and SIGCONT the kernel shows restart_syscall; the code in front says which."""
    program = start("import select; select.poll().poll(200_000)")
    only(program, {"poll"})
    program.send_signal(signal.SIGSTOP)
    eventually(lambda: getattr(stat_of(program.pid), "state", "") == "T", what="the stop")
    program.send_signal(signal.SIGCONT)

    wait = only(program, {"poll"})

    assert wait.left is not None
    assert 200 * SECOND - 2 * LATE < wait.left <= 200 * SECOND


def test_a_thread_that_runs_is_said_to_run(start):
    """Nobody can say what it will do next."""
    program = start("while True: pass")

    (wait,) = eventually(
        lambda: [wait for wait in waits_of(program.pid) if wait.unknown == "runs"], what="a run"
    )

    assert wait.due is None


def test_every_thread_is_looked_at(start):
    """The one with the heartbeat is rarely the main thread."""
    program = start(
        "import threading, time;"
        "threading.Thread(target=time.sleep, args=(100,), name='beat').start();"
        "time.sleep(200)"
    )

    def sleepers() -> list[int]:
        found = [wait.timeout for wait in waits_of(program.pid) if wait.timeout is not None]
        return [round(each / SECOND / 100) for each in sorted(found)] if len(found) == 2 else []

    assert eventually(sleepers, what="two sleepers") == [1, 2]


def test_a_program_that_has_ended_waits_for_nothing(start):
    """It may end between two looks."""
    program = start("")
    program.wait()

    assert waits_of(program.pid) == []
    assert timer_descriptors(program.pid) == []
    assert signal_timers(program.pid) == SignalTimers()


def test_a_use_for_sigalrm_is_seen(start):
    """alarm(2) leaves nothing else in /proc."""
    caught = start(
        "import signal; signal.signal(signal.SIGALRM, lambda *_: None); signal.alarm(200);"
        "signal.pause()"
    )
    blocked = start(
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); signal.pause()"
    )
    neither = start("import signal; signal.pause()")
    for each in (caught, blocked, neither):
        only(each, {"pause", "ppoll"})

    assert signal_timers(caught.pid) == signal_timers(blocked.pid) == SignalTimers((), True)
    assert signal_timers(caught.pid).names == ["a use for SIGALRM"]
    assert signal_timers(neither.pid) == SignalTimers()


def test_posix_timers_are_seen_if_their_clock_goes_on_while_nobody_runs(start):
    """One that counts the time of a processor never fires while its program waits."""
    program = start(
        "import ctypes, signal; libc, timer = ctypes.CDLL(None), ctypes.c_void_p();"
        "made = [libc.timer_create(each, None, ctypes.byref(timer)) for each in (1, 2, 0, 7)];"
        "assert made == [0] * 4; signal.pause()"
    )
    only(program, {"pause", "ppoll"})

    signs = signal_timers(program.pid)

    assert [each.clock for each in signs.posix] == [1, 0, 7]
    assert signs.names == ["3 POSIX timers"]


def test_a_thread_has_not_been_quiet_for_longer_than_it_is_there(start, monkeypatch):
    """Of one that has just begun the kernel has no instant at which it ran last."""
    program = start("import time; time.sleep(200)")
    only(program, {"clock_nanosleep", "pselect6"})
    monkeypatch.setattr(threads, "_ran_last", lambda task: 0 if "task" in str(task) else 10**15)

    assert 0 < threads.quiet(Path(f"/proc/{program.pid}/task/{program.pid}")) < 100 * SECOND
