"""Sequence numbers around the circle's seam; `tests/property/test_seq.py` has the rest."""

import pytest

from fwemu.core.seq import HALF, MODULUS, advance, later, precedes

TOP = MODULUS - 1


def test_a_step_over_the_seam():
    """2**32 - 1 is followed by 0."""
    assert advance(TOP, 1) == 0
    assert advance(0, -1) == TOP


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


def test_the_later_of_two():
    """Not the larger one."""
    assert later(TOP, 5) == 5
    assert later(5, TOP) == 5
    assert later(0, HALF) == 0
