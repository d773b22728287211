"""Sequence numbers live on a circle of 2**32 (RFC 9293, section 3.4)."""

from typing import Final

MODULUS: Final = 1 << 32
HALF: Final = 1 << 31


def advance(number: int, octets: int) -> int:
    """The sequence number `octets` further on; negative steps go back."""
    return (number + octets) % MODULUS


def precedes(a: int, b: int) -> bool:
    """Is `a` earlier than `b`?  Numbers exactly half the circle apart are not ordered."""
    return 0 < (b - a) % MODULUS < HALF


def later(a: int, b: int) -> int:
    """The one of two numbers that is further on; `a` where they are not ordered."""
    return b if precedes(a, b) else a
