"""`fwemu ls`: the labs and stand-alone firewalls, also those that are dead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json
from fwemu.cli.output import duration, emit, say, table
from fwemu.cli.target import hosts_of, nothing_found
from fwemu.daemon.rundir import About, RunDirectory, default_base, require_own
from fwemu.errors import ControlError, PrivilegeError
from netns.procfs import start_time

if TYPE_CHECKING:
    from fwemu.lab.plan import FirewallPlan
    from fwemu.lab.register import Entry

PATIENCE: Final = 5.0
"""Seconds that a firewall has to answer; one that is stuck shall not hide the others."""

RUNNING: Final = "running"
UNHOOKED: Final = "without its hook"
NOT_ANSWERING: Final = "not answering"
DEAD: Final = "dead"
BEING_MADE: Final = "being made"


@dataclass(frozen=True)
class Row:
    """A lab or stand-alone firewall."""

    name: str
    kind: str
    state: str
    netns: str
    way_out: str | None = None
    about: About | None = None
    statistics: dict[str, Any] | None = None
    hosts: dict[str, Any] | None = None

    @property
    def sessions(self) -> int | None:
        """The number of sessions in the table."""
        return None if self.statistics is None else sum(self.statistics["sessions"].values())

    @property
    def record(self) -> dict[str, Any]:
        """The same for machines."""
        about, statistics = self.about, self.statistics or {}
        return {
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "way_out": self.way_out,
            "profile": about and about.profile,
            "mode": about and about.mode,
            "netns": self.netns,
            "sessions": self.sessions,
            "capacity": statistics.get("capacity"),
            "uptime_s": statistics.get("uptime_s"),
            "pid": about and about.pid,
            "control": about and about.control,
            "metrics": about and about.metrics,
            "api": about and about.api,
            "events": about and about.events,
            "device_log": about and about.device_log,
            "hosts": self.hosts,
        }

    @property
    def cells(self) -> list[str]:
        """The same for people."""
        about, statistics = self.about, self.statistics
        filled = f"{self.sessions}/{statistics['capacity']}" if statistics else "-"
        up = duration(statistics["uptime_s"]) if statistics else "-"
        profile, mode = (about.profile or "none", about.mode) if about else ("-", "-")
        return [self.name, self.kind, self.state, profile, mode, self.netns, filled, up]


@click.command(epilog=example("fwemu ls"))
@as_json
def command(as_json: bool) -> None:
    """Show labs and stand-alone firewalls, and how full they are."""
    rows = list(_rows(default_base()))
    if not rows:
        problem = nothing_found("nothing runs: `fwemu up` makes a lab")
        if isinstance(problem, PrivilegeError):
            raise problem
        say(str(problem))
    if as_json:
        for row in rows:
            emit(row.record)
        return
    if rows:
        head = ["NAME", "KIND", "STATE", "PROFILE", "MODE", "NAMESPACE", "SESSIONS", "UP"]
        table(head, [row.cells for row in rows])
    for row in rows:
        if row.way_out is not None:
            say(f"{row.name}: {row.way_out}")


def _rows(base: Path) -> Iterator[Row]:
    from fwemu.lab import register

    require_own(base)
    labs = {
        firewall.name: (lab, firewall)
        for lab in register.entries(base)
        for firewall in lab.plan.firewalls
    }
    others = [path.name for path in base.iterdir()] if base.is_dir() else []
    for name in sorted({*labs, *others}):
        about = RunDirectory(base, name).about()
        if name in labs:
            yield _lab(*labs[name], about)
        elif about is not None:
            yield _alone(about)


def _lab(lab: Entry, firewall: FirewallPlan, about: About | None) -> Row:
    name, netns, hosts = firewall.name, firewall.namespace, hosts_of(lab.plan)
    remove = f"`fwemu down {lab.plan.name}` removes the lab"
    if about is not None and about.is_alive:
        state, statistics = _ask(about)
        stuck = f"process {about.pid} does not answer: {remove}" if statistics is None else None
        problem = stuck or _unhooked(statistics)
        return Row(name, "lab", state, netns, problem, about, statistics, hosts)
    pid, started = lab.maker
    if about is None and start_time(pid) == started:
        return Row(name, "lab", BEING_MADE, netns, hosts=hosts)
    return Row(name, "lab", DEAD, netns, f"{_dead(about)}: {remove}", about, None, hosts)


def _dead(about: About | None) -> str:
    """The state of a dead firewall, and what happens to packets now."""
    if about is None:
        return "its firewall is dead"
    passes = {"closed": "nothing passes", "open": "everything passes"}[about.fail]
    return f"its firewall is dead, and {passes} (daemon.fail = {about.fail})"


def _alone(about: About) -> Row:
    if not about.is_alive:
        way_out = f"{_dead(about)}: `fwemu down {about.name}` removes what it has left"
        return Row(about.name, "alone", DEAD, about.netns, way_out, about)
    state, statistics = _ask(about)
    stuck = f"process {about.pid} does not answer: end it" if statistics is None else None
    problem = stuck or _unhooked(statistics)
    return Row(about.name, "alone", state, about.netns, problem, about, statistics)


def _unhooked(statistics: dict[str, Any] | None) -> str | None:
    """The reason why packets pass unseen by the firewall; None if none do."""
    from fwemu.cli.stats import unseen_of

    return unseen_of((statistics or {}).get("hook"))


def _ask(about: About) -> tuple[str, dict[str, Any] | None]:
    """The counters of the firewall."""
    from fwemu.client import Client

    with Client(Path(about.control), PATIENCE) as client:
        try:
            statistics = client.statistics()
            is_hooked = statistics.get("hook", {}).get("in_place") is not False
            return RUNNING if is_hooked else UNHOOKED, statistics
        except ControlError:
            return NOT_ANSWERING, None
