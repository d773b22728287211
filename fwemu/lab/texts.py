"""Numbers, lengths of time and flows as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netns.addresses import host_port


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
