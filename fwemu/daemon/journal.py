"""The firewall log: one JSON object a line, bounded in size.

The engine's thread only collects; lines are made and written when no packet waits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import orjson

from fwemu.core.effects import Effect
from fwemu.core.instants import SECOND
from fwemu.daemon.bounded_file import BoundedFile
from fwemu.daemon.clock import Clock
from fwemu.daemon.records import RECORDS


class Journal:
    """Writes the selected kinds of events to a file that never grows beyond `limit` octets."""

    def __init__(self, path: Path, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._events: frozenset[str] = frozenset()
        self._started = clock.now()
        self._file = BoundedFile(path, limit)
        self._number = 0

    def select(self, events: Collection[str]) -> None:
        """Log these kinds of events from now on (the names of `records.RECORDS`)."""
        self._events = frozenset(events)

    def write(self, effects: Iterable[Effect]) -> None:
        """Add these events, in order, and hand them to the system."""
        lines = bytearray()
        for effect in effects:
            name, record_of = RECORDS[type(effect)]
            if name in self._events:
                lines += self._line(name, effect.at, record_of(effect))
        self._file.append(lines)

    def note(self, event: str, at: int, **fields: object) -> None:
        """Add an event that is no effect of the core: the start, a change of settings."""
        self._file.append(self._line(event, at, fields))

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._file.close()

    def _line(self, name: str, at: int, fields: dict[str, object]) -> bytes:
        self._number += 1
        event = {
            "number": self._number,
            "time": self._clock.wall(at).isoformat(timespec="microseconds"),
            "at_s": round((at - self._started) / SECOND, 6),
            "event": name,
            **fields,
        }
        return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
