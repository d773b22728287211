"""Which of the two readers takes the packets of the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fwemu.config.schema import QueueReader
from fwemu.daemon.library_queue import LibraryQueue
from fwemu.daemon.netlink_queue import NetlinkQueue
from fwemu.errors import QueueError

AnyQueue = NetlinkQueue | LibraryQueue

READERS: Final[dict[QueueReader, tuple[type[AnyQueue], ...]]] = {
    QueueReader.AUTO: (NetlinkQueue, LibraryQueue),
    QueueReader.NETLINK: (NetlinkQueue,),
    QueueReader.NETFILTERQUEUE: (LibraryQueue,),
}
"""In the order in which they are tried."""


def open_queue(
    reader: QueueReader, number: int, on_packet: Callable[[Any], None], *, length: int
) -> AnyQueue:
    """The queue, in the network namespace of the calling thread.

    Raises QueueError if the number is taken or the kernel refuses, PrivilegeError without
    CAP_NET_ADMIN.
    """
    *others, last = READERS[reader]
    for kind in others:
        try:
            return kind(number, on_packet, length=length)
        except QueueError:  # the last one says why
            continue
    return last(number, on_packet, length=length)
