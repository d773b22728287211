"""How figures are told: a table for people, one JSON object a line for machines, and progress."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bench.visits import Comparison, Spread
from fwemu import __version__
from fwemu.cli.output import table

ROOT = Path(__file__).parent.parent


class Figure(NamedTuple):
    """One line of the report."""

    measure: str
    what: str
    unit: str
    value: Spread
    subject: str = "fwemu"
    beside: str | None = None
    """What it is compared with, if with anything."""
    baseline: Spread | None = None
    ratio: Spread | None = None

    @property
    def record(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            name: value._asdict() if isinstance(value, Spread) else value
            for name, value in self._asdict().items()
            if value is not None
        }


def compared(measure: str, unit: str, beside: str, comparison: Comparison) -> Figure:
    """A comparison as a figure."""
    subject, what, value, baseline, ratio = comparison
    return Figure(measure, what, unit, value, subject, beside, baseline, ratio)


def machine() -> dict[str, str | int]:
    """Where and with what this was measured."""
    return {
        "fwemu": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
    }


def number(value: float) -> str:
    """Three digits that count, with thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"


def tell(figures: Iterable[Figure]) -> None:
    """Print the figures: first those that are compared with something, then the others."""
    figures = list(figures)
    ratios = [
        (
            figure.measure,
            figure.what,
            f"{figure.subject} : {figure.beside}",
            f"{number(figure.value.median)} : {number(figure.baseline.median)} {figure.unit}",
            f"{figure.ratio.median:.2f}",
            f"{figure.ratio.lowest:.2f}-{figure.ratio.highest:.2f}",
            figure.ratio.times,
        )
        for figure in figures
        if figure.ratio is not None and figure.baseline is not None
    ]
    if ratios:
        table(("measure", "what", "who : to whom", "median", "ratio", "spread", "visits"), ratios)
    alone = [
        (
            figure.measure,
            figure.what,
            f"{number(figure.value.median)} {figure.unit}",
            f"{number(figure.value.lowest)} - {number(figure.value.highest)}",
            figure.value.times,
        )
        for figure in figures
        if figure.ratio is None
    ]
    if ratios and alone:
        print()
    if alone:
        table(("measure", "what", "median", "spread", "times"), alone)


class Progress:
    """What is being done, on stderr: one line that is written over, or a line a step in a log."""

    def __init__(self) -> None:
        self._stays = not sys.stderr.isatty()
        self._said = ""

    def say(self, measure: str, detail: str = "") -> None:
        """Show the present step; a log gets the measures only."""
        if self._stays:
            if measure != self._said:
                print(f"bench: {measure} ...", file=sys.stderr, flush=True)
        else:
            print(f"\r\x1b[Kbench: {measure} {detail}", end="", file=sys.stderr, flush=True)
        self._said = measure

    def clear(self) -> None:
        """Take the line away."""
        if not self._stays and self._said:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _commit() -> str:
    """The commit of this checkout, marked where the code has changed since."""
    try:
        done = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "describe", "--always", "--dirty"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
