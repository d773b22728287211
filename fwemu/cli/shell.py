"""`fwemu shell`: an interactive shell on a host of a lab."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from fwemu.cli.exec import become
from fwemu.cli.group import example
from fwemu.cli.options import which_lab
from fwemu.cli.output import say
from fwemu.cli.target import choose_lab
from fwemu.cli.words import complete_hosts


@click.command(epilog=example("fwemu shell client"))
@which_lab
@click.argument("host", shell_complete=complete_hosts)
def command(name: str | None, host: str) -> None:
    """Open a shell on a host of a lab.

    HOST is client, server, firewall, client2 and so on.  The shell is $SHELL, or sh.  Its prompt
    says where it is; so do $FWEMU_LAB and $FWEMU_HOST, and $FWEMU_SERVER_IP says where the server
    is (`fwemu exec --help` lists them all).
    """
    lab = choose_lab(name).plan.name
    shell = os.environ.get("SHELL") or "sh"
    prompt = f"({lab} {host}) "
    options = _OPTIONS.get(Path(shell).name, _other)(prompt)
    if os.isatty(0):
        say(f"{host} of {lab}; exit leaves it")
    become(lab, host, [shell, *options])


def _bash(prompt: str) -> list[str]:
    """Its own start-up file sets the prompt, so ours has to come after it; it needs no file."""
    start = os.memfd_create("fwemu-bashrc", 0)
    script = f'[ -f ~/.bashrc ] && . ~/.bashrc\nPS1="{prompt}$PS1"\nexec {start}<&-\n'
    os.write(start, script.encode())
    return ["--rcfile", f"/dev/fd/{start}"]


def _fish(prompt: str) -> list[str]:
    script = f"""
        functions --copy fish_prompt fwemu_inner_prompt
        function fish_prompt; echo -n "{prompt}"; fwemu_inner_prompt; end
    """
    return ["--init-command", script]


def _other(prompt: str) -> list[str]:
    os.environ["PS1"] = f"{prompt}# "
    return []


_OPTIONS: Final[dict[str, Callable[[str], list[str]]]] = {"bash": _bash, "fish": _fish}
"""How a shell that does not take PS1 from the environment is told its prompt."""
