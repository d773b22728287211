"""Prints answers: text for people, one JSON object a line for machines."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from fwemu.lab.texts import counted, duration, endpoint, flow, octets

__all__ = [
    "counted",
    "duration",
    "emit",
    "endpoint",
    "flow",
    "octets",
    "printable",
    "program",
    "rule_name",
    "say",
    "say_what_a_router_tells",
    "table",
]


def emit(record: Any) -> None:
    """Print a JSON object on its own line."""
    print(json.dumps(record, separators=(",", ":"), ensure_ascii=False), flush=True)


def say(text: str) -> None:
    """A comment, which is no part of the answer."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text with whatever a terminal would not show as a character written out, as in \\x1b.

    For what others have chosen: arguments of processes, names, settings.  Lines stay lines.
    """
    return "".join(
        character if character.isprintable() or character == "\n" else _written_out(character)
        for character in text
    )


def _written_out(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def program() -> str:
    """The command that runs this program: `fwemu`, or its path if `fwemu` is not found by name."""
    path = sys.argv[0]
    is_hidden = os.path.basename(path) == "fwemu" and not shutil.which("fwemu")
    return path if is_hidden else "fwemu"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they need to be; numbers to the right.

    On a terminal that is too narrow the widest column is broken between words.
    """
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    numeric = [
        bool(cells) and all(line[i].replace(".", "", 1).isdigit() for line in cells)
        for i in range(len(head))
    ]
    widths = _narrowed(widths)
    for line in [list(head), *cells]:
        pieces = [_broken(cell, width) for cell, width in zip(line, widths, strict=True)]
        for parts in zip_longest(*pieces, fillvalue=""):
            padded = [
                part.rjust(width) if right else part.ljust(width)
                for part, width, right in zip(parts, widths, numeric, strict=True)
            ]
            print("  ".join(padded).rstrip())


_NARROWEST: Final = 24
"""Characters that a column keeps, however narrow the terminal is."""


def _narrowed(widths: list[int]) -> list[int]:
    """The widths in which the table fits the terminal, if it is printed on one and can fit."""
    if not sys.stdout.isatty():
        return widths
    too_many = sum(widths) + 2 * (len(widths) - 1) - shutil.get_terminal_size().columns
    if too_many <= 0:
        return widths
    widest = widths.index(max(widths))
    return [
        max(min(width, _NARROWEST), width - too_many) if i == widest else width
        for i, width in enumerate(widths)
    ]


def _broken(cell: str, width: int) -> list[str]:
    """A cell in lines of at most that width; a single word that is longer stays whole."""
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)


def say_what_a_router_tells(config: Mapping[str, Any]) -> None:
    """An empty answer of a router's access list is no sign that nothing happened."""
    if config["mode"] == "acl":
        say('mode = "acl": a router has no sessions, and its log has only what it refuses')


def rule_name(index: int | None, rules: Sequence[Mapping[str, Any]]) -> str:
    """A rule as people know it: its name, or its place; `default` where no rule spoke."""
    if index is None:
        return "default"
    name = rules[index].get("name") if index < len(rules) else None
    return str(name or f"rules[{index}]")
