"""`fwemu flush`: empties the table."""

from __future__ import annotations

from pathlib import Path

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import counted, emit
from fwemu.cli.target import connect


@click.command(epilog=example("fwemu flush"))
@which_firewall
@as_json
def command(name: str | None, control: Path | None, as_json: bool) -> None:
    """Forget every session at once and tell nobody.

    Nightly clean-ups and reboots of firewalls do that."""
    with connect(name, control) as client:
        count = client.flush()
    if as_json:
        emit({"sessions": count})
    else:
        print(f"{counted(count, 'session')} flushed")
