"""`fwemu events`: the firewall log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import emit, printable, say, say_what_a_router_tells
from fwemu.cli.target import connect
from fwemu.errors import ControlError
from fwemu.lab.event_words import in_a_line

if TYPE_CHECKING:
    from fwemu.client import Client

Event = dict[str, Any]


@click.command(epilog=example("fwemu events --follow"))
@which_firewall
@click.option("--follow", is_flag=True, help="Go on with events as they come, until Ctrl-C.")
@click.option(
    "--after",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Only events with numbers above N.",
)
@click.option(
    "--device-log",
    is_flag=True,
    help="The log in the format of a device instead (setting daemon.device_log).",
)
@as_json
def command(
    name: str | None,
    control: Path | None,
    follow: bool,
    after: int,
    device_log: bool,
    as_json: bool,
) -> None:
    """Show the log of a firewall: what it did, and why.

    Sessions built and torn down, packets denied and injected.  Each line begins with the time of
    day here and the number of the session.
    """
    if device_log and (after or as_json):
        option = "--json" if as_json else "--after"
        raise click.UsageError(
            f"{option} is not for --device-log: its lines are shown as the device writes them"
        )
    with connect(name, control) as client:
        try:
            if device_log:
                _device_log(client, follow)
                return
            say_what_a_router_tells(client.config())
            for event in _follow(client, after) if follow else client.events(after=after):
                if as_json:
                    emit(event)
                else:
                    print(line(event), flush=True)
        except KeyboardInterrupt:
            if not follow:
                raise


def _device_log(client: Client, follow: bool) -> None:
    """The lines of the device log, as they are."""
    from fwemu.config import DeviceLogFormat

    if client.config()["daemon"]["device_log"] == DeviceLogFormat.NONE.value:
        say("no format is chosen: `fwemu set daemon.device_log=cisco-asa`, for one, begins a log")
    try:
        for text in client.device_log(follow=follow):
            print(text, flush=True)
    except ControlError:
        if not follow:
            raise
        say("the firewall has ended")


def _follow(client: Client, after: int) -> Iterator[Event]:
    """Events until the firewall ends."""
    client.status()  # an error if it does not answer now; that it ends later is none
    try:
        yield from client.events(after=after, follow=True)
    except ControlError:
        say("the firewall has ended")


def line(event: Event) -> str:
    """An event as a line for people."""
    time = datetime.fromisoformat(event["time"]).astimezone()
    session = event.get("session")
    number = "-" if session is None else f"#{session}"
    words = printable(in_a_line(event))
    return f"{time:%H:%M:%S.%f} {number:>6}  {event['event']:<13} {words}"
