"""The process that keeps a user namespace, and ends what is left in it.

    keeper.py process 3    until the process behind descriptor 3 (a pidfd) ends; what is still
                           inside then is ended, whatever the process died of
    keeper.py labs 3       as long as a lab is written down in directory 3, or somebody is inside

A program by itself that needs nothing but the standard library: it starts in some milliseconds,
and takes little memory for the hours that a lab may stand.
"""

import fcntl
import os
import select
import signal
import sys
import time
from contextlib import suppress

RECORD = ".keeper.json"
"""In the directory of labs: who keeps their namespace."""

DESCRIPTOR = 3

POLL = 0.25
"""Seconds between two looks whether there are labs."""

GRACE = 3.0
"""Seconds to end after SIGTERM, before SIGKILL."""

_NS_GET_PARENT = 0xB702  # include/uapi/linux/nsfs.h


def become(kind: str, descriptor: int) -> None:
    """Turn this process, a fork, into a keeper: never returns."""
    try:
        os.dup2(descriptor, DESCRIPTOR)  # inheritable, unless it is the same
        os.set_inheritable(DESCRIPTOR, True)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.closerange(DESCRIPTOR + 1, os.sysconf("SC_OPEN_MAX"))
        os.chdir("/")
        for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        command = [sys.executable, "-I", "-S", __file__, kind, str(DESCRIPTOR)]
        os.execv(sys.executable, command)
    finally:
        os._exit(1)


def end_with_process(pidfd: int) -> None:
    """Wait for the end of a process, then end what is left in this user namespace."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()
    told: set[int] = set()
    deadline = time.monotonic() + GRACE
    while inside := others():
        is_late = time.monotonic() > deadline
        for pid in inside:
            if is_late or pid not in told:
                told.add(pid)
                _end(pid, signal.SIGKILL if is_late else signal.SIGTERM)
        time.sleep(0.01)


def stay_with_labs(directory: int) -> None:
    """Return when no lab is written down in the directory any more, and nobody is inside."""
    while True:
        time.sleep(POLL)
        if _has_labs(directory):
            continue
        # under the lock a command that is about to make a lab has entered, or will find no record
        fcntl.flock(directory, fcntl.LOCK_EX)
        try:
            if not _has_labs(directory) and not others():
                with suppress(FileNotFoundError):
                    os.unlink(RECORD, dir_fd=directory)
                return
        finally:
            fcntl.flock(directory, fcntl.LOCK_UN)


def others() -> list[int]:
    """The other processes in this user namespace, or in one made inside it."""
    ours = _identity("/proc/self/ns/user")
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if pid != os.getpid() and _is_inside(pid, ours)]


def _has_labs(directory: int) -> bool:
    for name in os.listdir(directory):
        with suppress(OSError):
            os.stat(f"{name}/lab.json", dir_fd=directory)
            return True
    return False


def _is_inside(pid: int, ours: tuple[int, int]) -> bool:
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as stat:
            if stat.read().rpartition(")")[2].split()[0] in "ZX":
                return False
        descriptor = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it has ended, or is not ours
        return False
    try:
        while _identity(descriptor) != ours:
            parent = fcntl.ioctl(descriptor, _NS_GET_PARENT)
            os.close(descriptor)
            descriptor = parent
    except OSError:  # EPERM: it is none of those below ours
        return False
    finally:
        os.close(descriptor)
    return True


def _identity(place: str | int) -> tuple[int, int]:
    status = os.stat(place)
    return status.st_dev, status.st_ino


def _end(pid: int, number: int) -> None:
    with suppress(OSError):  # it has ended
        pidfd = os.pidfd_open(pid)
        try:
            if _is_inside(pid, _identity("/proc/self/ns/user")):  # the number still means it
                signal.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)


if __name__ == "__main__":
    {"process": end_with_process, "labs": stay_with_labs}[sys.argv[1]](int(sys.argv[2]))
