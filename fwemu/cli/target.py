"""Finds the firewall or the lab that a command is for."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fwemu.core.flow import Zone
from fwemu.daemon import needs
from fwemu.daemon.rundir import OF_ROOT, RUN_DIR, About, default_base, firewalls
from fwemu.errors import ConfigError, FwemuError, NamespaceError

if TYPE_CHECKING:
    from fwemu.client import Client
    from fwemu.lab.plan import LabPlan
    from fwemu.lab.register import Entry

Found = TypeVar("Found")


def choose(name: str | None) -> About:
    """The running firewall of that name, or the only one."""
    running = {about.name: about for about in firewalls(default_base())}
    return _the_one(running, name, "firewall", "no firewall runs: `fwemu up` starts a lab")


def choose_lab(name: str | None) -> Entry:
    """The lab of that name, or the only one; its firewall need not run."""
    from fwemu.lab import register

    labs = {entry.plan.name: entry for entry in register.entries(default_base())}
    return _the_one(labs, name, "lab", "there is no lab: `fwemu up` makes one")


def connect(name: str | None, control: Path | None) -> Client:
    """A client of the firewall that is meant."""
    from fwemu.client import Client, nobody_answers

    path = control if control is not None else Path(choose(name).control)
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except PermissionError as error:
            raise needs.PRIVILEGES.missing() from error
        except OSError as error:
            raise nobody_answers(path) from error
    return Client(path)


def hosts_of(plan: LabPlan) -> dict[str, dict[str, str]]:
    """Addresses, namespace and zone of each host of a lab; a firewall has its inside's."""
    hosts = {
        host.name: {
            "ipv4": host.ipv4,
            "ipv6": host.ipv6,
            "netns": host.namespace,
            "zone": host.zone.word,
        }
        for host in plan.hosts
    }
    for firewall in plan.firewalls:
        ipv4, ipv6 = plan.addresses(Zone.INSIDE, firewall.number)
        hosts[firewall.host] = {"ipv4": ipv4, "ipv6": ipv6, "netns": firewall.namespace}
    return hosts


def nothing_found(sentence: str) -> FwemuError:
    """The error where nothing runs, or nothing that this user may see."""
    if needs.is_privileged():
        return NamespaceError(sentence)
    from netns import userns

    has_some = OF_ROOT.is_dir() and any(OF_ROOT.iterdir())
    if has_some and os.geteuid() == 0:  # root without capabilities: it may ask them all the same
        return NamespaceError(f"{sentence} (some are in {OF_ROOT}: set {RUN_DIR} to it)")
    if userns.refusal() is not None:
        return needs.PRIVILEGES.missing(needs.without_root())
    return NamespaceError(sentence + (" (root has some: ask with sudo)" if has_some else ""))


def _the_one(found: Mapping[str, Found], name: str | None, what: str, nothing: str) -> Found:
    if not found:
        raise nothing_found(nothing)
    names = ", ".join(found)
    if name is None:
        if len(found) > 1:
            raise ConfigError(f"there are several {what}s ({names}): say which with --name")
        return next(iter(found.values()))
    if name not in found:
        raise NamespaceError(f"there is no {what} {name!r} (there are: {names})")
    return found[name]
