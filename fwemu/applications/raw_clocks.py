"""Who reads a clock past the vDSO: programs that ask the kernel itself see the machine's time.

Nothing of a process shows that, and no number of its calls is kept.  But the kernel counts how
often a thread comes by one of its tracepoints (perf_event_open(2)), here those of the system calls
that read clocks.  That costs the whole machine some nanoseconds for each system call, so it is
done while time is passed over only.  `rdtsc` leaves no trace at all.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from fwemu.waits.threads import threads_of

_CLOCKS: Final = (
    time.CLOCK_REALTIME,
    time.CLOCK_MONOTONIC,
    time.CLOCK_MONOTONIC_RAW,
    5,  # CLOCK_REALTIME_COARSE
    6,  # CLOCK_MONOTONIC_COARSE
    time.CLOCK_BOOTTIME,
    time.CLOCK_TAI,
)
"""Those that the vDSO can tell; all others are read by a system call anyway."""

_CALLS: Final = {
    "clock_gettime": "||".join(f"which_clock=={clock}" for clock in _CLOCKS),
    "gettimeofday": "",
    "time": "",
}
"""System calls, and which of them count (a filter of the tracepoint)."""

# Numbers of x86-64; include/uapi/linux/perf_event.h and mount.h.
_SYS_PERF_EVENT_OPEN: Final = 298
_SYS_FSOPEN, _SYS_FSCONFIG, _SYS_FSMOUNT = 430, 431, 432
_CREATE: Final = 6
_CLOEXEC: Final = 1
_ATTRIBUTES: Final = struct.Struct("<IIQQQQQIIQ")
_TRACEPOINT: Final = 2
_INHERIT: Final = 1 << 1
_EVENT_CLOEXEC: Final = 8
_SET_FILTER: Final = 0x40082406
_COUNT: Final = struct.Struct("<Q")

_libc = ctypes.CDLL(None, use_errno=True)


class RawClockReads:
    """Counts the reads of some processes.  Close it, as soon as possible."""

    def __init__(self) -> None:
        """Raises OSError where nothing can be counted, as without root."""
        self._events: dict[int, list[int]] = {}
        """The descriptors that count for each process."""
        self._counted: set[int] = set()
        """Threads."""
        self._before: dict[int, int] = {}
        self._tracepoints = _tracepoints()
        own = threading.get_native_id()
        try:
            self._count(os.getpid(), own)
            time.monotonic()
            if self.of(os.getpid()):
                raise OSError("the vDSO of this machine asks the kernel itself")
        except BaseException:
            self.close()
            raise

    def count(self, pids: Iterable[int]) -> None:
        """Count those of these processes as well, with all their threads; from 0."""
        for pid in pids:
            for thread in set(threads_of(pid)) - self._counted:
                with suppress(OSError):  # it has ended, or there are too many to count them all
                    self._count(pid, thread)
            self._before[pid] = self._sum(pid)

    def of(self, pid: int) -> int:
        """How often a process, or a child of it, has read a clock past the vDSO."""
        return self._sum(pid) - self._before.get(pid, 0)

    def close(self) -> None:
        """Count no more."""
        for events in self._events.values():
            for event in events:
                os.close(event)
        self._events.clear()
        self._counted.clear()

    def _count(self, pid: int, thread: int) -> None:
        """Threads that it makes from now on count with it."""
        events = self._events.setdefault(pid, [])
        for number, which in self._tracepoints:
            attributes = _ATTRIBUTES.pack(
                _TRACEPOINT, _ATTRIBUTES.size, number, 0, 0, 0, _INHERIT, 0, 0, 0
            )
            event = _call(_SYS_PERF_EVENT_OPEN, attributes, thread, -1, -1, _EVENT_CLOEXEC)
            try:
                if which:
                    fcntl.ioctl(event, _SET_FILTER, which.encode() + b"\0")
            except OSError:
                os.close(event)
                raise
            events.append(event)
        self._counted.add(thread)

    def _sum(self, pid: int) -> int:
        counts = (os.read(event, _COUNT.size) for event in self._events.get(pid, ()))
        return sum(_COUNT.unpack(each)[0] for each in counts)


def _tracepoints() -> list[tuple[int, str]]:
    """The numbers of those that are counted, each with its filter."""
    context = _call(_SYS_FSOPEN, b"tracefs", _CLOEXEC)
    try:
        _call(_SYS_FSCONFIG, context, _CREATE, None, None, 0)
        place = _call(_SYS_FSMOUNT, context, _CLOEXEC, 0)  # it appears nowhere
    finally:
        os.close(context)
    try:
        return [(_number(place, f"sys_enter_{call}"), which) for call, which in _CALLS.items()]
    finally:
        os.close(place)


def _number(place: int, event: str) -> int:
    file = os.open(f"events/syscalls/{event}/id", os.O_RDONLY | os.O_CLOEXEC, dir_fd=place)
    try:
        return int(os.read(file, 32))
    finally:
        os.close(file)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
