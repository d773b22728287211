"""The files of a thread in /proc that are read again and again: kept open."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from typing import NamedTuple


class Runs(NamedTuple):
    """What a thread has had of the processors."""

    times: int
    duration: int
    """Nanoseconds."""


class ThreadFiles:
    """Those of one thread.  Close it.  Every method raises OSError if the thread has ended."""

    def __init__(self, pid: int, thread: int) -> None:
        self._task = f"/proc/{pid}/task/{thread}"
        self._schedstat = os.open(f"{self._task}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._stat = os.open(f"{self._task}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.close(self._schedstat)
            raise

    def runs(self) -> Runs:
        """How often it was given a processor until now, and for how long (sched-stats.rst)."""
        duration, _, times = os.pread(self._schedstat, 96, 0).split()
        return Runs(int(times), int(duration))

    def is_running(self) -> bool:
        """Is it on a processor, or would it like to be (proc_pid_stat(5))?

        Not asked of /proc/PID/syscall, which shows the call of a thread that is just being woken by
        another processor (TASK_WAKING) as if it still waited.
        """
        return os.pread(self._stat, 512, 0).rpartition(b") ")[2][:1] == b"R"

    def times_slept(self) -> int:
        """How often it gave its processor away because it had to wait (proc_pid_status(5))."""
        with open(f"{self._task}/status", "rb", buffering=0) as file:
            return int(file.read(4096).partition(b"\nvoluntary_ctxt_switches:")[2].split()[0])

    def close(self) -> None:
        os.close(self._schedstat)
        os.close(self._stat)


def allow_many() -> None:
    """Two descriptors for each thread of a host: more than a process may have as a rule."""
    most, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < limit:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
