"""Whether the answer of a fast-forward can be trusted, for whoever acts on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fwemu.errors import DoubtfulError
from fwemu.lab.flows import named

WAY_OUT: Final = (
    "let time run faster instead (--time-scale, Lab(time_scale=60)), or take the timer for what it "
    "is and accept this answer"
)

_WORST: Final = "not-to-be-trusted"


def not_to_be_trusted(done: dict[str, Any]) -> list[dict[str, Any]]:
    """The sessions of an answer, or of its line in the log, on which nobody may rely."""
    rows = done.get("doubtful") or [
        *done.get("sessions_ended", ()),
        *done.get("sessions_doubtful", ()),
    ]
    return [row for row in rows if row.get("trust") == _WORST]


def told(row: dict[str, Any]) -> Iterator[str]:
    """What makes a session of such an answer doubtful: a line for each reason, the worst first."""
    for doubt in row.get("doubtful", ()):
        yield f"{doubt['trust'].replace('-', ' ')}: {doubt['text']}"


def refuse(done: dict[str, Any]) -> None:
    """Raise DoubtfulError if any session of this answer is not to be trusted."""
    rows = not_to_be_trusted(done)
    if rows:
        raise DoubtfulError(problem(rows))


def problem(rows: list[dict[str, Any]]) -> str:
    """One line about sessions that are not to be trusted, with the way out."""
    first = rows[0]
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    why = next(told(first), "not played").partition(": ")[2]
    return (
        f"fast-forward: what became of session #{first['session']} {named(first)}{more} is not to "
        f"be trusted: {why}; {WAY_OUT}"
    )
