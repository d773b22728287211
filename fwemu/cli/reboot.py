"""`fwemu reboot`: the firewall forgets everything and is down for a while."""

from __future__ import annotations

from pathlib import Path

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import counted, emit
from fwemu.cli.target import connect
from fwemu.cli.words import duration


@click.command(epilog=example("fwemu reboot --outage 30s"))
@which_firewall
@click.option(
    "--outage",
    default="30s",
    metavar="TIME",
    show_default=True,
    callback=duration,
    help="How long nothing passes.",
)
@as_json
def command(name: str | None, control: Path | None, outage: str, as_json: bool) -> None:
    """Forget every session and let nothing pass for a while.

    Nobody is told.  Until the firewall is up again every packet is dropped, with the reason
    `rebooting`.  The command does not wait for that; settings stay as they are.
    """
    with connect(name, control) as client:
        count = client.reboot(outage)
    if as_json:
        emit({"sessions": count, "outage": outage})
    else:
        print(f"{counted(count, 'session')} forgotten; nothing passes for {outage}")
