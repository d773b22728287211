"""Processes in /proc: their ids, namespaces and start times."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNKNOWN: Final = "?"


@dataclass(frozen=True)
class Stat:
    """The needed fields of /proc/PID/stat; see proc_pid_stat(5)."""

    state: str
    parent: int
    group: int
    started: int
    """Clock ticks since boot: with the id, it tells two processes apart."""


def stat_of(pid: int) -> Stat | None:
    """None when there is no such process (or thread), or only its zombie."""
    stat = last_stat_of(pid)
    return None if stat is None or stat.state in "ZX" else stat


def last_stat_of(pid: int) -> Stat | None:
    """That of a zombie as well; None when there is nothing."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in parentheses and may contain anything.
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(fields[0], int(fields[1]), int(fields[2]), int(fields[19]))


def start_time(pid: int) -> int | None:
    """The start time of a process in clock ticks since boot; None if there is no such process.

    Together with the process id it tells a process from a later one with the same id.
    """
    stat = stat_of(pid)
    return None if stat is None else stat.started


def owner_of(pid: int) -> int | None:
    """The user of a process; None if it has ended."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None


def words_of(pid: int) -> list[str]:
    """Program and arguments of a process; none while it ends, or if it is somebody else's."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in text.rstrip(b"\0").split(b"\0") if text]


def pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def is_in(pid: int, identity: tuple[int, int]) -> bool:
    try:
        status = os.stat(f"/proc/{pid}/ns/net")
    except OSError:  # gone, a zombie, or somebody else's
        return False
    return (status.st_dev, status.st_ino) == identity


def command_of(pid: int) -> str:
    """Program and arguments of a process; UNKNOWN while it is ending."""
    return os.fsencode(" ".join(words_of(pid))).decode(errors="replace") or UNKNOWN


def name_of(pid: int) -> str:
    """`redis-server (pid 77)`."""
    program = command_of(pid).split(" ")[0].rpartition("/")[2].rstrip(":")
    return f"{program} (pid {pid})"


class PinnedProcess:
    """A process pinned by a descriptor: its id cannot come to mean another one.  Close it."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd

    @classmethod
    def of(cls, pid: int, started: int) -> PinnedProcess | None:
        """The process with this id that started then; None if it has ended."""
        try:
            process = cls(pid, os.pidfd_open(pid))
        except OSError:
            return None
        if start_time(pid) != started:  # the descriptor may be that of a later one
            process.close()
            return None
        return process

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def ends_within(self, seconds: float) -> bool:
        """Wait for the end; False if the process still runs."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def stop(self, grace: float) -> bool:
        """TERM, and KILL if it has not ended after `grace` seconds; True if it has ended then."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.send(number)
            if self.ends_within(grace):
                return True
        return False

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._pidfd)

    def __enter__(self) -> PinnedProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
