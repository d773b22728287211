"""The firewall log: one JSON object a line, bounded in size.

The engine's thread only collects; lines are made and written when no packet waits.  What cannot be
written is counted, and told in the log as soon as that is possible: the event `log_gap`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from fwemu.core.effects import Effect
from fwemu.core.instants import SECOND
from fwemu.core.policy import Policy
from fwemu.daemon.bounded_file import BoundedFile, NotWrittenError
from fwemu.daemon.clock import Clock
from fwemu.daemon.json_lines import json_line
from fwemu.daemon.losses import Losses
from fwemu.daemon.records import RECORDS, Record


class Journal:
    """Writes the selected kinds of events to a file that never grows beyond `limit` octets."""

    def __init__(self, path: Path, clock: Clock, limit: int, losses: Losses | None = None) -> None:
        self.losses = losses or Losses("log")
        self._clock = clock
        self._events: frozenset[str] = frozenset()
        self._started = clock.now()
        self._file = BoundedFile(path, limit)
        self._number = 0
        self._rule_names: tuple[str, ...] = ()
        self._gap = 0
        """Events that are lost and not told yet."""

    def open(self) -> None:
        """Make the file now; raises OSError.  Otherwise the first event makes it."""
        self._file.open()

    def select(self, events: Collection[str]) -> None:
        """Log these kinds of events from now on (the names of `records.RECORDS`)."""
        self._events = frozenset(events)

    def name_rules(self, policy: Policy) -> None:
        """Events that speak of a rule name it as this policy does, from now on."""
        self._rule_names = tuple(rule.name for rule in policy.rules)

    def write(self, effects: Iterable[Effect]) -> None:
        """Add these events, in order, and hand them to the system."""
        if self._gap:
            self._tell_the_gap()
        lines = bytearray()
        for effect in effects:
            try:
                name, record_of = RECORDS[type(effect)]
                if name in self._events:
                    lines += self._line(name, effect.at, self._named(record_of(effect)))
            except Exception as error:
                self._lose(error, 1)
        self._append(lines)

    def note(self, event: str, at: int, **fields: object) -> None:
        """Add an event that is no effect of the core: the start, a change of settings."""
        if self._gap:
            self._tell_the_gap()
        self._append(self._line(event, at, fields))

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._file.close()

    def _named(self, record: Record) -> Record:
        """With the name of its rule: the place of a rule means nothing once there are others."""
        rule = record.get("rule")
        if rule is not None and rule < len(self._rule_names) and self._rule_names[rule]:
            record["rule_name"] = self._rule_names[rule]
        return record

    def _append(self, lines: bytes | bytearray) -> None:
        try:
            self._file.append(lines)
        except NotWrittenError as failure:
            self._lose(failure.error, failure.lines)

    def _lose(self, error: Exception, count: int) -> None:
        self._gap += count
        self.losses.add(error, count)

    def _tell_the_gap(self) -> None:
        """If there is room again."""
        fields = {"lost": self._gap, "error": self.losses.problem}
        try:
            self._file.append(self._line("log_gap", self._clock.now(), fields))
        except NotWrittenError:
            self._number -= 1  # not used
        else:
            self._gap = 0
            self.losses.over()

    def _line(self, name: str, at: int, fields: Mapping[str, Any]) -> bytes:
        self._number += 1
        event = {
            "number": self._number,
            "time": self._clock.wall(at).isoformat(timespec="microseconds"),
            "at_s": round((at - self._started) / SECOND, 6),
            "event": name,
            **fields,
        }
        return json_line(event)
