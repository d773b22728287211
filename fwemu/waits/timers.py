"""Timers that wake a process: by a descriptor (timerfd_create(2)), or by a signal.

A timerfd can be read from outside, a POSIX timer is seen but not when it fires, and alarm(2) and
setitimer(2) leave no trace in /proc but the handler of their signal.
"""

from __future__ import annotations

import os
import re
import signal
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

ALARM: Final = "a handler for SIGALRM"
"""What alarm(2) and setitimer(2) leave to be seen."""


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


def unreadable_timers(pid: int) -> list[str]:
    """What may wake this process by a signal without anybody outside being able to say when."""
    found = []
    with suppress(OSError):
        text = Path(f"/proc/{pid}/timers").read_text()
        if count := len(re.findall(r"^ID: ", text, re.MULTILINE)):
            found.append(f"{count} POSIX timer" + ("s" if count > 1 else ""))
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.MULTILINE)
        if caught and int(caught[1], 16) >> (signal.SIGALRM - 1) & 1:
            found.append(ALARM)
    return found
