"""The time after which a kernel gives up a connection, from its count of retries.

Retransmission timeouts scale with `tcp_rto_min_us` and `tcp_rto_max_ms`.  When to give up the
kernel computes from a count, a first timeout that is a constant, and the longest one
(net/ipv4/tcp_timer.c: tcp_model_timeout, tcp_write_timeout).  So a count that is left alone would
stand for another time; the one whose time comes nearest is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

TCP_RTO_MIN: Final = 200
"""Milliseconds: the first timeout of the model, whatever the real one is (include/net/tcp.h)."""

TCP_TIMEOUT_INIT: Final = 1000
"""Milliseconds until a SYN or SYN-ACK is repeated for the first time (RFC 6298)."""

LONGEST: Final = 120_000
"""Milliseconds: TCP_RTO_MAX, where `tcp_rto_max_ms` does not say otherwise."""

_ORPHANS: Final = 8
"""What `tcp_orphan_retries` of 0 means (tcp_orphan_retries())."""


def of_data(count: int, longest: int) -> int:
    """Milliseconds after which data without an answer ends a connection (tcp_retries2)."""
    doublings = (longest // TCP_RTO_MIN).bit_length() - 1
    if count <= doublings:
        return ((2 << count) - 1) * TCP_RTO_MIN
    return ((2 << doublings) - 1) * TCP_RTO_MIN + (count - doublings) * longest


def of_orphans(count: int, longest: int) -> int:
    """The same where no application is left (tcp_orphan_retries)."""
    return of_data(count or _ORPHANS, longest)


def of_openings(count: int, longest: int, linear: int = 0) -> int:
    """Milliseconds after which an opening that nobody answers ends (tcp_syn_retries).

    The first `linear` repetitions come without the doubling, and are not in the count.
    """
    total, timeout = 0, TCP_TIMEOUT_INIT
    for done in range(count + linear + 1):
        total += min(timeout, longest)
        if done >= linear:
            timeout *= 2
    return total


def nearest_count(time: float, after: Callable[[int], int]) -> int:
    """The count, from 1 on, after which it gives up the nearest to `time` milliseconds."""
    return min(range(1, 128), key=lambda count: abs(after(count) - time))
