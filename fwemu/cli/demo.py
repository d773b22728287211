"""`fwemu demo`: the same application behind four firewalls, side by side."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, ready_timeout
from fwemu.cli.output import emit, program, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fwemu.lab import Lab
    from fwemu.scenarios.demo import LaneRun

FRAME: Final = 0.1
"""Seconds between two pictures."""

_COLOURS: Final = {"survived": "green", "timed-out": "red", "reset": "yellow", None: "white"}


@click.command(epilog=example("fwemu demo"))
@ready_timeout
@as_json
def command(ready_timeout: str, as_json: bool) -> None:
    """Show how four firewalls treat the same quiet connection.

    Takes about ten seconds and leaves nothing behind.
    """
    from fwemu import rootless
    from fwemu.config.duration import Duration
    from fwemu.daemon.checks import explaining
    from fwemu.scenarios.demo import LANES, LaneRun

    ready_within = Duration.parse(ready_timeout).seconds
    rootless.enter()
    runs = [LaneRun(lane) for lane in LANES]
    say("making four labs: client, firewall and server each ...")
    with explaining(), _labs(runs, ready_within) as labs:
        _run_all(runs, labs, live=not as_json)
    if as_json:
        for run in runs:
            emit(run.record)
    else:
        _summary(runs)


@contextmanager
def _labs(runs: Sequence[LaneRun], ready_within: float | None) -> Iterator[list[Lab]]:
    """A lab for each, made side by side; all of them are gone at the end, come what may."""
    from fwemu.scenarios.demo import make_lab

    with ThreadPoolExecutor(len(runs)) as workers, ExitStack() as undo:
        making = [workers.submit(make_lab, run.lane, ready_within) for run in runs]

        def remove() -> None:
            made = [future.result() for future in making if future.exception() is None]
            list(workers.map(lambda lab: lab.close(), made))

        undo.callback(remove)
        try:
            yield [future.result() for future in making]
        except BaseException:
            with suppress(OSError):  # the terminal may be gone
                say("removing what was made ...")
            raise


def _run_all(runs: Sequence[LaneRun], labs: Sequence[Lab], *, live: bool) -> None:
    """All lanes at once, each in a thread, until the last one is told."""
    from fwemu.scenarios.demo import Interrupted, run_lane

    stop = threading.Event()
    started = time.monotonic()

    def act(run: LaneRun, lab: Lab) -> None:
        with suppress(Interrupted):
            run_lane(run, lab, started, stop)

    with ThreadPoolExecutor(len(runs)) as actors:
        acts = [actors.submit(act, *lane) for lane in zip(runs, labs, strict=True)]
        try:
            with _picture(runs, started, live) as draw:
                while not all(future.done() for future in acts):
                    draw()
                    time.sleep(FRAME)
                draw()
        finally:
            stop.set()
        for future in acts:
            future.result()


@contextmanager
def _picture(runs: Sequence[LaneRun], started: float, live: bool) -> Iterator[Callable[[], None]]:
    """Shows the lanes: side by side on a terminal, else a line for each step."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if live and console.is_terminal:
        width = min(46, (console.width - 1) // 2)
        with Live(console=console, auto_refresh=False) as screen:
            yield lambda: screen.update(_lanes(runs, width), refresh=True)
        return
    told = dict.fromkeys(range(len(runs)), 0)

    def lines() -> None:
        for index, run in enumerate(runs):
            for at, text in run.steps[told[index] :]:
                say(f"{at:6.2f} s  {run.lane.title:<24} {text}")
            told[index] = len(run.steps)

    yield lines


def _lanes(runs: Sequence[LaneRun], width: int) -> RenderableType:
    from rich.columns import Columns
    from rich.panel import Panel

    panels = []
    for run in runs:
        lines = [f"{at:5.1f} s  {text}" for at, text in run.steps]
        lines += [""] * (8 - len(lines))
        colour = _COLOURS[run.outcome]
        title = f"{run.lane.title}{f': {run.outcome}' if run.outcome else ''}"
        panels.append(
            Panel(
                "\n".join(lines), title=title, border_style=colour, width=width, title_align="left"
            )
        )
    return Columns(panels)


def _summary(runs: Sequence[LaneRun]) -> None:
    from rich.console import Console
    from rich.table import Table

    from fwemu.scenarios.demo import QUIET, explain

    table = Table(title=f"After {QUIET:g} s of quiet, one more request", show_lines=True)
    for head in ("Firewall", "The connection", "What happened, and why"):
        table.add_column(head)
    for run in runs:
        outcome = f"[{_COLOURS[run.outcome]}]{run.outcome}"
        if run.error:
            outcome += f"\n{run.error}"
        table.add_row(run.lane.title, outcome, explain(run))
    width = None if sys.stdout.isatty() else 100
    Console(width=width).print(table)
    me = program()
    say(f"next: {me} up --profile cisco-asa, then {me} shell client")
