"""The same 65 minutes in real time, sixty times faster: what the others are compared with.

Every case has its timers in its own configuration, sixty times shorter, and all of them pass at
once: a minute and a bit.  A timer that nobody can set (smbclient asks every 5 s) is then sixty
times too slow, which for that one makes no difference: five minutes are less than an hour.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import Final, TypeAlias

import pytest

from fwemu.lab import Lab
from tests.apps.timers.cases import CASES, Case
from tests.apps.timers.outcome import Connection, Seen, new_lab, prepare
from tests.apps.timers.programs import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("reference")]

SCALE: Final = 60
MINUTES: Final = 65
AT_ONCE: Final = 3
"""Cases that are being started at a time: heartbeats of one second must not be late."""

Hours: TypeAlias = dict[str, Future[Seen]]


@pytest.fixture(scope="module")
def hours(base: Path, request: pytest.FixtureRequest) -> Iterator[Hours]:
    """What comes of each case that this run asks for."""
    wanted = {item.name for item in request.session.items if item.path == request.path}
    cases = [case for case in CASES if any(f"[{case.name}" in name for name in wanted)]
    labs: dict[tuple[tuple[str, int], ...], Lab] = {}
    starting = BoundedSemaphore(AT_ONCE)
    with ExitStack() as undo:
        directory = Path(undo.enter_context(TemporaryDirectory(prefix="fwemu-apps-")))
        threads = undo.enter_context(ThreadPoolExecutor(len(cases)))
        for case in cases:
            key = tuple(case.host_settings.items())
            if key not in labs:
                labs[key] = undo.enter_context(new_lab(base, SCALE))
                prepare(labs[key], case)

        def live(case: Case, port: int) -> Seen:
            lab = labs[tuple(case.host_settings.items())]
            place = directory / case.name
            place.mkdir()
            with starting:
                stage = Stage(lab, place, undo, SCALE, port)
                connection = Connection(lab, port, case.begin(stage))
            time.sleep(MINUTES * 60 / SCALE)
            return connection.seen()

        yield {
            case.name: threads.submit(live, case, 4000 + number)
            for number, case in enumerate(cases)
        }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_real_hour_says_the_same(hours: Hours, case: Case) -> None:
    """Who lives, who has ended it, and what the user is told."""
    seen = hours[case.name].result()
    assert seen.agrees_with(case), seen
