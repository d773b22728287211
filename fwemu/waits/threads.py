"""What each thread of a process waits for, and until when.

/proc says which system call a thread is in, with its arguments; the process's memory has the
timeout.  A deadline that is an instant is exact.  A duration runs from the beginning of the call,
which is taken for the moment at which the thread ran last: the kernel keeps it by processor
(`se.exec_start` in /proc/PID/task/TID/sched), and the same number of our own thread on the same
processor is now.  That errs late: a thread that something has disturbed for a moment has less time
left than is said here, never more.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.waits.memory import SECOND, Memory, Readable
from fwemu.waits.system_calls import (
    ARCHITECTURES,
    CALLS,
    Architecture,
    Timeout,
    restarted,
)
from fwemu.waits.timers import TimerDescriptor, timer_descriptors
from netns.connections import Holder, borrow
from netns.procfs import stat_of

_CLOCKS: Final = frozenset(
    {time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME, time.CLOCK_TAI}
)
"""Clocks that go on while nobody runs."""

_RUNS: Final = "runs"
"""What is not known of a thread that waits for nothing."""

_SENDS: Final = frozenset({"connect", "write", "writev", "sendto", "sendmsg", "sendfile"})
"""Calls on a socket to which SO_SNDTIMEO applies; to the others, SO_RCVTIMEO."""

_WATCHED: Final = re.compile(r"^tfd:\s*(\d+)", re.MULTILINE)
_DEPTH: Final = 5
"""How deep epoll descriptors may watch each other (EP_MAX_NESTS in fs/eventpoll.c is 4)."""


@dataclass(frozen=True)
class Wait:
    """What one thread waits for."""

    pid: int
    thread: int
    name: str
    """The thread's own name (comm)."""
    call: str
    """The system call; empty if the thread runs."""
    timeout: int | None = None
    """Nanoseconds from the beginning of the wait to its end; None if it waits for ever."""
    left: int | None = None
    """Nanoseconds until it ends by itself, at the most; None if it waits for ever."""
    sockets: frozenset[int] = frozenset()
    """The inodes of the sockets whose events end it."""
    timers: tuple[TimerDescriptor, ...] = ()
    """The armed timer descriptors among what it watches."""
    is_instant: bool = False
    """Does it wait for an instant of a clock, and not for so long?"""
    unknown: str | None = None
    """Why it cannot be said until when it waits, or for what."""

    @property
    def runs(self) -> bool:
        """Does it wait for nothing?"""
        return self.unknown == _RUNS

    @property
    def due(self) -> int | None:
        """Nanoseconds until it ends at the latest if nothing comes, by timeout or timer."""
        each = [timer.left for timer in self.timers]
        return min(each if self.left is None else [*each, self.left], default=None)


def waits_of(pid: int) -> list[Wait]:
    """What the threads of a process wait for; nothing if it has ended.

    Raises PermissionError where we may not look into it.
    """
    architecture = ARCHITECTURES.get(platform.machine())
    try:
        with Memory(pid) as memory:
            timers = {timer.descriptor: timer for timer in timer_descriptors(pid)}
            found = (_wait(pid, thread, memory, timers, architecture) for thread in threads_of(pid))
            return [wait for wait in found if wait is not None]
    except PermissionError:
        if stat_of(pid) is None:
            return []
        raise
    except (FileNotFoundError, ProcessLookupError):
        return []


def threads_of(pid: int) -> list[int]:
    """The threads of a process; none if it has ended."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Call(NamedTuple):
    """The system call that a thread is in."""

    number: int
    """As /proc says it: that of `restart_syscall` if it was interrupted and goes on."""
    arguments: tuple[int, ...]
    name: str
    """Of what it waits in, whichever number it has now; empty if it is not known to wait."""

    def timeout(self, pid: int, memory: Readable) -> Timeout | None:
        """When it ends by itself; None if it never does.

        Raises OSError where its arguments cannot be read, PermissionError where a socket of this
        process may not be asked.
        """
        row = CALLS[self.name]
        timeout = row.timeout(self.arguments, memory)
        if timeout is None and row.has_socket_timeout:
            timeout = _socket_timeout(pid, self.arguments[0], self.name)
        return timeout


def call_of(pid: int, thread: int, memory: Readable, architecture: Architecture) -> Call | None:
    """The system call that a thread is in; None if it runs.

    Raises FileNotFoundError or ProcessLookupError if it has ended.
    """
    try:
        fields = Path(f"/proc/{pid}/task/{thread}/syscall").read_text().split()
    except PermissionError as error:
        if _has_memory(pid, thread):
            raise
        raise ProcessLookupError(errno.ESRCH, "it has ended") from error
    if not fields or fields[0] in ("running", "-1"):
        return None
    number = named = int(fields[0])
    arguments = tuple(int(field, 16) for field in fields[1:7])
    if number == architecture.restart_syscall:
        named = _number_in_code(int(fields[8], 16), memory, architecture)
    name = architecture.numbers.get(named) or ""
    if number == architecture.restart_syscall and not name:
        name = restarted(arguments, memory)  # glibc 2.41 has the number in a register
    return Call(number, arguments, name)


def _has_memory(pid: int, thread: int) -> bool:
    """False once it ends: its files belong to the machine's root then, whoever it was."""
    try:
        return "\nVmSize:" in Path(f"/proc/{pid}/task/{thread}/status").read_text(errors="replace")
    except OSError:
        return False


def _wait(
    pid: int,
    thread: int,
    memory: Memory,
    timers: dict[int, TimerDescriptor],
    architecture: Architecture | None,
) -> Wait | None:
    """What one thread waits for; None if it has ended."""
    task = Path(f"/proc/{pid}/task/{thread}")
    try:
        name = (task / "comm").read_text(errors="replace").rstrip("\n")
        if architecture is None:
            return Wait(pid, thread, name, "", unknown=f"{platform.machine()} is not known")
        call = call_of(pid, thread, memory, architecture)
    except (FileNotFoundError, ProcessLookupError):
        return None
    if call is None:
        return Wait(pid, thread, name, "", unknown=_RUNS)
    if not call.name:
        return Wait(pid, thread, name, "", unknown=f"is in system call {call.number}")
    row = CALLS[call.name]
    if row.is_opaque:
        return Wait(pid, thread, name, call.name, unknown="what it waits for is not to be seen")
    try:
        timeout = call.timeout(pid, memory)
        watched = row.watches(call.arguments, memory)
    except PermissionError:
        raise
    except OSError:
        return Wait(pid, thread, name, call.name, unknown="its arguments cannot be read")
    if row.is_epoll:
        watched = _behind_epoll(pid, watched)
    if timeout is not None and timeout.clock is not None and timeout.clock not in _CLOCKS:
        return Wait(pid, thread, name, call.name, unknown="waits for a clock of its own")
    length, left = (None, None) if timeout is None else _until(timeout, task)
    return Wait(
        pid,
        thread,
        name,
        call.name,
        length,
        left,
        frozenset(_socket_inodes(pid, watched)),
        tuple(timers[descriptor] for descriptor in watched if descriptor in timers),
        is_instant=timeout is not None and timeout.clock is not None,
    )


def _number_in_code(counter: int, memory: Readable, architecture: Architecture) -> int:
    """The call that was interrupted and goes on; -1 if the code in front does not say."""
    try:
        code = memory.read(counter - architecture.code_size, architecture.code_size)
    except OSError:
        return -1
    number = architecture.number_before(code)
    return -1 if number is None else number


def _until(timeout: Timeout, task: Path) -> tuple[int, int]:
    """The length of a wait, and what is left of it; nanoseconds."""
    since = quiet(task)
    if timeout.clock is not None:
        left = timeout.nanoseconds - time.clock_gettime_ns(timeout.clock)
        return max(0, left + since), max(0, left)
    return timeout.nanoseconds, max(0, timeout.nanoseconds - since)


def quiet(task: Path) -> int:
    """Nanoseconds since a thread ran last; 0 where the kernel does not say.

    Not more than since it began: of one that has just begun the kernel has no such instant yet.
    """
    try:
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        with _on(int(fields[36])):
            then = _ran_last(task)
            os.sched_yield()  # brings our own number up to date
            since = _ran_last(Path("/proc/thread-self")) - then
        began = int(fields[19]) * SECOND // os.sysconf("SC_CLK_TCK")  # from the boot
        return max(0, min(since, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began))
    except (OSError, ValueError):
        return 0


@contextmanager
def _on(processor: int) -> Iterator[None]:
    """Run this thread on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _ran_last(task: Path) -> int:
    """`se.exec_start`, milliseconds with six decimals, as nanoseconds of its processor's clock."""
    for line in (task / "sched").read_text().splitlines():
        if line.startswith("se.exec_start"):
            whole, _, part = line.rpartition(":")[2].strip().partition(".")
            return int(whole) * 1_000_000 + int(part)
    raise ValueError("no se.exec_start")


def _behind_epoll(pid: int, descriptors: list[int], depth: int = _DEPTH) -> list[int]:
    """What epoll descriptors watch, those behind others included."""
    found: list[int] = []
    for descriptor in descriptors:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text()
            behind = [int(number) for number in _WATCHED.findall(text)]
            found += behind
            if depth:
                nested = [each for each in behind if _is_epoll(pid, each)]
                found += _behind_epoll(pid, nested, depth - 1)
    return found


def epoll_sockets(pid: int) -> frozenset[int]:
    """The inodes of the sockets that any epoll descriptor of a process watches.

    Whether anybody waits at that descriptor is another question.
    """
    with suppress(OSError):  # it has ended
        names = [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
        polls = [number for number in names if _is_epoll(pid, number)]
        return frozenset(_socket_inodes(pid, _behind_epoll(pid, polls)))
    return frozenset()


def _is_epoll(pid: int, descriptor: int) -> bool:
    return _target(pid, descriptor) == "anon_inode:[eventpoll]"


def _socket_inodes(pid: int, descriptors: list[int]) -> Iterator[int]:
    for descriptor in descriptors:
        target = _target(pid, descriptor)
        if target.startswith("socket:["):
            yield int(target[8:-1])


def _target(pid: int, descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except OSError:
        return ""


def _socket_timeout(pid: int, descriptor: int, call: str) -> Timeout | None:
    """SO_RCVTIMEO or SO_SNDTIMEO of a socket, which is borrowed for just that question."""
    if not _target(pid, descriptor).startswith("socket:["):
        return None
    option = socket.SO_SNDTIMEO if call in _SENDS else socket.SO_RCVTIMEO
    try:
        with borrow(Holder(pid, descriptor)) as theirs:
            seconds, microseconds = struct.unpack("@ll", theirs.getsockopt(
                socket.SOL_SOCKET, option, struct.calcsize("@ll")
            ))  # fmt: skip
    except OSError as error:
        if error.errno == errno.EPERM:
            raise PermissionError(error.errno, error.strerror) from error
        return None
    return Timeout((seconds * 1_000_000 + microseconds) * 1000) if seconds or microseconds else None
