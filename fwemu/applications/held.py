"""Threads of other processes that stand still for a moment (ptrace(2), x86-64).

A thread that waits in a system call is taken out of it without noticing: when it goes on, the
kernel enters the call again, unless its wait was ended here.  Nothing is lost: a signal that comes
meanwhile is delivered, a wake-up that came before has ended the call already.

It can be had to make system calls of ours before it goes on (`HeldThread.injecting`): some things
of a process only its own threads can ask for, or change.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from fwemu.waits.system_calls import ARCHITECTURES
from fwemu.waits.threads import threads_of
from netns.procfs import last_stat_of, stat_of

# include/uapi/linux/ptrace.h
_CONT: Final = 7
_GETREGS: Final = 12
_SETREGS: Final = 13
_DETACH: Final = 17
_SYSCALL: Final = 24
_SETOPTIONS: Final = 0x4200
_SEIZE: Final = 0x4206
_INTERRUPT: Final = 0x4207
_GETSIGMASK: Final = 0x420A
_SETSIGMASK: Final = 0x420B
_EVENT_STOP: Final = 128
_TRACESYSGOOD: Final = 1
_SYSCALL_STOP: Final = signal.SIGTRAP | 0x80
"""What a stop at the beginning or the end of a system call says with PTRACE_O_TRACESYSGOOD."""

_NO_CALL: Final = 0xFFFFFFFFFFFFFFFF
"""In `orig_rax`: not in a system call that could be entered again."""

_SYSCALL_CODE: Final = b"\x0f\x05"

_ALL_SIGNALS: Final = 0xFFFFFFFFFFFFFFFF
"""But for SIGKILL and SIGSTOP, which nobody can block."""

_INJECTION_S: Final = 30.0
"""A thread in the middle of a call of ours cannot be let go: it is waited for so long."""

_MOST_ERRNO: Final = 4095
"""MAX_ERRNO (include/linux/err.h)."""

_WALL: Final = 0x40000000
"""__WALL: threads as well as children (include/uapi/linux/wait.h)."""

_STOPPING_S: Final = 1.0
"""A thread that has not stopped by then is in the middle of something (state D): it is let go."""

# include/linux/errno.h: how a call says that it is to be entered again
_ERESTARTSYS: Final = 512
_ERESTARTNOINTR: Final = 513
_ERESTARTNOHAND: Final = 514
_ERESTART_RESTARTBLOCK: Final = 516
_INTERRUPTED: Final = frozenset(
    {-errno.EINTR, -_ERESTARTSYS, -_ERESTARTNOINTR, -_ERESTARTNOHAND, -_ERESTART_RESTARTBLOCK}
)

_WAITING_CALLS: Final = frozenset(ARCHITECTURES["x86_64"].numbers)
"""Calls that may be entered again; not close(2), for instance, which has closed already."""

_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Registers(ctypes.Structure):
    """struct user_regs_struct (arch/x86/include/asm/user_64.h)."""

    _fields_ = [
        (name, ctypes.c_ulonglong)
        for name in (
            "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx",
            "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base",
            "gs_base", "ds", "es", "fs", "gs",
        )
    ]  # fmt: skip


class CannotInjectError(Exception):
    """A thread cannot be had to make a system call: why not."""


Inject = Callable[..., int]
"""Makes a system call by its number and arguments, and says its result.

Raises OSError where that is an error."""


class HeldThread:
    """A thread that stands still."""

    def __init__(self, thread: int, status: int) -> None:
        self.thread = thread
        self._registers = Registers()
        self._signal = 0
        """A signal that was just about to be delivered: it is, when the thread goes on."""
        self._is_stopped = False
        """By SIGSTOP and its like: it goes on standing still."""
        self._runs = False
        """It is on its way to another stop."""
        self._take(status)
        _call(_GETREGS, thread, self._registers)

    def _take(self, status: int) -> None:
        event, number = status >> 16, os.WSTOPSIG(status)
        self._signal = 0 if event == _EVENT_STOP else number
        self._is_stopped = event == _EVENT_STOP and number != signal.SIGTRAP

    @property
    def counter(self) -> int:
        """Where in its code it stands."""
        return int(self._registers.rip)

    def is_in(self, numbers: frozenset[int], arguments: tuple[int, ...]) -> bool:
        """Was it taken out of a system call with one of these numbers and just these arguments?

        Not if the call has come to its end by itself, or a signal is to be delivered.
        """
        registers = self._registers
        return (
            not self._signal
            and not self._is_stopped
            and self._result in _INTERRUPTED
            and _signed(registers.orig_rax) in numbers
            and arguments
            == (
                registers.rdi, registers.rsi, registers.rdx,
                registers.r10, registers.r8, registers.r9,
            )
        )  # fmt: skip

    def end_call(self, result: int) -> None:
        """It comes back from its system call with this result when it goes on."""
        self._registers.rax = result & 0xFFFFFFFFFFFFFFFF
        self._registers.orig_rax = _NO_CALL
        _call(_SETREGS, self.thread, self._registers)

    @contextmanager
    def injecting(self) -> Iterator[Inject]:
        """Have it make system calls of ours.  Afterwards it stands as it stood.

        It makes them at the instruction of the call that it was taken out of.  The kernel sees to
        an interrupted call only on the way from a stop by PTRACE_EVENT_STOP to user space
        (get_signal in kernel/signal.c, arch_do_signal_or_restart in arch/x86/kernel/signal.c): it
        is brought to another one of these before its registers are put back.  What the kernel
        keeps of the interrupted call (its restart block, with the end of the wait) only a signal's
        handler would take away.  So all signals are blocked meanwhile: those that come are
        delivered when it goes on, with the registers that are its own.

        Raises CannotInjectError where that is not possible, ProcessLookupError if it ends.
        """
        if self._signal or self._is_stopped:
            raise CannotInjectError("it is stopped, or about to get a signal")
        if self._code_before() != _SYSCALL_CODE:
            raise CannotInjectError("it is not in a system call")
        own = Registers.from_buffer_copy(self._registers)
        mask = _signals(_GETSIGMASK, self.thread, 0)
        _call(_SETOPTIONS, self.thread, data=_TRACESYSGOOD)
        _signals(_SETSIGMASK, self.thread, _ALL_SIGNALS)
        try:
            yield self._inject
        finally:
            with suppress(ProcessLookupError):
                _call(_INTERRUPT, self.thread)
                self._take(self._run(_CONT, _is_event_stop))
                self._registers = own
                _call(_SETREGS, self.thread, own)
                _signals(_SETSIGMASK, self.thread, mask)

    def _inject(self, number: int, *arguments: int) -> int:
        registers = self._registers
        registers.rax, registers.orig_rax = number, _NO_CALL
        registers.rip -= len(_SYSCALL_CODE)
        for name, value in zip(_ARGUMENTS, (*arguments, 0, 0, 0, 0, 0, 0), strict=False):
            setattr(registers, name, value & 0xFFFFFFFFFFFFFFFF)
        _call(_SETREGS, self.thread, registers)
        for _ in ("begins", "ends"):
            self._run(_SYSCALL, _is_syscall_stop)
        _call(_GETREGS, self.thread, registers)
        if -_MOST_ERRNO <= self._result < 0:
            raise OSError(-self._result, os.strerror(-self._result))
        return self._result

    def _run(self, request: int, is_wanted: Callable[[int], bool]) -> int:
        """Let it run to the next stop of this kind, and say with which status it stopped.

        On its way it may meet SIGSTOP, which is passed on: then it stands with all its process,
        and goes on for us alone.
        """
        passed_on = 0
        while True:
            if not self._runs:  # as it does if we were interrupted while it was waited for
                _call(request, self.thread, data=passed_on)
                self._runs = True
            status = _stopped(self.thread, time.monotonic() + _INJECTION_S)
            self._runs = False
            if status is None:
                raise ProcessLookupError(errno.ESRCH, "it has ended in the middle of a system call")
            if is_wanted(status):
                return status
            is_signal = not _is_event_stop(status) and not _is_syscall_stop(status)
            passed_on = os.WSTOPSIG(status) if is_signal else 0

    def _code_before(self) -> bytes:
        """The instruction in front of the one where it stands."""
        size = len(_SYSCALL_CODE)
        with (
            suppress(OSError, OverflowError),
            Path(f"/proc/{self.thread}/mem").open("rb", 0) as memory,
        ):
            return os.pread(memory.fileno(), size, self.counter - size)
        return b""

    def _enter_again(self) -> None:
        """Have the kernel enter an interrupted call again that it would end with EINTR.

        As after ERESTARTNOHAND: a signal that has a handler ends it with EINTR all the same.
        """
        is_interrupted = self._result == -errno.EINTR and not self._signal and not self._is_stopped
        if is_interrupted and _signed(self._registers.orig_rax) in _WAITING_CALLS:
            self._registers.rax = -_ERESTARTNOHAND & 0xFFFFFFFFFFFFFFFF
            _call(_SETREGS, self.thread, self._registers)

    @property
    def _result(self) -> int:
        return _signed(self._registers.rax)

    def go(self) -> None:
        """It goes on."""
        try:
            self._enter_again()
            _call(_DETACH, self.thread, data=self._signal)
        except ProcessLookupError:
            _reap(self.thread)


@contextmanager
def held(threads: Iterable[int]) -> Iterator[dict[int, HeldThread]]:
    """These threads, all at once, as long as the block lasts; those that have ended are left out.

    Raises PermissionError where we may not: the thread is traced by another, or belongs to somebody
    whose processes we may not touch.
    """
    seized: list[int] = []
    there: dict[int, HeldThread] = {}
    try:
        for thread in threads:
            if _seize(thread):
                seized.append(thread)
        deadline = time.monotonic() + _STOPPING_S
        for thread in seized:
            if (status := _stopped(thread, deadline)) is not None:
                with suppress(ProcessLookupError):
                    there[thread] = HeldThread(thread, status)
        yield there
    finally:
        for each in there.values():
            each.go()
        for thread in seized:
            if thread not in there:
                _let_go(thread)


@contextmanager
def held_process(pid: int) -> Iterator[dict[int, HeldThread] | None]:
    """All threads of a process; None if one of them does not come to stand."""
    there: dict[int, HeldThread] = {}
    tried: set[int] = set()
    with ExitStack() as undo:
        while new := set(threads_of(pid)) - tried:
            there |= undo.enter_context(held(new))
            tried |= new
        stand = all(thread in there or stat_of(thread) is None for thread in tried)
        yield there if stand else None


_ARGUMENTS: Final = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


def _is_event_stop(status: int) -> bool:
    return status >> 16 == _EVENT_STOP


def _is_syscall_stop(status: int) -> bool:
    return os.WSTOPSIG(status) == _SYSCALL_STOP


def _seize(thread: int) -> bool:
    try:
        _call(_SEIZE, thread)
        _call(_INTERRUPT, thread)
    except ProcessLookupError:
        return False
    except PermissionError:
        if stat_of(thread) is None:
            return False
        raise
    return True


def _stopped(thread: int, deadline: float) -> int | None:
    """The status of a thread that has come to stand; None if it does not, or has ended."""
    looks = 0
    while True:
        try:
            waited, status = os.waitpid(thread, _WALL | os.WNOHANG)
        except ChildProcessError:
            return None
        if waited:
            return status if os.WIFSTOPPED(status) else None
        if time.monotonic() > deadline:
            return None
        looks += 1
        if looks < 20:
            os.sched_yield()
        else:
            time.sleep(0.0002)


def _let_go(thread: int) -> None:
    """One that has not come to stand in time: only a thread that stands can be detached."""
    if (status := _stopped(thread, time.monotonic() + _STOPPING_S)) is not None:
        try:
            HeldThread(thread, status).go()
        except ProcessLookupError:
            _reap(thread)


def _reap(thread: int) -> None:
    """One that was killed while it stood still: its parent hears of it after us (ptrace(2))."""
    stat = last_stat_of(thread)
    if stat is not None and stat.parent == os.getpid():
        return  # we would take its end away from ourselves
    deadline = time.monotonic() + _STOPPING_S
    while _stopped(thread, deadline) is not None:
        pass  # it stops once more on its way, where its end is traced


def _call(request: int, thread: int, address: Registers | None = None, data: int = 0) -> None:
    place = ctypes.c_void_p(data) if address is None else ctypes.byref(address)
    if _ptrace(request, thread, None, place) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _signals(request: int, thread: int, mask: int) -> int:
    """Ask for, or set, the signals that it blocks; says which those are."""
    value = ctypes.c_uint64(mask)
    size = ctypes.c_void_p(ctypes.sizeof(value))
    if _ptrace(request, thread, size, ctypes.byref(value)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return value.value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else int(value)
