"""Programs live through an hour in a moment: their clocks move, and their waits end in time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from fwemu.applications.deadlines import NEVER
from fwemu.applications.play import CannotPlayError, Player
from fwemu.applications.vdso import mapping, own
from fwemu.waits.threads import waits_of
from netns import Namespace, Network
from tests.kit.labs import eventually, unique

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("applications")]

SECOND = 1_000_000_000

TELL = """
import json, time
def tell(call):
    while True:
        began, wall = time.monotonic(), time.time()
        call()
        print(json.dumps([time.monotonic() - began, time.time() - wall]), flush=True)
"""
"""Calls something again and again, and prints how long it took by both of its clocks."""


class Program:
    """A running program, and what it prints."""

    def __init__(self, words: Sequence[str], output: Path) -> None:
        self._output = output
        self._read = 0
        with output.open("w") as file:
            self.popen = subprocess.Popen(words, stdout=file)
        self.pid = self.popen.pid

    def lines(self, count: int) -> list[str]:
        """The next lines, as soon as they are there."""

        def there() -> list[str]:
            written = self._output.read_text().rpartition("\n")[0].splitlines()[self._read :]
            return written[:count] if len(written) >= count else []

        found = eventually(there, what=f"{count} lines")
        self._read += count
        return found

    def intervals(self, count: int) -> list[tuple[float, float]]:
        """The next ones that it tells, by its counting clock and by its wall clock."""
        return [tuple(json.loads(line)) for line in self.lines(count)]


Start = Callable[..., Program]


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with nothing but its loopback."""
    with Network() as network:
        yield network.namespace(unique())


@pytest.fixture
def start(host: Namespace, tmp_path: Path) -> Iterator[Start]:
    """Starts programs there, and waits until their first wait; they are ended after the test."""
    with ExitStack() as undo:

        def program(*words: str, waits: bool = True) -> Program:
            with host.enter():
                running = Program(words, tmp_path / unique())
            undo.enter_context(running.popen)
            undo.callback(running.popen.kill)
            if waits:
                eventually(
                    lambda: [
                        wait
                        for wait in waits_of(running.pid)
                        if wait.due or wait.call in ("pause", "rt_sigtimedwait", "rt_sigsuspend")
                    ],
                    what="a wait",
                )
            return running

        yield program


@pytest.fixture
def player(host: Namespace) -> Iterator[Player]:
    """Plays the time of that namespace."""
    played = Player([host])
    yield played
    played.close()


def python(code: str) -> tuple[str, str, str]:
    return sys.executable, "-c", TELL + code


def play(player: Player, seconds: float, grain: int = 0) -> None:
    """Let so much time pass, event by event."""
    player.begin(None, grain)
    rest(player)  # who is at work just now finishes it first
    until = player.now() + round(seconds * SECOND)
    while True:
        instant = min(player.next(), until)
        player.move_to(instant)
        player.wake()
        rest(player)
        if instant >= until:
            break
    player.end()


def rest(player: Player) -> None:
    """Until everybody waits again."""
    deadline = time.monotonic() + 20
    player.begin_to_rest()
    while not player.are_at_rest():
        if time.monotonic() > deadline:
            player.give_up_waiting()
            return
        time.sleep(0.0005)


def is_patched(pid: int) -> bool:
    """Is the vDSO of a process another than ours?"""
    place = mapping(pid)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(place.start)
        return memory.read(place.size) != own().image


KINDS = {
    "sleep": "tell(lambda: time.sleep(20))",
    "a condition": """
import threading
condition = threading.Condition()
def wait():
    with condition:
        condition.wait(20)
tell(wait)""",
    "select": """
import os, select
readers = os.pipe()
def wait():
    assert select.select(readers[:1], [], readers, 20) == ([], [], [])
tell(wait)""",
    "poll": """
import os, select
poll = select.poll()
poll.register(os.pipe()[0])
def wait():
    assert poll.poll(20_000) == []
tell(wait)""",
    "epoll": """
import select
epoll = select.epoll()
def wait():
    assert epoll.poll(20) == []
tell(wait)""",
    "asyncio": """
import asyncio
tell(lambda: asyncio.run(asyncio.sleep(20)))""",
    "a socket's own timeout": """
import socket, struct
near, far = socket.socketpair()
near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 20, 0))
def wait():
    try:
        near.recv(1)
    except BlockingIOError:
        return
    raise AssertionError
tell(wait)""",
    "a timer descriptor": """
import ctypes, os, struct
libc = ctypes.CDLL(None)
timer = libc.timerfd_create(1, 0)
def wait():
    libc.timerfd_settime(timer, 0, struct.pack("@qqqq", 0, 0, 20, 0), None)
    assert os.read(timer, 8) == struct.pack("@q", 1)
tell(wait)""",
    "an instant of a timer descriptor": """
import ctypes, os, struct
libc = ctypes.CDLL(None)
timer = libc.timerfd_create(1, 0)
def wait():
    when = time.clock_gettime_ns(1) + 20_000_000_000
    value = struct.pack("@qqqq", 0, 0, when // 10**9, when % 10**9)
    libc.timerfd_settime(timer, 1, value, None)
    assert os.read(timer, 8) == struct.pack("@q", 1)
tell(wait)""",
    "an interval timer": """
import signal
signal.signal(signal.SIGALRM, lambda *_: None)
def wait():
    signal.setitimer(signal.ITIMER_REAL, 20)
    signal.pause()
tell(wait)""",
    "a POSIX timer": """
import ctypes, signal, struct
signal.signal(signal.SIGALRM, lambda *_: None)
libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
assert libc.timer_create(1, None, ctypes.byref(timer)) == 0
def wait():
    assert libc.timer_settime(timer, 0, struct.pack("@qqqq", 0, 0, 20, 0), None) == 0
    signal.pause()
tell(wait)""",
    "a POSIX timer whose signal is awaited": """
import ctypes, signal, struct
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
assert libc.timer_create(0, None, ctypes.byref(timer)) == 0
def wait():
    assert libc.timer_settime(timer, 0, struct.pack("@qqqq", 0, 0, 20, 0), None) == 0
    assert signal.sigwait([signal.SIGALRM]) == signal.SIGALRM
tell(wait)""",
    "a signal": """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
def wait():
    assert signal.sigtimedwait([signal.SIGUSR1], 20) is None
tell(wait)""",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wait_of_twenty_seconds_ends_after_twenty_seconds(kind, player, start):
    """By both clocks of the program, thirty times in ten minutes, and all of that in a moment."""
    program = start(*python(KINDS[kind]))
    began = time.monotonic()

    play(player, 601)

    intervals = program.intervals(29)
    assert time.monotonic() - began < 30
    # The very first wait began before anybody looked: its beginning is an estimate.
    assert [each for each, _ in intervals if not 19.9 <= each < 20.5] == []
    assert [each for each, _ in intervals[1:] if not 20 <= each < 20.5] == []
    assert [each for each in intervals if abs(each[0] - each[1]) > 0.01] == []


def test_programs_that_a_program_starts_on_the_way_are_played(player, start):
    """A shell waits for `sleep`, which is another process each time."""
    shell = start("sh", "-c", "while sleep 600; do echo woken; done", waits=False)
    eventually(lambda: Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().strip())
    began = time.monotonic()

    play(player, 3700)

    assert shell.lines(6) == ["woken"] * 6
    assert time.monotonic() - began < 30


STATIC = r"""
#include <stdio.h>
#include <time.h>
#include <poll.h>
int main(void) {
    for (;;) {
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        poll(0, 0, 20000);
        clock_gettime(CLOCK_MONOTONIC, &after);
        printf("%.3f\n", after.tv_sec - before.tv_sec + (after.tv_nsec - before.tv_nsec) / 1e9);
        fflush(stdout);
    }
}
"""


def test_a_program_without_a_dynamic_linker_is_played(player, start, tmp_path):
    """Nothing can be preloaded into it."""
    source = tmp_path / "static.c"
    source.write_text(STATIC)
    subprocess.run(["gcc", "-static", "-O2", "-o", tmp_path / "static", source], check=True)
    program = start(str(tmp_path / "static"))

    play(player, 301)

    assert all(20 <= float(line) < 20.5 for line in program.lines(14)[1:])


def test_who_asks_the_kernel_itself_for_the_time_is_told(player, start):
    """It has seen the machine's time, which has not moved; what it made of that nobody knows.

    The time that a program has computed for is another matter: only the kernel knows it.
    """
    asks = start(
        *python("""
import ctypes
libc, clock_gettime = ctypes.CDLL(None), 228
libc.syscall(clock_gettime, time.CLOCK_MONOTONIC, ctypes.create_string_buffer(16))
def wait():
    time.sleep(20)
    libc.syscall(clock_gettime, time.CLOCK_MONOTONIC, ctypes.create_string_buffer(16))
tell(wait)""")
    )
    does_not = start(*python("tell(lambda: (time.sleep(20), time.thread_time()))"))

    player.begin(None)
    player.move_to(player.now() + 10 * SECOND)
    assert player.doubts_about(asks.pid) == []
    player.end()
    play(player, 61)

    told = "has read the machine's time 3 times, by a system call of its own"
    assert player.doubts_about(asks.pid) == [told]
    assert player.doubts_about(does_not.pid) == []


def test_what_is_not_over_goes_on_for_what_is_left_of_it(player, start):
    """A wait of 100 s, 99 of which have passed in a moment, ends a second later."""
    program = start(*python("tell(lambda: time.sleep(100))"))

    play(player, 99)
    began = time.monotonic()
    ((interval, _),) = program.intervals(1)

    assert time.monotonic() - began < 5
    assert 100 <= interval < 105


def test_waits_that_begin_afterwards_are_as_long_as_they_should_be(player, start):
    """The kernel would wake it an hour late: it waits for an instant of a clock that is ahead."""
    program = start(*python("tell(lambda: time.sleep(0.5))"))

    play(player, 3600, grain=3600 * SECOND)
    intervals = program.intervals(30)[-5:]

    assert all(0.5 <= each < 5 for each, _ in intervals)


def test_a_program_that_leaves_has_its_own_clocks_again(host, start):
    """Nobody's clock is ahead when the lab is gone, and its vDSO is the kernel's."""
    program = start(*python("tell(lambda: time.sleep(0.5))"))
    player = Player([host])
    play(player, 3600, grain=3600 * SECOND)
    assert is_patched(program.pid)
    player.close()
    program.lines(3)
    (line,) = program.lines(1)

    assert not is_patched(program.pid)
    assert 0.5 <= json.loads(line)[0] < 5


def test_ticks_may_be_late_and_that_is_told(player, start):
    """A runtime that wakes ten times a second would take an hour for an hour."""
    program = start(*python("tell(lambda: time.sleep(0.1))"))

    play(player, 600, grain=5 * SECOND)

    (doubt,) = player.doubts_about(program.pid)
    assert "late by up to 5 s" in doubt
    assert player.wakes[program.pid][1] < 200


def test_who_waits_for_ever_is_left_alone(player, start):
    """Nothing is due, and no wait of it is ended."""
    program = start(sys.executable, "-c", "import signal; signal.pause()", waits=False)
    eventually(lambda: [each for each in waits_of(program.pid) if each.call == "pause"])

    player.begin(None)

    assert player.next() == NEVER
    assert player.plays(program.pid)
    play(player, 3600)
    assert program.popen.poll() is None


def test_a_program_that_never_rests_is_not_waited_for(player, start):
    """It computes: the hour passes all the same, and it is told."""
    program = start(sys.executable, "-c", "while True: pass", waits=False)
    beat = start(*python("tell(lambda: time.sleep(60))"))

    began = time.monotonic()
    play(player, 1200)

    assert time.monotonic() - began < 20
    assert all(60 <= each < 62 for each, _ in beat.intervals(19)[1:])
    assert player.doubts_about(program.pid) == ["never came to rest"]


def test_whoever_asks_for_the_time_to_pass_and_its_ancestors_have_their_own(host, start):
    """They wait for the end of it, and would be woken by what they have asked for."""
    shell = start("sh", "-c", "sleep 1000 & wait", waits=False)
    (child,) = eventually(
        lambda: Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
    )
    played = Player([host])
    played.begin(int(child))
    assert not played.plays(shell.pid)
    assert not played.plays(int(child))
    played.close()


def test_a_program_that_is_debugged_is_refused_before_time_passes(host, start):
    """Two cannot trace one program, and an answer without it would not be sure."""
    program = start(*python("tell(lambda: time.sleep(20))"))
    code = f"""
import ctypes, signal
assert ctypes.CDLL(None).ptrace(0x4206, {program.pid}, 0, 0) == 0
print("traced", flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout is not None
        tracer.stdout.readline()
        played = Player([host])
        with pytest.raises(CannotPlayError, match=rf"python.*traced by .* \(pid {tracer.pid}\)"):
            played.begin(None)
        played.close()
        tracer.kill()


def test_who_is_traced_no_longer_is_played(host, start):
    """The debugger has gone; what it was the reason for has gone with it."""
    program = start(*python("tell(lambda: time.sleep(20))"))
    code = f"""
import ctypes, signal
assert ctypes.CDLL(None).ptrace(0x4206, {program.pid}, 0, 0) == 0
print("traced", flush=True)
signal.pause()
"""
    played = Player([host])
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout is not None
        tracer.stdout.readline()
        with pytest.raises(CannotPlayError):
            played.begin(None)
        played.end()
        tracer.kill()

    played.begin(None)

    assert played.plays(program.pid)
    played.end()
    played.close()


def test_a_program_in_a_time_namespace_of_its_own_is_refused(host, start):
    """Its clocks differ from ours, and so do the instants for which it waits."""
    words = ["unshare", "--time", "--fork", "--monotonic", "1000", "sleep", "1000"]
    shell = start(*words, waits=False)
    (child,) = eventually(
        lambda: Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
    )
    eventually(lambda: "sleep" in Path(f"/proc/{child}/comm").read_text())
    played = Player([host])
    with pytest.raises(CannotPlayError, match="a time namespace of its own"):
        played.begin(None)
    played.close()


def test_a_clock_that_has_moved_on_does_not_go_back_when_its_program_asks(player, start):
    """It has lived through an hour that somebody else wanted; the next one it wants itself."""
    program = start(*python("tell(lambda: time.sleep(0.5))"))
    play(player, 3600, grain=3600 * SECOND)
    program.intervals(20)  # one of them is late: it ticks

    player.begin(program.pid)
    assert not player.plays(program.pid)
    player.move_to(player.now() + 3600 * SECOND)
    player.end()

    intervals = [each for each, _ in program.intervals(20)]
    assert is_patched(program.pid)
    assert [each for each in intervals if not 0.5 <= each < 5] == []


def test_as_long_as_somebody_computes_nothing_is_passed_over(player, start):
    """Until when it will wait, nobody knows yet: it may be for a moment only."""
    program = start(sys.executable, "-c", "while True: pass", waits=False)
    eventually(lambda: Path(f"/proc/{program.pid}/syscall").read_text().startswith("running"))
    player.begin(None)

    assert player.next() <= player.now()
    assert player.wake()


SIGNALS = """
import os, signal, sys
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
signal.signal(signal.SIGRTMIN, lambda *_: None)
end = []
signal.signal(signal.SIGTERM, lambda *_: end.append(1))
import select
count = 0
poll = select.epoll()
poll.register(reader, select.EPOLLIN)
print("ready", flush=True)
while not end:
    if poll.poll(5.001):
        count += os.read(reader, 65536).count(bytes([signal.SIGRTMIN]))
print(count, flush=True)
"""


def test_no_signal_is_lost_while_waits_are_ended(player, start):
    """One that comes just while the thread stands still is delivered when it goes on."""
    program = start(sys.executable, "-c", SIGNALS)
    sent = 0

    player.begin(None, 0)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        player.move_to(player.next())
        os.kill(program.pid, signal.SIGRTMIN)
        sent += 1
        player.wake()
        rest(player)
    player.end()
    program.popen.terminate()

    assert program.lines(2) == ["ready", f"{sent}"]
    assert sent > 20


REPEATS = """
import signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 20, 20)
tell(signal.pause)"""


def test_a_timer_goes_on_at_its_interval(player, start):
    """It is set once, and fires a hundred times."""
    program = start(*python(REPEATS))
    began = time.monotonic()

    play(player, 601)

    intervals = program.intervals(29)
    assert time.monotonic() - began < 30
    assert all(19.9 <= each < 20.5 for each, _ in intervals)


def test_what_is_left_of_a_timer_is_left_of_it(player, start):
    """Of 100 s, 99 have passed in a moment: the kernel would fire it 99 s late."""
    program = start(*python(KINDS["an interval timer"].replace("20)", "100)")))

    play(player, 99)
    began = time.monotonic()
    ((interval, _),) = program.intervals(1)

    assert time.monotonic() - began < 10
    assert 99.9 <= interval < 110


def test_a_program_that_is_ended_by_the_command_timeout_is_ended(player, start):
    """Half an hour of `timeout` is a timer of timer_create(2), while it waits for a child."""
    program = start("timeout", "1800", "sleep", "infinity")

    play(player, 1790)
    assert program.popen.poll() is None
    play(player, 20)

    assert program.popen.wait(timeout=60) == 124


def test_an_alarm_without_a_handler_ends_its_program(player, start):
    """It outlives the program that has set it, and leaves nothing to be seen in /proc."""
    code = "import os, signal; signal.alarm(600); os.execvp('sleep', ['sleep', 'infinity'])"
    program = start(sys.executable, "-c", code)

    play(player, 590)
    assert program.popen.poll() is None
    play(player, 20)

    assert program.popen.wait(timeout=60) == -signal.SIGALRM


def sleeps(pid: int) -> int:
    """How often the only thread of a process has gone to sleep, or stood still."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def test_nobody_is_asked_for_a_timer_again_who_has_not_run(player, start):
    """To ask means to disturb: only whoever runs can set one."""
    beat = start(*python("tell(lambda: time.sleep(20))"))
    program = start(*python(KINDS["an interval timer"].replace("20)", "5000)")))
    player.begin(None, 0)
    player.next()
    before = sleeps(program.pid)

    for _ in range(20):
        player.move_to(player.next())
        player.wake()
        rest(player)
    player.end()

    assert len(beat.intervals(19)) == 19
    assert sleeps(program.pid) == before


INSTANT = """
import ctypes, signal, struct
signal.signal(signal.SIGALRM, lambda *_: None)
libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
assert libc.timer_create(1, None, ctypes.byref(timer)) == 0
def wait():
    at = time.clock_gettime_ns(1) + 20_000_000_000
    value = struct.pack("@qqqq", 0, 0, at // 10**9, at % 10**9)
    assert libc.timer_settime(timer, 1, value, None) == 0
    signal.pause()
tell(wait)"""


def test_a_timer_for_an_instant_that_was_set_meanwhile_is_played_as_a_duration_and_told(
    player, start
):
    """Nothing outside tells one from the other; the one that was there before is right."""
    program = start(*python(INSTANT))

    play(player, 10)
    assert player.doubts_about(program.pid) == []
    play(player, 60)

    ((first, _), *_) = program.intervals(2)
    assert 19.9 <= first < 21
    assert player.doubts_about(program.pid) == [
        "has a POSIX timer that was played as a duration, and may be an instant"
    ]


def test_a_timer_that_is_set_anew_for_a_duration_is_not_told(player, start):
    """Less was left of it than its clock was ahead: it cannot be for an instant."""
    program = start(*python(KINDS["a POSIX timer"]))

    play(player, 200)

    assert player.doubts_about(program.pid) == []


SECCOMP = """
import ctypes, signal, struct
signal.signal(signal.SIGALRM, lambda *_: None)
signal.alarm(100)
code = ctypes.create_string_buffer(struct.pack("@HBBI", 6, 0, 0, 0x7FFF0000), 8)
program = struct.pack("@HP", 1, ctypes.addressof(code))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
signal.pause()"""


def test_a_program_under_seccomp_is_never_made_to_call_and_that_is_told(player, start):
    """A call that it does not make by itself may be its end."""
    program = start(*python(SECCOMP))

    play(player, 3600)

    assert program.popen.poll() is None
    assert player.doubts_about(program.pid) == [
        "has a use for SIGALRM: not to be read (it is under seccomp)"
    ]
