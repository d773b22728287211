"""What a measure is given: how thorough to be, the hosts, and somebody to tell how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.ground import Ground
from bench.report import Figure, Progress, compared
from bench.visits import Values, compare, order


class Run:
    """One run of the benchmark.  A context manager: at its end the hosts are gone."""

    def __init__(self, *, quick: bool, progress: Progress, settings: Sequence[str] = ()) -> None:
        self.quick = quick
        self.rounds = 2 if quick else 7
        """How often each subject is visited."""
        self.repeats = 3 if quick else 7
        """How often is measured what has no neighbour to be compared with."""
        self.seconds = 0.3 if quick else 1.0
        """The length of a visit."""
        self.progress = progress
        self._settings = settings
        self._undo = ExitStack()
        self._ground: Ground | None = None

    @property
    def ground(self) -> Ground:
        """The hosts that the measures share; made when first asked for."""
        if self._ground is None:
            self._ground = self._undo.enter_context(Ground(*self._settings))
        return self._ground

    def visit(
        self,
        measure: str,
        units: dict[str, str],
        work: Callable[[str], Values],
        *,
        baseline: str,
        subjects: Sequence[str],
        rounds: int | None = None,
    ) -> list[Figure]:
        """Call `work` for the baseline and the subjects in turn; what came out, by what and whom.

        `units` has the unit of everything that `work` returns.
        """
        visits = []
        plan = order(baseline, subjects, rounds or self.rounds)
        for index, subject in enumerate(plan):
            self.progress.say(measure, f"{index + 1}/{len(plan)} {subject}")
            visits.append((subject, work(subject)))
        figures = [
            compared(measure, units[comparison.what], baseline, comparison)
            for comparison in compare(visits)
        ]
        return sorted(figures, key=lambda figure: list(units).index(figure.what))

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.clear()
        self._undo.close()
