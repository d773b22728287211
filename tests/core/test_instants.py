"""Whole nanoseconds."""

from fwemu.core.instants import NEVER, SECOND


def test_never_is_later_than_any_clock():
    """A monotonic clock would need 292 years to get there."""
    assert NEVER > 292 * 365 * 24 * 3600 * SECOND
