"""The suite itself comes to an end, wherever and however it is run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netns.procfs import stat_of
from tests.kit.labs import PATIENCE, eventually
from tests.kit.limit import TooLong, Watch, time_limit

ROOT = Path(__file__).resolve().parents[2]


def test_a_test_that_waits_for_ever_fails_and_what_it_had_started_ends():
    """`subprocess.run` kills its child on the way out, as every `with` block of the suite does."""
    watch = Watch()
    before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0]
    signal.setitimer(signal.ITIMER_REAL, 0)
    began = time.monotonic()
    try:
        with pytest.raises(TooLong, match="longer than"), time_limit(watch, 0.1):
            subprocess.run(["sleep", "1000"], check=True)
    finally:
        watch.close()
        signal.setitimer(signal.ITIMER_REAL, before[1])

    assert time.monotonic() - began < 100
    assert signal.getsignal(signal.SIGALRM) is before[0]


DEAF = """
import faulthandler, signal, subprocess
from tests.kit.limit import Watch, time_limit
faulthandler.enable()
with time_limit(Watch(0.5), 0.1):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    child = subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    child.wait()
"""


def test_one_that_hears_no_signal_is_ended_with_all_that_it_had_started():
    """A loop in C or a blocked signal: nothing in the process itself can be relied on."""
    done = subprocess.run(
        [sys.executable, "-c", DEAF], cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == -signal.SIGABRT
    assert "its test took 0.5 s" in done.stderr
    assert "in wait" in done.stderr  # where it was
    eventually(lambda: stat_of(int(done.stdout)) is None, what="the end of the child")


def test_the_suite_runs_where_ctrl_c_and_hangups_are_ignored():
    """`nohup make test &` in a script, and some runners of CI: what is ignored is inherited."""
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT HUP QUIT; exec "$@"', "sh", sys.executable, "-m", "pytest", "-q",
         "-p", "no:cacheprovider", "tests/netns/test_worker.py"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=6 * PATIENCE,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
