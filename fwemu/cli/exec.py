"""`fwemu exec`: a command on a host of a lab."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from fwemu.cli.group import did_you_mean, example
from fwemu.cli.options import which_lab
from fwemu.cli.target import choose_lab, hosts_of
from fwemu.cli.words import complete_hosts
from fwemu.errors import FwemuError, NamespaceError, shell_exit_code


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog=example(
        "fwemu exec server -- python3 -m http.server 80",
        "fwemu exec client -- curl 'http://$FWEMU_SERVER_IP/'",
    ),
)
@which_lab
@click.argument("host", shell_complete=complete_hosts)
@click.argument("words", nargs=-1, required=True, metavar="[--] COMMAND...")
def command(name: str | None, host: str, words: tuple[str, ...]) -> None:
    """Run a command on a host of a lab.

    HOST is client, server, firewall, client2 and so on.  The command takes the place of fwemu:
    input, output, signals and exit code are its own.  If there is no such command the exit code is
    127, if it cannot be run 126.

    These variables are in its environment, and are filled in where COMMAND names them (in single
    quotes, or your own shell is first): FWEMU_SERVER_IP, FWEMU_SERVER_IPV6, FWEMU_CLIENT_IP,
    FWEMU_CLIENT_IPV6 (FWEMU_CLIENT2_IP and so on), FWEMU_LAB, FWEMU_HOST, FWEMU_CONTROL and
    FWEMU_API.
    """
    if words[0] == "--":
        words = words[1:]
    elif words[0].startswith("-"):
        raise click.UsageError(f"{words[0]} after HOST: write options before HOST")
    if not words:
        raise click.MissingParameter(param_type="argument", param_hint="COMMAND")
    become(name, host, words)


def become(name: str | None, host: str, words: Sequence[str]) -> NoReturn:
    """Turn this process into a command on a host of a lab."""
    from fwemu import rootless
    from fwemu.lab.lab import translated
    from fwemu.lab.variables import environment, filled_in
    from netns import Namespace

    lab = choose_lab(name)
    hosts = hosts_of(lab.plan)
    if host not in hosts:
        hint = did_you_mean(host, hosts) or f" (there are: {', '.join(hosts)})"
        raise NamespaceError(f"lab {lab.plan.name} has no host {host!r}{hint}")
    variables = {**environment(lab.plan, lab.about), "FWEMU_HOST": host}
    words = filled_in(words, variables)
    rootless.enter_shared()
    with translated(), Namespace.named(hosts[host]["netns"]).enter():
        sys.stdout.flush()
        for number in (
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):  # Python ignores them; programs rely on them
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execvpe(words[0], list(words), {**os.environ, **variables})
        except OSError as error:
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            raise _cannot_run(words[0], host, error) from error


def _cannot_run(program: str, host: str, error: OSError) -> FwemuError:
    problem = FwemuError(f"{host}: cannot run {program!r}: {(error.strerror or '').lower()}")
    problem.exit_code = shell_exit_code(error)
    return problem
