"""Work in a thread that Ctrl-C does not reach."""

import asyncio
import os
import signal
import threading

import pytest

from netns.worker import Worker


def pause() -> None:
    """Long enough for the main thread to handle a signal and to run ahead, if it would."""
    threading.Event().wait(0.02)


def test_the_result_or_the_error_of_the_work_comes_back():
    """As if it had been called in place."""
    assert Worker(lambda: 42, "test").run() == 42
    with pytest.raises(ZeroDivisionError):
        Worker(lambda: 1 // 0, "test").run()


@pytest.mark.parametrize("fails", [False, True])
def test_ctrl_c_waits_until_the_work_is_done(fails):
    """Whoever cleans up afterwards must not race with work that still goes on."""
    done = []
    handler = signal.getsignal(signal.SIGINT)

    def work():
        os.kill(os.getpid(), signal.SIGINT)
        pause()
        done.append("done")
        if fails:
            raise ValueError("not seen: Ctrl-C comes first")

    with pytest.raises(KeyboardInterrupt):
        Worker(work, "test").run()
    assert done == ["done"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_does_not_wait():
    """Whoever presses it twice means it.  The work ends all the same."""
    go_on, over = threading.Event(), threading.Event()

    def work():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            pause()
        go_on.wait()
        over.set()

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        Worker(work, "test").run()
    assert not over.is_set()
    assert signal.getsignal(signal.SIGINT) is handler
    go_on.set()
    over.wait()


def test_an_exception_from_another_signal_waits_too():
    """A time limit on a test, for instance, raises from SIGALRM."""
    done = []

    def work():
        os.kill(os.getpid(), signal.SIGALRM)
        pause()
        done.append("done")

    def too_late(number, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_late)
    try:
        with pytest.raises(TimeoutError):
            Worker(work, "test").run()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert done == ["done"]


def test_ctrl_c_still_cancels_an_asyncio_program():
    """asyncio.run has a handler of its own, which must get its signal."""

    async def main():
        Worker(lambda: os.kill(os.getpid(), signal.SIGINT), "test").run()
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


def test_it_works_in_other_threads_and_where_ctrl_c_is_ignored():
    """There is nothing to put off there."""
    assert Worker(Worker(lambda: 42, "inner").run, "outer").run() == 42
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert Worker(lambda: os.kill(os.getpid(), signal.SIGINT), "test").run() is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_work_that_was_called_off_never_begins():
    """An exception between making the thread and its first step must not let it begin later."""
    done = []
    worker = Worker(lambda: done.append("done"), "test")
    worker.settle()
    worker._run()
    assert done == []
