"""The sockets of the hosts whose time is played: what each has heard, and when its timer fires."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from fwemu.core.instants import NEVER
from fwemu.sockets import probe
from fwemu.sockets.keepalive import CLOSED, Info, Keepalive
from netns import Namespace
from netns.connections import Connection, Holder, borrow, connections, holders
from netns.procfs import command_of


class Unplayable(Exception):  # noqa: N818 - it says what is the case
    """A socket cannot be looked into, or its process not be held still."""


@dataclass(eq=False)
class PlayedSocket:
    """One end of a connection, borrowed from its process."""

    host: str
    connection: Connection
    tcp: socket.socket
    pids: list[int]
    """Who holds it."""
    keepalive: Keepalive
    scale: int = 1
    """What its kernel's second is in the time that is played."""
    heard: int = 0
    """The instant of the firewall's clock at which it last heard anything."""
    asked: int = 0
    """Probes since then."""
    last_asked: int = -NEVER
    """When its timer fired last; it does not fire again before TCP_KEEPINTVL, answered or not."""
    sent: int = 0
    answered: int = 0
    has_fired: bool = False
    """Its own timer was made to fire: its TCP_KEEPIDLE is not its own."""
    is_over: bool = False
    received: int = 0
    """Segments that had come in when it last asked."""

    @property
    def due(self) -> int:
        """When its keepalive timer fires next; NEVER if it has none."""
        if self.is_over or not self.keepalive.is_on:
            return NEVER
        again = self.last_asked + self.keepalive.interval
        return again if self.asked else max(self.heard + self.keepalive.idle, again)

    @property
    def info(self) -> Info:
        """What its kernel knows now."""
        return Info.of(self.tcp)

    @property
    def is_closed(self) -> bool:
        """Has its kernel ended the connection?"""
        return self.info.state == CLOSED

    @property
    def has_heard(self) -> bool:
        """Has anything come, an answer or a RST, since it last asked?"""
        info = self.info
        return info.state == CLOSED or info.received != self.received

    @property
    def asks_for_the_last_time(self) -> bool:
        """If the question that is due is not answered, does the connection end?"""
        quiet = self.due + self.keepalive.interval - self.heard
        return self.keepalive.gives_up(quiet, self.asked + 1)

    def is_peer_of(self, other: PlayedSocket) -> bool:
        """Is it the other end of the same connection?  The two must not ask at once."""
        here, there = self.connection, other.connection
        return (here.local, here.remote) == (there.remote, there.local)

    def let_go(self) -> None:
        """Give it back at once: its process has ended, and only we keep it open."""
        self.is_over = True
        self.tcp.close()

    def restore(self) -> None:
        """Give it its own TCP_KEEPIDLE back."""
        if self.has_fired:
            probe.restore(self.tcp, self.keepalive.idle // self.scale)
            self.has_fired = False

    @property
    def name(self) -> dict[str, Any]:
        """For people: the host, both ends, and who holds it."""
        return {
            "host": self.host,
            "local": str(self.connection.local),
            "remote": str(self.connection.remote),
            "process": process_name(self.pids[0]),
        }


class There(NamedTuple):
    """What there is in the hosts."""

    sockets: list[PlayedSocket]
    opening: list[tuple[str, Connection]]
    """Connections that are being opened, with their host."""
    pids: list[int]
    """Who holds any of it."""


def look_around(
    hosts: Mapping[str, Namespace],
    undo: ExitStack,
    known: frozenset[int] = frozenset(),
    scale: int = 1,
) -> There:
    """Borrow every TCP connection of the hosts, but for those with a `known` cookie.

    What lasts a second for their kernels is `scale` seconds of the time that is played.
    They are given back by `undo`.  Raises Unplayable where we may not look into a process.
    """
    there = [
        (name, connection)
        for name, namespace in hosts.items()
        for connection in connections(namespace)
        if connection.cookie not in known
    ]
    held = holders({connection.inode for _, connection in there if connection.inode})
    opening, found = [], []
    for name, connection in there:
        if connection.state in ("SYN_SENT", "SYN_RECV"):
            opening.append((name, connection))
        elif connection.inode in held:
            played = _borrowed(name, connection, held[connection.inode], undo, scale)
            found += [] if played is None else [played]
    return There(found, opening, sorted({each.pid for some in held.values() for each in some}))


def _borrowed(
    host: str, connection: Connection, held: list[Holder], undo: ExitStack, scale: int
) -> PlayedSocket | None:
    """A socket as one of ours; None if it is gone."""
    try:
        tcp = undo.enter_context(borrow(held[0]))
    except PermissionError as error:
        raise Unplayable(
            f"the socket {connection.local} of {process_name(held[0].pid)} cannot be looked into"
            f" ({error.strerror}): run the firewall as root"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise Unplayable("this kernel has no pidfd_getfd(2): it needs Linux 5.6") from error
        return None
    pids = sorted({holder.pid for holder in held})
    return PlayedSocket(host, connection, tcp, pids, Keepalive.of(tcp).scaled(scale), scale)


def process_name(pid: int) -> str:
    """`redis-server (pid 77)`."""
    program = command_of(pid).split(" ")[0].rpartition("/")[2].rstrip(":")
    return f"{program} (pid {pid})"
