"""Holding a process still, so that it notices nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fwemu.sockets.still import NotStill, held_still

pytestmark = pytest.mark.kernel

COUNTING = """
import sys, threading
def count():
    while True:
        for _ in range(1000): pass
        sys.stdout.write("x"); sys.stdout.flush()
threading.Thread(target=count, daemon=True).start()
count()
"""


@pytest.fixture
def counting():
    """A program of two threads that write as fast as they can."""
    program = subprocess.Popen([sys.executable, "-c", COUNTING], stdout=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.read(100)
    os.set_blocking(program.stdout.fileno(), False)
    yield program
    program.kill()
    program.wait()
    program.stdout.close()


def written(program):
    """What it has written since the last time."""
    total = 0
    while data := program.stdout.read():
        total += len(data)
        if len(data) < 65536:
            break
    return total


def test_nothing_of_it_runs_meanwhile(counting):
    """And it goes on afterwards."""
    with held_still([counting.pid]):
        written(counting)
        deadline = time.monotonic() + 0.05
        while time.monotonic() < deadline:
            assert counting.stdout.read() is None
    deadline = time.monotonic() + 10
    while not written(counting):
        assert time.monotonic() < deadline


def test_its_parent_hears_nothing(counting):
    """A shell that was told of a stop would take the terminal back."""
    with held_still([counting.pid]):
        assert os.waitpid(counting.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED) == (0, 0)
    assert os.waitpid(counting.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED) == (0, 0)


def test_a_process_that_has_ended_is_no_obstacle(counting):
    """It cannot send anything any more."""
    counting.kill()
    counting.wait()
    with held_still([counting.pid]):
        pass


def test_one_that_is_being_debugged_cannot_be_held(counting):
    """Its debugger has it already; the message says which process that is."""
    holder = (
        "import sys, time\n"
        "from fwemu.sockets.still import held_still\n"
        f"with held_still([{counting.pid}]):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as debugger:
        assert debugger.stdout is not None
        assert debugger.stdout.readline() == b"held\n"
        said = f"process {debugger.pid} is debugging it"
        with pytest.raises(NotStill, match=said), held_still([counting.pid]):
            pass
        debugger.send_signal(signal.SIGKILL)
    written(counting)
    deadline = time.monotonic() + 10
    while not written(counting):  # a tracer that dies lets go
        assert time.monotonic() < deadline
