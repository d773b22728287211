"""The NFQUEUE by the library netfilterqueue: the only module that imports it."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Callable
from typing import Final

from fwemu.daemon.needs import LIBRARY, NFQUEUE, PRIVILEGES, missing_privileges
from fwemu.daemon.queue import (
    COPIED_OCTETS,
    RECEIVE_BUFFER,
    SUPER_PACKETS,
    Pause,
    QueueStatus,
    StatusFile,
    configure,
    is_there,
    nothing,
    require_free,
)
from fwemu.errors import QueueError

try:
    import netfilterqueue
except ImportError as error:
    raise LIBRARY.missing(str(error)) from error

OnPacket = Callable[[netfilterqueue.Packet], None]


class LibraryQueue:
    """An NFQUEUE that hands the head of every packet to a function.

    Opened in the network namespace of the calling thread.  Raises QueueError if the number is
    taken, PrivilegeError without CAP_NET_ADMIN.
    """

    gathers: Final = False

    def __init__(self, number: int, on_packet: OnPacket, *, length: int) -> None:
        self.number = number
        self.carried_out: Callable[[], None] = nothing
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
            if not is_there():
                raise NFQUEUE.missing() from error
            raise QueueError(f"queue {number}: the kernel refused to bind it ({error})") from error
        self._status = StatusFile()
        self.fd: int = self._queue.get_fd()
        self._ask_for_super_packets()

    def drain(self) -> None:
        """Hand over the packets that wait, until there is none or a callback raises `Pause`."""
        with contextlib.suppress(Pause):
            self._queue.run(block=False)

    def flush(self) -> None:
        """Verdicts go out as they are given."""

    def status(self) -> QueueStatus:
        """The queue's length and losses."""
        return self._status.read(self.number) or QueueStatus(0, 0, 0, 0)

    def close(self) -> None:
        """Unbind; the kernel drops the packets in the queue."""
        self._queue.unbind()
        self._status.close()

    def _ask_for_super_packets(self) -> None:
        """Set the GSO flag, which netfilterqueue does not know of, by a message of our own."""
        with socket.socket(fileno=os.dup(self.fd)) as netlink:
            try:
                configure(netlink, self.number, SUPER_PACKETS)
            except OSError as error:
                raise QueueError(
                    f"queue {self.number}: the kernel refused the GSO flag ({error.strerror}); "
                    "it needs Linux 3.10 or later"
                ) from error
