"""When the timers of a program would fire that stands still: one of its threads is had to ask."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from fwemu.applications.signal_timers import INTERVAL_TIMER, SignalTimer
from fwemu.virtual_time.asked_timers import AskedTimers
from fwemu.waits.threads import Wait, waits_of
from tests.kit.labs import eventually

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("applications")]

SECOND = 1_000_000_000
LATE = 10 * SECOND
"""How long a busy machine may take."""

Start = Callable[[str], int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a Python program that says when it is ready, and waits until it waits."""
    programs: list[subprocess.Popen[str]] = []

    def program(code: str) -> int:
        words = [sys.executable, "-c", code]
        programs.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        pid = programs[-1].pid
        assert programs[-1].stdout is not None
        assert programs[-1].stdout.readline() == "ready\n"
        eventually(lambda: all(wait.unknown is None for wait in waits_of(pid)), what="a wait")
        return pid

    yield program
    for each in programs:
        each.kill()
        each.communicate()


def asked(pid: int, *, has_alarm: bool = True) -> tuple[list[SignalTimer], str]:
    return AskedTimers().of(pid, waits_of(pid), has_alarm=has_alarm)


ALARM = """
import signal, time
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 200, 30)
print("ready", flush=True)
"""


def test_an_interval_timer_says_when_it_fires_and_how_often(start):
    """Nothing of it stands in /proc but that its signal has a handler."""
    ([timer], unreadable) = asked(start(ALARM + "signal.pause()"))

    assert unreadable == ""
    assert (timer.number, timer.call, timer.every) == (INTERVAL_TIMER, "setitimer", 30 * SECOND)
    assert 200 * SECOND - LATE < timer.left <= 200 * SECOND


POSIX = """
import ctypes, signal, struct
libc = ctypes.CDLL(None)
for clock, seconds in ((1, 300), (0, 400), (2, 500), (7, 0)):
    timer = ctypes.c_void_p()
    assert libc.timer_create(clock, None, ctypes.byref(timer)) == 0
    value = struct.pack("@qqqq", 7, 0, seconds, 0)
    assert libc.timer_settime(timer, 0, value, None) == 0
print("ready", flush=True)
signal.pause()
"""


def test_every_posix_timer_that_is_armed_says_when_it_fires(start):
    """Those of a processor's time are no matter of waiting."""
    timers, unreadable = asked(start(POSIX))

    assert unreadable == ""
    assert [(each.call, each.clock, each.every) for each in timers] == [
        ("timer_create", 1, 7 * SECOND),
        ("timer_create", 0, 7 * SECOND),
    ]
    for timer, seconds in zip(timers, (300, 400), strict=True):
        assert seconds * SECOND - LATE < timer.left <= seconds * SECOND


def test_an_alarm_without_a_handler_is_known_where_asking_disturbs_nobody(start):
    """It leaves no trace; a program that waits for ever can be asked all the same."""
    code = "import signal, time; signal.alarm(200); print('ready', flush=True); "

    ([timer], unreadable) = asked(start(code + "signal.pause()"))

    assert (timer.number, unreadable) == (INTERVAL_TIMER, "")
    assert asked(start(code + "import select; select.epoll().poll(100)")) == ([], "")


def test_the_alarm_of_whoever_waits_for_us_does_not_matter(start):
    """Its main thread, for which the signal is, waits for the end of this."""
    assert asked(start(ALARM + "signal.pause()"), has_alarm=False) == ([], "")


def only(pid: int) -> Wait:
    """What its only thread waits for, as soon as it waits again."""
    (wait,) = eventually(
        lambda: [wait for wait in waits_of(pid) if wait.unknown is None], what="a wait"
    )
    return wait


@pytest.mark.parametrize(
    "wait",
    [
        "import select; select.poll().poll(100_000)",
        "import select; select.select([], [], [], 100)",
        "import threading; c = threading.Condition(); c.acquire(); c.wait(100)",
        "time.sleep(100)",
        "import ctypes, struct; ctypes.CDLL(None).nanosleep(struct.pack('@qq', 100, 0), None)",
    ],
    ids=["poll", "select", "a condition", "sleep", "nanosleep"],
)
def test_a_wait_that_was_disturbed_is_known_to_have_as_much_left_as_it_has(wait, start):
    """The kernel says when a thread has run last, and that was for us."""
    pid = start(ALARM + wait)
    timers = AskedTimers()
    time.sleep(1)
    before = only(pid)
    assert before.left is not None
    began = time.monotonic_ns()

    for _ in range(3):
        timers.of(pid, [timers.undisturbed(only(pid))], has_alarm=True)
    after = timers.undisturbed(only(pid))

    assert after.left is not None
    assert after.left <= before.left - (time.monotonic_ns() - began) + SECOND // 2
    assert after.left < 99.5 * SECOND


SECCOMP = """
import ctypes, struct
code = ctypes.create_string_buffer(struct.pack("@HBBI", 6, 0, 0, 0x7FFF0000), 8)
program = struct.pack("@HP", 1, ctypes.addressof(code))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
signal.pause()
"""


def test_a_program_under_seccomp_is_not_made_to_call(start):
    """A call that it does not make by itself may be its end."""
    found = asked(start(ALARM + SECCOMP))

    assert found == ([], "has a use for SIGALRM: not to be read (it is under seccomp)")


def test_a_program_that_is_debugged_says_nothing(start):
    """Two cannot trace one program."""
    pid = start(ALARM + "signal.pause()")
    code = f"""
import ctypes, signal
assert ctypes.CDLL(None).ptrace(0x4206, {pid}, 0, 0) == 0
print("traced", flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout is not None
        tracer.stdout.readline()
        assert asked(pid) == (
            [],
            "has a use for SIGALRM: not to be read (Operation not permitted)",
        )
        tracer.send_signal(signal.SIGKILL)


def test_a_program_that_has_ended_has_no_timers(start):
    """It may end between two looks."""
    assert AskedTimers().of(1 << 22, [], has_alarm=True) == ([], "")
