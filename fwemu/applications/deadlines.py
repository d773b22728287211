"""Until when the threads and timers of a process wait, in the time that is played.

The kernel knows the machine's time alone: what it counts down is right for a wait that began after
time was moved last, and too long for one that began before.  So each wait is noted when it is first
seen, and its deadline stays what it was as long as it is the same wait: as long as its thread has
not run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fwemu.applications.played_time import PlayedTime
from fwemu.applications.shifted_clock import Offsets
from fwemu.applications.thread_files import Runs, ThreadFiles
from fwemu.waits.memory import SECOND, Readable
from fwemu.waits.system_calls import CALLS, Architecture
from fwemu.waits.threads import Call, call_of, quiet, threads_of
from fwemu.waits.timers import TimerDescriptor, timer_descriptors

NEVER: Final = 1 << 62

_WALL_CLOCKS: Final = frozenset(
    {time.CLOCK_REALTIME, time.CLOCK_TAI, 5, 8}  # REALTIME_COARSE, REALTIME_ALARM
)
_COUNTING_CLOCKS: Final = frozenset({time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME, 4, 6, 9})

SHORT: Final = 5 * SECOND
"""Waits below this, again and again, are ticks: they may be late if that is allowed."""

_ROUNDING: Final = 1_000_000
"""The beginning of a wait is known so well.  Who wakes too early sees that it is not yet time, and
waits again."""

_TICKS: Final = 16
"""Who waits so often in succession for less than `SHORT` ticks."""

_SAME_TIMER: Final = 2_000_000
"""A timer that the kernel fires at the same instant as before, give or take, is the same one."""


@dataclass
class ThreadWait:
    """What a thread waits for."""

    ran: int
    """How often it had run."""
    call: Call | None
    """None if it runs."""
    deadline: int = NEVER
    timeout: int = NEVER
    """From its beginning to its deadline."""
    switches: int = 0
    """How often it had gone to sleep by itself, which tells this wait from the next one."""
    ticks: int = 0
    """Short waits of its thread in succession, this one included."""
    was_held: bool = False
    """It was stopped and let go since it was looked at."""
    is_of_day: bool = False
    """Does it wait for a time of day?"""

    @property
    def is_opaque(self) -> bool:
        """Does it wait for something that cannot be seen?"""
        return self.call is not None and bool(self.call.name) and CALLS[self.call.name].is_opaque

    def is_same(self, slept: int) -> bool:
        """Is it in this wait still, now that it stands still and has gone to sleep so often?

        Standing still for us is one more sleep than it has had.  One that was held before has gone
        to sleep in its call again, or was met on its way there.
        """
        return slept - self.switches in ((2, 3) if self.was_held else (1,))


@dataclass
class TimerWait:
    """An armed timer."""

    deadline: int
    fires_at: int
    """By the kernel, CLOCK_MONOTONIC."""
    ticks: int = 0
    """How often in succession it has fired after a short time."""
    uncertain: int = 0
    """So much earlier the kernel may fire it: how long it took to ask."""
    is_of_day: bool = False
    """Is it set for a time of day?"""

    def is_same(self, fires_at: int, uncertain: int) -> bool:
        """Is it the one that the kernel is found to fire then?"""
        return abs(self.fires_at - fires_at) < _SAME_TIMER + self.uncertain + uncertain


class Deadlines:
    """Those of one process."""

    def __init__(
        self, pid: int, memory: Readable, architecture: Architecture, played: PlayedTime
    ) -> None:
        self._pid = pid
        self._memory = memory
        self._architecture = architecture
        self._played = played
        self._files: dict[int, ThreadFiles] = {}
        self.threads: dict[int, ThreadWait] = {}
        self.timers: dict[int, TimerWait] = {}
        self._ticks: dict[int, int] = {}
        self._is_stale = True
        self._is_first_look = True

    def find_threads(self) -> None:
        """Take note of those that have begun or ended."""
        there = set(threads_of(self._pid))
        for thread in self._files.keys() - there:
            self._files.pop(thread).close()
        for thread in there - self._files.keys():
            with suppress(FileNotFoundError, ProcessLookupError):
                self._files[thread] = ThreadFiles(self._pid, thread)

    def runs(self) -> Iterator[tuple[int, Runs, bool]]:
        """Each thread: what it has run until now, and whether it runs just now."""
        for thread, files in self._files.items():
            with suppress(FileNotFoundError, ProcessLookupError):
                yield thread, files.runs(), files.is_running()

    @property
    def are_on_their_way(self) -> bool:
        """Has any thread that has stood still not come back into its call yet?"""
        return any(each.was_held for each in self.threads.values())

    def running(self) -> set[int]:
        """The threads that ran when they were looked at: nobody knows what they will wait for."""
        return {thread for thread, each in self.threads.items() if each.call is None}

    def give_up_waiting(self) -> None:
        """Those will not come back: they do something else."""
        for each in self.threads.values():
            if each.was_held:
                each.was_held, each.deadline = False, NEVER

    def times_slept(self, thread: int) -> int:
        """See `ThreadFiles`."""
        return self._files[thread].times_slept()

    def is_same(self, thread: int) -> bool:
        """Is a thread that stands still in the wait that is known of it?"""
        wait = self.threads.get(thread)
        return wait is not None and wait.is_same(self.times_slept(thread))

    def note_held(self, thread: int, was_same: bool) -> None:
        """It goes on after it has stood still; if it was in the same wait it will wait on."""
        if was_same and (wait := self.threads.get(thread)) is not None:
            wait.switches = self.times_slept(thread) - 1
            wait.was_held = True

    def forget_waits(self) -> None:
        """Read all of them anew."""
        self.threads.clear()
        self.timers.clear()
        self._is_stale = True

    def close(self) -> None:
        """Forget all threads."""
        for files in self._files.values():
            files.close()
        self._files.clear()

    def look(self, offsets: Offsets) -> bool:
        """Note what is new; True if any thread has run, other than to go on after it was held."""
        there: dict[int, ThreadWait] = {}
        has_run = False
        for thread, files in self._files.items():
            known = self.threads.get(thread)
            with suppress(FileNotFoundError, ProcessLookupError):
                ran = files.runs().times
                if known is None or known.ran != ran or known.call is None:
                    was_held = known is not None and known.was_held
                    new = self._thread(thread, ran, known, offsets)
                    goes_on = was_held and known is not None and new.call is known.call
                    has_run = has_run or not goes_on
                    known = new
                there[thread] = known
        self.threads = there
        self._is_first_look = False
        if has_run or self._is_stale:
            self._is_stale = False
            began = time.monotonic_ns()
            timers = timer_descriptors(self._pid)
            now = time.monotonic_ns()
            self.timers = {
                timer.descriptor: self._timer(timer, offsets, now, now - began) for timer in timers
            }
        return has_run

    def step(self, by: int) -> None:
        """The time of day has jumped ahead: what waits for one has less to wait."""
        waits: list[ThreadWait | TimerWait] = [*self.threads.values(), *self.timers.values()]
        for each in waits:
            if each.is_of_day:
                each.deadline -= by

    def next(self, slack: int) -> int:
        """The instant until which everything may wait; NEVER if all wait for ever.

        What ticks may be late by `slack`.
        """
        return next_of([*self.threads.values(), *self.timers.values()], slack)

    def due(self, now: int) -> Iterator[int]:
        """The threads whose waits are over."""
        return (thread for thread, each in self.threads.items() if each.deadline <= now)

    def forget_timer(self, descriptor: int) -> None:
        """It has been made to fire: it is looked at anew."""
        self.timers[descriptor].deadline = NEVER
        self.timers[descriptor].fires_at = 0
        self._is_stale = True

    def due_timers(self, now: int) -> Iterator[int]:
        """The descriptors of the timers that are over."""
        return (number for number, each in self.timers.items() if each.deadline <= now)

    def _thread(
        self, thread: int, ran: int, known: ThreadWait | None, offsets: Offsets
    ) -> ThreadWait:
        call = call_of(self._pid, thread, self._memory, self._architecture)
        if known is not None and known.was_held and call is None:
            return known  # it is on its way back into its call
        switches = self._files[thread].times_slept()
        if known is not None and call is not None and self._goes_on(known, call, switches):
            return replace(known, ran=ran, switches=switches, was_held=False)
        if call is None or not call.name or CALLS[call.name].is_opaque:
            return ThreadWait(ran, call)
        wait = ThreadWait(ran, call, switches=switches)
        with suppress(OSError):  # arguments that are not there, or a socket that is closed
            self._until(wait, call, thread, offsets)
        if wait.timeout < SHORT:
            wait.ticks = 1 + self._ticks.get(thread, 0)
        self._ticks[thread] = wait.ticks
        return wait

    def _until(self, wait: ThreadWait, call: Call, thread: int, offsets: Offsets) -> None:
        timeout = call.timeout(self._pid, self._memory)
        if timeout is None:
            return
        began = time.monotonic_ns()
        if self._is_first_look:  # otherwise it has begun since the last one, a moment ago
            began -= quiet(Path(f"/proc/{self._pid}/task/{thread}"))
        if timeout.clock is None:
            wait.timeout = timeout.nanoseconds
            wait.deadline = self._played.at(began) + timeout.nanoseconds + _ROUNDING
        elif (ahead := ahead_of(timeout.clock, offsets)) is not None:
            left = timeout.nanoseconds - time.clock_gettime_ns(timeout.clock) - ahead
            wait.deadline = self._played.now() + left
            wait.timeout = max(0, wait.deadline - self._played.at(began))
            wait.is_of_day = timeout.clock in _WALL_CLOCKS

    @staticmethod
    def _goes_on(known: ThreadWait, call: Call, switches: int) -> bool:
        """Has the kernel entered the same call again, after it had stood still for us?

        It went to sleep twice then: when it was stopped, and when it went on.
        """
        then = known.call
        return (
            known.was_held
            and then is not None
            and then.arguments == call.arguments
            and call.name in ("", then.name)
            and switches == known.switches + 2
        )

    def _timer(
        self, timer: TimerDescriptor, offsets: Offsets, now: int, uncertain: int
    ) -> TimerWait:
        fires_at = now + timer.left
        known = self.timers.get(timer.descriptor)
        if known is not None and known.is_same(fires_at, uncertain):
            return known
        ahead = 0 if timer.instant_of is None else ahead_of(timer.instant_of, offsets) or 0
        left = timer.left - ahead
        ticks = 1 + (0 if known is None else known.ticks) if left < SHORT else 0
        deadline = fires_at - ahead + self._played.ahead
        is_of_day = timer.instant_of in _WALL_CLOCKS
        return TimerWait(deadline, fires_at, ticks, uncertain, is_of_day)


def next_of(waits: Iterable[ThreadWait | TimerWait], slack: int) -> int:
    """The first deadline; what ticks may be late by `slack`."""
    return min(
        (each.deadline + (slack if each.ticks > _TICKS else 0) for each in waits), default=NEVER
    )


def ahead_of(clock: int, offsets: Offsets) -> int | None:
    """How far a clock of this process is ahead of the kernel's; None for another sort."""
    if clock in _WALL_CLOCKS:
        return offsets.wall
    return offsets.monotonic if clock in _COUNTING_CLOCKS else None
