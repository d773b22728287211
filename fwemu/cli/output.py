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

from netns.addresses import host_port


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


def counted(number: int, what: str) -> str:
    """`1 session`, `3 sessions`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def octets(number: int) -> str:
    """`999 B`, `1.5 kB`, `64.0 MB`: powers of ten."""
    if number < 1000:
        return f"{number} B"
    size = float(number)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def endpoint(address: str, port: int | None) -> str:
    """`10.0.0.1:80`, `[::1]:80`, or the address alone."""
    if port is None:
        return address
    return host_port(address, port)


def flow(record: Mapping[str, Any]) -> str:
    """The endpoints of a session or an event: `10.0.0.1:4242 -> 10.0.0.2:80`."""
    ends = (endpoint(record[end], record.get(f"{end}_port")) for end in ("source", "destination"))
    return " -> ".join(ends)


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
