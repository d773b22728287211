"""Units of time: the core counts whole nanoseconds, handed in from outside."""

from typing import Final

SECOND: Final = 1_000_000_000
"""Nanoseconds in a second; every instant and every lifetime is a count of them."""

NEVER: Final = 1 << 63
"""A lifetime or deadline that does not come: later than any instant a daemon can reach."""
