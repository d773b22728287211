"""The NFQUEUE: the only module that imports netfilterqueue.

A queue belongs to the network namespace of the thread that opens it, from then on and wherever
that thread goes.  Super-packets are taken as they are (the GSO flag): without it the kernel cuts
each one up before it queues it, and bulk throughput falls to a twentieth (docs/decisions/0005).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.daemon.needs import LIBRARY, NFQUEUE, PRIVILEGES, missing_privileges
from fwemu.errors import MissingError, QueueError

try:
    import netfilterqueue
except ImportError as error:
    raise LIBRARY.missing(str(error)) from error

COPIED_OCTETS: Final = 128
"""Enough for IPv6 and TCP with all options; the payload stays in the kernel."""

RECEIVE_BUFFER: Final = 8 << 20

# linux/netfilter/nfnetlink_queue.h
_CONFIG_MESSAGE: Final = 3 << 8 | 2  # NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG
_CFG_MASK: Final = 4
_CFG_FLAGS: Final = 5
_F_GSO: Final = 1 << 2
_NLM_F_REQUEST_ACK: Final = 0x1 | 0x4
_NLMSG_ERROR: Final = 2

_STATUS: Final = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")

OnPacket = Callable[[netfilterqueue.Packet], None]


class QueueStatus(NamedTuple):
    """The kernel's status of a queue in this namespace."""

    owner: int
    """Netlink port of whoever bound it; mostly its process id."""
    waiting: int
    """Packets in the queue now."""
    dropped_full: int
    """Packets lost because the queue was full."""
    dropped_buffer: int
    """Packets lost because the receive buffer was full."""


class StatusFile:
    """The kernel's list of queues, as the namespace has it in which this is opened."""

    def __init__(self) -> None:
        try:
            self._file = _STATUS.open()
        except FileNotFoundError:
            raise NFQUEUE.missing() from None
        except PermissionError as error:
            # files of a network namespace get their owner when it is made (nfnl_queue_net_init),
            # and a user namespace that comes with it has no users yet
            raise QueueError(
                "this network namespace was made in one step with its user namespace, and its "
                "files belong to nobody: make it afterwards (unshare -Ur unshare -n)"
            ) from error

    def read(self, number: int) -> QueueStatus | None:
        """The status of a queue; None if nobody has bound it."""
        self._file.seek(0)
        for line in self._file:
            fields = [int(field) for field in line.split()]
            if fields[0] == number:
                return QueueStatus(fields[1], fields[2], fields[5], fields[6])
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def require_free(number: int) -> None:
    """Raise QueueError if somebody listens on this queue of the present namespace."""
    try:
        status = StatusFile()
    except MissingError:  # a module that nobody has loaded yet serves nobody
        return
    with contextlib.closing(status):
        taken = status.read(number)
    if taken is not None:
        raise QueueError(
            f"queue {number} is in use (by netlink port {taken.owner}, "
            f"probably process {taken.owner}): choose another with --set daemon.queue=N"
        )


class Pause(Exception):  # noqa: N818 - it is no error
    """Raised by a packet's callback to get out of `PacketQueue.drain` after that packet."""


class PacketQueue:
    """An NFQUEUE that hands the head of every packet to a function.

    Opened in the network namespace of the calling thread.  Raises QueueError if the number is
    taken, PrivilegeError without CAP_NET_ADMIN.
    """

    def __init__(self, number: int, on_packet: OnPacket, *, length: int) -> None:
        self.number = number
        require_free(number)
        try:
            self._queue = netfilterqueue.NetfilterQueue()  # loads the kernel's module
            with warnings.catch_warnings():
                # in a user namespace the buffer ends at net.core.rmem_max; losses are counted
                warnings.filterwarnings("ignore", "Socket rcvbuf limit", RuntimeWarning)
                self._queue.bind(
                    number, on_packet, max_len=length, range=COPIED_OCTETS, sock_len=RECEIVE_BUFFER
                )
        except OSError as error:
            if missing_privileges():
                raise PRIVILEGES.missing() from error
            if not _STATUS.exists():
                raise NFQUEUE.missing() from error
            raise QueueError(f"queue {number}: the kernel refused to bind it ({error})") from error
        self._status = StatusFile()
        self.fd: int = self._queue.get_fd()
        self._ask_for_super_packets()

    def drain(self) -> None:
        """Hand over the packets that wait, until there is none or a callback raises `Pause`."""
        with contextlib.suppress(Pause):
            self._queue.run(block=False)

    def status(self) -> QueueStatus:
        """The queue's length and losses."""
        return self._status.read(self.number) or QueueStatus(0, 0, 0, 0)

    def close(self) -> None:
        """Unbind; the kernel drops the packets in the queue."""
        self._queue.unbind()
        self._status.close()

    def _ask_for_super_packets(self) -> None:
        """Set the GSO flag, which netfilterqueue does not know of, by a message of our own."""
        flag = struct.pack(">I", _F_GSO)
        attributes = b"".join(
            struct.pack("HH", 4 + len(flag), kind) + flag for kind in (_CFG_MASK, _CFG_FLAGS)
        )
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, self.number) + attributes
        message = struct.pack("IHHII", 16 + len(body), _CONFIG_MESSAGE, _NLM_F_REQUEST_ACK, 0, 0)
        with socket.socket(fileno=os.dup(self.fd)) as netlink:
            netlink.send(message + body)
            # A packet that the hook of a killed daemon sends before the answer is lost, as those
            # before it were.
            while struct.unpack_from("H", answer := netlink.recv(4096), 4)[0] != _NLMSG_ERROR:
                pass
        (code,) = struct.unpack_from("i", answer, 16)
        if code != 0:
            raise QueueError(
                f"queue {self.number}: the kernel refused the GSO flag ({os.strerror(-code)}); "
                "it needs Linux 3.10 or later"
            )
