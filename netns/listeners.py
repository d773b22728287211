"""Which sockets of a namespace listen, and waiting until one does.

Asked of the kernel (sock_diag), so no connection is made and the server sees nothing.  The same
is in /proc/net/tcp, but reading that walks the machine's whole table of connections: 5 ms on an
idle machine, where this takes 0.1 ms.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from netns.errors import ProcessError, WaitTimeout, translated
from netns.namespace import Namespace
from netns.process import Process

POLL: Final = 0.005  # seconds between two looks

_NETLINK_SOCK_DIAG: Final = 4  # include/uapi/linux/netlink.h
_SOCK_DIAG_BY_FAMILY: Final = 20  # include/uapi/linux/sock_diag.h
_NLM_F_REQUEST_DUMP: Final = 0x301
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_INET_DIAG_SKV6ONLY: Final = 11  # include/uapi/linux/inet_diag.h

# Protocol number, and the state (include/net/tcp_states.h) of a socket that waits for clients:
# TCP_LISTEN, and for UDP TCP_CLOSE, which means "not connected".
_PROTOCOLS: Final = {"tcp": (socket.IPPROTO_TCP, 10), "udp": (socket.IPPROTO_UDP, 7)}


@dataclass(frozen=True)
class Listener:
    """A socket that waits for connections, or a bound UDP socket."""

    host: str
    """Its address; "0.0.0.0" or "::" for all."""
    port: int
    is_ipv6_only: bool = False
    """Whether "::" does not mean IPv4 as well."""

    def accepts(self, host: str) -> bool:
        """Whether what is sent to this address reaches it."""
        if ":" in host:
            return self.host in (host, "::")
        if self.host in (host, f"::ffff:{host}", "0.0.0.0"):
            return True
        return self.host == "::" and not self.is_ipv6_only

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listeners(ns: Namespace, protocol: str = "tcp") -> list[Listener]:
    """Every listening TCP (or bound "udp") socket of the namespace, IPv4 and IPv6."""
    with _DiagSocket(ns, protocol) as diag:
        return diag.listeners()


def wait_for_listener(
    ns: Namespace,
    port: int,
    *,
    host: str | None = None,
    protocol: str = "tcp",
    timeout: float = 5.0,
    process: Process | None = None,
) -> None:
    """Return as soon as something listens on the port (and is reachable at `host`, if given).

    No connection is made.  Raises ProcessError at once, with
    what it said, when `process` ends before; WaitTimeout, naming what listens instead, after
    `timeout` seconds.  Blocks: in a coroutine, put it in `asyncio.to_thread`.
    """
    deadline = time.monotonic() + timeout
    with _DiagSocket(ns, protocol) as diag:
        while True:
            is_alive = process is None or process.is_running
            there = diag.listeners()
            if any(_fits(listener, host, port) for listener in there):
                return
            where = f"{protocol} port {port}" + (f" of {host}" if host else "")
            if process is not None and not is_alive:
                raise ProcessError(
                    f"{process} ended with code {process.returncode} before it listened on "
                    f"{where} in namespace {ns.name!r}{process.last_words()}"
                )
            if time.monotonic() >= deadline:
                instead = ", ".join(map(str, there)) or "nothing"
                raise WaitTimeout(
                    f"nothing listens on {where} in namespace {ns.name!r} after {timeout:g} s; "
                    f"what listens there: {instead}"
                    + (f"; {process}{process.last_words()}" if process else "")
                )
            if process is None:
                time.sleep(POLL)
            else:
                process.ends_within(POLL)


class _DiagSocket:
    """A socket of the namespace that lists its TCP or UDP sockets as often as asked."""

    def __init__(self, ns: Namespace, protocol: str) -> None:
        if protocol not in _PROTOCOLS:
            raise ValueError(f"the protocol is 'tcp' or 'udp', not {protocol!r}")
        self._protocol, self._state = _PROTOCOLS[protocol]
        self._action = f"list the {protocol} sockets of namespace {ns.name!r}"
        with translated(self._action):
            self._socket = ns.run(
                lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
            )

    def __enter__(self) -> _DiagSocket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def listeners(self) -> list[Listener]:
        with translated(self._action):
            return [
                parse_diag_message(message)
                for family in (socket.AF_INET, socket.AF_INET6)
                for message in self._dump(family)
            ]

    def _dump(self, family: int) -> Iterator[bytes]:
        # struct inet_diag_req_v2: family, protocol, extensions, padding, states, socket id
        request = struct.pack("=BBBxI48x", family, self._protocol, 0, 1 << self._state)
        header = struct.pack(
            "=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0
        )
        self._socket.send(header + request)
        while True:
            data = self._socket.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    code = -struct.unpack_from("=i", data, 16)[0]
                    raise OSError(code, os.strerror(code))
                yield data[16:length]
                data = data[_aligned(length) :]


def parse_diag_message(message: bytes) -> Listener:
    """The socket that a struct inet_diag_msg with its attributes describes."""
    family = message[0]
    size = 4 if family == socket.AF_INET else 16
    port = struct.unpack_from(">H", message, 4)[0]
    host = socket.inet_ntop(family, message[8 : 8 + size])
    is_ipv6_only = False
    attributes = message[72:]
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _INET_DIAG_SKV6ONLY:
            is_ipv6_only = bool(attributes[4])
        attributes = attributes[_aligned(length) :]
    return Listener(host, port, is_ipv6_only)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _fits(listener: Listener, host: str | None, port: int) -> bool:
    return listener.port == port and (host is None or listener.accepts(host))
