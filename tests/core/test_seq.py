"""Sequence numbers around the circle's seam; `tests/property/test_seq.py` has the rest."""

import pytest

from fwemu.core.seq import HALF, MODULUS, at_most, later, precedes

TOP = MODULUS - 1


@pytest.mark.parametrize(
    ("a", "b", "holds"),
    [
        (1, 2, True),
        (2, 1, False),
        (1, 1, False),
        (TOP, 0, True),
        (0, TOP, False),
        (0, HALF - 1, True),
        (0, HALF, False),
        (HALF, 0, False),
    ],
)
def test_order_on_the_circle(a, b, holds):
    """Numbers exactly opposite each other have no order."""
    assert precedes(a, b) is holds


@pytest.mark.parametrize(
    ("a", "b", "holds"),
    [
        (1, 2, True),
        (1, 1, True),
        (2, 1, False),
        (TOP, 0, True),
        (0, TOP, False),
        (HALF + 1, 0, True),
        (HALF, 0, False),
        (0, HALF, False),
        (-5, 3, True),
        (3, MODULUS + 3, True),
    ],
)
def test_at_most_is_the_order_of_the_kernel(a, b, holds):
    """`before(a, b + 1)`, also for sums and differences that have left the circle."""
    assert at_most(a, b) is holds


def test_the_later_of_two():
    """Not the larger one."""
    assert later(TOP, 5) == 5
    assert later(5, TOP) == 5
    assert later(0, HALF) == 0
