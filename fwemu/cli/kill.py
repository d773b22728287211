"""`fwemu kill`: ends sessions before their time."""

from __future__ import annotations

from pathlib import Path

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, given, which_firewall, which_sessions
from fwemu.cli.output import counted, emit
from fwemu.cli.target import connect
from fwemu.core.choices import AtExpiry
from fwemu.errors import FwemuError


def _share(ctx: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """`10%` or `0.1` as a fraction of one."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text!r} is not a share: write 10% or 0.1", ctx, parameter)
    return share


@click.command(epilog=example("fwemu kill --port 5432 --notify reset-both"))
@which_firewall
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[ID]...")
@which_sessions
@click.option("--share", metavar="10%", callback=_share, help="So many of all, chosen by chance.")
@click.option(
    "--notify",
    type=click.Choice([each.value for each in AtExpiry if each.tells_at_once]),
    default=AtExpiry.SILENT.value,
    show_default=True,
    help="Who gets a RST: nobody, both ends, the opener, or its peer.",
)
@as_json
def command(
    name: str | None,
    control: Path | None,
    ids: tuple[int, ...],
    protocol: str | None,
    state: str | None,
    host: str | None,
    port: int | None,
    share: float | None,
    notify: str,
    as_json: bool,
) -> None:
    """End sessions: by number, by what they share, or by chance.

    `fwemu sessions` shows the numbers.  A number of which there is no session is an error; the
    others are ended all the same.
    """
    match = given(protocol=protocol, state=state, host=host, port=port)
    which = given(ids=list(ids) or None, match=match or None, share=share)
    if len(which) != 1:
        raise click.UsageError(
            "say which sessions: their numbers, or --protocol, --state, --host, --port, or --share"
            if not which
            else "give numbers, or what sessions have in common, or --share: one of these"
        )
    with connect(name, control) as client:
        done = client.end_sessions(notify=notify, **which)
    if as_json:
        emit(done)
    else:
        print(f"{counted(done['sessions'], 'session')} killed")
    if done["missing"]:
        numbers = ", ".join(map(str, done["missing"]))
        raise FwemuError(f"kill: no session {numbers} (ended already? `fwemu sessions` lists them)")
