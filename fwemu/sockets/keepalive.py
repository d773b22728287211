"""The keepalive timer of a TCP socket, as its kernel runs it (net/ipv4/tcp_timer.c).

A socket with SO_KEEPALIVE that has heard nothing for TCP_KEEPIDLE asks, and asks again every
TCP_KEEPINTVL.  It gives up after TCP_KEEPCNT questions without an answer, or, if it has a
TCP_USER_TIMEOUT, when that has passed since it last heard and one question was asked.  As long as
anything waits to be sent or acknowledged it does not ask.  What it does not set itself it takes
from the sysctls of its namespace.
"""

from __future__ import annotations

import socket
from typing import Final, NamedTuple

from fwemu.core.instants import SECOND

_MILLISECOND: Final = SECOND // 1000


class Keepalive(NamedTuple):
    """The keepalive settings of a socket; times in nanoseconds."""

    is_on: bool
    idle: int
    interval: int
    probes: int
    """How many questions it asks."""
    user_timeout: int
    """0 if there is none."""

    @classmethod
    def of(cls, tcp: socket.socket) -> Keepalive:
        """The settings of a socket, its own or those of the sysctls."""
        option = tcp.getsockopt
        return cls(
            bool(option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)),
            option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) * SECOND,
            option(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) * SECOND,
            option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) * _MILLISECOND,
        )

    def scaled(self, scale: int) -> Keepalive:
        """These times where each second of the kernel is `scale` seconds."""
        return self._replace(
            idle=self.idle * scale,
            interval=self.interval * scale,
            user_timeout=self.user_timeout * scale,
        )

    def gives_up(self, quiet: int, asked: int) -> bool:
        """True if it gives up instead of asking, after this quiet time and so many probes."""
        if self.user_timeout:
            return quiet >= self.user_timeout and asked > 0
        return asked >= self.probes
