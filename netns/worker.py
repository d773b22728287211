"""One call in a thread of its own, which Ctrl-C cannot cut in half.

Python raises KeyboardInterrupt in the main thread only.  So work that must not stop half way
runs in another thread; the one that waits for it may be interrupted, and then still waits until
the work is either finished or certain never to begin.

Not `Thread.join`: when it is interrupted, Python 3.11 takes a running thread for ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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
        """What `work` returns or raises.

        Raises KeyboardInterrupt when that hits the calling thread; `work` is over by then.
        """
        thread = threading.Thread(target=self._run, name=self._name)
        try:
            thread.start()
            self._is_finished.wait()
            thread.join()
        finally:
            self.settle()
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
