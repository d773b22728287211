"""When the timers of a process fire that wake it by a signal, in the time that is played.

As with its waits (`deadlines.py`), the kernel counts the machine's time alone: a timer is noted
when it is first seen, and stays what it is as long as the kernel fires it at the same instant.

Nothing outside says whether a POSIX timer was set for a duration or for an instant of its clock
(TIMER_ABSTIME).  It makes no difference if it was set before any time was passed over.  One that
was set later is played as a duration; it may be an instant only if more is left of it than its
clock is ahead of the kernel's, and not if it was surely a duration at another time.  Whether that
matters is known when the instant comes that it would be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from fwemu.applications.deadlines import (
    NEVER,
    SHORT,
    Deadlines,
    TimerWait,
    ahead_of,
    next_of,
)
from fwemu.applications.held import HeldThread
from fwemu.applications.played_time import PlayedTime
from fwemu.applications.shifted_clock import Offsets
from fwemu.applications.signal_timers import (
    INTERVAL_TIMER,
    Asked,
    CannotAskError,
    SignalTimer,
    ask,
)
from fwemu.waits.memory import SECOND
from fwemu.waits.timers import SignalTimers, signal_timers

_Answer = TypeVar("_Answer")

_AGAIN: Final = SECOND
"""What could not be made to fire is tried again after this."""


class SignalDeadlines:
    """Those of one process."""

    def __init__(self, pid: int, deadlines: Deadlines, played: PlayedTime) -> None:
        self._pid = pid
        self._deadlines = deadlines
        self._played = played
        self.timers: dict[int, TimerWait] = {}
        """By number."""
        self._clocks: dict[int, int] = {}
        self.is_stale = True
        """A thread has run since they were asked for, and may have set one."""
        self._must_ask = True
        """Though nothing shows that there is one: alarm(2) outlives execve(2), which forgets the
        handler of its signal."""
        self._unreadable = ""
        self._durations: set[int] = set()
        """Timers that are set for a duration, surely."""
        self._instants: dict[int, int] = {}
        """When each that may be set for an instant would fire then."""
        self._suspects: set[int] = set()
        """Timers of which such an instant has come."""

    def ask_anew(self) -> None:
        """Once more, as soon as a thread has run: who sets an interval timer leaves no trace."""
        self._must_ask = True

    def forget_timers(self) -> None:
        """Read all of them anew."""
        self.timers.clear()
        self.is_stale = True

    def step(self, by: int) -> None:
        """The time of day has jumped ahead: those that may be set for one have less to wait."""
        for number, clock in self._clocks.items():
            if clock == time.CLOCK_REALTIME and number not in self._durations:
                instant = self._instants.get(number, self.timers[number].deadline)
                self._instants[number] = instant - by

    def look(self, offsets: Offsets) -> bool:
        """Note what is new; True if a thread was made to stand still for it."""
        if not self.is_stale:
            return False
        signs = signal_timers(self._pid)
        if not signs.names and not self._must_ask:
            self.is_stale = False
            self._note({}, offsets)
            self._unreadable = ""
            return False
        threads = self._resting_threads()
        try:
            armed = self._ask(threads, lambda asked: asked.armed(signs))
        except CannotAskError as error:
            self.is_stale = self._must_ask = not threads
            self._cannot(signs, str(error))
        except OSError:  # it has ended
            self.is_stale = False
        else:
            self.is_stale, self._unreadable = False, ""
            self._note({each.number: each for each in armed}, offsets)
            self._must_ask = INTERVAL_TIMER in self.timers and not signs.uses_alarm
        return bool(threads)

    def next(self, slack: int) -> int:
        """See `Deadlines.next`."""
        return next_of(self.timers.values(), slack)

    def fire(self, now: int) -> list[int]:
        """Make those fire that are over; their deadlines."""
        due = [number for number, each in self.timers.items() if each.deadline <= now]
        if not due:
            return []
        fired: list[int] = []

        def make_them_fire(asked: Asked) -> None:
            for number in due:
                with suppress(OSError):  # deleted meanwhile
                    timer, known = asked.timer(number, self._clocks[number]), self.timers[number]
                    if timer.left and known.is_same(timer.fires_at, timer.uncertain):
                        asked.fire(number, timer.every)
                        fired.append(known.deadline)
                    known.deadline, known.fires_at = NEVER, 0  # it is looked at anew

        self.is_stale = True
        try:
            self._ask(self._resting_threads(), make_them_fire)
        except CannotAskError as error:
            self._cannot(signal_timers(self._pid), str(error))
            for number in due:
                self.timers[number].deadline = now + _AGAIN
        except OSError:  # it has ended, perhaps by what was fired
            pass
        return fired

    def doubts(self) -> list[str]:
        """What of these is not as it would be."""
        found = [self._unreadable] if self._unreadable else []
        self._find_suspects()
        if self._suspects - self._durations:
            found.append("has a POSIX timer that was played as a duration, and may be an instant")
        return found

    def _resting_threads(self) -> list[int]:
        """Those that wait; who waits for ever comes first: it is disturbed the least."""
        waits = self._deadlines.threads
        found = [
            thread
            for thread, wait in waits.items()
            if wait.call is not None and wait.call.name and not wait.is_opaque
        ]
        return sorted(found, key=lambda thread: waits[thread].deadline < NEVER)

    def _ask(self, threads: list[int], question: Callable[[Asked], _Answer]) -> _Answer:
        """Have one of them ask; its wait is the same one afterwards."""
        was_same = False

        def before(thread: HeldThread) -> None:
            nonlocal was_same
            with suppress(OSError, KeyError):
                was_same = self._deadlines.is_same(thread.thread)

        def after(thread: HeldThread) -> None:
            with suppress(OSError, KeyError):
                self._deadlines.note_held(thread.thread, was_same)

        return ask(self._pid, threads, question, before, after)

    def _cannot(self, signs: SignalTimers, why: str) -> None:
        if signs.names:
            self._unreadable = f"has {' and '.join(signs.names)}: not to be read ({why})"

    def _note(self, armed: dict[int, SignalTimer], offsets: Offsets) -> None:
        self._find_suspects()
        self.timers = {number: self._timer(each, offsets) for number, each in armed.items()}
        self._clocks = {number: each.clock for number, each in armed.items()}
        self._instants = {
            number: instant for number, instant in self._instants.items() if number in armed
        }

    def _find_suspects(self) -> None:
        now = self._played.now()
        self._suspects |= {number for number, instant in self._instants.items() if instant <= now}

    def _timer(self, timer: SignalTimer, offsets: Offsets) -> TimerWait:
        known = self.timers.get(timer.number)
        if known is not None and known.is_same(timer.fires_at, timer.uncertain):
            return known
        deadline = timer.fires_at + self._played.ahead
        ahead = ahead_of(timer.clock, offsets) or 0
        if timer.number != INTERVAL_TIMER and ahead > 0:
            if timer.left <= ahead:
                self._durations.add(timer.number)
            elif timer.number not in self._durations:
                self._instants[timer.number] = deadline - ahead
        ticks = 1 + (0 if known is None else known.ticks) if timer.left < SHORT else 0
        return TimerWait(deadline, timer.fires_at, ticks, timer.uncertain)
