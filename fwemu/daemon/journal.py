"""The firewall log: one JSON object a line, bounded in size.

The engine's thread only collects; lines are made and written when no packet waits.  When the file
has reached its size it becomes `<name>.1`, in place of the one before, and a new one begins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

import orjson

from fwemu.core.effects import Effect
from fwemu.core.instants import SECOND
from fwemu.daemon.clock import Clock
from fwemu.daemon.records import RECORDS


class Journal:
    """Writes the selected kinds of events to a file that never grows beyond `limit` octets."""

    def __init__(self, path: Path, clock: Clock, limit: int) -> None:
        self._path = path
        self._clock = clock
        self._events: frozenset[str] = frozenset()
        self._limit = limit
        self._started = clock.now()
        self._file: BinaryIO = path.open("ab")
        self._size = self._file.tell()
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
        self._append(lines)

    def note(self, event: str, at: int, **fields: object) -> None:
        """Add an event that is no effect of the core: the start, a change of settings."""
        self._append(self._line(event, at, fields))

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

    def _append(self, lines: bytes | bytearray) -> None:
        """Whole lines, cut where the file is full: a mass expiry may be larger than a file."""
        begin = 0
        while begin < len(lines):
            room = self._limit - self._size
            end = lines.rfind(b"\n", begin, begin + room) + 1
            if end == 0 and self._size > 0:
                self._rotate()
                continue
            if end == 0:  # a line that is larger than a file gets one of its own
                end = lines.index(b"\n", begin) + 1
            self._file.write(memoryview(lines)[begin:end])
            self._size += end - begin
            begin = end
        self._file.flush()

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("wb")
        self._size = 0
