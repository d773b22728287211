"""Whose time is played: the processes of some network namespaces, but for some."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from fwemu.waits.threads import threads_of
from netns import Namespace
from netns.procfs import command_of, is_in, pids, stat_of

_SYS_KCMP: Final = 312  # x86-64
_KCMP_VM: Final = 1  # include/uapi/linux/kcmp.h
_libc = ctypes.PyDLL(None, use_errno=True)  # no other thread runs between two calls


def members(namespaces: Iterable[Namespace]) -> list[int]:
    """The processes in these namespaces, zombies left out."""
    identities = {namespace.identity for namespace in namespaces}
    return [pid for pid in pids() if any(is_in(pid, each) for each in identities)]


def with_ancestors(pid: int) -> set[int]:
    """A process, its parent, the parent of that, and so on."""
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        stat = stat_of(pid)
        pid = 0 if stat is None else stat.parent
    return found


def last_process() -> bytes:
    """Another value each time a process or a thread has been started."""
    return Path("/proc/loadavg").read_bytes().rpartition(b" ")[2]


def why_not(pid: int) -> str | None:
    """Why the time of a process cannot be moved, before anything is tried; None if it can.

    Raises OSError where it has ended.
    """
    for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
        if line.startswith("TracerPid:") and (tracer := int(line.split()[1])):
            return f"it is traced by {command_of(tracer).split(' ')[0]} (pid {tracer})"
    with open(f"/proc/{pid}/exe", "rb") as program:
        head = program.read(5)
    if head[:4] == b"\x7fELF" and head[4:5] != b"\x02":  # EI_CLASS: ELFCLASS64
        return "it is a 32-bit program"
    with suppress(FileNotFoundError):  # a kernel without them (CONFIG_TIME_NS)
        if os.stat(f"/proc/{pid}/ns/time").st_ino != os.stat("/proc/self/ns/time").st_ino:
            return "it is in a time namespace of its own"
    return None


def is_vfork_of_another(pid: int) -> bool:
    """Does it share its parent's memory, as a child of vfork(2) or posix_spawn(3) does at first?

    What is written into it is written into its parent, who may live elsewhere.
    """
    stat = stat_of(pid)
    if stat is None or stat.parent == 0:
        return False
    compared = _libc.syscall(_SYS_KCMP, pid, stat.parent, _KCMP_VM, 0, 0)
    number = 0 if compared >= 0 else ctypes.get_errno()
    if number == errno.EPERM and os.access(f"/proc/{pid}/mem", os.R_OK):
        return _waits_for_its_vfork(stat.parent)  # we may not look into the parent, as into pid 1
    if number not in (0, errno.ESRCH):
        raise OSError(number, f"kcmp: {os.strerror(number)}")
    return bool(compared == 0)


def _waits_for_its_vfork(pid: int) -> bool:
    """Might it?  The thread that has called vfork(2) sleeps so that nothing but SIGKILL ends it."""
    stats = map(stat_of, threads_of(pid))
    return any(stat is not None and stat.state == "D" for stat in stats)


def own_processes(caller: int | None) -> set[int]:
    """Those whose time is not played: ourselves, and who waits for us with all its ancestors."""
    return {os.getpid()} | (with_ancestors(caller) if caller else set())
