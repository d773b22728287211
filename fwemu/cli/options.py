"""Options that several commands share, and the completion of names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fwemu.daemon.client import Client
from fwemu.daemon.rundir import About, default_base, firewalls
from fwemu.errors import NamespaceError

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, for machines."
)


def complete_firewalls(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Names of running firewalls."""
    return [about.name for about in firewalls(default_base()) if about.name.startswith(start)]


def complete_profiles(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Names of profiles."""
    from fwemu.config import profiles

    return [name for name in profiles.names() if name.startswith(start)]


def complete_settings(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Keys of settings, as in `timeouts.tcp_established=`."""
    from fwemu.config import catalogue

    keys = (setting.key for setting in catalogue.settings())
    return [f"{key}=" for key in keys if key.startswith(start)]


def behaviour(command: Command) -> Command:
    """--profile, --config and --set: how the firewall behaves."""
    for option in (
        click.option(
            "--set", "settings", multiple=True, metavar="KEY=VALUE",
            shell_complete=complete_settings,
            help="Change one setting, as in timeouts.tcp_established=5s; may be repeated.",
        ),
        click.option(
            "--config", type=click.Path(path_type=Path), metavar="FILE",
            help="A TOML file of settings.",
        ),
        click.option(
            "--profile", metavar="NAME", shell_complete=complete_profiles,
            help="The device to behave like (`fwemu profiles ls`).",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def which_firewall(command: Command) -> Command:
    """--name and --control: the firewall that is meant."""
    for option in (
        click.option(
            "--control", type=click.Path(path_type=Path), metavar="PATH",
            help="Its control socket, instead of its name.",
        ),
        click.option(
            "-n", "--name", metavar="NAME", shell_complete=complete_firewalls,
            help="The firewall or lab; not needed if only one runs.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def choose(name: str | None) -> About:
    """The running firewall of that name, or the only one."""
    running = firewalls(default_base())
    names = ", ".join(about.name for about in running)
    if not running:
        raise NamespaceError("no firewall runs: `fwemu up` starts a lab")
    if name is None:
        if len(running) > 1:
            raise NamespaceError(f"several firewalls run ({names}): say which with --name")
        return running[0]
    for about in running:
        if about.name == name:
            return about
    raise NamespaceError(f"no firewall called {name!r} runs (there are: {names})")


def connect(name: str | None, control: Path | None) -> Client:
    """A client of the firewall that is meant."""
    return Client(control if control is not None else Path(choose(name).control))
