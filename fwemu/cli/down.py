"""`fwemu down`: takes labs away, whatever is left of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json
from fwemu.cli.output import emit, say
from fwemu.cli.words import complete_labs
from fwemu.daemon.rundir import default_base, firewalls, start_time
from fwemu.errors import ConfigError, NamespaceError

if TYPE_CHECKING:
    from fwemu.lab.register import Entry


@click.command(epilog=example("fwemu down"))
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_labs)
@click.option(
    "--all", "everything", is_flag=True, help="Every lab, also what killed ones have left."
)
@as_json
def command(names: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Remove labs: firewall, namespaces and the processes inside.  Nothing else is touched."""
    from fwemu import rootless
    from fwemu.lab import register
    from fwemu.lab.lab import remove

    rootless.enter_shared()
    base = default_base()
    if everything:
        chosen = register.entries(base)
    elif names:
        chosen = [_lab(base, name) for name in names]
    else:
        chosen = register.entries(base)
        if len(chosen) > 1:
            labs = ", ".join(entry.plan.name for entry in chosen)
            raise ConfigError(f"several labs exist ({labs}): name one, or say --all")
    if not chosen:
        say("there is no lab")
    for entry in chosen:
        pid, started = entry.maker
        if everything and not entry.has_firewall and start_time(pid) == started:
            say(f"{entry.plan.name}: is just being made by process {pid}; left alone")
            continue
        remove(entry, say)
        if as_json:
            emit({"name": entry.plan.name, "removed": True})
        else:
            print(f"{entry.plan.name} is gone")


def _lab(base: Path, name: str) -> Entry:
    """The lab with this name; a firewall that is no lab is ended where it was started."""
    from fwemu.lab import register

    alone = {about.name: about for about in firewalls(base)}
    entries = register.entries(base)
    for entry in entries:
        if name in [firewall.name for firewall in entry.plan.firewalls[1:]]:
            raise NamespaceError(
                f"{name!r} is the second firewall of a lab: `fwemu down {entry.plan.name}` removes "
                "both"
            )
    if name in alone and name not in [entry.plan.name for entry in entries]:
        raise NamespaceError(
            f"{name!r} is a firewall without a lab: end it with Ctrl-C where it runs, "
            f"or with `kill {alone[name].pid}`"
        )
    return register.entry(base, name)
