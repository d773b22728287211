"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fwemu.cli import words
from fwemu.errors import ConfigError
from fwemu.lab.plan import Layout

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path, readable=False)
"""Looked at when it is used and not before: what is wrong with it is said better there."""

as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, for machines."
)


def host_and_port(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, int] | None:
    """An address to listen at, as in 127.0.0.1:9100; without a host the loopback address."""
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{parameter.opts[0]} {text!r}: write HOST:PORT, as in 127.0.0.1:9100")
    return host.strip("[]") or "127.0.0.1", int(port)


def must_be_local(address: tuple[str, int] | None) -> None:
    """Raise ConfigError if the API would be served at an address that others can reach."""
    from fwemu.daemon.browser_guard import is_loopback

    if address is not None and not is_loopback(address[0]):
        raise ConfigError(
            f"--api {address[0]}: whoever reaches it can steer the firewall; write 127.0.0.1 "
            "(or let `fwemu daemon` have it with --api-open)"
        )


api = click.option(
    "--api", callback=host_and_port, metavar="HOST:PORT",
    help="Serve the control API on a loopback port of this machine too (0: a free one).",
)  # fmt: skip

topology = click.option(
    "--topology", "layout", type=click.Choice([each.value for each in Layout]),
    default=Layout.SINGLE.value,
    show_default=True,
    help="One firewall that sees both directions, or a pair that sees one each.",
)  # fmt: skip

which_lab = click.option(
    "-n", "--name", metavar="NAME", shell_complete=words.complete_labs,
    help="The lab; not needed if there is only one.",
)  # fmt: skip


def behaviour(command: Command) -> Command:
    """--profile, --config and --set: how the firewall behaves."""
    for option in (
        click.option(
            "--set", "settings", multiple=True, metavar="KEY=VALUE",
            shell_complete=words.complete_settings,
            help="Change one setting, as in timeouts.tcp_established=5s; may be repeated.",
        ),
        click.option(
            "--config", type=PATH, metavar="FILE",
            help="A TOML file of settings.",
        ),
        click.option(
            "--profile", metavar="NAME", shell_complete=words.complete_profiles,
            help="The device to behave like (`fwemu profiles ls`).",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


time_scale = click.option(
    "--time-scale", type=int, default=1, metavar="N",
    help="Time passes N times faster, at the firewall and in the kernels of the hosts.",
)  # fmt: skip


ready_timeout = click.option(
    "--ready-timeout", metavar="TIME", default="30s", show_default=True, callback=words.duration,
    help="How long the servers may take until they listen.",
)  # fmt: skip


def which_firewall(command: Command) -> Command:
    """--name and --control: the firewall that is meant."""
    for option in (
        click.option(
            "--control", type=PATH, metavar="PATH",
            help="Its control socket, instead of its name.",
        ),
        click.option(
            "-n", "--name", metavar="NAME", shell_complete=words.complete_firewalls,
            help="The firewall or lab; not needed if only one runs.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def which_sessions(command: Command) -> Command:
    """--protocol, --state, --host and --port: sessions by what they have in common."""
    for option in (
        click.option(
            "--port", type=click.IntRange(0, 65535), metavar="NUMBER",
            help="Those with this port at either end.",
        ),
        click.option(
            "--host", metavar="ADDRESS", callback=words.address,
            help="Those with this address at either end.",
        ),
        click.option(
            "--state", metavar="STATE", callback=words.state, shell_complete=words.complete_states,
            help="Those in this state, as in ESTABLISHED.",
        ),
        click.option(
            "--protocol", metavar="NAME", callback=words.protocol,
            shell_complete=words.complete_protocols,
            help="Those of tcp, udp, icmp, icmpv6 or a protocol number.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def given(**match: Any) -> dict[str, Any]:
    """The given options only."""
    return {key: value for key, value in match.items() if value is not None}
