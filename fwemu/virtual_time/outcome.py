"""What has happened on a travel in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fwemu.daemon.fast_forward import StopOn
from fwemu.daemon.records import seconds

Row = dict[str, Any]


@dataclass
class Travelled:
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

    def miss(self, what: str, **name: str) -> None:
        """Something could not be played."""
        self.not_played.append({"what": what, **name})

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
