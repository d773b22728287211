"""`fwemu events`: the firewall log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import duration, emit, flow, octets, printable, say, say_what_a_router_tells
from fwemu.cli.target import connect
from fwemu.errors import ControlError

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
                    print(printable(line(event)), flush=True)
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
    words = _WORDS.get(event["event"], _other)(event)
    return f"{time:%H:%M:%S.%f} {number:>6}  {event['event']:<13} {words}"


def _built(event: Event) -> str:
    how = ", picked up in mid-stream" if event["picked_up"] else ""
    return f"{_flow(event)} from the {event['zone']}, {event['state']}{how}"


def _torn_down(event: Event) -> str:
    packets, size = event["packets"], event["bytes"]
    return (
        f"{_flow(event)} {event['reason']} in {event['state']} after "
        f"{duration(event['duration_s'])}, idle {duration(event['idle_s'])}; "
        f"{packets['original']} packets ({octets(size['original'])}) sent, "
        f"{packets['reply']} ({octets(size['reply'])}) back"
    )


def _denied(event: Event) -> str:
    what = _flow(event) if "source" in event else "a packet"
    segment = f" {event['segment']}" if event["segment"] else ""
    size = octets(event["length"])
    return (
        f"{what}{segment} ({size}) from the {event['zone']}: {event['reason']}, {event['answer']}"
    )


def _other(event: Event) -> str:
    """The fields of `state_changed`, `injected`, `started` and all other events."""
    common = ("number", "time", "at_s", "event", "session")
    fields = ((key, value) for key, value in event.items() if key not in common)
    return " ".join(f"{key}={_plain(value)}" for key, value in fields)


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _flow(event: Event) -> str:
    return f"{event['protocol']} {flow(event)}"


_WORDS: Final[dict[str, Callable[[Event], str]]] = {
    "built": _built,
    "torn_down": _torn_down,
    "denied": _denied,
}
