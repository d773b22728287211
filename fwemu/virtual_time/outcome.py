"""The result of a fast-forward."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fwemu.core.flow import Flow
from fwemu.daemon.records import endpoints, seconds
from fwemu.daemon.stop_on import StopOn
from netns.connections import SocketAddress

Row = dict[str, Any]

_Ends = frozenset[tuple[str, int]]


@dataclass
class Outcome:
    """Filled while it goes on."""

    advanced: int = 0
    """Nanoseconds."""
    wall: float = 0.0
    """Seconds it took."""
    probes: list[Row] = field(default_factory=list)
    """Each socket that asked: how often, and how often it was answered."""
    sessions_ended: list[Row] = field(default_factory=list)
    connections_lost: list[Row] = field(default_factory=list)
    not_played: list[Row] = field(default_factory=list)
    """What could not be played, by name."""
    stopped_at: StopOn | None = None
    _doubts: dict[_Ends, list[str]] = field(default_factory=dict)
    """By the two ends of a connection: what of it was not played."""

    def miss(
        self, what: str, ends: tuple[SocketAddress, SocketAddress] | None = None, **name: str
    ) -> None:
        """Something could not be played; with `ends` it makes that session doubtful."""
        row = {"what": what, **name}
        if row not in self.not_played:
            self.not_played.append(row)
            if ends is not None:
                self._doubts.setdefault(frozenset(ends), []).append(
                    f"{what}, {name['local']} -> {name['remote']}: not played"
                )

    def doubts(self, flow: Flow) -> list[str]:
        """The parts of a connection that were not played, which make its session doubtful."""
        ends = endpoints(flow)
        if "source_port" not in ends:
            return []
        source = (ends["source"], ends["source_port"])
        destination = (ends["destination"], ends["destination_port"])
        return self._doubts.get(frozenset((source, destination)), [])

    @property
    def record(self) -> Row:
        """As plain data."""
        return {
            "advanced_s": seconds(self.advanced),
            "wall_s": round(self.wall, 3),
            "probes": self.probes,
            "sessions_ended": self.sessions_ended,
            "connections_lost": self.connections_lost,
            "not_played": self.not_played,
            "stopped_at": None if self.stopped_at is None else self.stopped_at.value,
        }
