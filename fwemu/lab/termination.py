"""SIGTERM and SIGHUP end a program that has a lab as Ctrl-C does: with its lab removed.

CI cancels a job by SIGTERM, and a terminal that is closed sends SIGHUP; Python just ends on both.
So while labs of this process stand, these signals raise `Interrupted`, a KeyboardInterrupt: `with`
blocks are left, pytest tears its fixtures down and says that it was interrupted.

A signal for which the program has its own handler, or which it ignores, is left to it.
"""

from __future__ import annotations

import os
import signal
import threading
import weakref
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)

_standing: Final[weakref.WeakSet[object]] = weakref.WeakSet()
"""Labs of this process."""

_maker: int | None = None
"""The process whose labs these are: not one that was forked from it."""


class Interrupted(KeyboardInterrupt):
    """The process was told to end, by another signal than Ctrl-C sends."""


def clean_up_for(lab: object) -> None:
    """From now on these signals leave `with` blocks and the like, until `forget`.

    Where it cannot be done (signals are the main thread's business) or is not wanted, nothing is.
    """
    global _maker
    if _maker != os.getpid():
        _standing.clear()
        _maker = os.getpid()
    _standing.add(lab)
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _interrupt)


def forget(lab: object) -> None:
    """It is gone, or shall stay: with the last one the signals are as they were."""
    _standing.discard(lab)
    if not _standing and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _standing or _maker != os.getpid():
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    signal.signal(number, signal.SIG_IGN)  # once is enough: what cleans up is not disturbed
    raise Interrupted(f"{signal.Signals(number).name}: labs of this process are removed")
