"""The words of options and arguments, and their completion.

The functions called `complete_...` are what click calls for a word that is half written.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from contextlib import suppress

import click
from click.shell_completion import CompletionItem

from fwemu.cli.group import did_you_mean
from fwemu.cli.target import hosts_of
from fwemu.core.flow import PROTOCOL_NAMES, protocol_name
from fwemu.core.tcp_table import State
from fwemu.daemon.rundir import default_base, firewalls
from fwemu.errors import ConfigError, FwemuError

_STATES = tuple(state.name for state in State if state)
_PROTOCOLS = tuple(PROTOCOL_NAMES.values())


def complete_firewalls(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Names of running firewalls."""
    with suppress(FwemuError):  # a run directory that cannot be trusted
        return _beginning(start, [about.name for about in firewalls(default_base())])
    return []


def complete_labs(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Names of labs."""
    from fwemu.lab import register

    with suppress(FwemuError):
        return _beginning(start, [entry.plan.name for entry in register.entries(default_base())])
    return []


def complete_hosts(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Names of hosts: those of the lab that is named already, or of all."""
    from fwemu.lab import register

    name = ctx.params.get("name")
    with suppress(FwemuError):
        labs = [lab for lab in register.entries(default_base()) if name in (None, lab.plan.name)]
        return _beginning(start, dict.fromkeys(host for lab in labs for host in hosts_of(lab.plan)))
    return []


def complete_profiles(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Names of profiles."""
    from fwemu.config import profiles

    return _beginning(start, profiles.names())


def complete_stories(
    ctx: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """Topics and names of stories; files where there is none."""
    from fwemu.scenarios import library

    known = _beginning(start, (*library.topics(), *library.names()))
    return [CompletionItem(name) for name in known] or [CompletionItem(start, type="file")]


def complete_settings(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Keys of settings, as in `timeouts.tcp_established=`."""
    return _settings(start, live_only=False)


def complete_live_settings(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Keys of the settings that can change while a firewall runs."""
    return _settings(start, live_only=True)


def complete_states(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """States of sessions."""
    return _beginning(start.upper(), _STATES)


def complete_protocols(ctx: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Protocols that have a name."""
    return _beginning(start, _PROTOCOLS)


def state(ctx: click.Context, parameter: click.Parameter, word: str | None) -> str | None:
    """The state as the API spells it."""
    if word is None or word.upper() in _STATES:
        return word and word.upper()
    hint = did_you_mean(word.upper(), _STATES) or f" (there are {', '.join(_STATES)})"
    raise ConfigError(f"--state {word}: no such state{hint}")


def protocol(ctx: click.Context, parameter: click.Parameter, word: str | None) -> str | None:
    """The protocol as the API spells it: its name, or its number if it has none."""
    if word is None or word.lower() in _PROTOCOLS:
        return word and word.lower()
    if word.isdecimal() and int(word) < 256:
        return protocol_name(int(word))
    raise ConfigError(f"--protocol {word}: give {', '.join(_PROTOCOLS)} or a number up to 255")


def duration(ctx: click.Context, parameter: click.Parameter, word: str | None) -> str | None:
    """A length of time as people write it; the API reads it again."""
    from fwemu.config.duration import Duration

    try:
        return word and str(Duration.parse(word))
    except ValueError as error:
        raise ConfigError(f"{parameter.opts[0]}: {error}") from None


def duration_of_words(
    ctx: click.Context, parameter: click.Parameter, words: tuple[str, ...]
) -> str:
    """The same for an argument, which need not be quoted: `1h 5m` are two words to a shell."""
    return duration(ctx, parameter, " ".join(words)) or ""


def address(ctx: click.Context, parameter: click.Parameter, word: str | None) -> str | None:
    """The IP address as the API spells it."""
    try:
        return word and str(ipaddress.ip_address(word))
    except ValueError:
        raise ConfigError(
            f"--host {word}: not an IP address (write one as in 198.19.1.10 or 2001:2:0:1901::10)"
        ) from None


def _settings(start: str, *, live_only: bool) -> list[str]:
    from fwemu.config import catalogue

    settings = [
        setting
        for setting in catalogue.settings()
        if "[]" not in setting.path and (setting.is_live or not live_only)
    ]
    return _beginning(start, (f"{setting.key}=" for setting in settings))


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]
