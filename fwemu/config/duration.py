"""Durations as people write them: `30s`, `1h 5m`, `500ms`, `never`, or a number of seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from fwemu.config.accepts import shown
from fwemu.core.instants import NEVER, SECOND

UNITS: Final[dict[str, int]] = {
    "d": 86_400 * SECOND,
    "h": 3_600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": SECOND // 1_000,
    "us": SECOND // 1_000_000,
    "ns": 1,
}
"""Nanoseconds of each unit, the largest first."""

_TERM: Final = re.compile(
    r"(\d+(?:\.\d+)?)\s*(d|h|ms|m|s|us|ns)(?![a-z])\s*|(\d+(?:\.\d+)?)$", re.ASCII
)


@dataclass(frozen=True, order=True, slots=True)
class Duration:
    """A length of time, exact to the nanosecond."""

    nanoseconds: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `1h 5m`, `never` or a number of seconds; a ValueError says what to write instead."""
        if isinstance(value, cls):
            return value
        text = _as_text(value)
        if text.strip() == "never":
            return cls(NEVER)
        total, at = Decimal(0), 0
        text = text.strip().lower()
        while at < len(text):
            term = _TERM.match(text, at)
            if term is None or (term[3] and at):  # only the whole of it may be a bare number
                raise _not_a_duration(value)
            number, unit = (term[3], "s") if term[3] else (term[1], term[2])
            total += Decimal(number) * UNITS[unit]
            at = term.end()
        if not text:
            raise _not_a_duration(value)
        if total >= NEVER:
            raise ValueError(f"{shown(value)} is too long (292 years at most)")
        return cls(int(total))

    @property
    def is_never(self) -> bool:
        """True if the duration is `never`."""
        return self.nanoseconds >= NEVER

    @property
    def seconds(self) -> float:
        """The length in seconds; infinite for `never`."""
        return float("inf") if self.is_never else self.nanoseconds / SECOND

    def __str__(self) -> str:
        if self.is_never:
            return "never"
        rest, terms = self.nanoseconds, []
        for unit, size in UNITS.items():
            count, rest = divmod(rest, size)
            if count:
                terms.append(f"{count}{unit}")
        return " ".join(terms) or "0s"


def _as_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _not_a_duration(value)
    return value if isinstance(value, str) else format(Decimal(str(value)), "f")


def _not_a_duration(value: object) -> ValueError:
    return ValueError(
        f'{shown(value)} is not a duration (write "30s", "1h 5m", "500ms" or a number of seconds)'
    )
