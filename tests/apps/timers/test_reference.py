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
from tests.apps.timers.outcome import (
    Connection,
    Seen,
    new_lab,
    pass_time,
    prepare,
    stage,
)
from tests.apps.timers.packets import Cable, Segments, differences
from tests.apps.timers.programs import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("reference")]

SCALE: Final = 60
MINUTES: Final = 65
AT_ONCE: Final = 3
"""Cases that are being started at a time: heartbeats of one second must not be late."""

Hours: TypeAlias = dict[str, Future[tuple[Seen, Segments]]]

RUNTIMES: Final = {
    "C": "ssh-alive",
    "Python": "websockets-ping",
    "JVM": "hikari-max-lifetime",
    "Go": "go-ticker",
    "Node": "node",
    "BEAM": "rabbitmq-heartbeat",
}
"""A case for each, whose packets are counted too."""


@pytest.fixture(scope="module")
def hours(base: Path, request: pytest.FixtureRequest) -> Iterator[Hours]:
    """What comes of each case that this run asks for."""
    wanted = {
        item.callspec.params["case"].name
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path
    }
    cases = [case for case in CASES if case.name in wanted]
    labs: dict[tuple[tuple[str, int], ...], Lab] = {}
    starting = BoundedSemaphore(AT_ONCE)
    with ExitStack() as undo:
        directory = Path(undo.enter_context(TemporaryDirectory(prefix="fwemu-apps-")))
        threads = undo.enter_context(ThreadPoolExecutor(len(cases)))
        for case in cases:
            key = tuple(case.host_settings.items())
            if key not in labs:
                labs[key] = undo.enter_context(new_lab(base, SCALE))
                prepare(labs[key], case, SCALE)

        def live(case: Case, port: int) -> tuple[Seen, Segments]:
            lab = labs[tuple(case.host_settings.items())]
            place = directory / case.name
            place.mkdir()
            with Cable(lab.client) as cable:
                with starting:
                    place_of = Stage(lab, place, undo, SCALE, port)
                    connection = Connection(lab, port, case.begin(place_of))
                cable.segments(port)
                time.sleep(MINUTES * 60 / SCALE)
                segments = cable.segments(port)
            return connection.seen(), segments

        yield {
            case.name: threads.submit(live, case, 4000 + number)
            for number, case in enumerate(cases)
        }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_real_hour_says_the_same(hours: Hours, case: Case) -> None:
    """Who lives, who has ended it, and what the user is told."""
    seen, _ = hours[case.name].result()
    assert seen.agrees_with(case), seen


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in RUNTIMES.values()], ids=lambda case: case.name
)
def test_the_packets_of_a_played_hour_are_those_of_a_real_one(
    base: Path, hours: Hours, case: Case
) -> None:
    """One application for each runtime: as many of each kind, in each direction."""
    _, real = hours[case.name].result()
    with stage(base, case) as place:
        Connection(place.lab, place.port, case.begin(place))
        with Cable(place.lab.client) as cable:
            pass_time(place.lab, is_played=True)
            played = cable.segments(place.port)

    assert real
    assert differences(played, real) == {}
