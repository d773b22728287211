"""Every test has an end: a hanging one fails, and if it cannot even do that, it is ended.

Two layers (`docs/decisions/0020-tests-end.md`).  SIGALRM raises in a test that has taken LIMIT
seconds: it fails as any other, with a traceback of where it hung, and its fixtures and `with`
blocks end what it had started.  Where that does not help, because something in C never looks at
signals or because the removal hangs as well, a process beside the tests ends theirs with all its
descendants GRACE seconds later; pytest-xdist calls that a crash and goes on with the other tests.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

LIMIT: Final = float(os.environ.get("FWEMU_TEST_LIMIT", "600"))
"""Seconds for a test with its fixtures; installing locks on a busy machine takes half of it."""

GRACE: Final = 60.0
"""Seconds for what a test that took too long has to remove."""


class TooLong(BaseException):
    """A test has taken LIMIT seconds.  No `except Exception` on the way may stop it."""


class Watch:
    """The process beside the tests of this one."""

    def __init__(self, seconds: float = LIMIT + GRACE) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, str(os.getpid()), str(seconds)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # whom Ctrl-C ends are the tests
        )

    def begin(self) -> None:
        """From now the time of a test runs."""
        self._say(b"b")

    def end(self) -> None:
        """The test has ended."""
        self._say(b"e")

    def close(self) -> None:
        """There are no more tests."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _say(self, word: bytes) -> None:
        assert self._process.stdin is not None
        os.write(self._process.stdin.fileno(), word)


@contextmanager
def time_limit(watch: Watch, seconds: float = LIMIT) -> Iterator[None]:
    """The end of whatever is inside, by raising `TooLong`, or else by force."""

    def too_long(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"the test took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, too_long)
    masked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    watch.begin()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        watch.end()
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        signal.signal(signal.SIGALRM, before)


# -- the process beside the tests ----------------------------------------------------------------


def descendants(pid: int) -> list[int]:
    """The processes below one, children before grandchildren."""
    parents: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with (
            suppress(OSError),
            open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file,
        ):
            parent = int(file.read().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(name))
    found = list(parents.get(pid, []))
    for each in found:
        found += parents.get(each, [])
    return found


def main(pid: int, seconds: float) -> None:
    """Wait for words about the tests of a process, and end it when one stays out too long."""
    process = os.pidfd_open(pid)
    running = False
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(process, select.POLLIN)
    while True:
        ready = dict(poll.poll(seconds * 1000 if running else None))
        if not ready:
            break
        words = os.read(0, 4096) if 0 in ready else b""
        if process in ready or not words:
            return
        running = words.endswith(b"b")
    print(f"limit: process {pid} is ended, its test took {seconds:g} s", file=sys.stderr)
    family = [each for each in descendants(pid) if each != os.getpid()]
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGABRT)  # faulthandler says where it was
        if not select.select([process], [], [], 5)[0]:
            signal.pidfd_send_signal(process, signal.SIGKILL)
    for each in family:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
