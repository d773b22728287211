"""The TCP connections of a namespace, and the processes that hold their sockets."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from netns.addresses import host_port
from netns.diag import INFO, TCP_CLOSE, TCP_LISTEN, Destroyed, Diag, attribute_of
from netns.namespace import Namespace
from netns.options import SO_COOKIE

STATES: Final = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2",
    6: "TIME_WAIT", TCP_CLOSE: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", TCP_LISTEN: "LISTEN",
    11: "CLOSING",
}  # fmt: skip
"""Names of the states, as the kernel numbers them (include/net/tcp_states.h)."""

_CONNECTED: Final = sum(1 << number for number in STATES if number not in (TCP_CLOSE, TCP_LISTEN))
_HELD: Final = _CONNECTED & ~(1 << 6)

TIMERS: Final = {1: "retransmission", 2: "keepalive", 3: "time-wait", 4: "persist"}
"""Which of its timers a socket waits for, as the kernel numbers them (inet_sk_diag_fill)."""

_SYS_PIDFD_GETFD: Final = 438  # the same number on every architecture, as all since Linux 5.1
_libc = ctypes.PyDLL(None, use_errno=True)  # no other thread runs between two calls


class SocketAddress(NamedTuple):
    """An address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


@dataclass(frozen=True)
class Connection:
    """A TCP connection in the kernel of the namespace, seen from its local end."""

    local: SocketAddress
    remote: SocketAddress
    state: str
    inode: int
    """What its descriptors in /proc point to; 0 if no process holds it any more."""
    cookie: int
    """Tells it from every other socket that there was since the machine started."""
    unread: int
    """Octets that the application has not read yet."""
    unacknowledged: int
    """Octets that the other end has not acknowledged yet, sent or not."""
    timer: str | None
    """The timer that runs, of `TIMERS`; None if none does."""
    timer_left: float
    """Seconds until then."""
    tcp_info: bytes = field(repr=False)
    """A struct tcp_info (include/uapi/linux/tcp.h); empty where it was not asked for."""
    message: bytes = field(repr=False)
    """As the kernel has told it; it finds the socket again."""


class Holder(NamedTuple):
    """A descriptor of a socket."""

    pid: int
    descriptor: int


def connections(ns: Namespace) -> list[Connection]:
    """Every TCP connection of the namespace, IPv4 and IPv6; no listening sockets."""
    with Diag(ns, socket.IPPROTO_TCP) as diag:
        return [_connection(message) for message in diag.dump(_CONNECTED)]


class Connections:
    """The TCP connections of a namespace, looked at as often as wanted, and their ends.

    Nothing is borrowed for that: whoever closes a socket meanwhile closes it.
    """

    def __init__(self, ns: Namespace) -> None:
        with ExitStack() as undo:
            self._destroyed = Destroyed(ns)
            undo.callback(self._destroyed.close)
            self._diag = undo.enter_context(Diag(ns, socket.IPPROTO_TCP))
            self._close = undo.pop_all().close

    def close(self) -> None:
        """Listen no more."""
        self._close()

    def now(self) -> list[Connection]:
        """All connections except those in TIME_WAIT, which may be thousands; with `tcp_info`."""
        return [_connection(message) for message in self._diag.dump(_HELD, INFO)]

    def again(self, connection: Connection) -> Connection | None:
        """A connection as it is now; None if it is over: closed, reset, or given up."""
        message = self._diag.again(connection.message, INFO)
        return None if message is None else _connection(message)

    def ended(self) -> list[Connection]:
        """Those of which nothing is left since the last time, each as it was at its very end."""
        return [_connection(message) for message in self._destroyed.messages()]


def holders(inodes: Collection[int]) -> dict[int, list[Holder]]:
    """The processes that hold these sockets; several may share one, as after a fork.

    Only processes that we may look into are found: all of them for root.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[Holder]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(OSError):  # it has ended, or is not ours
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):  # closed meanwhile
                    inode = wanted.get(os.readlink(entry.path))
                    if inode is not None:
                        found.setdefault(inode, []).append(Holder(pid, int(entry.name)))
    return found


def borrow_descriptor(holder: Holder) -> int:
    """A descriptor of another process, as one of ours (pidfd_getfd(2)); close it soon.

    Raises OSError if the process or the descriptor is gone, or if we may not look into the process.
    """
    process = os.pidfd_open(holder.pid)
    try:
        descriptor = _libc.syscall(_SYS_PIDFD_GETFD, process, holder.descriptor, 0)
        if descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(process)
    return int(descriptor)


def borrow(holder: Holder, cookie: int | None = None) -> socket.socket:
    """The socket behind a descriptor of another process, as one of ours (pidfd_getfd(2)).

    It is the same socket: options set here are set there, and as long as it is not closed here,
    closing it there has no effect.  So it is to be kept for a moment only.  Raises OSError if the
    process or the descriptor is gone, is no socket or not the one with this `cookie` (numbers of
    descriptors are used again at once), or if we may not look into the process.
    """
    descriptor = borrow_descriptor(holder)
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise
    if cookie not in (None, cookie_of(borrowed)):
        borrowed.close()
        raise OSError(errno.EBADF, "the descriptor is that of another socket by now")
    return borrowed


def cookie_of(end: socket.socket) -> int:
    """The cookie of a socket, as in `Connection`."""
    return int.from_bytes(end.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)


def _connection(message: bytes) -> Connection:
    """Decode a struct inet_diag_msg (include/uapi/linux/inet_diag.h)."""
    family, state = message[0], message[1]
    size = 4 if family == socket.AF_INET else 16
    port, peer_port = struct.unpack_from("!HH", message, 4)
    host = socket.inet_ntop(family, message[8 : 8 + size])
    peer = socket.inet_ntop(family, message[24 : 24 + size])
    (cookie,) = struct.unpack_from("=Q", message, 44)
    left, unread, unacknowledged, _, inode = struct.unpack_from("=IIIII", message, 52)
    return Connection(
        SocketAddress(_plain(host), port), SocketAddress(_plain(peer), peer_port),
        STATES.get(state, str(state)),
        inode, cookie, unread, unacknowledged, TIMERS.get(message[2]), left / 1000,
        attribute_of(message, INFO) or b"", message,
    )  # fmt: skip


def _plain(host: str) -> str:
    """An IPv4 address of an IPv6 socket as an IPv4 address."""
    return host.removeprefix("::ffff:") if "." in host else host
