"""How answers are printed: text for people, one object a line for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def emit(record: Any) -> None:
    """One JSON object on a line of its own."""
    print(json.dumps(record), flush=True)


def say(text: str) -> None:
    """A comment, which is no part of the answer."""
    print(text, file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they need to be; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    numeric = [
        bool(cells) and all(line[i].replace(".", "", 1).isdigit() for line in cells)
        for i in range(len(head))
    ]
    for line in [list(head), *cells]:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(padded).rstrip())


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: `4.2s`, `59m 58s`, `1h 0m`; `never` for None."""
    if seconds is None:
        return "never"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours < 48 else f"{hours // 24}d {hours % 24}h"


def endpoint(address: str, port: int | None) -> str:
    """`10.0.0.1:80`, `[::1]:80`, or the address alone."""
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
