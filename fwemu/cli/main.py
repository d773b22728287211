"""`fwemu`: the commands, their errors and their exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final

import click

from fwemu import __version__
from fwemu.errors import EXIT_CODES, FwemuError

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""

COMMANDS: Final = {
    "demo": "fwemu.cli.demo",
    "up": "fwemu.cli.up",
    "down": "fwemu.cli.down",
    "ls": "fwemu.cli.ls",
    "exec": "fwemu.cli.exec",
    "shell": "fwemu.cli.shell",
    "daemon": "fwemu.cli.daemon",
    "sessions": "fwemu.cli.sessions",
    "events": "fwemu.cli.events",
    "stats": "fwemu.cli.stats",
    "flush": "fwemu.cli.flush",
    "kill": "fwemu.cli.kill",
    "set": "fwemu.cli.set",
    "profiles": "fwemu.cli.profiles",
    "doctor": "fwemu.cli.doctor",
    "completion": "fwemu.cli.completion",
}
"""The module of each command, in the order of --help; imported when it is used."""


class Commands(click.Group):
    """Imports a command when it is asked for: `fwemu ls` need not wait for what `up` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return command


def _exit_codes() -> str:
    rows = [f"  {row.code:<4} {row.meaning}" for row in EXIT_CODES]
    return "\b\nExit codes:\n" + "\n".join([*rows, f"  {INTERRUPTED:<4} interrupted by Ctrl-C"])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_exit_codes(),
)
@click.version_option(__version__, prog_name="fwemu")
def cli() -> None:
    """A stateful firewall emulator on real Linux: it forgets connections as real firewalls do.

    Begin with `fwemu demo`.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.  Errors become one line on stderr."""
    try:
        code = cli.main(arguments, prog_name="fwemu", standalone_mode=False)
    except FwemuError as error:
        for line in str(error).splitlines():
            print(f"fwemu: {line}", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("fwemu: interrupted; everything it had made is removed", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, as in `| head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def entry_point() -> None:
    """The `fwemu` program."""
    sys.exit(main())
