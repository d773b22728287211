"""The timers that wake a process by a signal: asked, and made to fire, by one of its own threads.

POSIX timers (timer_create(2)) and the interval timer of alarm(2) and setitimer(2).  A thread that
stands still is had to ask for them (`held.py`), and to set them.  What the kernel tells of them it
writes into a page of memory that is there for just that time: the stack of a thread has no room
that is surely its own (that of a goroutine may have other data close below).
"""

from __future__ import annotations

import os
import platform
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeVar

from fwemu.applications.held import CannotInjectError, HeldThread, Inject, held
from fwemu.waits.memory import SECOND
from fwemu.waits.timers import SignalTimers

INTERVAL_TIMER: Final = -1
"""In the place of a POSIX timer's number: that of setitimer(2), ITIMER_REAL, and alarm(2)."""

_MACHINE: Final = "x86_64"

# arch/x86/entry/syscalls/syscall_64.tbl
_MMAP: Final = 9
_MUNMAP: Final = 11
_GETITIMER: Final = 36
_SETITIMER: Final = 38
_TIMER_SETTIME: Final = 223
_TIMER_GETTIME: Final = 224

# include/uapi/asm-generic/mman-common.h
_PROT_READ_WRITE: Final = 3
_MAP_PRIVATE_ANONYMOUS: Final = 0x22
_PAGE: Final = 4096

_ITIMER_REAL: Final = 0
_TRIES: Final = 5
_CERTAIN: Final = 1_000_000
"""Nanoseconds.  Where asking takes longer, since the machine is busy, it is tried again."""

_TIMES: Final = struct.Struct("@qqqq")
"""struct itimerspec and struct itimerval: the interval first."""


class SignalTimer(NamedTuple):
    """An armed timer, when it was asked for."""

    number: int
    """Of a POSIX timer, or INTERVAL_TIMER."""
    clock: int
    left: int
    """Nanoseconds until it fires."""
    every: int
    """Nanoseconds between two firings; 0 if it fires once."""
    fires_at: int
    """The instant at which the kernel fires it, by CLOCK_MONOTONIC, at the latest."""
    uncertain: int
    """So much earlier it may fire it: how long it took to ask."""

    @property
    def name(self) -> str:
        """For people."""
        return "an interval timer" if self.number == INTERVAL_TIMER else "a POSIX timer"

    @property
    def call(self) -> str:
        """The system call that makes one."""
        return "setitimer" if self.number == INTERVAL_TIMER else "timer_create"


class CannotAskError(Exception):
    """None of the threads of a process can be had to ask: why not."""


class Asked:
    """The timers of a process, as long as one of its threads stands still."""

    def __init__(self, thread: HeldThread, call: Inject, page: int) -> None:
        self._thread = thread
        self._call = call
        self._page = page

    def armed(self, signs: SignalTimers) -> list[SignalTimer]:
        """Those of these that are armed, and the interval timer if it is."""
        found = []
        for number, clock in (*signs.posix, (INTERVAL_TIMER, time.CLOCK_MONOTONIC)):
            try:
                timer = self.timer(number, clock)
            except OSError:  # deleted meanwhile
                continue
            if timer.left:
                found.append(timer)
        return found

    def timer(self, number: int, clock: int) -> SignalTimer:
        """One of them, armed or not.  Raises OSError if it is not there."""
        for _ in range(_TRIES):
            timer = self._timer(number, clock)
            if timer.uncertain < _CERTAIN:
                break
        return timer

    def _timer(self, number: int, clock: int) -> SignalTimer:
        began = time.monotonic_ns()
        if number == INTERVAL_TIMER:
            self._call(_GETITIMER, _ITIMER_REAL, self._page)
        else:
            self._call(_TIMER_GETTIME, number, self._page)
        now = time.monotonic_ns()
        part = 1000 if number == INTERVAL_TIMER else 1
        seconds, parts, left_seconds, left_parts = _TIMES.unpack(self._memory(os.O_RDONLY, b""))
        left = left_seconds * SECOND + left_parts * part
        every = seconds * SECOND + parts * part
        return SignalTimer(number, clock, left, every, now + left, now - began)

    def fire(self, number: int, every: int) -> None:
        """Make it fire at once, and go on at its interval; its process gets the signal."""
        seconds, rest = divmod(every, SECOND)
        if number == INTERVAL_TIMER:
            self._memory(os.O_WRONLY, _TIMES.pack(seconds, rest // 1000, 0, 1))
            self._call(_SETITIMER, _ITIMER_REAL, self._page, 0)
        else:
            self._memory(os.O_WRONLY, _TIMES.pack(seconds, rest, 0, 1))
            self._call(_TIMER_SETTIME, number, 0, self._page, 0)

    def _memory(self, flags: int, octets: bytes) -> bytes:
        """Write these to the page, or read what the kernel has written there."""
        memory = os.open(f"/proc/{self._thread.thread}/mem", flags | os.O_CLOEXEC)
        try:
            if octets:
                os.pwrite(memory, octets, self._page)
            return octets or os.pread(memory, _TIMES.size, self._page)
        finally:
            os.close(memory)


_Answer = TypeVar("_Answer")
Hook = Callable[[HeldThread], None]


def _nothing(thread: HeldThread) -> None:
    """Nobody wants to know."""


def ask(
    pid: int,
    threads: Iterable[int],
    question: Callable[[Asked], _Answer],
    before: Hook = _nothing,
    after: Hook = _nothing,
) -> _Answer:
    """Put a question about the timers of a process to the first of its threads that can do so.

    It stands still meanwhile; `before` and `after` it was asked the hooks are called with it.
    Raises CannotAskError, OSError if it has ended.
    """
    why = "none of its threads rests"
    if platform.machine() != _MACHINE:
        raise CannotAskError(f"only on {_MACHINE}")
    for thread in threads:
        if _is_under_seccomp(pid, thread):
            why = "it is under seccomp"
            continue
        try:
            with held([thread]) as there:
                if thread not in there:
                    why = "it does not come to stand"
                    continue
                before(there[thread])
                try:
                    with _inside(there[thread]) as asked:
                        return question(asked)
                finally:
                    after(there[thread])
        except CannotInjectError as error:
            why = str(error)
        except PermissionError as error:
            why = error.strerror or str(error)
    raise CannotAskError(why)


@contextmanager
def _inside(thread: HeldThread) -> Iterator[Asked]:
    with thread.injecting() as call:
        try:
            page = call(_MMAP, 0, _PAGE, _PROT_READ_WRITE, _MAP_PRIVATE_ANONYMOUS, -1, 0)
        except ProcessLookupError:
            raise
        except OSError as error:
            raise CannotInjectError(f"it has no room ({error.strerror})") from error
        try:
            yield Asked(thread, call, page)
        finally:
            call(_MUNMAP, page, _PAGE)


def _is_under_seccomp(pid: int, thread: int) -> bool:
    """Might a system call that its program never makes end it (seccomp(2))?"""
    with open(f"/proc/{pid}/task/{thread}/status", "rb", buffering=0) as file:
        mode = file.read(4096).partition(b"\nSeccomp:")[2].split()
    return bool(mode) and mode[0] != b"0"
