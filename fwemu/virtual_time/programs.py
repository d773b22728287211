"""What the programs of the hosts waited for before time passed: who would have woken by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from fwemu.applications.play import Player
from fwemu.virtual_time.asked_timers import AskedTimers
from fwemu.virtual_time.doubt import Doubt, Process, doubts, missing, of_played
from fwemu.virtual_time.found_sockets import FoundSocket
from fwemu.waits.threads import Wait, epoll_sockets, waits_of
from netns.connections import SocketAddress
from netns.procfs import name_of

Ends = frozenset[SocketAddress]
"""The two ends of a connection, whichever of them is asked."""


class Caller(NamedTuple):
    """The thread that has asked for time to pass: it waits for the end of that alone."""

    pid: int
    thread: int
    """0 if the whole process does nothing else."""


class _Seen(NamedTuple):
    """A socket, and who held it when it was found."""

    at: int
    """The instant of the firewall's clock at which its holders were looked at."""
    inode: int
    holders: Sequence[Process]


@dataclass
class Programs:
    """Those that hold the sockets of the hosts, as they were when each socket was found."""

    caller: Caller | None = None
    scale: int = 1
    """Seconds of the firewall in one of the programs': theirs are the machine's."""
    player: Player | None = None
    """Plays the time of programs; None if all of them stand still."""
    asked: AskedTimers = field(default_factory=AskedTimers)
    """Asks those whose time is not played for their timers."""
    patience: float = 0.25
    """Real seconds that are left to wait, in all, for those that are at work to wait again: what
    they were asked a moment ago they have answered, but not everybody has come to rest."""
    _seen: dict[Ends, list[_Seen]] = field(default_factory=dict)
    _missing: dict[Ends, list[Doubt]] = field(default_factory=dict)

    def look(self, sockets: Iterable[FoundSocket], now: int) -> None:
        """Read what whoever holds these waits for.  Nothing may have disturbed them before."""
        there = list(sockets)
        own = os.getpid()
        pids = {holder.pid for each in there for holder in each.holders} - {own}
        processes = {pid: self._process(pid) for pid in sorted(pids)}
        for each in there:
            inode = each.connection.inode
            held = [
                self._without_caller(processes[pid], inode)
                for pid in sorted({holder.pid for holder in each.holders} - {own})
            ]
            self._seen.setdefault(frozenset(each.ends), []).append(_Seen(now, inode, held))

    def miss(self, ends: Iterable[SocketAddress], what: str) -> None:
        """Something of this connection is not played."""
        self._missing.setdefault(frozenset(ends), []).append(missing(what))

    def doubts(self, ends: Ends, at: int) -> list[Doubt]:
        """Why what became of this connection until `at` may not be what would have; worst first."""
        found = list(self._missing.get(ends, ()))
        for seen in self._seen.get(ends, ()):
            found += doubts(frozenset({seen.inode}), seen.holders, (at - seen.at) // self.scale)
            found += self._doubts_of_played(seen.holders)
        return sorted(found, key=lambda doubt: -doubt.trust.rank)

    def doubtful(self, at: int) -> Iterator[tuple[Ends, list[Doubt]]]:
        """Every connection with its doubts, if it has any."""
        for ends in {**self._seen, **self._missing}:
            if found := self.doubts(ends, at):
                yield ends, found

    def _process(self, pid: int) -> Process:
        name = name_of(pid)
        is_played = self.player is not None and self.player.plays(pid)
        try:
            waits = waits_of(pid) if is_played else self._at_rest(pid)
        except PermissionError as error:
            return Process(pid, name, (), refused=error.strerror)
        if is_played:
            waits = [wait for wait in waits if wait.unknown is not None and not wait.runs]
            return Process(pid, name, waits)
        waits = [self.asked.undisturbed(wait) for wait in waits]
        if self.caller == Caller(pid, 0):
            return Process(pid, name, waits)
        # Handlers of signals run in the main thread: if that is the one that waits for us, what
        # comes by SIGALRM is for it.
        has_alarm = self.caller != Caller(pid, pid)
        timers, unreadable = self.asked.of(pid, waits, has_alarm=has_alarm)
        return Process(pid, name, waits, timers, unreadable)

    def _at_rest(self, pid: int) -> list[Wait]:
        """What it waits for when all its threads wait, if they do so soon."""
        began = time.monotonic()
        waits = waits_of(pid)
        while any(wait.runs for wait in waits) and time.monotonic() < began + self.patience:
            time.sleep(0.001)
            waits = waits_of(pid)
        self.patience -= time.monotonic() - began
        return waits

    def _doubts_of_played(self, holders: Iterable[Process]) -> Iterator[Doubt]:
        """What of the time of programs that are played is not as it would be."""
        if self.player is not None:
            for process in holders:
                for why in self.player.doubts_about(process.pid):
                    yield of_played(process, why)

    def _without_caller(self, process: Process, inode: int) -> Process:
        """The thread that has asked for this waits for us: that is no timer of its own.

        If it has an event loop that watches the socket, that loop stands still as long as it waits.
        """
        if self.caller is None or process.pid != self.caller.pid:
            return process
        if self.caller.thread == 0:
            return replace(process, waits=())
        waits = [wait for wait in process.waits if wait.thread != self.caller.thread]
        if inode in epoll_sockets(process.pid) and not any(inode in each.sockets for each in waits):
            stands = Wait(
                process.pid, self.caller.thread, "", "",
                unknown="has an event loop that waits for the end of this fast-forward",
            )  # fmt: skip
            waits.append(stands)
        return replace(process, waits=waits)
