"""The arithmetic of `bench`: what stands between two visits is compared with those two."""

import pytest

from bench.visits import Spread, compare, order, percentile, spread


def test_every_visit_of_a_subject_stands_between_two_of_the_baseline():
    """A machine that slows down for a minute must not favour anybody."""
    plan = order("kernel", ["fwemu", "conntrack"], rounds=2)
    assert plan == [
        "kernel",
        *("fwemu", "kernel", "conntrack", "kernel"),
        *("fwemu", "kernel", "conntrack", "kernel"),
    ]


def test_a_ratio_is_to_the_mean_of_the_visits_before_and_after():
    """The others, however slow, play no part in it."""
    visits = [
        ("kernel", {"speed": 10}),
        ("fwemu", {"speed": 6}),
        ("kernel", {"speed": 20}),
        ("conntrack", {"speed": 30}),
        ("kernel", {"speed": 1000}),
    ]
    fwemu, conntrack = compare(visits)
    assert (fwemu.subject, fwemu.what, fwemu.ratio.median) == ("fwemu", "speed", 0.4)
    assert (conntrack.subject, conntrack.baseline.median) == ("conntrack", 510)


def test_the_figure_is_the_median_of_the_ratios_not_the_ratio_of_the_medians():
    """A slow phase moves both values of a visit and leaves its ratio alone."""
    speeds = [(10, 5, 10), (100, 50, 100), (1, 0.1, 1)]
    visits = []
    for before, value, after in speeds:
        visits += [("kernel", {"speed": before}), ("fwemu", {"speed": value})]
        visits += [("kernel", {"speed": after}), ("nobody", {})]
    (only,) = compare([*visits, ("kernel", {})])
    assert only.ratio == Spread(0.5, 0.1, 0.5, 3)
    assert only.value.median == 5


def test_each_thing_measured_is_compared_by_itself():
    """A visit may measure several at once."""
    kernel, fwemu = {"median": 10, "p99": 20}, {"median": 20, "p99": 80}
    found = compare([("kernel", kernel), ("fwemu", fwemu), ("kernel", kernel)])
    assert {each.what: each.ratio.median for each in found} == {"median": 2, "p99": 4}


def test_a_spread_has_the_median_and_both_extremes():
    """The extremes say how far to trust the median."""
    assert spread([3, 1, 2, 10]) == Spread(2.5, 1, 10, 4)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles(share, value):
    """Of the numbers from 1 to 100 in any order."""
    assert percentile(range(100, 0, -1), share) == value
