"""Ratios that survive a machine with slow phases: every visit stands between two of its baseline.

    kernel  fwemu  kernel  nf_conntrack  kernel  fwemu  kernel  ...

A visit's ratio is its value over the mean of the baseline's visits right before and right after;
what counts in the end is the median of these ratios, and how far they spread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import NamedTuple

Values = Mapping[str, float]
"""What one visit measured, by name."""


class Spread(NamedTuple):
    """Several measurements of the same thing."""

    median: float
    lowest: float
    highest: float
    times: int


class Comparison(NamedTuple):
    """One thing measured for a subject and for the baseline around it."""

    subject: str
    what: str
    value: Spread
    baseline: Spread
    """Of the baseline's visits around those of this subject."""
    ratio: Spread


def spread(values: Iterable[float]) -> Spread:
    """Their median and extremes; there must be one at least."""
    known = list(values)
    return Spread(median(known), min(known), max(known), len(known))


def order(baseline: str, subjects: Sequence[str], rounds: int) -> list[str]:
    """Whom to visit, one after the other: each subject once a round, the baseline in between."""
    return [
        baseline,
        *(name for _ in range(rounds) for each in subjects for name in (each, baseline)),
    ]


def compare(visits: Sequence[tuple[str, Values]]) -> list[Comparison]:
    """What the visits say, in the order of `order`: by subject, then by what was measured."""
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for index in range(1, len(visits) - 1, 2):
        subject, values = visits[index]
        before, after = visits[index - 1][1], visits[index + 1][1]
        for what, value in values.items():
            pairs.setdefault((subject, what), []).append(
                (value, fmean((before[what], after[what])))
            )
    return [
        Comparison(
            subject,
            what,
            spread(value for value, _ in measured),
            spread(around for _, around in measured),
            spread(value / around for value, around in measured),
        )
        for (subject, what), measured in pairs.items()
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of them lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
