"""The listening sockets of a namespace, and waiting for one.

The kernel is asked (see `diag.py`), so no connection is made and the server sees nothing.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from dataclasses import dataclass
from typing import Final

from netns.addresses import host_port
from netns.diag import TCP_CLOSE, TCP_LISTEN, Diag, attribute_of
from netns.errors import ProcessError, WaitTimeout
from netns.namespace import Namespace
from netns.process import Process

POLL: Final = 0.005  # seconds between two looks

_INET_DIAG_SKV6ONLY: Final = 11  # include/uapi/linux/inet_diag.h

# Protocol number, and the state of a socket that waits for clients; for UDP TCP_CLOSE, which means
# "not connected".
_PROTOCOLS: Final = {
    "tcp": (socket.IPPROTO_TCP, TCP_LISTEN),
    "udp": (socket.IPPROTO_UDP, TCP_CLOSE),
}


@dataclass(frozen=True)
class Listener:
    """A socket that waits for connections, or a bound UDP socket."""

    host: str
    """Its address; "0.0.0.0" or "::" for all."""
    port: int
    is_ipv6_only: bool = False
    """Whether "::" does not mean IPv4 as well."""

    def accepts(self, host: str) -> bool:
        """True if packets to this address reach the socket."""
        if ":" in host:
            return self.host in (host, "::")
        if self.host in (host, f"::ffff:{host}", "0.0.0.0"):
            return True
        return self.host == "::" and not self.is_ipv6_only

    def __str__(self) -> str:
        return host_port(self.host, self.port)


def listeners(ns: Namespace, protocol: str = "tcp") -> list[Listener]:
    """Every listening TCP (or bound "udp") socket of the namespace, IPv4 and IPv6."""
    number, state = _protocol(protocol)
    with Diag(ns, number) as diag:
        return _listeners(diag, state)


def wait_for_listener(
    ns: Namespace,
    port: int,
    *,
    host: str | None = None,
    protocol: str = "tcp",
    timeout: float | None = 5.0,
    process: Process | None = None,
) -> None:
    """Return as soon as something listens on the port (and is reachable at `host`, if given).

    No connection is made.  Raises ProcessError at once, with
    what it said, when `process` ends before; WaitTimeout, naming what listens instead, after
    `timeout` seconds (None: never).  Blocks: in a coroutine, put it in `asyncio.to_thread`.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    number, state = _protocol(protocol)
    with Diag(ns, number) as diag:
        while True:
            is_alive = process is None or process.is_running
            there = _listeners(diag, state)
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


def _protocol(word: str) -> tuple[int, int]:
    if word not in _PROTOCOLS:
        raise ValueError(f"the protocol is 'tcp' or 'udp', not {word!r}")
    return _PROTOCOLS[word]


def _listeners(diag: Diag, state: int) -> list[Listener]:
    return [parse_diag_message(message) for message in diag.dump(1 << state)]


def parse_diag_message(message: bytes) -> Listener:
    """The socket that a struct inet_diag_msg with its attributes describes."""
    family = message[0]
    size = 4 if family == socket.AF_INET else 16
    port = struct.unpack_from(">H", message, 4)[0]
    host = socket.inet_ntop(family, message[8 : 8 + size])
    is_ipv6_only = attribute_of(message, _INET_DIAG_SKV6ONLY) or b"\0"
    return Listener(host, port, bool(is_ipv6_only[0]))


def _fits(listener: Listener, host: str | None, port: int) -> bool:
    return listener.port == port and (host is None or listener.accepts(host))
