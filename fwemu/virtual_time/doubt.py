"""Whether an answer about a session can be trusted although nobody played its application's timers.

While an hour is passed in a moment the programs stand still.  If one of them would have woken by
itself in that hour, it might have sent a heartbeat, or closed the connection, before the firewall
forgot it.  What every thread waited for (`fwemu.waits`) says who would have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from fwemu.applications.signal_timers import SignalTimer
from fwemu.core.instants import SECOND
from fwemu.waits.threads import Wait

TICK: Final = 5 * SECOND
"""Runtimes wake more often than this for work of their own: it says little about a session."""


class Trust(Enum):
    """How far an answer about a session can be trusted; from good to bad."""

    SURE = "sure"
    """No program that holds its sockets would have woken by itself."""
    POSSIBLE = "possible"
    """One would have, but nothing says that it has to do with this session."""
    NOT_TO_BE_TRUSTED = "not-to-be-trusted"
    """One that watches a socket of this session would have."""

    @property
    def rank(self) -> int:
        """0 for the best."""
        return list(Trust).index(self)


@dataclass(frozen=True)
class Process:
    """A program that holds a socket, and what its threads waited for before time was passed."""

    pid: int
    name: str
    """`redis-server (pid 77)`"""
    waits: Sequence[Wait]
    timers: Sequence[SignalTimer] = ()
    """Those that would have woken it by a signal."""
    unreadable: str = ""
    """Timers of which nobody can say when they fire, and why."""
    refused: str | None = None
    """Why nothing at all could be read."""


@dataclass(frozen=True)
class Doubt:
    """One reason not to trust an answer."""

    trust: Trust
    process: str
    pid: int
    call: str
    after: int | None
    """Nanoseconds from the moment at which it was looked at to its wakening, at the most; None if
    that cannot be read."""
    why: str
    early: int = 0
    """Nanoseconds from its wakening to what it might have changed."""

    @property
    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "trust": self.trust.value,
            "process": self.process,
            "pid": self.pid,
            "call": self.call,
            "after_s": None if self.after is None else round(self.after / SECOND, 3),
            "why": self.why,
            "text": self.text,
        }

    @property
    def text(self) -> str:
        """One line for people."""
        if self.after is None:
            return f"{self.process} {self.why}".strip()
        return (
            f"{self.process} {self.why}, and would have woken by itself after "
            f"{_length(self.after)} ({self.call}), {_length(self.early)} earlier"
        )


def doubts(inodes: frozenset[int], processes: Iterable[Process], horizon: int) -> list[Doubt]:
    """Why the answer about a session may be wrong, the worst first; nothing if it is sure.

    `inodes` are those of its sockets, `processes` those that hold them.  `horizon` is how long
    after the beginning the session ended, or the time that passed if it lived; nanoseconds.
    """
    found = [doubt for process in processes for doubt in _about(inodes, process, horizon)]
    return sorted(found, key=lambda doubt: (-doubt.trust.rank, doubt.after or 0))


def missing(what: str) -> Doubt:
    """What a fast-forward does not play of a connection: nobody knows how it would have fared."""
    return Doubt(Trust.NOT_TO_BE_TRUSTED, "", 0, "", None, what)


def of_played(process: Process, why: str) -> Doubt:
    """Its time was played, but not as it would have been."""
    return _unknown(process, why)


def not_looked_at(protocol: str) -> Doubt:
    """Sockets of another protocol than TCP are not looked for."""
    why = f"nobody has looked at the programs behind {protocol}: one may send something by itself"
    return Doubt(Trust.POSSIBLE, "", 0, "", None, why)


def elsewhere(address: str) -> Doubt:
    """An end of the session that is none of the hosts: its sockets are not found."""
    why = f"nobody has looked at the programs at {address}, which is none of the hosts (--host)"
    return Doubt(Trust.POSSIBLE, "", 0, "", None, why)


def trust(found: Iterable[Doubt]) -> Trust:
    """The worst of these; SURE if there is none."""
    return max((doubt.trust for doubt in found), key=lambda each: each.rank, default=Trust.SURE)


def _about(inodes: frozenset[int], process: Process, horizon: int) -> Iterator[Doubt]:
    """At most one doubt of each kind about a process: the earliest."""
    if process.refused is not None:
        yield _unknown(process, f"cannot be looked into ({process.refused})")
        return

    def woken(trust: Trust, wait: Wait, why: str) -> Doubt:
        due = _due(wait)
        return Doubt(trust, process.name, process.pid, wait.call, due, why, horizon - due)

    timed = [wait for wait in process.waits if wait.due is not None and wait.due <= horizon]
    strong = [wait for wait in timed if wait.sockets & inodes]
    weak = [wait for wait in timed if not wait.sockets & inodes]
    if strong:
        yield woken(Trust.NOT_TO_BE_TRUSTED, min(strong, key=_due), "watches this socket")
    elif weak:
        slow = [wait for wait in weak if wait.timeout is None or wait.timeout >= TICK]
        if slow:
            yield woken(Trust.POSSIBLE, min(slow, key=_due), "has a timer of its own")
        else:
            ticks = "ticks (a heartbeat may hide there)"
            yield woken(Trust.POSSIBLE, min(weak, key=_due), ticks)
    for wait in process.waits:
        if wait.unknown is not None:
            yield _unknown(process, f"its thread {wait.name} {wait.unknown}", wait.call)
            break
    armed = [timer for timer in process.timers if timer.left <= horizon]
    if armed:
        first = min(armed, key=lambda timer: timer.left)
        yield Doubt(
            Trust.POSSIBLE, process.name, process.pid, first.call,
            first.left, f"has {first.name}", horizon - first.left,
        )  # fmt: skip
    if process.unreadable:
        yield _unknown(process, process.unreadable)


def _due(wait: Wait) -> int:
    assert wait.due is not None
    return wait.due


def _length(nanoseconds: int) -> str:
    """`11.6 s`, `59 min`, `2.5 h`: as exact as anybody needs it here."""
    seconds = nanoseconds / SECOND
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _unknown(process: Process, why: str, call: str = "") -> Doubt:
    return Doubt(Trust.POSSIBLE, process.name, process.pid, call, None, why)
