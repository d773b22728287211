from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwemu.config import Duration
from fwemu.core.instants import NEVER, SECOND


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("30s", 30 * SECOND),
        ("1h 5m", 3900 * SECOND),
        ("1h5m", 3900 * SECOND),
        ("500ms", SECOND // 2),
        ("2d", 172_800 * SECOND),
        ("1.5h", 5400 * SECOND),
        ("1H", 3600 * SECOND),
        ("250us", 250_000),
        ("7ns", 7),
        ("30", 30 * SECOND),
        (30, 30 * SECOND),
        (0.5, SECOND // 2),
        (0.1, SECOND // 10),
        (0, 0),
        ("never", NEVER),
    ],
)
def test_a_duration_is_read_as_people_write_it(written: object, nanoseconds: int) -> None:
    assert Duration.parse(written).nanoseconds == nanoseconds


@pytest.mark.parametrize(
    ("nanoseconds", "written"),
    [
        (3900 * SECOND, "1h 5m"),
        (350 * SECOND, "5m 50s"),
        (432_000 * SECOND, "5d"),
        (SECOND // 2, "500ms"),
        (1, "1ns"),
        (0, "0s"),
        (NEVER, "never"),
    ],
)
def test_a_duration_is_written_with_the_largest_units_that_fit(
    nanoseconds: int, written: str
) -> None:
    assert str(Duration(nanoseconds)) == written


@given(st.integers(0, NEVER))
def test_what_is_written_reads_as_the_same_duration(nanoseconds: int) -> None:
    """Otherwise a configuration handed on as text would have other timers."""
    assert Duration.parse(str(Duration(nanoseconds))) == Duration(nanoseconds)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("1 hour", "'1 hour'"),
        ("1h 5", "'1h 5'"),
        ("5 5", "'5 5'"),
        ("-5s", "'-5s'"),
        ("1e3", "'1e3'"),
        ("h", "'h'"),
        ("", "''"),
        (-1, "-1"),
        (True, "true"),
        (float("nan"), "nan"),
        ([1], "[1]"),
    ],
)
def test_what_is_no_duration_is_answered_with_examples(written: object, shown: str) -> None:
    with pytest.raises(ValueError, match="is not a duration") as caught:
        Duration.parse(written)
    assert str(caught.value) == (
        f'{shown} is not a duration (write "30s", "1h 5m", "500ms" or a number of seconds)'
    )


def test_a_duration_beyond_the_clock_is_too_long() -> None:
    with pytest.raises(ValueError, match="too long") as caught:
        Duration.parse("1000000d")
    assert str(caught.value) == "'1000000d' is too long (292 years at most)"


def test_durations_compare_and_count_in_seconds() -> None:
    assert Duration.parse("59s") < Duration.parse("1m") < Duration.parse("never")
    assert Duration.parse("1m").seconds == 60
    assert Duration.parse("never").seconds == float("inf")
    assert Duration.parse("never").is_never
