"""A process whose clocks are ours to move: patched while it stands still, and put back likewise."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from fwemu.applications.deadlines import Deadlines
from fwemu.applications.held import held_process
from fwemu.applications.played_time import PlayedTime
from fwemu.applications.shifted_clock import ClockPatch, Offsets, Write
from fwemu.applications.signal_deadlines import SignalDeadlines
from fwemu.applications.vdso import NoVdsoError, mapping
from fwemu.waits.memory import octets_at
from fwemu.waits.system_calls import Architecture
from netns.procfs import start_time

_TRIES: Final = 50
"""How often a thread may be met just while it asks for the time."""


class CannotShiftError(Exception):
    """The clocks of a process cannot be shifted: why not."""


class ProcessGoneError(Exception):
    """It has ended, or has become another program (execve(2))."""


class ShiftedProcess:
    """One of those whose time is played.  Close it."""

    def __init__(
        self, pid: int, patch: ClockPatch, architecture: Architecture, played: PlayedTime
    ) -> None:
        """Nothing is changed yet: see `adopt`.  Raises CannotShiftError, ProcessGoneError."""
        self.pid = pid
        self.started = start_time(pid)
        self._patch = patch
        self._played = played
        try:
            self._born = auxiliary_vector(pid)
            self._place = mapping(pid)
            self._memory = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        except NoVdsoError as error:
            if not any(self._born) or auxiliary_vector(pid) != self._born:  # in execve(2) just now
                raise ProcessGoneError from error
            raise CannotShiftError(str(error)) from error
        except PermissionError as error:
            raise CannotShiftError(error.strerror or str(error)) from error
        except OSError as error:
            raise ProcessGoneError from error
        self.deadlines = Deadlines(pid, self, architecture, played)
        self.signals = SignalDeadlines(pid, self.deadlines, played)
        try:
            self._is_patched, self._base = self._state_before()
        except BaseException:
            os.close(self._memory)
            raise
        self.offsets = Offsets() if not self._is_patched else self._offsets_now()

    def _state_before(self) -> tuple[bool, Offsets]:
        """Has it been patched already, and how far its clocks are from those that are played?

        A child of one that was has lived through what its parent has.  For another one time begins
        now: it has seen nothing of what was passed over.
        """
        ahead, day_ahead = self._played.ahead, self._played.day_ahead
        try:
            image = self.read(self._place.start, self._place.size)
        except OSError as error:
            raise ProcessGoneError from error
        if not self._patch.is_clean(image):
            raise CannotShiftError("its vDSO is not that of this kernel for 64-bit programs")
        before = self._patch.offsets_in(image[self._patch.marked])
        if before is None:
            return False, Offsets(0, -ahead)
        if before.wall > day_ahead:  # of a firewall that is no more
            return True, Offsets(before.wall - day_ahead, before.monotonic - ahead)
        return True, Offsets(0, before.monotonic - before.wall + self._played.stepped)

    def adopt(self) -> None:
        """Have its clocks follow the time that is played, from now on.

        Its threads stand still for a moment.  Raises CannotShiftError, ProcessGoneError.
        """
        self.deadlines.find_threads()
        if not self._is_patched:
            self.deadlines.look(self.offsets)  # before anything is disturbed
            self.signals.look(self.offsets)
            self._while_it_stands(self._patch_it)
            self._is_patched = True
        self.follow()
        self.look_at_threads()

    def look_at_threads(self) -> bool:
        """Note what they wait for; True if any has run, and may have set a timer."""
        has_run = self.deadlines.look(self.offsets)
        if has_run:
            self.signals.is_stale = True
        return has_run

    def forget_waits(self) -> None:
        """What it waits for is read anew, by its own clocks as they are."""
        self.deadlines.forget_waits()
        self.signals.forget_timers()

    def next(self, slack: int) -> int:
        """The instant until which all of it may wait; see `Deadlines.next`."""
        return min(self.deadlines.next(slack), self.signals.next(slack))

    def follow(self) -> None:
        """Set its clocks to the time that is played.  Raises ProcessGoneError."""
        self.offsets = self._offsets_now()
        self._write(Write(self._patch.offsets_at, self.offsets.octets))

    def step(self, by: int) -> None:
        """Its time of day has jumped ahead, as if somebody had set it.  Raises as `follow`."""
        self.deadlines.step(by)
        self.signals.step(by)
        self.follow()

    def put_back(self) -> None:
        """Give it its own clocks again, as they were found.  Raises as `adopt`."""
        self._write(Write(self._patch.offsets_at, Offsets().octets))
        self._while_it_stands(self._unpatch_it)
        self._is_patched = False

    def close(self) -> None:
        """Leave it as it is."""
        self.deadlines.close()
        os.close(self._memory)

    def _offsets_now(self) -> Offsets:
        played = self._played
        return Offsets(self._base.wall + played.day_ahead, self._base.monotonic + played.ahead)

    def _patch_it(self) -> None:
        self._write(self._patch.code(self._offsets_now()))
        for jump in self._patch.jumps():
            self._write(jump)

    def _unpatch_it(self) -> None:
        for original in self._patch.originals():
            self._write(original)
        self._write(self._patch.nothing())

    def _while_it_stands(self, act: Callable[[], None]) -> None:
        """Do something while no thread of it runs, and none is in the vDSO."""
        try:
            for _ in range(_TRIES):
                if self._try_while_it_stands(act):
                    return
        except PermissionError as error:
            raise CannotShiftError(error.strerror or str(error)) from error
        raise CannotShiftError("its threads do not come to stand")

    def _try_while_it_stands(self, act: Callable[[], None]) -> bool:
        with held_process(self.pid) as threads:
            end = self._place.start + self._place.size
            is_safe = threads is not None and not any(
                self._place.start <= each.counter < end for each in threads.values()
            )
            if is_safe:
                act()
            if threads is not None:
                self.note_held(threads)
            return is_safe

    @property
    def has_changed(self) -> bool:
        """Has it ended, or become another program?

        Its memory may live on without it: a child of vfork(2) has had that of its parent.
        """
        try:
            return start_time(self.pid) != self.started or auxiliary_vector(self.pid) != self._born
        except OSError:
            return True

    def note_held(self, threads: Iterable[int]) -> None:
        """These have stood still, and will wait on as if nothing had been."""
        for thread in threads:
            with suppress(OSError, KeyError):  # it has ended, or is new
                self.deadlines.note_held(thread, self.deadlines.is_same(thread))

    # -- memory --

    def read(self, address: int, size: int) -> bytes:
        """Octets of its memory.  Raises OSError if they are not there."""
        return octets_at(self._memory, address, size)

    def write(self, address: int, octets: bytes) -> None:
        """Write into its memory.  Raises ProcessGoneError, CannotShiftError."""
        try:
            written = os.pwrite(self._memory, octets, address)
        except OSError as error:
            if start_time(self.pid) != self.started:
                raise ProcessGoneError from error
            raise CannotShiftError(f"its memory cannot be written ({error.strerror})") from error
        if written < len(octets):
            raise ProcessGoneError

    def _write(self, what: Write) -> None:
        self.write(self._place.start + what.at, what.octets)


def auxiliary_vector(pid: int) -> bytes:
    """The addresses with which a program was started (getauxval(3)); execve(2) gives others."""
    with open(f"/proc/{pid}/auxv", "rb", buffering=0) as file:
        return file.read(4096)
