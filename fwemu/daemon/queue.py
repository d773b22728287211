"""An NFQUEUE, whoever reads it: what the kernel says of it, and what both readers agree on.

A queue belongs to the network namespace of the thread that opens it, from then on and wherever
that thread goes.  Super-packets are taken as they are (the GSO flag): without it the kernel cuts
each one up before it queues it, and bulk throughput falls to a twentieth (docs/decisions/0005).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.daemon.needs import NFQUEUE
from fwemu.errors import MissingError, QueueError

COPIED_OCTETS: Final = 128
"""Enough for IPv6 and TCP with all options; the payload stays in the kernel."""

RECEIVE_BUFFER: Final = 8 << 20

# linux/netfilter/nfnetlink_queue.h
_CONFIG: Final = 3 << 8 | 2  # NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG
_MASK, _FLAGS = 4, 5
_F_GSO: Final = struct.pack(">I", 1 << 2)
_NLM_F_REQUEST_ACK: Final = 0x1 | 0x4
_NLMSG_ERROR: Final = 2
_TYPE: Final = struct.Struct("=4xH")
_CODE: Final = struct.Struct("=16xi")


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute of a netlink message."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


SUPER_PACKETS: Final = attribute(_MASK, _F_GSO) + attribute(_FLAGS, _F_GSO)
"""A configuration with which packets come as they are, however large."""

_STATUS: Final = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")


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


def configure(netlink: socket.socket, number: int, attributes: bytes) -> None:
    """Configure a queue.  Raises OSError if the kernel refuses."""
    body = struct.pack(">BBH", socket.AF_UNSPEC, 0, number) + attributes
    head = struct.pack("=IHHII", 16 + len(body), _CONFIG, _NLM_F_REQUEST_ACK, 0, 0)
    netlink.send(head + body)
    # A packet that the hook of a killed daemon sends before the answer is lost, as those before it
    # were.
    while _TYPE.unpack_from(answer := netlink.recv(4096))[0] != _NLMSG_ERROR:
        pass
    (code,) = _CODE.unpack_from(answer)
    if code:
        raise OSError(-code, os.strerror(-code))


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


def is_there() -> bool:
    """Has this kernel NFQUEUE, and has anybody used it?"""
    return _STATUS.exists()


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


def nothing() -> None:
    """What there is to do where no verdict waits for others, and where nobody asks."""


class Pause(Exception):  # noqa: N818 - it is no error
    """Raised by a packet's callback to get out of a queue's `drain` after that packet."""
