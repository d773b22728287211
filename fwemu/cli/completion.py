"""`fwemu completion`: what a shell needs to complete commands, labs, hosts and settings."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class

from fwemu.cli.group import example
from fwemu.cli.output import program, say
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

    The shell then completes commands, options, labs, hosts, profiles and settings, of `fwemu` as of
    `.venv/bin/fwemu`.  Without an argument it is for the shell in $SHELL.  Names of labs are
    completed for those who may see them.
    """
    chosen = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(chosen) if chosen in _SWITCH_ON else None
    if kind is None:
        raise ConfigError(f"$SHELL is none of {', '.join(_SWITCH_ON)}: write fwemu completion bash")
    from fwemu.cli.main import cli

    print(_with_path(kind(cli, {}, "fwemu", VARIABLE).source()))
    if sys.stdout.isatty():
        say(f"to switch it on: {_SWITCH_ON[chosen].replace('fwemu', program(), 1)}")


def _with_path(script: str) -> str:
    """The script for a `fwemu` that is not on the PATH: it is asked by the path it was called by.

    The script for bash asks the word that stands on the command line; the others ask `fwemu`.
    """
    if program() == "fwemu":
        return script
    path = shlex.quote(os.path.abspath(sys.argv[0]))
    for asking in (f"{VARIABLE}=zsh_complete fwemu)", "(commandline -t) fwemu)"):
        script = script.replace(asking, asking.replace("fwemu)", f"{path})"))
    return script.replace("(( ! $+commands[fwemu] )) && return 1", f"[[ -x {path} ]] || return 1")
