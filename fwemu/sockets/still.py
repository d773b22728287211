"""Holds processes still for some microseconds: ptrace(2), without a signal that anybody sees.

SIGSTOP would do it too, but shells hear of that and take the terminal back, and if we died between
stop and continue, the application would stand still for ever.  A tracer that dies lets go.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from netns.procfs import stat_of

# include/uapi/linux/ptrace.h
_DETACH: Final = 17
_SEIZE: Final = 0x4206
_INTERRUPT: Final = 0x4207
_WALL: Final = 0x40000000  # include/uapi/linux/wait.h
_PATIENCE: Final = 1.0
"""Seconds that a thread has to stand still; one that waits for a disk may take a while."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


class NotStill(Exception):  # noqa: N818 - it says what is the case
    """A process cannot be held still: it is being debugged, or we may not."""


@contextmanager
def held_still(pids: Iterable[int]) -> Iterator[None]:
    """None of the threads of these processes runs in the block; a process that has ended is fine.

    Raises NotStill.  The calling thread holds them: the block must not change to another one.
    """
    with ExitStack() as undo:
        for pid in set(pids):
            held: set[int] = set()
            while new := set(_threads(pid)) - held:  # one that still ran may have made others
                for thread in new:
                    _hold(pid, thread, undo)
                held |= new
        yield


def _threads(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except FileNotFoundError:
        return []


def _hold(pid: int, thread: int, undo: ExitStack) -> None:
    try:
        _ptrace(_SEIZE, thread)
    except ProcessLookupError:
        return
    except PermissionError as error:
        if not is_running(pid):
            return
        raise NotStill(f"process {pid} cannot be held still: {_why_not(pid)}") from error
    undo.callback(_let_go, thread)
    _ptrace(_INTERRUPT, thread)
    deadline = time.monotonic() + _PATIENCE
    while os.waitpid(thread, _WALL | os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            raise NotStill(f"process {pid} does not stand still: its thread {thread} is busy")


def is_running(pid: int) -> bool:
    """Is it there, and not merely waiting for its parent to notice its end?"""
    return stat_of(pid) is not None


def _let_go(thread: int) -> None:
    with suppress(ProcessLookupError):  # killed meanwhile
        _ptrace(_DETACH, thread)


def _why_not(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/status") as status:
            tracer = next(line.split()[1] for line in status if line.startswith("TracerPid"))
    except OSError:
        return "it has ended"
    return "we may not trace it" if tracer == "0" else f"process {tracer} is debugging it"


def _ptrace(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
