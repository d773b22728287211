"""`fwemu fast-forward`: an hour in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fwemu.cli import words
from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import counted, emit, say
from fwemu.cli.target import connect


@click.command(
    "fast-forward",
    epilog=example("fwemu fast-forward 1h", "fwemu fast-forward 8h --stop-on session-ended"),
)
@which_firewall
@click.argument("time", metavar="TIME", callback=words.required_duration)
@click.option(
    "--stop-on",
    multiple=True,
    type=click.Choice(["session-ended", "connection-lost", "probe-unanswered"]),
    help="Stop at the first such event; may be repeated.",
)
@as_json
def command(
    name: str | None, control: Path | None, time: str, stop_on: tuple[str, ...], as_json: bool
) -> None:
    """Let TIME (1h 5m, 30s) pass in a moment.

    Everything that time would have brought is played in its order: timers of the firewall, and the
    keepalive of every TCP socket in the lab's hosts, by real probes from the real kernels. What
    cannot be played is listed.
    """
    say(f"playing {time} ...")
    with connect(name, control) as client:
        done = client.fast_forward(time, stop_on)
    if as_json:
        emit(done)
        return
    _print(done)


def _print(done: dict[str, Any]) -> None:
    from fwemu.config.duration import Duration

    passed = Duration(round(done["advanced_s"] * 10**9))
    print(f"{passed} passed in {done['wall_s']:.2f} s")
    if done["stopped_at"]:
        print(f"stopped at the first {done['stopped_at'].replace('-', ' ')}")
    for probe in done["probes"]:
        asked = f"sent {counted(probe['sent'], 'keepalive probe')}, {probe['answered']} answered"
        print(f"  {_socket(probe)} {asked}")
    for session in done["sessions_ended"]:
        ends = f"{session['source']}:{session.get('source_port', '')}"
        ends += f" -> {session['destination']}:{session.get('destination_port', '')}"
        print(f"  session {session['session']} {ends}: {session['reason']}")
    for lost in done["connections_lost"]:
        print(f"  {_socket(lost)} lost: {lost['error']}")
    for missing in done["not_played"]:
        where = missing.get("process") or f"{missing['local']} -> {missing['remote']}"
        say(f"not played: {missing['what']}, {where}")


def _socket(socket: dict[str, Any]) -> str:
    return f"{socket['host']} {socket['local']} -> {socket['remote']} ({socket['process']})"
