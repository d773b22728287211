"""When the timers of programs would fire that stand still while time passes.

One thread of a program is had to ask (`fwemu.applications.signal_timers`): one whose wait that does
not touch, if there is one.  If there is none, the wait of another goes on, and what was known of it
is kept: the kernel says only since when a thread has not run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.applications.held import HeldThread
from fwemu.applications.signal_timers import INTERVAL_TIMER, CannotAskError, SignalTimer, ask
from fwemu.waits.threads import Wait
from fwemu.waits.timers import signal_timers

_GO_ON: Final = frozenset({"poll", "futex", "nanosleep", "clock_nanosleep"})
"""Calls whose end the kernel keeps when they are interrupted (restart_syscall(2)), though their
arguments say how long they were at first."""

_SHRINK: Final = frozenset({"ppoll", "select", "pselect6"})
"""Calls that write what is left of them where their timeout was, and begin anew."""


class _Wait(NamedTuple):
    """A wait that has gone on after it was disturbed."""

    slept: int
    """How often its thread had gone to sleep then: it is another wait if it has again since."""
    began: int
    """By CLOCK_MONOTONIC."""


class AskedTimers:
    """Asks, and knows which waits it has disturbed by that."""

    def __init__(self) -> None:
        self._disturbed: dict[tuple[int, int], _Wait] = {}

    def of(
        self, pid: int, waits: Sequence[Wait], *, has_alarm: bool
    ) -> tuple[list[SignalTimer], str]:
        """The armed timers of a process, and which of them cannot be read and why.

        `waits` are those of its threads, read before.  Without `has_alarm` its interval timer does
        not matter.
        """
        signs = signal_timers(pid)
        if not has_alarm:
            signs = signs._replace(uses_alarm=False)
        waiting = sorted((each for each in waits if _is_askable(each)), key=_disturbance)
        if not signs.names:  # alarm(2) without a handler for its signal leaves no trace
            waiting = [each for each in waiting if has_alarm and not _disturbance(each)]
            if not waiting:
                return [], ""
        by_thread = {each.thread: each for each in waiting}

        def after(thread: HeldThread) -> None:
            self._note(by_thread[thread.thread])

        try:
            found = ask(pid, by_thread, lambda asked: asked.armed(signs), after=after)
        except CannotAskError as error:
            names = " and ".join(signs.names)
            return [], f"has {names}: not to be read ({error})" if names else ""
        except OSError:  # it has ended
            return [], ""
        return [each for each in found if has_alarm or each.number != INTERVAL_TIMER], ""

    def undisturbed(self, wait: Wait) -> Wait:
        """What is left of a wait, whether or not it was disturbed."""
        known = self._disturbed.get((wait.pid, wait.thread))
        if known is None or wait.timeout is None or wait.left is None:
            return wait
        if wait.is_instant or _times_slept(wait) != known.slept:
            del self._disturbed[wait.pid, wait.thread]
            return wait
        left = wait.timeout - (time.monotonic_ns() - known.began)
        return replace(wait, left=max(0, min(wait.left, left)))

    def _note(self, wait: Wait) -> None:
        """It stands still, and goes on now."""
        if wait.call in _GO_ON and wait.timeout is not None and wait.left is not None:
            began = time.monotonic_ns() - (wait.timeout - wait.left)
            key = wait.pid, wait.thread
            if (slept := _times_slept(wait)) is not None:
                self._disturbed[key] = _Wait(slept + 1, began)


def _is_askable(wait: Wait) -> bool:
    return wait.unknown is None


def _disturbance(wait: Wait) -> int:
    """How much the wait of a thread suffers if it stands still for a moment."""
    if wait.timeout is None or wait.is_instant:
        return 0
    return 1 if wait.call in _GO_ON | _SHRINK else 2


def _times_slept(wait: Wait) -> int | None:
    """How often it has given its processor away; None if it has ended."""
    try:
        status = Path(f"/proc/{wait.pid}/task/{wait.thread}/status").read_bytes()
    except OSError:
        return None
    return int(status.partition(b"\nvoluntary_ctxt_switches:")[2].split()[0])
