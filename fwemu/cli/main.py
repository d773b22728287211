"""`fwemu`: the commands, their errors and their exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any, Final

import click

from fwemu import __version__
from fwemu.cli.group import Group, did_you_mean, example
from fwemu.cli.output import say
from fwemu.errors import EXIT_CODES, FwemuError, NamespaceError

RUN_DIR: Final = "FWEMU_RUN_DIR"
"""`fwemu.daemon.rundir.RUN_DIR`, which is not loaded for --help; a test compares them."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT); other signals count the same way."""


class Terminated(BaseException):
    """Somebody ended us, or closed the terminal: to be taken like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


COMMANDS: Final = {
    "demo": "fwemu.cli.demo",
    "up": "fwemu.cli.up",
    "down": "fwemu.cli.down",
    "ls": "fwemu.cli.ls",
    "exec": "fwemu.cli.exec",
    "shell": "fwemu.cli.shell",
    "run": "fwemu.cli.run",
    "daemon": "fwemu.cli.daemon",
    "sessions": "fwemu.cli.sessions",
    "events": "fwemu.cli.events",
    "stats": "fwemu.cli.stats",
    "flush": "fwemu.cli.flush",
    "kill": "fwemu.cli.kill",
    "set": "fwemu.cli.set",
    "fast-forward": "fwemu.cli.fast_forward",
    "failover": "fwemu.cli.failover",
    "reboot": "fwemu.cli.reboot",
    "profiles": "fwemu.cli.profiles",
    "scenario": "fwemu.cli.scenario",
    "doctor": "fwemu.cli.doctor",
    "completion": "fwemu.cli.completion",
}
"""The module of each command, in the order of --help; imported when it is used."""


MAKERS: Final = frozenset({"demo", "up", "run", "daemon", "scenario", "doctor"})
"""The commands that make something which has to be removed when they are interrupted."""


class Commands(Group):
    """Imports a command when it is asked for: `fwemu ls` need not wait for what `up` needs.

    Those modules import what is heavy when they run, so that --help and completion are quick.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, as in `| head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return result


def _epilog() -> str:
    rows = [f"  {row.code:<4} {row.meaning}" for row in EXIT_CODES]
    rows.append(f"  {INTERRUPTED:<4} interrupted by Ctrl-C")
    return "\n\n".join(
        [
            example("fwemu up --profile cisco-asa", "fwemu sessions", "fwemu down"),
            "\b\nExit codes (`exec`, `shell` and `run` have that of their command):\n"
            + "\n".join(rows),
            f"\b\nEnvironment:\n  {RUN_DIR}  where running firewalls leave their sockets and "
            "logs\n                 (default /run/fwemu; without root $XDG_RUNTIME_DIR/fwemu or "
            "/tmp/fwemu-UID/fwemu)",
        ]
    )


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_epilog(),
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
        _complain(error)
        return error.exit_code
    except click.ClickException as error:
        say(f"fwemu: {_in_one_line(error)}")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort, Terminated) as interruption:
        words = sys.argv[1:] if arguments is None else arguments
        made = "; everything it had made is removed" if words and words[0] in MAKERS else ""
        with contextlib.suppress(OSError):  # the terminal may be gone
            say(f"fwemu: interrupted{made}")
        return interruption.exit_code if isinstance(interruption, Terminated) else INTERRUPTED
    except Exception as error:
        if not _is_of_netns(error):
            raise
        _complain(error)
        return NamespaceError.exit_code
    return code if isinstance(code, int) else 0


def _complain(error: Exception) -> None:
    for line in str(error).split("\n"):
        say(f"fwemu: {line}")


def _is_of_netns(error: Exception) -> bool:
    """Is it one of the sentences of `netns`?  Nothing loads it here: that takes a while."""
    there = sys.modules.get("netns.errors")
    return there is not None and isinstance(error, there.NetnsError)


def _in_one_line(error: click.ClickException) -> str:
    """A mistake on the command line: the command, the problem, the way out."""
    if isinstance(error, click.NoSuchOption):
        hint = did_you_mean(error.option_name, error.possibilities or ())
        text = f"no such option {error.option_name}{hint}"
    else:
        text = error.format_message().strip().rstrip(".")
        text = text[:1].lower() + text[1:]
    if not isinstance(error, click.UsageError):
        return text
    path = error.ctx.command_path if error.ctx is not None else "fwemu"
    _, _, place = path.partition(" ")
    return f"{place}: {text}; see `{path} --help`" if place else f"{text}; see `{path} --help`"


def entry_point() -> None:
    """The `fwemu` program; SIGTERM and SIGHUP clean up as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    try:
        code = main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left that could be interrupted
    except (KeyboardInterrupt, Terminated):  # once more, while the first is answered
        code = INTERRUPTED
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: what cleans up is not disturbed
    raise Terminated(number)
