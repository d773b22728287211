"""What 100,000 TCP sessions weigh, and how long they keep the engine from its packets."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.report import ROOT, Figure
from bench.run import Run
from bench.traffic import Connection, firewall
from bench.visits import spread
from fwemu.core.endings import SWEEP
from fwemu.core.instants import SECOND
from fwemu.daemon.operations import PAGE
from fwemu.daemon.records import row_of

SESSIONS: Final = 100_000
NOW: Final = 1_000 * SECOND

UNITS: Final = {
    "memory per session": "octets",
    f"a page of {PAGE} sessions": "ms",
    "sweeping all when due": "ms",
    f"longest sweep of {SWEEP}": "ms",
}


def figures(run: Run) -> list[Figure]:
    """Each time in a fresh process, whose memory nothing else has used before."""
    came_out: list[dict[str, float]] = []
    repeats = min(run.repeats, 3)
    for index in range(repeats):
        run.progress.say("memory", f"{index + 1}/{repeats}")
        done = subprocess.run(
            [sys.executable, "-m", "bench.memory"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
            start_new_session=True,
        )
        came_out.append(json.loads(done.stdout))
    return [
        Figure("memory", what, unit, spread(values[what] for values in came_out))
        for what, unit in UNITS.items()
    ]


def once() -> dict[str, float]:
    """Fill a table, list a page of it, let it expire."""
    engine = firewall(SESSIONS)
    gc.collect()
    before = _resident()
    for number in range(SESSIONS):
        for data, zone in Connection(number).handshake():
            engine.handle(data, NOW, zone)
    gc.collect()
    after = _resident()
    assert len(engine.table) == SESSIONS

    table = engine.table
    numbers = table.numbers()
    page = _milliseconds(
        lambda: [row_of(one) for one in table.page(numbers, SESSIONS // 2, PAGE)[0]]
    )

    later = NOW + max(engine.policy.lifetimes)
    sweeps = []
    while len(table):
        sweeps.append(_milliseconds(lambda: engine.tick(later)))
    measured = ((after - before) / SESSIONS, page, sum(sweeps), max(sweeps))
    return dict(zip(UNITS, measured, strict=True))


def _milliseconds(work: Callable[[], Any]) -> float:
    """Processor time, so that other programs do not count."""
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / 1e6


def _resident() -> int:
    """Octets of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(json.dumps(once()))
