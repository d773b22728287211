"""Runs one call in its own thread, where Ctrl-C cannot interrupt it.

Python raises KeyboardInterrupt in the main thread only.  So work that must not stop half way
runs in another thread, and the one that waits for it puts Ctrl-C off until it is over.  Should
another signal's handler raise in the waiting thread, that still waits until the work is either
finished or certain never to begin.

Why not the latter alone: `threading.Event` and `Thread.join`, written in Python, may be left
broken by an exception that strikes within; in Python 3.11 an interrupted `join` even takes a
running thread for ended.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Generic, TypeVar

T = TypeVar("T")


class Worker(Generic[T]):
    """Calls `work` once."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._name = name
        self._lock = threading.Lock()
        self._has_begun = False
        self._is_called_off = False
        self._is_finished = threading.Event()
        self._result: list[T] = []
        self._failure: list[BaseException] = []

    def run(self) -> T:
        """Call `work`; the result or exception is passed on.

        After Ctrl-C meanwhile, raises KeyboardInterrupt when `work` is over; a second Ctrl-C
        does so at once, while it goes on.
        """
        thread = threading.Thread(target=self._run, name=self._name)
        with _ctrl_c_put_off():
            try:
                thread.start()
                self._is_finished.wait()
                thread.join()
            except KeyboardInterrupt:  # the second one
                raise
            except BaseException:
                self.settle()
                raise
        if self._failure:
            # Popped: the exception will refer to this frame, which should not refer back.
            raise self._failure.pop()
        return self._result.pop()

    def settle(self) -> None:
        """Return when `work` is over, or will never begin.  Harmless at any time."""
        with self._lock:
            self._is_called_off = True
            has_begun = self._has_begun
        if has_begun:
            self._is_finished.wait()

    def _run(self) -> None:
        with self._lock:
            if self._is_called_off:
                return
            self._has_begun = True
        try:
            self._result.append(self._work())
        except BaseException as error:
            self._failure.append(error)
        finally:
            self._is_finished.set()


@contextmanager
def _ctrl_c_put_off() -> Iterator[None]:
    """Hold the first Ctrl-C back until the block ends; the second one gets through.

    Does nothing where Ctrl-C does not raise: in other threads, or when it is ignored.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    held_back: list[FrameType | None] = []

    def hold_back(number: int, frame: FrameType | None) -> None:
        held_back.append(frame)
        if len(held_back) > 1:
            handler(number, frame)

    signal.signal(signal.SIGINT, hold_back)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if len(held_back) == 1:
            handler(signal.SIGINT, held_back[0])
