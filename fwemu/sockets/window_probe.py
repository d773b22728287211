"""The persist timer of a TCP socket whose peer has closed its window (net/ipv4/tcp_timer.c).

Something waits to be sent, nothing is on its way, and the peer has said that it has no room.  Then
the kernel asks now and again whether that is still so (RFC 9293 section 3.8.6.1), by the packet
that a keepalive sends.  The time in between begins with the retransmission timeout and is doubled
each time, up to TCP_RTO_MAX.  As long as the peer answers this goes on for ever, unless there is a
TCP_USER_TIMEOUT; without answers it ends after `tcp_retries2` questions (tcp_probe_timer).
"""

from __future__ import annotations

import socket
from typing import Final, NamedTuple

from fwemu.core.instants import SECOND
from netns.options import TCP_RTO_MAX_MS

_MILLISECOND: Final = SECOND // 1000

_LEAST: Final = 200 * _MILLISECOND
"""TCP_RTO_MIN: what the first time is at least."""

_LONGEST: Final = 120 * SECOND
"""TCP_RTO_MAX, where the kernel has no option that says otherwise."""


class WindowProbe(NamedTuple):
    """The window probes of a socket; times in nanoseconds."""

    longest: int
    """The most that is between two questions."""
    retries: int
    """After so many questions without an answer it gives up, and the time is not doubled more
    often (`tcp_retries2` of its host)."""
    user_timeout: int
    """After so long without room it gives up, answered or not; 0 if never."""

    @classmethod
    def of(cls, tcp: socket.socket, retries: int) -> WindowProbe:
        """The settings of a socket in a host with such a `tcp_retries2`."""
        option = tcp.getsockopt
        try:
            longest = option(socket.IPPROTO_TCP, TCP_RTO_MAX_MS) * _MILLISECOND
        except OSError:
            longest = _LONGEST
        user_timeout = option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) * _MILLISECOND
        return cls(longest, retries, user_timeout)

    def scaled(self, scale: int) -> WindowProbe:
        """These times where each second of the kernel is `scale` seconds."""
        return self._replace(longest=self.longest * scale, user_timeout=self.user_timeout * scale)

    def interval(self, retransmission: int, doublings: int) -> int:
        """The time until the next question, with this retransmission timeout."""
        base = max(retransmission, _LEAST)
        most = max(0, (self.longest // base).bit_length())  # ilog2, and one
        return min(base << min(doublings, most, self.retries), self.longest)

    def gives_up(self, blocked: int, asked: int) -> bool:
        """True if it gives up after so long without room and so many probes without an answer."""
        if self.user_timeout and blocked >= self.user_timeout:
            return True
        return asked >= self.retries
