"""The state of a connection in its kernel: struct tcp_info (include/uapi/linux/tcp.h)."""

from __future__ import annotations

import socket
import struct
from typing import Final, NamedTuple

from fwemu.core.instants import SECOND

_MILLISECOND: Final = SECOND // 1000
_MICROSECOND: Final = SECOND // 1_000_000

ESTABLISHED: Final = 1  # include/net/tcp_states.h
CLOSED: Final = 7

_SIZE: Final = 232
"""Octets of it that are read: up to tcpi_snd_wnd, which is there since Linux 5.4."""


class Info(NamedTuple):
    """A struct tcp_info, as far as it matters here; times in nanoseconds."""

    state: int
    asked: int
    """Probes without an answer."""
    backoff: int
    """How often the time until the next repetition or window probe was doubled."""
    retransmission: int
    """The retransmission timeout (RTO), without that."""
    unacknowledged: int
    """Segments that the peer has not acknowledged."""
    since_data_sent: int
    quiet: int
    """Since it last heard anything; the kernel counts in jiffies, 4 ms mostly."""
    sent: int
    """Segments that went out, of any kind."""
    received: int
    """Segments that have come in, of any kind."""
    unsent: int
    """Octets that wait to be sent."""
    window: int
    """Octets that the peer has room for."""
    octets: int
    """Octets that were sent and acknowledged, and those that have come; a FIN counts as one."""

    @classmethod
    def of(cls, tcp: socket.socket) -> Info:
        """The present values of a socket."""
        return cls.read(tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE))

    @classmethod
    def read(cls, data: bytes) -> Info:
        """Decode the octets of a struct tcp_info."""
        at = struct.unpack_from
        (retransmission,), (unacknowledged,) = at("=I", data, 8), at("=I", data, 24)
        data_sent, _, data_heard, ack_heard = at("=IIII", data, 44)
        sent, received, unsent = at("=III", data, 136)
        (window,) = at("=I", data, 228)
        octets = sum(at("=QQ", data, 120))
        return cls(
            data[0],
            data[3],
            data[4],
            retransmission * _MICROSECOND,
            unacknowledged,
            data_sent * _MILLISECOND,
            min(data_heard, ack_heard) * _MILLISECOND,
            sent,
            received,
            unsent,
            window,
            octets,
        )
