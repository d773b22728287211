"""`fwemu set`: changes the settings of a running firewall, or shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import emit, say
from fwemu.cli.target import connect
from fwemu.cli.words import complete_live_settings


@click.command(epilog=example("fwemu set timeouts.tcp_established=30s expiry.action=reset-both"))
@which_firewall
@click.option(
    "--flush", is_flag=True, help="Empty the table in the same step, as a policy push may do."
)
@click.argument(
    "settings", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=complete_live_settings
)
@as_json
def command(
    name: str | None,
    control: Path | None,
    flush: bool,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change settings of a running firewall, or show them.

    If one is wrong nothing is changed.  Sessions that are open follow at once.  Without arguments
    every setting is shown as TOML.
    """
    from fwemu.config import toml

    if flush and not settings:
        raise click.UsageError("--flush goes with settings (`fwemu flush` only empties the table)")
    with connect(name, control) as client:
        before = client.config()
        after = client.configure(settings, flush=flush) if settings else before
    if not settings:
        if as_json:
            emit(after)
        else:
            print(toml.write(after), end="")
        return
    changes = _changes(before, after)
    for key, (old, new) in changes.items():
        if as_json:
            emit({"key": key, "before": old, "after": new})
        else:
            texts = ["none" if value is None else toml.value(value) for value in (old, new)]
            print(f"{key}: {texts[0]} -> {texts[1]}")
    if not changes:
        say("nothing changed: that is how it was")
    if flush:
        say("the table was emptied")


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The changed settings by dotted key: values before and after, None where there is none."""
    old, new = _leaves(before), _leaves(after)
    return {
        key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)
    }


def _leaves(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            leaves |= _leaves(value, f"{above}{key}.")
        else:
            leaves[f"{above}{key}"] = value
    return leaves
