"""The NFQUEUE without a library between: many packets by one system call, and many verdicts.

The library's reader (`library_queue.py`) pays a `recv` and a `send` for each packet.  Here one
recvmmsg(2) takes all that wait, and one `send` gives all their verdicts.  What the kernel does with
a packet after its verdict happens inside that `send`, so whoever sends a packet of his own after a
verdict asks for a `flush` before.

The messages are those of linux/netfilter/nfnetlink_queue.h: a header, then attributes, each with a
length and a kind; the packet itself is the last one.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from fwemu.daemon.needs import NFQUEUE, PRIVILEGES, missing_privileges
from fwemu.daemon.queue import (
    COPIED_OCTETS,
    RECEIVE_BUFFER,
    SUPER_PACKETS,
    Pause,
    QueueStatus,
    StatusFile,
    attribute,
    configure,
    nothing,
    require_free,
)
from fwemu.errors import QueueError

AT_ONCE: Final = 64
"""Packets that one call takes at most: all of them are decided before anything else is done."""

_ROOM: Final = 512
"""Octets for one message: all attributes, and the copied head of the packet."""

_PACKET, _VERDICT = 0x300, 0x301  # NFNL_SUBSYS_QUEUE << 8 | ...
_REQUEST: Final = 1

_ACCEPT, _DROP = struct.pack(">I", 1), struct.pack(">I", 0)  # NF_ACCEPT, NF_DROP

# Attributes of a packet.
_PAYLOAD: Final = 10
_CAME_IN: Final = 5
_FIRST: Final = struct.Struct("=4x4s4xHH4s")
"""The first two: the packet's number, with its protocol and hook, and mostly where it came in
(nfqnl_build_packet_message in net/netfilter/nfnetlink_queue.c)."""
_NOWHERE: Final = bytes(4)
_ATTRIBUTE: Final = struct.Struct("=HH")
_MESSAGE: Final = struct.Struct("=IH")

# Attributes of a configuration.
_COMMAND, _PARAMETERS, _LENGTH = 1, 2, 3
_BIND: Final = 1
_COPY_PACKET: Final = 2

_SOL_NETLINK, _NETLINK_NO_ENOBUFS = 270, 5
_SO_RCVBUFFORCE: Final = 33
_NETLINK_NETFILTER: Final = 12


class _IoVector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """A struct msghdr (recvmsg(2))."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.POINTER(_IoVector)),
        ("vectors", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Received(ctypes.Structure):
    """A struct mmsghdr (recvmmsg(2))."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


_recvmmsg = ctypes.PyDLL(None, use_errno=True).recvmmsg  # it never waits: nobody else need run


class NetlinkPacket:
    """A packet that waits for its verdict."""

    __slots__ = ("_number", "_payload", "_verdicts", "indev")

    def __init__(self, number: bytes, indev: int, payload: bytes, verdicts: Verdicts) -> None:
        self._number = number
        self.indev = indev
        self._payload = payload
        self._verdicts = verdicts

    def get_payload(self) -> bytes:
        """Its head."""
        return self._payload

    def accept(self) -> None:
        """It goes on."""
        self._verdicts.add(_ACCEPT, self._number)

    def drop(self) -> None:
        """It goes no further."""
        self._verdicts.add(_DROP, self._number)


class Verdicts:
    """Verdicts that are to be sent."""

    def __init__(self, netlink: socket.socket, queue: int) -> None:
        self._netlink = netlink
        # A message: header, queue, and the attribute NFQA_VERDICT_HDR (2) with verdict and number.
        self._head = struct.pack("=IHHII", 32, _VERDICT, _REQUEST, 0, 0)
        self._head += struct.pack(">BBH", socket.AF_UNSPEC, 0, queue) + _ATTRIBUTE.pack(12, 2)
        self._waiting: list[bytes] = []
        self.are_gathered = False
        """Are they sent together, by `flush`?"""

    def add(self, verdict: bytes, number: bytes) -> None:
        """Send one, or keep it for the others."""
        self._waiting += (self._head, verdict, number)
        if not self.are_gathered:
            self.flush()

    def flush(self) -> None:
        """Send them; the kernel carries the packets on within this call."""
        if self._waiting:
            messages, self._waiting = b"".join(self._waiting), []
            self._netlink.send(messages)


OnPacket = Callable[[NetlinkPacket], None]


class NetlinkQueue:
    """An NFQUEUE that hands the head of every packet to a function.

    Opened in the network namespace of the calling thread.  Raises QueueError if the number is
    taken, PrivilegeError without CAP_NET_ADMIN.
    """

    gathers: Final = True

    def __init__(self, number: int, on_packet: OnPacket, *, length: int) -> None:
        self.number = number
        self.carried_out: Callable[[], None] = nothing
        self._on_packet = on_packet
        require_free(number)
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        try:
            self._set_up(length)
            self._status = StatusFile()
        except OSError as error:
            self._netlink.close()
            if missing_privileges():
                raise PRIVILEGES.missing() from error
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                raise NFQUEUE.missing() from error
            raise QueueError(f"queue {number}: the kernel refused to bind it ({error})") from error
        except BaseException:
            self._netlink.close()
            raise
        self.fd = self._netlink.fileno()
        self._verdicts = Verdicts(self._netlink, number)
        self._indevs: dict[bytes, int] = {}
        self._buffer = bytearray(AT_ONCE * _ROOM)
        self._view = memoryview(self._buffer)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        vectors = (_IoVector(start + place * _ROOM, _ROOM) for place in range(AT_ONCE))
        self._vectors = (_IoVector * AT_ONCE)(*vectors)
        self._received = (_Received * AT_ONCE)()
        for each, vector in zip(self._received, self._vectors, strict=True):
            each.header.vector, each.header.vectors = ctypes.pointer(vector), 1

    def drain(self) -> None:
        """Hand over the packets that wait, until there is none or a callback raises `Pause`.

        Whatever is raised, the verdicts that were given go out.
        """
        is_over = False
        while not is_over:
            count = _recvmmsg(self.fd, self._received, AT_ONCE, socket.MSG_DONTWAIT, None)
            if count < 0 and ctypes.get_errno() == errno.EINTR:
                continue
            is_over = count < AT_ONCE
            self._verdicts.are_gathered = True
            try:
                for place in range(count):
                    packet = self._packet(place * _ROOM)
                    if packet is not None:
                        try:
                            self._on_packet(packet)
                        except Pause:  # what was taken with it is decided first
                            is_over = True
            finally:
                self._verdicts.are_gathered = False
                self.flush()

    def flush(self) -> None:
        """Have the kernel carry out the verdicts that were given: what follows comes after them."""
        self._verdicts.flush()
        self.carried_out()

    def status(self) -> QueueStatus:
        """The queue's length and losses."""
        return self._status.read(self.number) or QueueStatus(0, 0, 0, 0)

    def close(self) -> None:
        """Unbind; the kernel drops the packets in the queue."""
        self._netlink.close()
        self._status.close()

    def _packet(self, start: int) -> NetlinkPacket | None:
        """The packet of the message that begins there; None if it is none."""
        buffer = self._buffer
        _, message = _MESSAGE.unpack_from(buffer, start)
        if message != _PACKET:  # an error that concerns a verdict: that packet is gone
            return None
        number, size, kind, indev = _FIRST.unpack_from(buffer, start + 20)
        if kind != _CAME_IN:  # it was made on this machine
            indev = _NOWHERE
        place = start + 32
        while kind != _PAYLOAD:
            if size < _ATTRIBUTE.size:
                raise QueueError(f"queue {self.number}: a message that nobody understands")
            place += size + 3 & ~3
            size, kind = _ATTRIBUTE.unpack_from(buffer, place)
        index = self._indevs.get(indev)
        if index is None:
            index = self._indevs[indev] = int.from_bytes(indev, "big")
        payload = bytes(self._view[place + 4 : place + size])
        return NetlinkPacket(number, index, payload, self._verdicts)

    def _set_up(self, length: int) -> None:
        netlink = self._netlink
        netlink.bind((0, 0))
        try:
            netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:  # in a user namespace it ends at net.core.rmem_max
            netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        netlink.setsockopt(_SOL_NETLINK, _NETLINK_NO_ENOBUFS, 1)  # losses are counted elsewhere
        for attributes in (
            attribute(_COMMAND, struct.pack(">BxH", _BIND, socket.AF_UNSPEC)),
            attribute(_PARAMETERS, struct.pack(">IB", COPIED_OCTETS, _COPY_PACKET)),
            attribute(_LENGTH, struct.pack(">I", length)),
            SUPER_PACKETS,
        ):
            configure(netlink, self.number, attributes)
