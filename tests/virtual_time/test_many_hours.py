"""Ten programs live through one fast-forward after another, and none of them notices.

By hand, a thousand of them: `python -m tests.virtual_time.test_many_hours 1000` (as root).
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack

import pytest

from fwemu.lab import Lab
from netns import Process
from tests.applications.test_play import KINDS, python
from tests.kit.labs import as_new, eventually

EXACT_S = 0.05
"""What an interval of twenty seconds may be longer by, on a machine that has the time."""


def live_through(lab: Lab, times: int) -> tuple[int, list[tuple[str, float]]]:
    """So many fast-forwards of 37 s; how many intervals were told, and those that are not exact.

    The first one of each program is left out: when that began is an estimate.
    """
    hosts = [lab.client, lab.server]
    with ExitStack() as undo:
        programs: list[tuple[str, Process]] = []
        for number, (kind, code) in enumerate(KINDS.items()):
            program = hosts[number % 2].start(list(python(code)))
            undo.enter_context(program)
            programs.append((kind, program))
        time.sleep(1)
        for _ in range(times):
            lab.fast_forward("37s", grain="0s")
        told = 0
        wrong = []
        for kind, program in programs:
            least = times * 37 // 21 - 1
            eventually(lambda program=program, n=least: program.output().count("\n") >= n)
            assert program.is_running, program.last_words()
            intervals = [json.loads(line)[0] for line in program.output().splitlines()[1:]]
            told += len(intervals)
            wrong += [(kind, each) for each in intervals if not 20 <= each < 20 + EXACT_S]
        return told, wrong


@pytest.mark.kernel
def test_ten_programs_live_through_thirty_fast_forwards(lab: Lab) -> None:
    """None ends, none sees EINTR (it would print a shorter interval), none is late."""
    as_new(lab)
    told, wrong = live_through(lab, 30)

    assert told >= 10 * 50
    assert len(wrong) <= told // 5  # a busy machine is late now and then, and never early
    assert [each for _, each in wrong if each < 20] == []


if __name__ == "__main__":
    with Lab() as alone:
        began = time.monotonic()
        count, inexact = live_through(alone, int(sys.argv[1]))
        print(f"{count} intervals in {time.monotonic() - began:.1f} s, {len(inexact)} not exact")
        for kind, interval in inexact[:20]:
            print(f"  {kind}: {interval:.3f} s")
