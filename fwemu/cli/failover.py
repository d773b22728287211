"""`fwemu failover`: the peer takes over, with what it knows."""

from __future__ import annotations

from pathlib import Path

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import counted, emit
from fwemu.cli.target import connect
from fwemu.cli.words import duration
from fwemu.core.choices import PeerState


@click.command(
    epilog=example(
        "fwemu failover --state none",
        "fwemu set standby.state=synchronised standby.lag=5s",
        "fwemu failover",
    )
)
@which_firewall
@click.option(
    "--state",
    type=click.Choice([each.value for each in PeerState]),
    help="What the peer knows of sessions: nothing, or all that it has heard of.",
)
@click.option(
    "--lag",
    metavar="TIME",
    callback=duration,
    help="How old that is, as in 5s; at most standby.lag.",
)
@as_json
def command(
    name: str | None,
    control: Path | None,
    state: str | None,
    lag: str | None,
    as_json: bool,
) -> None:
    """Let the peer of this firewall take over.

    What it knows is in the settings standby.state and standby.lag, unless it is given here.
    Sessions opened within the lag are lost, states are those of then, and sessions that have ended
    since are there again.  All timers begin anew, and nobody is told.
    """
    with connect(name, control) as client:
        done = client.fail_over(state=state, lag=lag)
    if as_json:
        emit(done)
        return
    kept = counted(done["kept"], "session")
    lost = f"{counted(done['lost'], 'session')} lost"
    if done["state"] == PeerState.NONE.value:
        print(f"the peer took over, without state: {lost}")
    else:
        print(f"the peer took over, {done['lag_s']:g} s behind: {kept} kept, {lost}")
    if done["returned"]:
        print(f"{counted(done['returned'], 'session')} that had ended came back")
