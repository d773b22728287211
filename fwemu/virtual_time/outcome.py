"""The result of a fast-forward."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fwemu.core.flow import TCP, Flow, protocol_name
from fwemu.daemon.records import endpoints, seconds
from fwemu.daemon.stop_on import StopOn
from fwemu.virtual_time.doubt import Doubt, Trust, elsewhere, not_looked_at, trust
from fwemu.virtual_time.programs import Ends, Programs
from netns.connections import SocketAddress

Row = dict[str, Any]


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
    sessions_doubtful: list[Row] = field(default_factory=list)
    """Sessions that live, but might not if the programs had not stood still."""
    programs: Programs = field(default_factory=Programs)
    woken: list[Row] = field(default_factory=list)
    """Each program that woke by itself: how often."""
    is_of_hosts: Callable[[str], bool] = lambda address: True
    """Has one of the hosts this address?"""

    def miss(
        self, what: str, ends: tuple[SocketAddress, SocketAddress] | None = None, **name: str
    ) -> None:
        """Something could not be played; with `ends` it makes that session doubtful."""
        row = {"what": what, **name}
        if row not in self.not_played:
            self.not_played.append(row)
            if ends is not None:
                self.programs.miss(ends, f"{what}, {name['local']} -> {name['remote']}: not played")

    def miss_clock(self, firewall: str, connections: Iterable[Ends]) -> None:
        """The clock of another firewall, which these connections cross as well, stands still."""
        what = f"the clock of the firewall {firewall!r}, which knows some connections as well"
        self.not_played.append({"what": what})
        for ends in connections:
            self.programs.miss(
                ends, f"it crosses the firewall {firewall!r}, whose clock stands still"
            )

    def verdict(self, flow: Flow, at: int) -> Row:
        """How far what became of this session until `at` can be trusted, and why not further."""
        if flow.protocol != TCP:
            return _verdict([not_looked_at(protocol_name(flow.protocol))])
        ends = ends_of(flow)
        return _verdict([*self.programs.doubts(ends, at), *self.beyond(ends)])

    def beyond(self, ends: Ends) -> list[Doubt]:
        """A doubt for each of these ends at which nobody has looked for programs."""
        addresses = sorted({end.host for end in ends})
        return [elsewhere(address) for address in addresses if not self.is_of_hosts(address)]

    def add_survivor(self, session: int, flow: Flow, at: int) -> None:
        """A session lives on; it is told if that cannot be trusted."""
        verdict = self.verdict(flow, at)
        if verdict["trust"] != Trust.SURE.value:
            self.sessions_doubtful.append({"session": session, **endpoints(flow), **verdict})

    @property
    def doubtful(self) -> list[Row]:
        """Every session whose fate is not sure, those not to be trusted first."""
        rows = [*self.sessions_ended, *self.sessions_doubtful]
        unsure = [row for row in rows if row["trust"] != Trust.SURE.value]
        return sorted(unsure, key=lambda row: -Trust(row["trust"]).rank)

    @property
    def record(self) -> Row:
        """As plain data."""
        return {
            "advanced_s": seconds(self.advanced),
            "wall_s": round(self.wall, 3),
            "probes": self.probes,
            "sessions_ended": self.sessions_ended,
            "sessions_doubtful": self.sessions_doubtful,
            "connections_lost": self.connections_lost,
            "not_played": self.not_played,
            "programs_woken": self.woken,
            "stopped_at": None if self.stopped_at is None else self.stopped_at.value,
        }


def ends_of(flow: Flow) -> Ends:
    """The two ends of a flow that has ports."""
    ends = endpoints(flow)
    return frozenset(
        {
            SocketAddress(ends["source"], ends["source_port"]),
            SocketAddress(ends["destination"], ends["destination_port"]),
        }
    )


def _verdict(doubts: list[Doubt]) -> Row:
    return {"trust": trust(doubts).value, "doubtful": [doubt.record for doubt in doubts]}
