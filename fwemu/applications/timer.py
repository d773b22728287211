"""Makes a timer descriptor of another process fire now (timerfd_create(2))."""

from __future__ import annotations

import ctypes
import os
from typing import Final

from netns.connections import Holder, borrow_descriptor

_libc = ctypes.PyDLL(None, use_errno=True)  # no other thread runs between two calls

_LATER: Final = 1 << 31
"""Seconds: a time in which nothing fires."""


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


def fire(pid: int, descriptor: int) -> bool:
    """Make it fire at once, and go on at its interval; False if it was disarmed, or is gone.

    Its process does not run, so nobody else sets it meanwhile.
    """
    try:
        timer = borrow_descriptor(Holder(pid, descriptor))
    except OSError:
        return False
    try:
        # What was disarmed a moment ago has to stay so: first it is asked, by an exchange.
        later = _Itimerspec(value=_Timespec(_LATER, 0))
        before = _set(timer, later)
        is_armed = bool(before.value.seconds or before.value.nanoseconds)
        now = _Timespec(0, 1 if is_armed else 0)
        _set(timer, _Itimerspec(interval=before.interval, value=now))
        return is_armed
    except OSError:  # no timer any more
        return False
    finally:
        os.close(timer)


def _set(timer: int, value: _Itimerspec) -> _Itimerspec:
    before = _Itimerspec()
    if _libc.timerfd_settime(timer, 0, ctypes.byref(value), ctypes.byref(before)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return before
