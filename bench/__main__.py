"""`python -m bench`: measures, and says what came out."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Final

import click

from bench.report import Figure, Progress, machine, tell
from bench.run import Run
from fwemu.cli.output import emit, say, table
from fwemu.daemon.needs import PRIVILEGES, is_privileged
from fwemu.errors import FwemuError

MEASURES: Final = {
    "latency": True,
    "bulk": True,
    "connections": True,
    "packets": True,
    "api": True,
    "startup": True,
    "fast_forward": True,
    "applications": True,
    "core": False,
    "memory": False,
}
"""Each a module of this package; does it need root?"""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice(list(MEASURES)), help="Only this measure.")
@click.option("--quick", is_flag=True, help="A short run: shows that it works, proves nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, the machine first.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of that firewall.")
@click.pass_context
def cli(
    context: click.Context,
    only: tuple[str, ...],
    quick: bool,
    as_json: bool,
    settings: tuple[str, ...],
) -> None:
    """Measure fwemu on this machine; every figure of the README comes from here (5 minutes)."""
    if context.invoked_subcommand is not None:
        return
    chosen = [name for name in MEASURES if not only or name in only]
    if not is_privileged() and any(MEASURES[name] for name in chosen):
        raise PRIVILEGES.missing()
    facts = machine()
    if as_json:
        emit(facts)
    figures: list[Figure] = []
    with Run(quick=quick, progress=Progress(), settings=settings) as run:
        for name in chosen:
            run.progress.say(name)
            came_out = import_module(f"bench.{name}").figures(run)
            figures += came_out
            if as_json:
                for figure in came_out:
                    emit(figure.record)
    if not as_json:
        tell(figures)
        print("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))


@cli.command()
def ls() -> None:
    """List the measures."""
    rows = []
    for name, needs_root in MEASURES.items():
        sentence = (import_module(f"bench.{name}").__doc__ or "").partition("\n")[0]
        rows.append((name, "root" if needs_root else "", sentence))
    table(("measure", "needs", "what it measures"), rows)


def main() -> int:
    """Run it; a person's mistake is one line, and Ctrl-C leaves nothing behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cli.main(prog_name="python -m bench", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("bench: interrupted")
        return 130
    except FwemuError as error:
        say(f"bench: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
