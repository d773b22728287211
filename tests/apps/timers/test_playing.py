"""An hour in a moment, with the time of programs: each application fares as in a real hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.timers.cases import CASES, Case
from tests.apps.timers.outcome import Connection, pass_time, stage

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_hour_in_a_moment_is_as_a_real_one(base: Path, case: Case) -> None:
    """Who lives, who has ended it, and what the user is told; and the answer can be trusted."""
    with stage(base, case) as place:
        connection = Connection(place.lab, place.port, case.begin(place))

        done = pass_time(place.lab, is_played=True)

        seen = connection.seen()
        assert seen.agrees_with(case), seen
        assert connection.trust(done) != "not-to-be-trusted", connection.rows(done)
