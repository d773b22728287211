"""Whole numbers at a time scale: which is written, and what is said of it."""

import pytest

from fwemu.virtual_time import give_up
from fwemu.virtual_time.rounding import Scaled, nearest


@pytest.mark.parametrize(
    ("value", "scale", "least", "result"),
    [(7200, 60, 1, 120), (75, 60, 1, 1), (90, 60, 1, 2), (89, 60, 1, 1), (1, 60, 1, 1),
     (120_000, 900, 1000, 1000), (200_000, 60, 1, 3333)],
)  # fmt: skip
def test_the_nearest_whole_number_is_taken(value: int, scale: int, least: int, result: int) -> None:
    """But never less than the kernel can do."""
    assert nearest(value, scale, least) == result


@pytest.mark.parametrize(
    ("scaled", "text"),
    [
        (
            Scaled("tcp_keepalive_intvl", "s", 75, 60, 1, 1),
            "tcp_keepalive_intvl: 75 s / 60 = 1.25 s, set to 1 s (-20 %)",
        ),
        (
            Scaled("tcp_keepalive_time", "s", 7200, 60, 120, 120),
            "tcp_keepalive_time: 7200 s / 60 = 120 s, set to 120 s (exact)",
        ),
        (
            Scaled("tcp_rto_min_us", "us", 200_000, 60, 3333, 4000),
            "tcp_rto_min_us: 200000 us / 60 = 3333 us, set to 3333 us, which acts as 4000 us "
            "(+20 %)",
        ),
        (
            Scaled("tcp_retries2", "s", 924.6, 60, 9, 15.0, 15),
            "tcp_retries2: 15, which is 924.6 s, / 60 = 15.41 s, set to 9, which is 15 s (-2.66 %)",
        ),
    ],
)
def test_the_error_is_told(scaled: Scaled, text: str) -> None:
    """In percent of what would be right, for times and for counts that stand for one."""
    assert str(scaled) == text


@pytest.mark.parametrize(
    ("seconds", "computed"),
    [
        (924.6, give_up.of_data(15, 120_000)),  # Documentation/networking/ip-sysctl.rst
        (15.0, give_up.of_data(9, 2000)),
        (102.2, give_up.of_orphans(0, 120_000)),
        (131.0, give_up.of_openings(6, 120_000, 4)),  # the same: 67 s until the last SYN
        (63.0, give_up.of_openings(5, 120_000)),
    ],
)
def test_counts_stand_for_the_times_that_the_kernel_makes_of_them(
    seconds: float, computed: int
) -> None:
    """With the defaults these are what the kernel's documentation says."""
    assert computed == seconds * 1000


def test_a_count_is_chosen_for_its_time() -> None:
    """Nine at most two seconds apart: as near to 15.41 s as it gets."""
    assert give_up.nearest_count(15_410, lambda count: give_up.of_data(count, 2000)) == 9
