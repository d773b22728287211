"""The processes in a namespace, and ending all of them, whoever started them.

Works on processes that nobody here started.  Those started by `spawn` know how to stop; see
`process.py`.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from netns.errors import ProcessError
from netns.namespace import Namespace
from netns.process import AFTER_KILL, GRACE
from netns.procfs import UNKNOWN, command_of, is_in, pids, stat_of

POLL: Final = 0.005  # seconds between two looks at who is there


def pids_in(ns: Namespace) -> list[int]:
    """Ids of the processes whose main thread is in the namespace, sorted.

    A process of which only another thread is inside (`Namespace.enter`) is not among them.
    Processes of other users are seen by root only.
    """
    identity = ns.identity
    return sorted(pid for pid in pids() if is_in(pid, identity))


def stop_all_in(ns: Namespace, grace: float = GRACE) -> list[tuple[int, str]]:
    """End every process of the namespace: TERM, and KILL after `grace` seconds.

    Returns the id and command line of each that was ended.  The calling process and its
    ancestors are left alone.  Raises ProcessError if one survives KILL.
    """
    identity = ns.identity
    spared = _ancestors()
    ended: dict[int, str] = {}
    deadline = time.monotonic() + grace
    number = signal.SIGTERM
    was_empty = False
    told: set[tuple[int, int, str]] = set()
    while True:
        targets = [
            target
            for pid in pids()
            if pid not in spared
            and is_in(pid, identity)
            and (target := _Target.of(pid, identity)) is not None
        ]
        if not targets:
            # One that forks and ends while we look shows neither itself nor its child: only a
            # second look without a find counts.
            if not ended or was_empty:
                return sorted(ended.items())
            was_empty = True
            continue
        was_empty = False
        try:
            for target in targets:
                if target.command != UNKNOWN or target.pid not in ended:
                    ended[target.pid] = target.command
                # TERM once to each program: a second one means "at once" to some.  It may get
                # lost in a child that has not become its program yet, hence the command.
                program = (target.pid, target.started, target.command)
                if number == signal.SIGKILL or program not in told:
                    told.add(program)
                    target.send(number)
            _await_one(targets, max(0.0, min(POLL, deadline - time.monotonic())))
        finally:
            for target in targets:
                os.close(target.pidfd)
        if time.monotonic() >= deadline:
            if number == signal.SIGKILL:
                stuck = ", ".join(f"{target.pid} ({target.command})" for target in targets)
                raise ProcessError(
                    f"in namespace {ns.name!r} these do not even end on SIGKILL: {stuck}"
                )
            number = signal.SIGKILL
            deadline = time.monotonic() + AFTER_KILL


def _ancestors() -> set[int]:
    """The calling process, its parent, and so on to the first."""
    found = set()
    pid = os.getpid()
    while pid and pid not in found:
        found.add(pid)
        stat = stat_of(pid)
        pid = stat.parent if stat else 0
    return found


@dataclass(frozen=True)
class _Target:
    """A process that shall end, pinned by a descriptor: its id cannot come to mean another."""

    pid: int
    pidfd: int
    started: int
    command: str

    @classmethod
    def of(cls, pid: int, identity: tuple[int, int]) -> _Target | None:
        before = stat_of(pid)
        if before is None:
            return None
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        # If the id was passed on before the descriptor was open, the start time differs.
        after = stat_of(pid)
        if after is None or after.started != before.started or not is_in(pid, identity):
            os.close(pidfd)
            return None
        return cls(pid, pidfd, before.started, command_of(pid))

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)
            if number == signal.SIGTERM:
                signal.pidfd_send_signal(self.pidfd, signal.SIGCONT)  # or TERM would stay pending


def _await_one(targets: Sequence[_Target], timeout: float) -> None:
    poll = select.poll()
    for target in targets:
        poll.register(target.pidfd, select.POLLIN)
    poll.poll(timeout * 1000)
