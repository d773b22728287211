"""The TCP connections of a namespace, and the processes that hold their sockets."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from netns.addresses import host_port
from netns.diag import TCP_CLOSE, TCP_LISTEN, Diag
from netns.namespace import Namespace

STATES: Final = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2",
    6: "TIME_WAIT", TCP_CLOSE: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", TCP_LISTEN: "LISTEN",
    11: "CLOSING",
}  # fmt: skip
"""Names of the states, as the kernel numbers them (include/net/tcp_states.h)."""

_CONNECTED: Final = sum(1 << number for number in STATES if number not in (TCP_CLOSE, TCP_LISTEN))

_SYS_PIDFD_GETFD: Final = 438  # the same number on every architecture, as all since Linux 5.1
_libc = ctypes.CDLL(None, use_errno=True)


class End(NamedTuple):
    """An address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


@dataclass(frozen=True)
class Connection:
    """One end of a TCP connection, as the kernel of the namespace has it."""

    local: End
    remote: End
    state: str
    inode: int
    """What its descriptors in /proc point to; 0 if no process holds it any more."""
    cookie: int
    """Tells it from every other socket that there was since the machine started."""
    unread: int
    """Octets that the application has not read yet."""
    unacknowledged: int
    """Octets that the other end has not acknowledged yet."""


class Holder(NamedTuple):
    """A descriptor of a socket."""

    pid: int
    descriptor: int


def connections(ns: Namespace) -> list[Connection]:
    """Every TCP connection of the namespace, IPv4 and IPv6; no listening sockets."""
    with Diag(ns, socket.IPPROTO_TCP) as diag:
        return [_connection(message) for message in diag.dump(_CONNECTED)]


def holders(inodes: Collection[int]) -> dict[int, list[Holder]]:
    """Which processes hold these sockets; several may share one, as after a fork.

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


def borrow(holder: Holder) -> socket.socket:
    """The socket behind a descriptor of another process, as one of ours (pidfd_getfd(2)).

    It is the same socket: options set here are set there.  Raises OSError if the process or the
    descriptor is gone, or if we may not look into it.
    """
    process = os.pidfd_open(holder.pid)
    try:
        descriptor = _libc.syscall(_SYS_PIDFD_GETFD, process, holder.descriptor, 0)
        if descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(process)
    return socket.socket(fileno=descriptor)


def _connection(message: bytes) -> Connection:
    """What a struct inet_diag_msg says (include/uapi/linux/inet_diag.h)."""
    family, state = message[0], message[1]
    size = 4 if family == socket.AF_INET else 16
    port, peer_port = struct.unpack_from("!HH", message, 4)
    host = socket.inet_ntop(family, message[8 : 8 + size])
    peer = socket.inet_ntop(family, message[24 : 24 + size])
    (cookie,) = struct.unpack_from("=Q", message, 44)
    unread, unacknowledged, _, inode = struct.unpack_from("=IIII", message, 56)
    return Connection(
        End(_plain(host), port), End(_plain(peer), peer_port), STATES.get(state, str(state)),
        inode, cookie, unread, unacknowledged,
    )  # fmt: skip


def _plain(host: str) -> str:
    """An IPv4 address of an IPv6 socket as an IPv4 address."""
    return host.removeprefix("::ffff:") if "." in host else host
