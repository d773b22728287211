"""`fwemu completion`: what a shell needs to complete commands, labs, hosts and settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class

from fwemu.cli.group import example
from fwemu.cli.output import say
from fwemu.errors import ConfigError

VARIABLE: Final = "_FWEMU_COMPLETE"
"""By this environment variable the shell asks for completions; click chose its name."""

_SWITCH_ON: Final = {
    "bash": 'eval "$(fwemu completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(fwemu completion zsh)"   # in ~/.zshrc',
    "fish": "fwemu completion fish | source   # in ~/.config/fish/config.fish",
}


@click.command(epilog=example('eval "$(fwemu completion bash)"'))
@click.argument("shell", required=False, type=click.Choice(list(_SWITCH_ON)))
def command(shell: str | None) -> None:
    """Print the script that switches completion on.

    The shell then completes commands, options, labs, hosts, profiles and settings.  Without an
    argument it is for the shell in $SHELL.  Only root sees labs, and so has their names completed.
    """
    chosen = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(chosen) if chosen in _SWITCH_ON else None
    if kind is None:
        raise ConfigError(f"$SHELL is none of {', '.join(_SWITCH_ON)}: write fwemu completion bash")
    from fwemu.cli.main import cli

    print(kind(cli, {}, "fwemu", VARIABLE).source())
    if sys.stdout.isatty():
        say(f"to switch it on: {_SWITCH_ON[chosen]}")
