"""`fwemu up`: a lab that stays until `fwemu down`."""

from __future__ import annotations

from pathlib import Path

import click

from fwemu.cli.options import as_json, behaviour
from fwemu.cli.output import emit, say


@click.command()
@behaviour
@click.option("--name", metavar="NAME", help="What to call it (default: the first free labN).")
@click.option("--clients", default=1, show_default=True, help="Hosts on the inside.")
@click.option("--servers", default=1, show_default=True, help="Hosts on the outside.")
@as_json
def command(
    profile: str | None,
    config: Path | None,
    settings: tuple[str, ...],
    name: str | None,
    clients: int,
    servers: int,
    as_json: bool,
) -> None:
    """Make a lab: client, firewall and server, each in a network namespace of its own."""
    from fwemu.lab import Lab, Topology

    lab = Lab(
        name=name,
        topology=Topology(clients, servers),
        config=config,
        profile=profile,
        settings=settings,
    )
    say("making client, firewall and server ...")
    lab.up()
    lab.keep()
    about = lab.about
    if as_json:
        emit(
            {
                "name": lab.name,
                "hosts": {
                    **{
                        host.name: {
                            "ipv4": host.ipv4,
                            "ipv6": host.ipv6,
                            "netns": host.namespace.name,
                            "zone": host.zone.word,
                        }
                        for host in lab.hosts.values()
                    },
                    "firewall": lab.firewall_host,
                },
                "control": about.control,
                "metrics": about.metrics,
                "events": about.events,
                "profile": about.profile,
            }
        )
        return
    print(f"{lab.name} is up, behaving like {about.profile or 'a typical firewall'}")
    for host in lab.hosts.values():
        print(f"  {host.name:<9} {host.ipv4:<15} {host.ipv6:<18} {host.zone.word}")
    print(f"  metrics   {about.metrics}")
    suffix = f" -n {lab.name}"
    say(
        f"next: fwemu shell{suffix} client | fwemu exec{suffix} server -- COMMAND | "
        f"fwemu sessions{suffix} | fwemu down {lab.name}"
    )
