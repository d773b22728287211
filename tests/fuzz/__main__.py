"""`python -m tests.fuzz`: changed packets in changed order, under many policies."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

import click

from tests.fuzz.case import ZONES, Case, read
from tests.fuzz.invariants import Behaviour, BrokenError, run
from tests.fuzz.mutate import mutated, shortest

CORPUS: Final = Path(__file__).with_name("corpus")


@dataclass
class Found:
    """What a run came upon."""

    cases: int = 0
    packets: int = 0
    behaviours: int = 0
    """Kinds of step that the corpus did not show."""
    written: list[Path] = field(default_factory=list)
    """New files of the corpus."""
    broken: str = ""
    """The invariant that does not hold, and the step; empty if all do."""


def fuzz(corpus: Path, seed: int, *, cases: int, until: float, keep: bool) -> Found:
    """Run so many cases, but none after `until` (by `time.monotonic`), or until one breaks.

    The same seed and corpus give the same cases.  A case that breaks an invariant is written into
    the corpus, as short as it can be made; with `keep`, so is each that shows something new.
    """
    chance = Random(seed)
    found = Found()
    pool: list[Case] = []
    known: set[Behaviour] = set()
    for path in sorted(corpus.glob("*.case")):
        pool.append(read(path))
        known |= run(pool[-1])
    shows: list[tuple[Case, set[Behaviour]]] = []
    old = set(known)
    while found.cases < cases and time.monotonic() < until:
        case = mutated(chance.choice(pool), pool, chance)
        found.cases += 1
        found.packets += sum(step.word in ZONES for step in case.steps)
        try:
            shown = run(case)
        except BrokenError as error:
            case = shortest(case, breaks)
            found.broken = str(error)
            why = f"Found by `make fuzz SEED={seed}`: {told(case)}"
            found.written = [write(corpus, "crash", replace(case, why=why))]
            return found
        if not shown <= known:
            shows.append((case, shown - old))
            known |= shown
            pool.append(case)
    found.behaviours = len(known - old)
    if keep:
        found.written = [write(corpus, "found", case) for case in few_of(shows)]
    return found


def few_of(shows: list[tuple[Case, set[Behaviour]]]) -> Iterator[Case]:
    """A few of these cases, made short, that together show all that these cases show."""
    written: set[Behaviour] = set()
    for case, shown in sorted(shows, key=lambda each: -len(each[1])):
        wanted = shown - written
        if wanted:
            yield shortest(case, partial(still_shows, wanted))
            written |= wanted


def still_shows(wanted: set[Behaviour], case: Case) -> bool:
    """Does the case show all of these?"""
    try:
        return wanted <= run(case)
    except BrokenError:  # a longer one did not break: the fuzzer comes upon this one some day
        return False


def breaks(case: Case) -> bool:
    """Does it break an invariant?"""
    return bool(told(case))


def told(case: Case) -> str:
    """Which invariant a case breaks; empty if none."""
    try:
        run(case)
    except BrokenError as error:
        return str(error)
    return ""


def write(corpus: Path, kind: str, case: Case) -> Path:
    """Write a case into the corpus, under a name that it will always have."""
    digest = hashlib.sha256(str(replace(case, why="")).encode()).hexdigest()
    path = corpus / f"{kind}-{digest[:12]}.case"
    path.write_text(str(case))
    return path


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long.")
@click.option("--cases", default=10**9, help="At most so many cases.")
@click.option("--seed", type=int, help="Repeat a run: the same seed and corpus, the same cases.")
@click.option(
    "--keep", is_flag=True, help="Write the cases that show something new into the corpus."
)
@click.option("--corpus", default=CORPUS, type=click.Path(path_type=Path, file_okay=False))
def main(seconds: float, cases: int, seed: int | None, keep: bool, corpus: Path) -> None:
    """Look for packets that break what must always hold.

    Exit status 1 if one did: the case is in the corpus then, and `pytest tests/fuzz` plays it.
    """
    if seed is None:
        seed = SystemRandom().randrange(2**32)
    click.echo(f"seed {seed}", err=True)
    until = time.monotonic() + seconds
    found = fuzz(corpus, seed, cases=cases, until=until, keep=keep)
    for path in found.written:
        click.echo(f"wrote {path}", err=True)
    click.echo(
        f"{found.cases} cases, {found.packets} packets,"
        f" {found.behaviours} behaviours that the corpus does not show"
    )
    if found.broken:
        click.echo(f"BROKEN with seed {seed}: {found.broken}")
        click.echo(f"{sys.executable} -m pytest tests/fuzz -k {found.written[0].stem}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
