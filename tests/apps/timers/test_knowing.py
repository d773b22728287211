"""Where the timers of programs are not played, an answer that is wrong says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.timers.cases import CASES, Case
from tests.apps.timers.outcome import Connection, at_rest, pass_time, stage
from tests.kit.labs import eventually

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_answer_says_that_it_may_be_wrong(base: Path, case: Case) -> None:
    """And none is called not to be trusted where no program has a timer: it is right there."""
    with stage(base, case) as place:
        connection = Connection(place.lab, place.port, case.begin(place))
        if not case.has_timers:
            eventually(lambda: at_rest(place.lab), what="everybody at rest")

        done = pass_time(place.lab, is_played=False)

        trust, seen = connection.trust(done), connection.seen()
        assert trust == case.trust, connection.rows(done)
        if not seen.agrees_with(case):
            assert trust in ("possible", "not-to-be-trusted"), seen
        if not case.has_timers:
            assert trust == "sure", connection.rows(done)
            assert seen.agrees_with(case), seen
