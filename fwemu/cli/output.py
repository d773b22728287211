"""How answers are printed: text for people, one object a line for machines."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netns.addresses import host_port


def emit(record: Any) -> None:
    """One JSON object on a line of its own."""
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
    """How this program is called here: `fwemu`, or its path where that is not found by name."""
    path = sys.argv[0]
    is_hidden = os.path.basename(path) == "fwemu" and not shutil.which("fwemu")
    return path if is_hidden else "fwemu"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they need to be; numbers to the right."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
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
