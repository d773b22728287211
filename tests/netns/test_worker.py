"""Work in a thread that Ctrl-C does not reach."""

import signal
import threading

import pytest

from netns.worker import Worker


def test_the_result_or_the_error_of_the_work_comes_back():
    """As if it had been called in place."""
    assert Worker(lambda: 42, "test").run() == 42
    with pytest.raises(ZeroDivisionError):
        Worker(lambda: 1 // 0, "test").run()


def test_ctrl_c_waits_until_the_work_is_done():
    """Whoever cleans up afterwards must not race with work that still goes on."""
    done = []

    def work():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        # The main thread handles the signal while it waits; give it every chance to run ahead.
        threading.Event().wait(0.02)
        done.append("done")

    with pytest.raises(KeyboardInterrupt):
        Worker(work, "test").run()
    assert done == ["done"]


def test_work_that_was_called_off_never_begins():
    """Ctrl-C between making the thread and its first step must not leave it to begin later."""
    done = []
    worker = Worker(lambda: done.append("done"), "test")
    worker.settle()
    worker._run()
    assert done == []
