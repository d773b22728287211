"""The form of a state table: (state, direction) -> event -> the next state, or another cell.

`tcp_table.py` and `datagram_table.py` hold the tables.  A table is complete when every event that
can meet a state has a cell for both directions; this is asked when the table is made, so that no
firewall ever runs with a hole in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import TypeVar

from fwemu.core.flow import Direction

S = TypeVar("S", bound=IntEnum)
E = TypeVar("E", bound=IntEnum)
C = TypeVar("C")


class IncompleteTableError(Exception):
    """A state table lacks a cell, or has one that no packet can ask for."""


def check_complete(
    name: str,
    rows: Mapping[tuple[S, Direction], Mapping[E, C]],
    events: Mapping[S, Collection[E]],
) -> None:
    """Raise an IncompleteTableError that names each missing or needless cell.

    `events` are those that can meet each state.
    """
    wanted = {(s, d, e): None for s in events for d in Direction for e in events[s]}
    written = {(s, d, e): None for (s, d), row in rows.items() for e in row}
    faults = [
        f"{name} table: {problem} for state {s.name}, direction {d.name}, "
        f"{type(e).__name__} {e.name}"
        for problem, cells in (
            ("no cell", [cell for cell in wanted if cell not in written]),
            ("needless cell", [cell for cell in written if cell not in wanted]),
        )
        for s, d, e in cells
    ]
    if faults:
        raise IncompleteTableError("; ".join(faults))
