"""`fwemu up`: a lab that stays until `fwemu down`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from fwemu.cli.group import example
from fwemu.cli.options import api, as_json, behaviour, must_be_local, time_scale, topology
from fwemu.cli.output import emit, program, say
from fwemu.cli.target import choose_lab, hosts_of


@click.command(epilog=example("fwemu up --profile cisco-asa --set timeouts.tcp_established=5s"))
@behaviour
@click.option(
    "-n", "--name", metavar="NAME", help="What to call it (default: the first free labN)."
)
@click.option("--clients", default=1, metavar="N", show_default=True, help="Hosts on the inside.")
@click.option("--servers", default=1, metavar="N", show_default=True, help="Hosts on the outside.")
@topology
@api
@time_scale
@as_json
def command(
    profile: str | None,
    config: Path | None,
    settings: tuple[str, ...],
    name: str | None,
    clients: int,
    servers: int,
    layout: str,
    api: tuple[str, int] | None,
    time_scale: int,
    as_json: bool,
) -> None:
    """Make a lab: client, firewall and server, each a namespace.

    An asymmetric lab has two firewalls with the same settings: what clients send passes the first,
    which has the lab's name, and what servers send the second, which has that name and -b.

    Lab N has 198.18.N.0/24 and 2001:2:0:18NN::/64 inside, 198.19.N.0/24 and 2001:2:0:19NN::/64
    outside (NN: hexadecimal); there is room for 254 labs. While it stands this machine reaches none
    of them but from its hosts.
    """
    from fwemu import rootless
    from fwemu.daemon.checks import explaining
    from fwemu.lab import Lab, Layout, Topology

    must_be_local(api)
    lab = Lab(
        name=name,
        topology=Topology(clients, servers, Layout(layout)),
        config=config,
        profile=profile,
        settings=settings,
        time_scale=time_scale,
        api=api,
    )
    has_moved = rootless.enter_shared()
    say(f"making client, {_FIREWALLS[layout]} and server ...")
    with _signals_kept() as kept:
        with explaining():
            lab.up()
        if kept:
            lab.close()
        else:
            lab.keep()
    if kept:
        signal.raise_signal(kept[0])
    about, hosts = lab.about, hosts_of(choose_lab(lab.name).plan)
    scaled = None
    if time_scale > 1:
        from fwemu.client import Client

        with Client(Path(about.control)) as client:
            scaled = client.time_scale()
        _tell_scale(scaled)
    if as_json:
        emit(
            {
                "name": lab.name,
                "hosts": hosts,
                "control": about.control,
                "metrics": about.metrics,
                "api": about.api,
                "events": about.events,
                "device_log": about.device_log,
                "profile": about.profile,
                "time_scale": about.time_scale,
                "time_scale_report": scaled,
                "firewalls": [
                    {
                        "name": each.name,
                        "netns": each.netns,
                        "control": each.control,
                        "metrics": each.metrics,
                        "api": each.api,
                        "events": each.events,
                        "device_log": each.device_log,
                    }
                    for each in lab.abouts
                ],
            }
        )
        return
    print(f"{lab.name} is up, behaving like {about.profile or 'a typical firewall'}")
    for host in lab.hosts.values():
        print(f"  {host.name:<9} {host.ipv4:<15} {host.ipv6:<18} {host.zone.word}")
    is_reachable = not has_moved
    for each in lab.abouts:
        which = "" if each is about else f" of {each.name}, which servers send through"
        print(f"  control   {each.control}{which}")
        if is_reachable:
            print(f"  metrics   {each.metrics}{which}")
        if each.api and is_reachable:
            print(f"  api       {each.api}{which}")
    if not is_reachable:
        say(
            "from outside the control socket alone is reached, /metrics included: all other "
            "addresses are inside the user namespace"
        )
    suffix = f" -n {lab.name}"
    me = program()
    say(
        f"next: {me} shell{suffix} client | {me} exec{suffix} server -- COMMAND | "
        f"{me} sessions{suffix} | {me} down {lab.name}"
    )


def _tell_scale(report: dict[str, Any]) -> None:
    """The scaled settings, each once."""
    say(f"time passes {report['time_scale']} times faster:")
    for text in dict.fromkeys(each["text"] for each in report["settings"]):
        say(f"  {text}")
    for each in report["not_scaled"]:
        became = ""
        if "real_s" in each:
            became = f": {each['real_s']:g} s, as {each['virtual_s']:g} s would be"
        say(f"  not scaled: {each['what']}{became}")


_FIREWALLS: Final = {"single": "firewall", "asymmetric": "two firewalls"}


@contextmanager
def _signals_kept() -> Iterator[list[int]]:
    """Ctrl-C and the like are written down instead of followed, so that nothing stays half made.

    A lab takes about a second to make, and it can be removed for certain only when it is whole.
    """
    kept: list[int] = []

    def keep(number: int, frame: FrameType | None) -> None:
        if not kept:
            say("removing what was made so far ...")
        kept.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, keep) for number in numbers}
    try:
        yield kept
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
