"""`fwemu sessions`: the table, as the firewall knows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, given, which_firewall, which_sessions
from fwemu.cli.output import (
    counted,
    duration,
    emit,
    flow,
    rule_name,
    say_what_a_router_tells,
    table,
)
from fwemu.cli.target import connect


@click.command(epilog=example("fwemu sessions --state ESTABLISHED --port 5432"))
@which_firewall
@which_sessions
@as_json
def command(
    name: str | None,
    control: Path | None,
    protocol: str | None,
    state: str | None,
    host: str | None,
    port: int | None,
    as_json: bool,
) -> None:
    """List the sessions of a firewall, the oldest first.

    All of them, or those that have in common what the options say."""
    match = given(protocol=protocol, state=state, host=host, port=port)
    with connect(name, control) as client:
        found = client.sessions(**match)
        if as_json:
            for session in found:
                emit(session)
            return
        sessions = list(found)
        config = client.config()
    if sessions:
        head = ["ID", "PROTOCOL", "ORIGINAL", "STATE", "IDLE", "EXPIRES IN", "SENT", "BACK", "RULE"]
        table(head, [_cells(session, config["rules"]) for session in sessions])
    print(f"{counted(len(sessions), 'session')}{' that match' if match else ''}")
    say_what_a_router_tells(config)


def _cells(session: dict[str, Any], rules: list[dict[str, Any]]) -> list[object]:
    return [
        session["id"],
        session["protocol"],
        flow(session),
        session["state"],
        duration(session["idle_s"]),
        duration(session["expires_in_s"]),
        session["packets"]["original"],
        session["packets"]["reply"],
        rule_name(session["rule"], rules),
    ]
