"""The time of programs: what a moved clock costs them, and a stop, and a look at them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.report import Figure
from bench.run import Run
from bench.visits import Values, spread
from fwemu.applications.held import held
from fwemu.applications.play import Player
from netns import Namespace, Network

PROGRAMS: Final = 20
UNITS: Final = {"reading a clock, from Python": "ns"}

_READS: Final = """
import sys, time
for line in sys.stdin:
    count = int(line)
    began = time.process_time_ns()
    for _ in range(count):
        time.monotonic_ns()
    print((time.process_time_ns() - began) / count, flush=True)
"""
"""Says what a reading takes, each time it is asked; by a clock that is not moved."""

_WAITS: Final = "import time; time.sleep(100_000)"


def figures(run: Run) -> list[Figure]:
    """Nanoseconds of a reading beside the kernel's own; microseconds of a stop and of a look."""
    with Network() as network, ExitStack() as undo:
        host = network.namespace("bench-applications")
        moved = undo.enter_context(_reader(host))
        own = undo.enter_context(_reader(Namespace.current()))
        player = Player([host])
        undo.callback(player.close)
        player.begin(None)
        readers = {"moved": moved, "kernel": own}
        count = 100_000 if run.quick else 1_000_000

        def work(subject: str) -> Values:
            return {name: _ask(readers[subject], count) for name in UNITS}

        found = run.visit("applications", UNITS, work, baseline="kernel", subjects=["moved"])
        waiting = [undo.enter_context(_program(host, _WAITS)) for _ in range(PROGRAMS)]
        time.sleep(0.5)
        player.begin(None)

        def times(what: str, once: Callable[[], object]) -> Figure:
            taken = []
            for _ in range(100 * run.repeats):
                start = time.perf_counter()
                once()
                taken.append((time.perf_counter() - start) * 1e6)
            return Figure("applications", what, "us", spread(taken))

        def stop_one() -> None:
            with held([waiting[0].pid]):
                pass

        def stop_all() -> None:
            with held(each.pid for each in waiting):
                pass

        return [
            *found,
            times(f"a look at {PROGRAMS} programs that wait", player.next),
            times("a stop of one program", stop_one),
            times(f"a stop of {PROGRAMS} programs", stop_all),
        ]


@contextmanager
def _program(namespace: Namespace, code: str) -> Iterator[subprocess.Popen[str]]:
    with namespace.enter():
        program = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


@contextmanager
def _reader(namespace: Namespace) -> Iterator[subprocess.Popen[str]]:
    with _program(namespace, _READS) as program:
        _ask(program, 1000)
        yield program


def _ask(program: subprocess.Popen[str], count: int) -> float:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{count}\n")
    program.stdin.flush()
    return float(program.stdout.readline())
