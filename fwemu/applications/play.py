"""Plays the time of the processes of some namespaces: clocks, waits and timers.

Whoever plays asks for the instant at which something is due (`next`), moves the clocks there
(`move_to`), ends what is over (`wake`), and waits until everybody waits again (`are_at_rest`).
Between two of these journeys a thread of ours goes on watching: the kernel would end a wait for an
instant of a shifted clock too late, by all that was passed over.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from fwemu.applications.deadlines import NEVER, SHORT, ThreadWait
from fwemu.applications.held import HeldThread, held
from fwemu.applications.members import (
    is_vfork_of_another,
    last_process,
    members,
    own_processes,
    why_not,
)
from fwemu.applications.played_time import PlayedTime
from fwemu.applications.process import CannotShiftError, ProcessGoneError, ShiftedProcess
from fwemu.applications.raw_clocks import RawClockReads
from fwemu.applications.results import RESULTS, leave_behind
from fwemu.applications.shifted_clock import ClockPatch, UnknownCodeError
from fwemu.applications.thread_files import Runs, allow_many
from fwemu.applications.timer import fire
from fwemu.applications.vdso import NoVdsoError, own
from fwemu.waits.memory import SECOND
from fwemu.waits.system_calls import ARCHITECTURES, Architecture
from netns import Namespace
from netns.procfs import name_of, start_time

GRAIN: Final = 5 * SECOND
"""Waits of less than `deadlines.SHORT` may be late by so much: runtimes tick all the time."""

_WATCH_S: Final = 0.01
"""Between two journeys waits are looked at so often, and end late by so much."""

_WATCH_SHARE: Final = 20
"""A look takes at most this part of the time between two."""

_LATE: Final = SECOND // 4
"""What is later than this is told."""

_STEP: Final = SECOND
"""The time of day of programs is that of the firewall's log but for less than this."""

_COUNTING_S: Final = 5.0
"""Raw reads of clocks are counted for so long after a journey, as another one may follow."""

_RETURN_S: Final = 0.5
"""A thread that has stood still is back in its call by then; otherwise it has been woken."""

_LONGEST_RUN: Final = SECOND
"""A program that has computed for so long without a pause computes for ever."""

_MOST_RUNS: Final = 500
"""A program that has waited so often for a moment only will do so for ever."""

_MACHINE: Final = "x86_64"


class CannotPlayError(Exception):
    """The time of the programs here cannot be played: why not."""


class Player:
    """Plays the time of whoever lives in these namespaces.  Close it."""

    def __init__(self, namespaces: Iterable[Namespace]) -> None:
        """Raises CannotPlayError where this machine does not allow it for any program."""
        if platform.machine() != _MACHINE:
            raise CannotPlayError(f"of programs on {platform.machine()} (only on {_MACHINE})")
        self._architecture: Architecture = ARCHITECTURES[_MACHINE]
        self._restart = self._architecture.restart_syscall
        try:
            is_vfork_of_another(os.getpid())
        except OSError as error:
            raise CannotPlayError(
                f"of any program: nobody can say which memories are one ({error.strerror}; "
                "a kernel with CONFIG_KCMP can)"
            ) from error
        try:
            self._patch = ClockPatch(own())
        except (NoVdsoError, UnknownCodeError) as error:
            raise CannotPlayError(f"of any program: {error}") from error
        allow_many()
        self._namespaces = list(namespaces)
        self._played = PlayedTime()
        self._processes: dict[int, ShiftedProcess] = {}
        self._without = own_processes(None)
        self._last_process = b""
        self._spawned: dict[int, float] = {}
        """Those that have their parents' memory still, and since when that is known."""
        self._runs: dict[int, Runs] = {}
        """What each thread had run when it was asked last."""
        self._rested: dict[int, Runs] = {}
        """What those that run now had run when all were at rest."""
        self._busy: set[int] = set()
        """Threads that had run since the time before."""
        self._restless: set[int] = set()
        """Threads that nobody waits for any more."""
        self._never_rested: set[int] = set()
        self._late: set[int] = set()
        self._raw_reads: RawClockReads | None = None
        """None while nothing is counted, or where nothing can be."""
        self._ended_at = 0.0
        self._lock = threading.RLock()
        self._ends = threading.Event()
        self._watcher: threading.Thread | None = None
        self._is_playing = False
        self.grain = GRAIN
        self.wakes: dict[int, tuple[str, int]] = {}
        """By process: its name, and how often it was woken since `begin`."""
        self.refused: dict[int, str] = {}
        """Processes whose time is not played though they are there, and why."""

    # -- a journey --

    def begin(self, caller: int | None, grain: int = GRAIN) -> None:
        """Take everybody's clock in hand.  `caller` waits for the end of this: its time is its own.

        Raises CannotPlayError if the time of one of them cannot be played, before any has passed.
        """
        with self._lock:
            self._is_playing = True  # whoever wakes anybody now has to wait for what comes of it
            self.grain = grain
            self._without = own_processes(caller)
            self._restless.clear()
            self._never_rested.clear()
            self._late.clear()
            self.wakes.clear()
            self.refused.clear()  # the reason may have gone
            self._find()
            for process in self._taking_part():
                process.signals.ask_anew()
            if self.refused:
                pid, why = next(iter(self.refused.items()))
                raise CannotPlayError(f"of {name_of(pid)}: {why}")
            if self._raw_reads is None:
                with suppress(OSError):  # it cannot be seen here, then
                    self._raw_reads = RawClockReads()
            if self._raw_reads is not None:
                self._raw_reads.count(process.pid for process in self._taking_part())
            self._look()

    def next(self) -> int:
        """The instant until which all of them may wait; NEVER if they all wait for ever.

        As long as one of them runs, that is now: nobody knows what it will wait for.
        """
        with self._lock:
            self._look()
            if self._is_anybody_running():
                return self._played.now()
            return min((each.next(self.grain) for each in self._taking_part()), default=NEVER)

    def now(self) -> int:
        """This instant of the time that is played: CLOCK_MONOTONIC, and what was passed over."""
        return self._played.now()

    def step_time_of_day(self, passed: int) -> None:
        """So much time has passed without the programs: clocks on the wall have gone on.

        For all that count from the boot, and for every wait for so long, it has not.
        """
        with self._lock:
            by = passed - self._played.stepped
            if by < _STEP:  # what is less is how long it took to ask
                return
            self._find_newcomers()
            self._played.stepped = passed
            for process in self._taking_part():
                self._or_forget(process, partial(process.step, by))

    def move_to(self, instant: int) -> None:
        """Set all clocks to an instant; it passes over what lies between, and wakes nobody."""
        with self._lock:
            if self._played.move_to(instant):
                for process in self._taking_part():
                    self._or_forget(process, process.follow)

    def wake(self) -> bool:
        """End every wait that is over and fire every timer, all at once; is anybody awake then?"""
        with self._lock:
            return self._end_waits(self._played.now()) > 0 or self._is_anybody_running()

    def begin_to_rest(self) -> None:
        """Whoever runs from now on until all are at rest is watched: it may never rest."""
        with self._lock:
            self._rested = {}

    def are_at_rest(self) -> bool:
        """Do all of them wait, and has none run since this was asked last?

        Looks for those that have come meanwhile, too.
        """
        with self._lock:
            self._find_newcomers()
            before, self._runs, self._busy = self._runs, {}, set()
            for process in self._taking_part():
                for thread, runs, is_running in process.deadlines.runs():
                    self._runs[thread] = runs
                    if before.get(thread) != runs or is_running:
                        self._busy.add(thread)
                        if _is_restless(self._rested.setdefault(thread, runs), runs):
                            self._give_up_on(process, thread)
            # Nobody becomes another program just now.
            is_complete = self._last_process != b"" and not self._spawning
            return is_complete and self._busy <= self._restless

    def give_up_waiting(self) -> None:
        """Those that run just now never come to rest: nobody waits for them any more."""
        with self._lock:
            for process in self._taking_part():
                for thread in self._busy.intersection(process.deadlines.threads):
                    self._give_up_on(process, thread)

    def _give_up_on(self, process: ShiftedProcess, thread: int) -> None:
        self._restless.add(thread)
        self._never_rested.add(process.pid)

    def end(self) -> None:
        """The journey is over.  Whoever waits goes on waiting, for the time that is left of it."""
        with self._lock:
            for pid in self._processes.keys() & self._without:
                self._processes[pid].forget_waits()  # what has passed has not passed for them
            self._is_playing = False
            self._ended_at = time.monotonic()
            self._look()
            if self._processes and self._watcher is None and self._played.ahead:
                self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
                self._watcher.start()
        if self._watcher is None:
            self._stop_counting()

    def close(self) -> None:
        """Give everybody their own clocks again."""
        self._ends.set()
        if self._watcher is not None:
            self._watcher.join()
        self._stop_counting()
        with self._lock:
            for process in list(self._processes.values()):
                self._leave(process)

    # -- what came of it --

    def plays(self, pid: int) -> bool:
        """Is the time of this process played?"""
        return pid in self._processes and pid not in self._without

    def doubts_about(self, pid: int) -> list[str]:
        """What of the time of a process that is played is not as it would be."""
        found = []
        if pid in self._late and self.grain:
            found.append(
                f"has waits of less than {SHORT // SECOND} s that were late by up to "
                f"{self.grain / SECOND:g} s (see --grain)"
            )
        elif pid in self._late:
            found.append(f"has waits that ended more than {_LATE / SECOND:g} s late")
        if pid in self._never_rested:
            found.append("never came to rest")
        if self._raw_reads is not None and (reads := self._raw_reads.of(pid)):
            times = "once" if reads == 1 else f"{reads} times"
            found.append(f"has read the machine's time {times}, by a system call of its own")
        if (process := self._processes.get(pid)) is not None:
            found += process.signals.doubts()
        return found

    # -- who --

    def _find_newcomers(self) -> None:
        """Those that have come since; at once if nobody has."""
        last = last_process()
        if last != self._last_process or self._spawning:
            self._find()

    @property
    def _spawning(self) -> set[int]:
        """Those that will be another program at any moment."""
        return self._spawned.keys() - self.refused.keys()

    def _find(self) -> None:
        self._last_process = last_process()
        there = set(members(self._namespaces))
        for pid, process in list(self._processes.items()):
            if pid not in there:
                self._leave(process)
            elif process.has_changed:
                self._forget(process)
            else:
                process.deadlines.find_threads()
        self.refused = {pid: why for pid, why in self.refused.items() if pid in there}
        new = there - self._processes.keys() - self.refused.keys() - self._without
        self._spawned = {pid: since for pid, since in self._spawned.items() if pid in there}
        for pid in new:
            self._adopt(pid)

    def _taking_part(self) -> list[ShiftedProcess]:
        """Those who live through this journey.

        Who has asked for it does not; but if it has lived through another one before, its clocks
        stay where they are, and between two journeys its waits end as everybody's.
        """
        return [
            process
            for pid, process in self._processes.items()
            if not (self._is_playing and pid in self._without)
        ]

    def _adopt(self, pid: int) -> None:
        try:
            why = why_not(pid)
            if is_vfork_of_another(pid):  # for a moment: then it is another program, or has ended
                since = self._spawned.setdefault(pid, time.monotonic())
                if time.monotonic() < since + _RETURN_S:
                    return
                why = "it has the memory of its parent (vfork)"
            else:
                self._spawned.pop(pid, None)
            if why is None:
                process = ShiftedProcess(pid, self._patch, self._architecture, self._played)
                try:
                    process.adopt()
                except BaseException:
                    process.close()
                    raise
                self._processes[pid] = process
                if self._raw_reads is not None and self._is_playing:
                    self._raw_reads.count([pid])
                return
        except CannotShiftError as error:
            why = str(error)
        except PermissionError as error:
            why = error.strerror or str(error)
        except (ProcessGoneError, OSError):
            if start_time(pid) is not None:  # it has just become another program
                self._last_process = b""
            return
        if start_time(pid) is not None:
            self.refused[pid] = why

    def _leave(self, process: ShiftedProcess) -> None:
        """It has ended, or gone to live elsewhere: there it has its own clocks again."""
        self._or_forget(process, process.put_back)
        self._forget(process)

    def _forget(self, process: ShiftedProcess) -> None:
        if self._processes.pop(process.pid, None) is not None:
            process.close()
            self._last_process = b""  # it may have become another program: look for it again

    def _or_forget(self, process: ShiftedProcess, act: Callable[[], object]) -> None:
        try:
            act()
        except ProcessGoneError:
            self._forget(process)
        except CannotShiftError as error:
            self.refused[process.pid] = str(error)
            self._forget(process)

    # -- waits --

    def _look(self) -> None:
        """Note what everybody waits for, and the timers of those that have run."""
        self._find_newcomers()
        self._look_at_threads()
        asked = [process.signals.look(process.offsets) for process in self._taking_part()]
        if any(asked):
            self._look_at_threads()

    def _look_at_threads(self) -> None:
        """Who has stood still for us is waited for."""
        deadline = time.monotonic() + _RETURN_S
        looking = self._taking_part()
        while looking:
            changed = [
                process for process in looking if process.look_at_threads() and process.has_changed
            ]
            if changed:  # execve(2)
                self._find()
                looking = self._taking_part()
                continue
            looking = [
                process
                for process in looking
                if process.deadlines.are_on_their_way
                or process.deadlines.running() - self._restless
            ]
            if looking and time.monotonic() > deadline:
                for process in looking:
                    process.deadlines.give_up_waiting()
                break
            if looking:
                time.sleep(0.0002)

    def _is_anybody_running(self) -> bool:
        """Did anybody run when it was looked at last, but for those who never rest?"""
        return any(each.deadlines.running() - self._restless for each in self._taking_part())

    def _end_waits(self, now: int) -> int:
        """How many waits and timers are over.  Those that wait on have noticed nothing."""
        due: dict[int, tuple[ShiftedProcess, ThreadWait]] = {}
        ended = 0
        for process in self._taking_part():
            for thread in process.deadlines.due(now):
                due[thread] = process, process.deadlines.threads[thread]
            for descriptor in list(process.deadlines.due_timers(now)):
                if fire(process.pid, descriptor):
                    self._note(process, now, process.deadlines.timers[descriptor].deadline)
                    ended += 1
                process.deadlines.forget_timer(descriptor)
            for deadline in process.signals.fire(now):
                self._note(process, now, deadline)
                ended += 1
        if not due:
            return ended
        try:
            with held(due) as there:
                for thread, held_thread in there.items():
                    process, wait = due[thread]
                    if self._end_wait(process, wait, held_thread):
                        self._note(process, now, wait.deadline)
                        del process.deadlines.threads[thread]
                        ended += 1
                    else:
                        process.note_held([thread])
        except PermissionError:  # somebody has begun to trace it
            for process, _ in due.values():
                if (why := why_not(process.pid)) is not None:
                    self.refused[process.pid] = why
                    self._forget(process)
        return ended

    def _note(self, process: ShiftedProcess, now: int, deadline: int) -> None:
        """One of its waits with this deadline ends now."""
        name, wakes = self.wakes.get(process.pid) or (name_of(process.pid), 0)
        self.wakes[process.pid] = name, wakes + 1
        if now - deadline > _LATE:
            self._late.add(process.pid)

    def _end_wait(self, process: ShiftedProcess, wait: ThreadWait, thread: HeldThread) -> bool:
        call = wait.call
        assert call is not None
        result = RESULTS.get(call.name)
        if result is None or not thread.is_in(self._numbers(call.number), call.arguments):
            return False
        try:
            # Standing still for us is one more sleep than it has had; if there are others, it has
            # been awake meanwhile, and this is its next wait.
            if not wait.is_same(process.deadlines.times_slept(thread.thread)):
                return False
            leave_behind(call.name, call.arguments, process)
            thread.end_call(result)
        except (OSError, ProcessGoneError, CannotShiftError):
            return False
        return True

    def _numbers(self, number: int) -> frozenset[int]:
        """Those of a call in the registers: one that was interrupted has another."""
        return frozenset({number, self._restart})

    # -- between two journeys --

    def _watch(self) -> None:
        """End the waits that the kernel would end too late."""
        pause = _WATCH_S
        while not self._ends.wait(pause):
            began = time.monotonic()
            with self._lock:
                if not self._is_playing:
                    self._look()
                    self._end_waits(self._played.now())
            if began > self._ended_at + _COUNTING_S:
                self._stop_counting()
            pause = max(_WATCH_S, (time.monotonic() - began) * _WATCH_SHARE)

    def _stop_counting(self) -> None:
        """The kernel takes a moment for it: nobody waits for that."""
        with self._lock:
            counting = None if self._is_playing else self._raw_reads
            if counting is not None:
                self._raw_reads = None
        if counting is not None:
            counting.close()


def _is_restless(before: Runs, now: Runs) -> bool:
    """Has a thread run so much that it will not come to rest?

    On a busy machine one that only has to wait for a processor is waited for.
    """
    return now.duration - before.duration > _LONGEST_RUN or now.times - before.times > _MOST_RUNS
