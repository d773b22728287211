"""The records of labs: one directory each, written before anything is made.

So whatever a lab has made can be found and removed, however its maker ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fwemu.daemon.rundir import About, RunDirectory, not_writable, require_own
from fwemu.errors import ConfigError, NamespaceError
from fwemu.lab.plan import LAB_NUMBERS, LabPlan, Layout, Topology, check_name, is_free
from netns import IPNetwork
from netns import names as namespaces
from netns.lock import locked
from netns.procfs import start_time


@dataclass(frozen=True)
class Entry:
    """A lab that is written down."""

    plan: LabPlan
    directory: RunDirectory
    maker: tuple[int, int]
    """Process id and start time of whoever made it."""
    machine: tuple[int, int] | None = None
    """Device and inode of the network namespace in which it was made."""

    @property
    def about(self) -> About | None:
        """The firewall of the lab, if it has announced itself."""
        return self.directory.about()

    @property
    def directories(self) -> list[RunDirectory]:
        """The run directories of its firewalls; the first is that of the lab."""
        base = self.directory.path.parent
        return [RunDirectory(base, firewall.name) for firewall in self.plan.firewalls]

    @property
    def has_firewall(self) -> bool:
        """True if all firewalls of the lab run."""
        abouts = [directory.about() for directory in self.directories]
        return all(about is not None and about.is_alive for about in abouts)

    def remove(self) -> None:
        """Strike it out: its directories go, the record last."""
        for directory in reversed(self.directories):
            directory.remove()


def reserve(
    base: Path,
    name: str | None,
    topology: Topology,
    machine: tuple[int, int] | None = None,
    known: Iterable[IPNetwork] = (),
) -> Entry:
    """Write a new lab down under a name (by default the first free `labN`) and a free number.

    Names of namespaces belong to the whole machine: a name is free if no namespace has it either,
    of a lab in another run directory.  Free is a number that no other lab has and whose networks
    are not among the `known` ones, those of the machine.  `machine` is that of the entry.
    """
    known = list(known)
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    require_own(base)
    with locked(base):
        taken = entries(base)
        names = {entry.plan.name for entry in taken} | {path.name for path in base.iterdir()}
        if name is not None and name in names:
            raise NamespaceError(
                f"a lab called {name!r} exists: `fwemu down {name}` removes it, "
                "or choose another --name"
            )
        numbers = {entry.plan.number for entry in taken}
        free = (each for each in LAB_NUMBERS if each not in numbers and is_free(each, known))
        number = next(free, None)
        if number is None:
            raise NamespaceError(
                f"no addresses are free for another lab: {len(numbers)} of at most "
                f"{len(LAB_NUMBERS)} labs exist (`fwemu ls` shows them, `fwemu down NAME` removes "
                "one), and this machine has routes or rules for the rest (`ip rule`, `ip route`)"
            )
        if name is None:
            unused = (f"lab{n}" for n in range(1, 10_000))
            there = set(namespaces())
            name = next(
                each
                for each in unused
                if not names & _needed(each, topology)
                and there.isdisjoint(LabPlan(each, 0, topology).namespaces)
            )
        elif taken_too := names & _needed(name, topology):
            raise NamespaceError(
                f"{', '.join(sorted(taken_too))} exists, and the second firewall of {name!r} would "
                "be called so: choose another --name"
            )
        directory = RunDirectory(base, name)
        draft = base / f".{name}{_DRAFT}"  # whole or not at all, whenever this process is killed
        shutil.rmtree(draft, ignore_errors=True)
        pid = os.getpid()
        record = {
            "number": number,
            "clients": topology.clients,
            "servers": topology.servers,
            "layout": topology.layout.value,
            "maker": [pid, start_time(pid)],
            "machine": machine,
        }
        try:
            draft.mkdir(mode=0o700)
            (draft / "lab.json").write_text(json.dumps(record) + "\n")
            draft.rename(directory.path)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise not_writable(base, error) from error
        entry = _read(directory)
        for each in entry.directories[1:]:
            each.path.mkdir(mode=0o700)
        return entry


def remove_drafts(base: Path) -> None:
    """Remove the drafts of processes that were killed while they recorded a lab."""
    if not base.is_dir():
        return
    with locked(base):
        for path in base.glob(f".*{_DRAFT}"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


_DRAFT: Final = ".new"


def _needed(name: str, topology: Topology) -> set[str]:
    """The names that the firewalls of such a lab have."""
    return {check_name(firewall.name) for firewall in LabPlan(name, 0, topology).firewalls}


def entries(base: Path) -> list[Entry]:
    """All recorded labs, by name, also those of which little is left.

    Raises PrivilegeError if what is there cannot be trusted.
    """
    require_own(base)
    if not base.is_dir():
        return []
    found = []
    for path in sorted(base.iterdir()):
        with contextlib.suppress(*_NO_LAB):
            found.append(_read(RunDirectory(base, path.name)))
    return found


def entry(base: Path, name: str) -> Entry:
    """The lab with this name; NamespaceError if there is none."""
    for found in entries(base):
        if found.plan.name == name:
            return found
    names = ", ".join(found.plan.name for found in entries(base)) or "none"
    raise NamespaceError(f"there is no lab {name!r} (there are: {names}): `fwemu up` makes one")


_NO_LAB: Final = (
    FileNotFoundError, NotADirectoryError, PermissionError, ValueError, KeyError, TypeError,
    ConfigError,
)  # fmt: skip
"""What `_read` raises for a directory that is not, or only half, a lab's."""


def _read(directory: RunDirectory) -> Entry:
    record = json.loads((directory.path / "lab.json").read_text())
    topology = Topology(
        record["clients"], record["servers"], Layout(record.get("layout", "single"))
    )
    plan = LabPlan(directory.name, record["number"], topology)
    machine = record.get("machine")
    return Entry(plan, directory, tuple(record["maker"]), tuple(machine) if machine else None)
