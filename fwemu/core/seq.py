"""Arithmetic of TCP sequence numbers, which live on a circle of 2**32 (RFC 9293, section 3.4)."""

from typing import Final

MODULUS: Final = 1 << 32
MASK: Final = MODULUS - 1
"""`number & MASK` brings a sum or a difference back onto the circle."""
HALF: Final = 1 << 31


def precedes(a: int, b: int) -> bool:
    """True if `a` is earlier than `b`; numbers exactly half the circle apart are not ordered."""
    return 0 < b - a & MASK < HALF


def at_most(a: int, b: int) -> bool:
    """True if `a` is earlier than `b`, or equal: `before(a, b + 1)` of include/net/tcp.h.

    As with `precedes`, numbers exactly half the circle apart are not ordered.
    """
    return a - b - 1 & MASK >= HALF


def later(a: int, b: int) -> int:
    """The one of two numbers that is further on; `a` where they are not ordered."""
    return b if precedes(a, b) else a
