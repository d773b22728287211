"""`fwemu daemon`: the firewall alone, in a namespace that something else has built."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fwemu.cli.group import example
from fwemu.cli.options import PATH, api, behaviour, host_and_port, must_be_local, time_scale
from fwemu.cli.output import emit, say
from fwemu.daemon import needs
from fwemu.errors import NamespaceError

if TYPE_CHECKING:
    from fwemu.daemon.rundir import About
    from netns import Namespace


@click.command(epilog=example("fwemu daemon --netns router --inside eth0 --outside eth1"))
@click.option(
    "--netns",
    metavar="NAME",
    help="The namespace that forwards (a name of `ip netns`, or a path); default: the present one.",
)
@behaviour
@click.option(
    "--inside", multiple=True, metavar="IFACE", help="An interface of the inside; may be repeated."
)
@click.option(
    "--outside",
    multiple=True,
    metavar="IFACE",
    help="An interface of the outside; may be repeated.",
)
@click.option(
    "--control",
    type=PATH,
    metavar="PATH",
    help="Where to put the control socket.",
)
@click.option(
    "--metrics",
    callback=host_and_port,
    metavar="HOST:PORT",
    help="Serve Prometheus metrics there too.",
)
@api
@click.option("--api-open", is_flag=True, help="Let --api be an address that others can reach.")
@click.option(
    "--log",
    type=PATH,
    metavar="FILE",
    help="Write the firewall log there and leave it; a device log comes beside it.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="[NAME=]NETNS",
    help="A host: `fwemu fast-forward` plays the sockets of its namespace; may be repeated.",
)
@time_scale
@click.option("-n", "--name", metavar="NAME", help="What to call it (default: daemon-PID).")
@click.option("--run-dir", type=PATH, hidden=True)
@click.option("--of-lab", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Say `ready` as a JSON object.")
def command(
    netns: str | None,
    profile: str | None,
    config: Path | None,
    settings: tuple[str, ...],
    inside: tuple[str, ...],
    outside: tuple[str, ...],
    control: Path | None,
    metrics: tuple[str, int] | None,
    api: tuple[str, int] | None,
    api_open: bool,
    log: Path | None,
    hosts: tuple[str, ...],
    time_scale: int,
    name: str | None,
    run_dir: Path | None,
    of_lab: bool,
    as_json: bool,
) -> None:
    """Run a firewall alone, in a namespace that is there already.

    It stays in the foreground, hooks into the forwarding of that namespace and says `ready` when
    packets are being decided.  Ctrl-C or SIGTERM ends it and takes the hook away.
    """
    from fwemu import virtual_time
    from fwemu.config import load
    from fwemu.daemon.rundir import RunDirectory, default_base
    from fwemu.lab.plan import check_name, check_time_scale

    zones = [f"daemon.inside={list(inside)}"] if inside else []
    zones += [f"daemon.outside={list(outside)}"] if outside else []
    loaded = load(config, profile, [*settings, *zones])
    check_time_scale(time_scale, hosts)
    if not api_open:
        must_be_local(api)
    namespace = _namespace(netns)
    name = check_name(name) if name is not None else f"daemon-{os.getpid()}"
    directory = RunDirectory(run_dir or default_base(), name, is_lab=of_lab)
    named = _by_name(hosts)
    beside = None if of_lab else directory  # in a lab there is no other firewall
    fast_forwarder, pace = virtual_time.of(named, time_scale, beside)

    from fwemu.daemon.service import DaemonOptions, run
    from fwemu.virtual_time.claim import claimed

    options = DaemonOptions(
        name=name,
        namespace=namespace,
        config=loaded,
        directory=directory,
        control=control or directory.control,
        log=log,
        metrics=metrics,
        api=api,
        fast_forwarder=fast_forwarder,
        time_scale=time_scale,
        pace=pace,
    )
    with claimed(named, name):
        run(options, say=say, on_ready=_emit_ready if as_json else _say_ready)


def _namespace(netns: str | None) -> Namespace:
    """The one that is meant; this process becomes who may enter it."""
    from fwemu import rootless
    from netns import Namespace, NetnsError

    if netns is not None and "/" in netns:
        rootless.enter_owner(netns)
    else:
        needs.require_privileges()
    try:
        if netns is None:
            return Namespace.current()
        return Namespace.at(netns) if "/" in netns else Namespace.named(netns)
    except NetnsError as error:
        raise NamespaceError(f"--netns: {error}") from error


def _by_name(hosts: tuple[str, ...]) -> dict[str, str]:
    """The namespaces of the hosts by what people call them: `[NAME=]NETNS`."""
    split = (host.rpartition("=") for host in hosts)
    return {name or netns: netns for name, _, netns in split}


def _emit_ready(about: About) -> None:
    """For machines."""
    emit(
        {
            "ready": True,
            "name": about.name,
            "control": about.control,
            "metrics": about.metrics,
            "api": about.api,
        }
    )


def _say_ready(about: About) -> None:
    """For people."""
    print("ready", flush=True)
    say(f"control socket {about.control}")
    if about.metrics:
        say(f"metrics at {about.metrics}")
    if about.api:
        say(f"control API at {about.api}")
