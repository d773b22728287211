"""The system calls that wait: where each has its timeout, and which descriptors it watches.

A call is a row; the numbers of an architecture are a table beside it.  Arguments are those of
/proc/PID/task/TID/syscall, structures are read from the memory of the process (syscalls(2) and the
page of each call; numbers from arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fwemu.waits.memory import Readable, timespec, timeval

Arguments = Sequence[int]


class Timeout(NamedTuple):
    """When a wait ends by itself."""

    nanoseconds: int
    """From the beginning of the call, or as an instant of `clock`."""
    clock: int | None = None
    """None for a duration; otherwise the clock (clock_gettime(2)) whose instant it is."""


class SystemCall(NamedTuple):
    """How a call that waits is read."""

    timeout: Callable[[Arguments, Readable], Timeout | None]
    """None if it waits for ever.  Raises OSError where the memory cannot be read."""
    watches: Callable[[Arguments, Readable], list[int]] = lambda arguments, memory: []
    """The descriptors whose events end it."""
    is_epoll: bool = False
    """What it watches is an epoll descriptor, which watches others."""
    has_socket_timeout: bool = False
    """A socket may have a timeout of its own for it (SO_RCVTIMEO, SO_SNDTIMEO)."""
    is_opaque: bool = False
    """What it waits for stands in memory that is shared with the kernel: it cannot be told."""


# -- timeouts ---------------------------------------------------------------------------------


def _for_ever(arguments: Arguments, memory: Readable) -> Timeout | None:
    return None


def _milliseconds(place: int) -> Callable[[Arguments, Readable], Timeout | None]:
    """An int in milliseconds; negative waits for ever."""

    def read(arguments: Arguments, memory: Readable) -> Timeout | None:
        value = arguments[place] & 0xFFFFFFFF
        return None if value & 0x80000000 else Timeout(value * 1_000_000)

    return read


def _duration(
    place: int, structure: Callable[[Readable, int], int] = timespec
) -> Callable[[Arguments, Readable], Timeout | None]:
    """A pointer to a duration; a null pointer waits for ever."""

    def read(arguments: Arguments, memory: Readable) -> Timeout | None:
        address = arguments[place]
        return Timeout(structure(memory, address)) if address else None

    return read


def _instant(place: int, clock: int) -> Callable[[Arguments, Readable], Timeout | None]:
    """A pointer to an instant of a clock; a null pointer waits for ever."""

    def read(arguments: Arguments, memory: Readable) -> Timeout | None:
        address = arguments[place]
        return Timeout(timespec(memory, address), clock) if address else None

    return read


_TIMER_ABSTIME: Final = 1  # include/uapi/linux/time.h


def _clock_nanosleep(arguments: Arguments, memory: Readable) -> Timeout:
    clock, flags, request = arguments[0], arguments[1], arguments[2]
    return Timeout(timespec(memory, request), clock if flags & _TIMER_ABSTIME else None)


# include/uapi/linux/futex.h
_FUTEX_COMMANDS: Final = 0x7F
_FUTEX_CLOCK_REALTIME: Final = 0x100
_FUTEX_WAIT: Final = 0
_FUTEX_LOCK_PI: Final = 6
_FUTEX_ABSOLUTE: Final = frozenset({9, 11, 13})  # WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2


def _futex(arguments: Arguments, memory: Readable) -> Timeout | None:
    command, address = arguments[1] & _FUTEX_COMMANDS, arguments[3]
    if not address:
        return None
    if command == _FUTEX_WAIT:
        return Timeout(timespec(memory, address))
    if command == _FUTEX_LOCK_PI:
        return Timeout(timespec(memory, address), time.CLOCK_REALTIME)
    if command in _FUTEX_ABSOLUTE:
        is_real = arguments[1] & _FUTEX_CLOCK_REALTIME
        return Timeout(
            timespec(memory, address), time.CLOCK_REALTIME if is_real else time.CLOCK_MONOTONIC
        )
    return None


def _futex_waitv(arguments: Arguments, memory: Readable) -> Timeout | None:
    return Timeout(timespec(memory, arguments[3]), arguments[4]) if arguments[3] else None


# -- descriptors ------------------------------------------------------------------------------


def _first(arguments: Arguments, memory: Readable) -> list[int]:
    return [arguments[0]]


_POLLFD: Final = struct.Struct("=ihh")
_MOST: Final = 65_536
"""Descriptors of one call that are looked at, at the most."""


def _poll_set(arguments: Arguments, memory: Readable) -> list[int]:
    count = min(arguments[1], _MOST)
    octets = memory.read(arguments[0], count * _POLLFD.size) if count else b""
    return [descriptor for descriptor, _, _ in _POLLFD.iter_unpack(octets) if descriptor >= 0]


def _select_sets(arguments: Arguments, memory: Readable) -> list[int]:
    """The three sets of select(2).

    The kernel leaves them as they are until the call ends.
    """
    count = min(arguments[0], _MOST)
    found: set[int] = set()
    for address in arguments[1:4]:
        if address and count:
            bits = int.from_bytes(memory.read(address, (count + 63) // 64 * 8), "little")
            found.update(number for number in range(count) if bits >> number & 1)
    return sorted(found)


_SOCKET: Final = SystemCall(_for_ever, _first, has_socket_timeout=True)

CALLS: Final[dict[str, SystemCall]] = {
    "poll": SystemCall(_milliseconds(2), _poll_set),
    "ppoll": SystemCall(_duration(2), _poll_set),
    "select": SystemCall(_duration(4, timeval), _select_sets),
    "pselect6": SystemCall(_duration(4), _select_sets),
    "epoll_wait": SystemCall(_milliseconds(3), _first, is_epoll=True),
    "epoll_pwait": SystemCall(_milliseconds(3), _first, is_epoll=True),
    "epoll_pwait2": SystemCall(_duration(3), _first, is_epoll=True),
    "futex": SystemCall(_futex),
    "futex_waitv": SystemCall(_futex_waitv),
    "nanosleep": SystemCall(_duration(0)),
    "clock_nanosleep": SystemCall(_clock_nanosleep),
    "rt_sigtimedwait": SystemCall(_duration(2)),
    "semtimedop": SystemCall(_duration(3)),
    "mq_timedreceive": SystemCall(_instant(4, time.CLOCK_REALTIME), _first),
    "mq_timedsend": SystemCall(_instant(4, time.CLOCK_REALTIME), _first),
    "read": _SOCKET,
    "readv": _SOCKET,
    "recvfrom": _SOCKET,
    "recvmsg": _SOCKET,
    "recvmmsg": SystemCall(_duration(4), _first, has_socket_timeout=True),
    "accept": _SOCKET,
    "accept4": _SOCKET,
    "connect": _SOCKET,
    "write": _SOCKET,
    "writev": _SOCKET,
    "sendto": _SOCKET,
    "sendmsg": _SOCKET,
    "sendfile": _SOCKET,
    "splice": _SOCKET,
    "io_getevents": SystemCall(_duration(4), is_opaque=True),
    "io_pgetevents": SystemCall(_duration(4), is_opaque=True),
    "io_uring_enter": SystemCall(_for_ever, is_opaque=True),
    "wait4": SystemCall(_for_ever),
    "waitid": SystemCall(_for_ever),
    "pause": SystemCall(_for_ever),
    "rt_sigsuspend": SystemCall(_for_ever),
    "semop": SystemCall(_for_ever),
    "msgrcv": SystemCall(_for_ever),
    "msgsnd": SystemCall(_for_ever),
    "flock": SystemCall(_for_ever),
    "fcntl": SystemCall(_for_ever),
}
"""How each call that may wait is read, by its name."""


_LEAST_ADDRESS: Final = 65_536
"""Nothing is mapped below (vm.mmap_min_addr)."""

_FUTEX_RESTARTED: Final = frozenset({_FUTEX_WAIT, 9})
"""FUTEX_WAIT and FUTEX_WAIT_BITSET."""


def restarted(arguments: Arguments, memory: Readable) -> str:
    """The name of a call that was interrupted and goes on, by its arguments; empty if none fits.

    The kernel shows such a call as `restart_syscall`, and only four kinds of calls can be it (those
    that set a restart block: fs/select.c, kernel/futex/waitwake.c, kernel/time/hrtimer.c).
    """

    def is_time(address: int) -> bool:
        try:
            seconds, nanoseconds = struct.unpack("=qq", memory.read(address, 16))
        except OSError:
            return False
        return address >= _LEAST_ADDRESS and seconds >= 0 and 0 <= nanoseconds < 1_000_000_000

    first, second, third, fourth = arguments[:4]
    command = second & ~(0x80 | _FUTEX_CLOCK_REALTIME)  # FUTEX_PRIVATE_FLAG
    if first >= _LEAST_ADDRESS and command in _FUTEX_RESTARTED and is_time(fourth):
        return "futex"
    if first < 16 and second <= _TIMER_ABSTIME and is_time(third):
        return "clock_nanosleep"
    if second < _MOST and 0 < third < 1 << 31 and (not second or first):
        return "poll"
    if is_time(first) and (not second or second >= _LEAST_ADDRESS):
        return "nanosleep"
    return ""


class Architecture(NamedTuple):
    """What differs between processors."""

    numbers: dict[int, str]
    """Names by number; a call that is not there is not known to wait."""
    restart_syscall: int
    """Stands in the place of a call with a duration that was interrupted and goes on."""
    number_before: Callable[[bytes], int | None]
    """The number that the code in front of the program counter loads; None if it loads none."""
    code_size: int
    """Octets of code that `number_before` wants."""


def _x86_64_number(code: bytes) -> int | None:
    """`mov $number, %eax; syscall`, as compilers and the Go runtime write it."""
    if code[-2:] != b"\x0f\x05" or code[-7:-6] != b"\xb8":
        return None
    return int.from_bytes(code[-6:-2], "little")


def _aarch64_number(code: bytes) -> int | None:
    """`mov x8, #number; svc #0`, perhaps with one instruction between."""
    words = [int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code), 4)]
    if words[-1] != 0xD4000001:
        return None
    for word in reversed(words[:-1]):
        if word & 0xFFE0001F == 0xD2800008:
            return word >> 5 & 0xFFFF
    return None


_X86_64: Final = {
    0: "read", 1: "write", 7: "poll", 19: "readv", 20: "writev", 23: "select", 34: "pause",
    35: "nanosleep", 40: "sendfile", 42: "connect", 43: "accept", 44: "sendto", 45: "recvfrom",
    46: "sendmsg", 47: "recvmsg", 61: "wait4", 65: "semop", 69: "msgsnd", 70: "msgrcv",
    72: "fcntl", 73: "flock", 128: "rt_sigtimedwait", 130: "rt_sigsuspend", 202: "futex",
    208: "io_getevents", 220: "semtimedop", 230: "clock_nanosleep", 232: "epoll_wait",
    242: "mq_timedsend", 243: "mq_timedreceive", 247: "waitid", 270: "pselect6", 271: "ppoll",
    275: "splice", 281: "epoll_pwait", 288: "accept4", 299: "recvmmsg", 333: "io_pgetevents",
    426: "io_uring_enter", 441: "epoll_pwait2", 449: "futex_waitv",
}  # fmt: skip

_AARCH64: Final = {
    4: "io_getevents", 22: "epoll_pwait", 25: "fcntl", 32: "flock", 63: "read", 64: "write",
    65: "readv", 66: "writev", 71: "sendfile", 72: "pselect6", 73: "ppoll", 76: "splice",
    95: "waitid", 98: "futex", 101: "nanosleep", 115: "clock_nanosleep", 133: "rt_sigsuspend",
    137: "rt_sigtimedwait", 182: "mq_timedsend", 183: "mq_timedreceive", 188: "msgrcv",
    189: "msgsnd", 192: "semtimedop", 193: "semop", 202: "accept", 203: "connect", 206: "sendto",
    207: "recvfrom", 211: "sendmsg", 212: "recvmsg", 242: "accept4", 243: "recvmmsg",
    260: "wait4", 292: "io_pgetevents", 426: "io_uring_enter", 441: "epoll_pwait2",
    449: "futex_waitv",
}  # fmt: skip

ARCHITECTURES: Final[dict[str, Architecture]] = {
    "x86_64": Architecture(_X86_64, 219, _x86_64_number, 7),
    "aarch64": Architecture(_AARCH64, 128, _aarch64_number, 12),
}
"""By what `uname -m` says; of others nothing is known, and that is said."""
