"""Whole nanoseconds."""

import pytest

from fwemu.core.instants import NEVER, SECOND, from_seconds


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [(0, 0), (1, SECOND), (0.1, 100_000_000), (1e-9, 1), (0.6e-9, 1), (0.4e-9, 0)],
)
def test_seconds_in_nanoseconds(seconds, nanoseconds):
    """Rounded to the nearest, so that 0.1 s is what it says."""
    assert from_seconds(seconds) == nanoseconds


def test_never_is_later_than_any_clock():
    """A monotonic clock would need 292 years to get there."""
    assert NEVER > 292 * 365 * 24 * 3600 * SECOND
