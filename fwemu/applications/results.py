"""How a system call says that its time is over, and what it leaves behind."""

from __future__ import annotations

import errno
from typing import Final, Protocol

from fwemu.waits.system_calls import CALLS, Arguments


class Writable(Protocol):
    """The memory of a process."""

    def write(self, address: int, octets: bytes) -> None: ...


RESULTS: Final[dict[str, int]] = {
    "poll": 0,
    "ppoll": 0,
    "select": 0,
    "pselect6": 0,
    "epoll_wait": 0,
    "epoll_pwait": 0,
    "epoll_pwait2": 0,
    "nanosleep": 0,
    "clock_nanosleep": 0,
    "futex": -errno.ETIMEDOUT,
    "futex_waitv": -errno.ETIMEDOUT,
    "mq_timedreceive": -errno.ETIMEDOUT,
    "mq_timedsend": -errno.ETIMEDOUT,
    "rt_sigtimedwait": -errno.EAGAIN,
    "semtimedop": -errno.EAGAIN,
    "read": -errno.EAGAIN,
    "readv": -errno.EAGAIN,
    "recvfrom": -errno.EAGAIN,
    "recvmsg": -errno.EAGAIN,
    "accept": -errno.EAGAIN,
    "accept4": -errno.EAGAIN,
    "write": -errno.EAGAIN,
    "writev": -errno.EAGAIN,
    "sendto": -errno.EAGAIN,
    "sendmsg": -errno.EAGAIN,
    "connect": -errno.EINPROGRESS,
}
"""By the name of the call; each page of section 2 of the manual, socket(7) for those of sockets.

Not here: `recvmmsg`, whose timeout is looked at only when a datagram has come (recvmmsg(2), Bugs),
and calls that move data by themselves (`sendfile`, `splice`).
"""

assert set(RESULTS) <= set(CALLS)


def leave_behind(call: str, arguments: Arguments, memory: Writable) -> None:
    """Write what the kernel writes where nothing has come: select(2) empties its sets.

    Not the time that is left: it may stand in memory that only the kernel would not write.
    """
    if call in ("select", "pselect6"):
        octets = bytes((min(arguments[0], _MOST) + 63) // 64 * 8)
        for address in arguments[1:4]:
            if address and octets:
                memory.write(address, octets)


_MOST: Final = 65_536
"""Descriptors in a set, at the most."""
