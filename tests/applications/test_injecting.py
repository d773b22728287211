"""A thread makes a system call for us in the middle of its own, whose wait goes on all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fwemu.applications.held import CannotInjectError, HeldThread, held
from fwemu.waits.threads import waits_of
from netns.procfs import stat_of
from tests.kit.labs import eventually

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("applications")]

GETPID = 39  # arch/x86/entry/syscalls/syscall_64.tbl
GETPPID = 110
CLOSE = 3

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python programs, and waits until they wait; they are ended after the test."""
    programs: list[subprocess.Popen[str]] = []

    def program(code: str, *, waits: bool = True) -> subprocess.Popen[str]:
        programs.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        assert programs[-1].stdout is not None
        assert programs[-1].stdout.readline() == "ready\n"
        pid = programs[-1].pid
        eventually(lambda: waits == all(not wait.runs for wait in waits_of(pid)), what="a wait")
        return programs[-1]

    yield program
    for each in programs:
        each.kill()
        each.communicate()


def inject(thread: int, number: int, *arguments: int) -> int:
    """Have a thread make one system call."""
    with held([thread]) as there:
        return inject_into(there[thread], number, *arguments)


def inject_into(thread: HeldThread, number: int = GETPID, *arguments: int) -> int:
    with thread.injecting() as call:
        return call(number, *arguments)


def inject_for(seconds: float, thread: int) -> int:
    """Have it make calls all the time; how many those were."""
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            assert inject(thread, GETPID) == thread
            count += 1
        except CannotInjectError:  # a signal, or it runs
            time.sleep(0.001)
    return count


TELL = """
import ctypes, json, os, struct, time
libc = ctypes.CDLL(None, use_errno=True)
time_ = struct.pack("@qq", 1, 200_000_000)
print("ready", flush=True)
began = time.monotonic()
result = {call}
took = time.monotonic() - began
print(json.dumps([result, ctypes.get_errno(), took]), flush=True)
"""
"""Waits in a call of the C library, which passes EINTR on, and tells how long and what came."""

EAGAIN, ETIMEDOUT = 11, 110

GOES_ON = {
    "nanosleep": ("libc.nanosleep(time_, None)", [0, 0]),
    "poll": ("libc.poll(None, 0, 1200)", [0, 0]),
    "futex": ("libc.syscall(202, ctypes.byref(ctypes.c_int(7)), 128, 7, time_)", [-1, ETIMEDOUT]),
    "an instant": (
        "libc.clock_nanosleep(1, 1, struct.pack('@qq', *divmod(time.monotonic_ns() + 1_200_000_000,"
        " 1_000_000_000)), None)",
        [0, 0],
    ),
}
"""The kernel keeps until when these wait."""

BEGINS_ANEW = {
    "epoll_wait": (
        "libc.epoll_wait(libc.epoll_create1(0), ctypes.create_string_buffer(96), 8, 1200)",
        [0, 0],
    ),
    "a socket's own timeout": (
        "[sockets := __import__('socket').socketpair(), "
        "sockets[0].setsockopt(1, 20, struct.pack('@qq', 1, 200_000)), "
        "ctypes.set_errno(0), libc.recv(sockets[0].fileno(), ctypes.create_string_buffer(1), 1, 0)]"
        "[-1]",
        [-1, EAGAIN],
    ),
    "rt_sigtimedwait": ("libc.sigtimedwait(bytes([0, 2]) + bytes(126), None, time_)", [-1, EAGAIN]),
}
"""These would end with EINTR."""


def outcome(program: subprocess.Popen[str]) -> list[Any]:
    assert program.stdout is not None
    found: list[Any] = json.loads(program.stdout.readline())
    return found


@pytest.mark.parametrize("kind", GOES_ON)
def test_a_wait_ends_when_it_would_have(kind, start):
    """Hundreds of calls in the middle of it: nothing is longer, and nothing ends with EINTR."""
    call, result = GOES_ON[kind]
    program = start(TELL.format(call=call))

    count = inject_for(1, program.pid)

    *found, took = outcome(program)
    assert found == result
    assert 1.19 < took < 2.1
    assert count > 5


@pytest.mark.parametrize("kind", BEGINS_ANEW)
def test_a_wait_that_the_kernel_would_end_begins_anew(kind, start):
    """No EINTR in a program that has no handlers; what it has waited already does not count."""
    call, result = BEGINS_ANEW[kind]
    program = start(TELL.format(call=call))

    count = inject_for(1, program.pid)

    *found, took = outcome(program)
    assert found == result
    assert took > 2.19
    assert count > 5


def test_what_a_call_says_is_said(start):
    """Its result, or its error."""
    program = start('print("ready", flush=True); import time; time.sleep(100)')

    assert inject(program.pid, GETPPID) == os.getpid()
    with pytest.raises(OSError, match="Bad file descriptor"):
        inject(program.pid, CLOSE, 999)


def test_several_calls_are_made_in_one_hold(start):
    """As many as are wanted, none included."""
    program = start('print("ready", flush=True); import time; time.sleep(100)')

    with held([program.pid]) as there:
        with there[program.pid].injecting():
            pass
        with there[program.pid].injecting() as call:
            assert [call(GETPID), call(GETPPID), call(GETPID)] == [
                program.pid, os.getpid(), program.pid,
            ]  # fmt: skip

    # it goes on first, and then into its call again
    (wait,) = eventually(lambda: [each for each in waits_of(program.pid) if not each.runs])
    assert wait.call in ("clock_nanosleep", "pselect6")


def test_a_thread_that_computes_makes_no_call(start):
    """Only in a system call it stands behind the instruction that makes one."""
    program = start('print("ready", flush=True)\nwhile True: pass', waits=False)

    def is_refused() -> bool:
        with held([program.pid]) as there:
            try:
                inject_into(there[program.pid])
            except CannotInjectError as error:
                return str(error) == "it is not in a system call"
            return False  # it had just come out of one

    eventually(is_refused, what="a refusal")


READS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
octets = ctypes.create_string_buffer(1 << 16)
print("ready", flush=True)
total = 0
while (count := libc.read(0, octets, 1 << 16)) > 0:
    total += count
print(total, count, flush=True)
"""


def test_what_comes_meanwhile_has_come(start):
    """A wake-up between two of our stops is not lost: every octet is read, and no read fails."""
    program = start(READS)
    assert program.stdin is not None
    sent = 0

    until = time.monotonic() + 1
    while time.monotonic() < until:
        os.write(program.stdin.fileno(), b"x")
        sent += 1
        with_one = inject_for(0.0005, program.pid)
        assert with_one >= 0
    program.stdin.close()

    assert program.stdout is not None
    assert program.stdout.readline() == f"{sent} 0\n"
    program.stdin = None


SIGNALS = """
import ctypes, os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
signal.signal(signal.SIGRTMIN, lambda *_: None)
signal.signal(signal.SIGTERM, lambda *_: None)
libc = ctypes.CDLL(None, use_errno=True)
print("ready", flush=True)
count = 0
empty = bytes(128)
while True:
    {wait}
    try:
        os.set_blocking(reader, False)
        octets = os.read(reader, 65536)
    except BlockingIOError:
        continue
    count += octets.count(bytes([signal.SIGRTMIN]))
    if signal.SIGTERM in octets:
        break
print(count, flush=True)
"""
"""Counts the signals that come, each of which has to end its wait."""

INTERRUPTED = {
    "sigsuspend": "libc.sigsuspend(empty)",
    "ppoll with a mask": "libc.ppoll(None, 0, None, empty)",
    "epoll_pwait": "libc.epoll_pwait(3 and libc.epoll_create1(0), ctypes.create_string_buffer(96), "
    "8, -1, empty)",
}


@pytest.mark.parametrize("kind", INTERRUPTED)
def test_no_signal_is_lost_and_each_ends_its_wait(kind, start):
    """One that comes in the middle of our call is delivered when the thread goes on.

    SIGTERM is blocked but in the call: the mask that the kernel has put aside must come back.
    """
    program = start(SIGNALS.format(wait=INTERRUPTED[kind]))
    sent = 0

    until = time.monotonic() + 1
    while time.monotonic() < until:
        with held([program.pid]) as there:
            try:
                with there[program.pid].injecting() as call:
                    call(GETPID)
                    os.kill(program.pid, signal.SIGRTMIN)
                    sent += 1
                    call(GETPID)
            except CannotInjectError:
                pass
    os.kill(program.pid, signal.SIGTERM)

    assert program.stdout is not None
    assert program.stdout.readline() == f"{sent}\n"
    assert sent > 5


def test_a_program_that_is_stopped_meanwhile_stands_and_goes_on_when_it_is_told(start):
    """SIGSTOP cannot be blocked: it stops the whole program, but for the call of ours."""
    program = start(TELL.format(call="libc.nanosleep(time_, None)"))

    with held([program.pid]) as there, there[program.pid].injecting() as call:
        os.kill(program.pid, signal.SIGSTOP)
        assert call(GETPID) == program.pid
        assert call(GETPPID) == os.getpid()
    eventually(lambda: getattr(stat_of(program.pid), "state", "") == "T", what="the stop")
    time.sleep(0.05)
    assert getattr(stat_of(program.pid), "state", "") == "T"
    program.send_signal(signal.SIGCONT)

    *found, took = outcome(program)
    assert found == [0, 0]
    assert took > 1.19


def test_the_parent_of_a_program_that_is_killed_while_it_stands_still_hears_of_it() -> None:
    """As long as we have not, it hears nothing: to all others it seems to survive SIGKILL."""
    code = "sleep 1000 & echo $!; wait $!; echo ended"
    with subprocess.Popen(["sh", "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        eventually(lambda: not any(wait.runs for wait in waits_of(child)), what="a wait")
        with held([child]) as there:
            assert list(there) == [child]
            os.kill(child, signal.SIGKILL)
            eventually(lambda: stat_of(child) is None, what="its end")
            time.sleep(0.05)  # nothing is to be seen of a parent that has not heard
        try:
            assert parent.wait(5) == 0
        finally:
            parent.kill()
        assert parent.stdout.read() == "ended\n"


def test_a_program_that_is_killed_meanwhile_is_gone(start):
    """Nobody can block that; whoever asked hears that there is no such process."""
    program = start('print("ready", flush=True); import time; time.sleep(100)')

    with held([program.pid]) as there, there[program.pid].injecting() as call:
        call(GETPID)
        program.kill()
        eventually(lambda: getattr(stat_of(program.pid), "state", "Z") == "Z", what="its end")
        with pytest.raises(ProcessLookupError):
            call(GETPID)

    assert program.wait() == -signal.SIGKILL
