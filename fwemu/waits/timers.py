"""Timers that wake a process: by a descriptor (timerfd_create(2)), or by a signal.

A timerfd can be read from outside.  A POSIX timer is seen but not when it fires, and alarm(2) and
setitimer(2) leave no trace in /proc but what their signal is used for: only a thread of the process
can ask when these fire.
"""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.waits.memory import SECOND

_VALUE: Final = re.compile(r"^it_value: \((\d+), (\d+)\)", re.MULTILINE)
_CLOCK: Final = re.compile(r"^clockid: (\d+)", re.MULTILINE)
_FLAGS: Final = re.compile(r"^settime flags: (\d+)", re.MULTILINE)
_ABSTIME: Final = 1
"""TFD_TIMER_ABSTIME (include/linux/timerfd.h); the flags are printed in octal."""
_INTERVAL: Final = re.compile(r"^it_interval: \((\d+), (\d+)\)", re.MULTILINE)

_POSIX: Final = re.compile(r"^ID: (\d+)\n(?:.*\n){2}ClockID: (-?\d+)", re.MULTILINE)
_CLOCKS: Final = frozenset(
    {time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME, time.CLOCK_TAI, 8, 9}
)
"""Clocks that go on while nobody runs; 8 and 9 are REALTIME_ALARM and BOOTTIME_ALARM."""
_CAUGHT: Final = re.compile(r"^SigCgt:\s*([0-9a-f]+)", re.MULTILINE)
_BLOCKED: Final = re.compile(r"^SigBlk:\s*([0-9a-f]+)", re.MULTILINE)

ALARM: Final = "a use for SIGALRM"
"""What alarm(2) and setitimer(2) leave to be seen: their signal has a handler, or is blocked."""


class TimerDescriptor(NamedTuple):
    """An armed timerfd of a process."""

    descriptor: int
    left: int
    """Nanoseconds until it fires."""
    every: int
    """Nanoseconds between two firings; 0 if it fires once."""
    instant_of: int | None = None
    """The clock by whose instant it was armed; None if it was armed for a duration."""


def timer_descriptors(pid: int) -> list[TimerDescriptor]:
    """Every armed timerfd of a process (proc_pid_fdinfo(5))."""
    found = []
    with suppress(OSError):  # it has ended
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):  # closed meanwhile
                if os.readlink(entry.path) == "anon_inode:[timerfd]":
                    text = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                    timer = TimerDescriptor(
                        int(entry.name),
                        _nanoseconds(_VALUE, text),
                        _nanoseconds(_INTERVAL, text),
                        _number(_CLOCK, text) if _number(_FLAGS, text, 8) & _ABSTIME else None,
                    )
                    found += [timer] if timer.left else []
    return found


def _number(pattern: re.Pattern[str], text: str, base: int = 10) -> int:
    match = pattern.search(text)
    return 0 if match is None else int(match[1], base)


def _nanoseconds(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.search(text)
    return 0 if match is None else int(match[1]) * SECOND + int(match[2])


class PosixTimer(NamedTuple):
    """A timer of timer_create(2), of a clock that goes on while nobody runs."""

    number: int
    clock: int


class SignalTimers(NamedTuple):
    """What /proc shows of timers that wake a process by a signal."""

    posix: tuple[PosixTimer, ...] = ()
    uses_alarm: bool = False
    """Is SIGALRM used for something, so that there may be an interval timer as well?"""

    @property
    def names(self) -> list[str]:
        """For people."""
        count = len(self.posix)
        found = [f"{count} POSIX timer" + ("s" if count > 1 else "")] if count else []
        return found + [ALARM] * self.uses_alarm


def signal_timers(pid: int) -> SignalTimers:
    """What there is; nothing if it has ended."""
    posix: tuple[PosixTimer, ...] = ()
    with suppress(OSError):
        text = Path(f"/proc/{pid}/timers").read_text()
        found = (PosixTimer(int(each[1]), int(each[2])) for each in _POSIX.finditer(text))
        posix = tuple(sorted(each for each in found if each.clock in _CLOCKS))
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        return SignalTimers(posix, _has_alarm(_CAUGHT, status) or _has_alarm(_BLOCKED, status))
    return SignalTimers(posix)


def _has_alarm(pattern: re.Pattern[str], status: str) -> bool:
    match = pattern.search(status)
    return match is not None and bool(int(match[1], 16) >> (signal.SIGALRM - 1) & 1)
