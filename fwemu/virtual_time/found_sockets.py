"""The sockets of the hosts whose time is played: what each has heard, and when its timer fires.

Their kernel is asked about them without a descriptor.  One is borrowed only where an option of the
socket has to be read or set, one at a time and for these microseconds: as long as it is held, the
application's own `close` has no effect.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple

from fwemu.core.instants import NEVER
from fwemu.sockets import probe
from fwemu.sockets.keepalive import Keepalive
from fwemu.sockets.tcp_info import CLOSED, ESTABLISHED, Info
from fwemu.sockets.window_probe import WindowProbe
from netns import Namespace, known_networks, sysctl
from netns.connections import Connection, Connections, Holder, SocketAddress, borrow, holders
from netns.procfs import name_of
from netns.traffic import Traffic

OPENING = ("SYN_SENT", "SYN_RECV")
"""States of a connection whose handshake is under way."""

_LOOKS = 4
"""So often it is looked for whoever holds a socket: accept(2) gives it a descriptor last of all."""

_BETWEEN_LOOKS_S = 0.002

_GONE = {errno.EBADF, errno.ESRCH, errno.ENOTSOCK}
"""What borrowing says where a process, a descriptor or that socket is not there any more."""


class Unplayable(Exception):  # noqa: N818 - it says what is the case
    """A socket cannot be looked into."""


class Probes(Enum):
    """What a kernel asks its peer by itself."""

    KEEPALIVE = "keepalive"
    """Are you there?  TCP_KEEPIDLE after it last heard anything."""
    ZERO_WINDOW = "zero-window"
    """Is there room by now?  The peer has closed its window, and data waits."""


class Host:
    """A namespace whose sockets are played."""

    def __init__(self, name: str, namespace: Namespace) -> None:
        self.name = name
        self._namespace = namespace
        self.sockets = Connections(namespace)
        self.traffic = Traffic(namespace)
        self.retries = int(sysctl(namespace, "net.ipv4.tcp_retries2"))
        self.ended: dict[int, Connection] = {}
        """Sockets of which nothing is left, by their cookie, as they were at the end."""

    @cached_property
    def addresses(self) -> frozenset[str]:
        """All that it answers to, as text."""
        known = known_networks(self._namespace)
        own = [each for each in known if each.prefixlen == each.max_prefixlen]
        return frozenset(str(each.network_address) for each in own)

    def close(self) -> None:
        """Look no more."""
        self.sockets.close()
        self.traffic.close()

    def listen(self, known: Collection[int]) -> None:
        """Take note of what has ended since the last time, of these cookies."""
        for each in self.sockets.ended():
            if each.cookie in known:
                self.ended[each.cookie] = each

    def is_opening(self, connection: Connection) -> bool:
        """Is its handshake still under way?"""
        now = self.sockets.again(connection)
        return now is not None and now.state in OPENING


@dataclass
class Blocked:
    """The peer of a socket has closed its window."""

    since: int
    doublings: int
    due: int
    """When its persist timer fires next."""
    asked: int = 0
    """Questions since the last answer."""


@dataclass(eq=False)
class FoundSocket:
    """One end of a connection, with the timers of its kernel in the time that is played."""

    host: Host
    connection: Connection
    info: Info
    holders: list[Holder]
    """Who has a descriptor of it."""
    keepalive: Keepalive
    window_probe: WindowProbe
    scale: int = 1
    """What its kernel's second is in the time that is played."""
    heard: int = 0
    """The instant of the firewall's clock at which it last heard anything."""
    asked: int = 0
    """Keepalive probes since then."""
    last_asked: int = -NEVER
    """When its timer fired last; it does not fire again before TCP_KEEPINTVL, answered or not."""
    blocked: Blocked | None = None
    """What its persist timer does, where that runs."""
    sent: dict[Probes, int] = field(default_factory=dict)
    answered: dict[Probes, int] = field(default_factory=dict)
    has_fired: bool = False
    """Its own timer was made to fire: its TCP_KEEPIDLE is not its own."""
    is_giving_up: bool = False
    """Its kernel was asked to end it: its TCP_USER_TIMEOUT is not its own."""
    is_over: bool = False
    is_closing: bool = False
    """Its application has closed it, and the other end has not acknowledged that yet."""
    received: int = 0
    """Segments that had come in when it last asked."""

    @property
    def cookie(self) -> int:
        return self.connection.cookie

    @property
    def due(self) -> int:
        """When one of its timers makes it ask next; NEVER if none will."""
        if self.is_over:
            return NEVER
        if self.blocked is not None:
            return self.blocked.due
        if not self.keepalive.is_on:
            return NEVER
        again = self.last_asked + self.keepalive.interval
        return again if self.asked else max(self.heard + self.keepalive.idle, again)

    def refresh(self) -> bool:
        """Read it anew; False if its kernel has it no more, or no process."""
        now = self.host.sockets.again(self.connection)
        if now is None:
            return False
        self.take(now)
        return now.inode != 0

    def take(self, connection: Connection) -> None:
        """This is how it is now."""
        self.connection = connection
        if connection.tcp_info:  # TIME_WAIT has none
            self.info = Info.read(connection.tcp_info)

    @property
    def problem(self) -> str | None:
        """What of it is not played: data that its kernel repeats, or has not sent yet."""
        if segments := self.info.unacknowledged:
            return f"data that is not acknowledged ({segments} segments)"
        if self.connection.unacknowledged and not self.waits_for_room:
            return f"data that is not sent ({self.info.unsent} octets)"
        if self.waits_for_room and self.info.state != ESTABLISHED:
            return "zero-window probes of a connection that is half closed"
        return None

    @property
    def waits_for_room(self) -> bool:
        """Does its persist timer run, since its peer has closed its window?"""
        return self.connection.timer == "persist" and not self.info.window

    def block(self, now: int, remembered: Blocked | None = None) -> None:
        """Start or end its persist timer, as its kernel has."""
        if not self.waits_for_room or self.info.state != ESTABLISHED:
            self.blocked = None
        elif remembered is not None:
            self.blocked = remembered
        elif self.blocked is None:
            left = round(self.connection.timer_left * 1e9) * self.scale
            since = now - self.info.since_data_sent * self.scale
            self.blocked = Blocked(since, self.info.backoff, now + left)

    @property
    def has_heard(self) -> bool:
        """Had anything come since it last asked, when it was read?"""
        return self.info.received != self.received

    @property
    def asks_for_the_last_time(self) -> bool:
        """If the question that is due is not answered, does the keepalive end the connection?"""
        quiet = self.due + self.keepalive.interval - self.heard
        return self.blocked is None and self.keepalive.gives_up(quiet, self.asked + 1)

    @property
    def needs_its_timer(self) -> bool:
        """Must the kernel's own timer ask?  That takes a second of quiet."""
        return self.asks_for_the_last_time or self.info.state != ESTABLISHED

    @property
    def gives_up(self) -> bool:
        """Does its kernel end the connection instead of asking?"""
        if self.blocked is not None:
            without_room = self.due - self.blocked.since
            return self.window_probe.gives_up(without_room, self.blocked.asked)
        return self.keepalive.gives_up(self.due - self.heard, self.asked)

    def ask(self) -> bool:
        """Have its kernel ask; False if that cannot be done: nobody holds it any more."""
        self.received = self.info.received
        with self.borrowed() as tcp:
            if tcp is None:
                return False
            if self.needs_its_timer:
                probe.fire_timer(tcp)
                self.has_fired = True
            elif not probe.send_probe(tcp):
                return False
        self.info = self.info._replace(sent=self.info.sent + 1)
        return True

    def acknowledge(self) -> None:
        """Have its kernel acknowledge at once what it has received; its habits stay."""
        with self.borrowed() as tcp:
            if tcp is not None:
                probe.acknowledge(tcp)

    def has_asked(self, now: int) -> None:
        """Count the question."""
        self.sent[self.probes] = self.sent.get(self.probes, 0) + 1
        if self.blocked is None:
            self.asked += 1
            self.last_asked = now
            return
        self.blocked.asked += 1
        self.blocked.doublings += 1
        retransmission = self.info.retransmission * self.scale
        wait = self.window_probe.interval(retransmission, self.blocked.doublings)
        self.blocked.due = now + wait

    def was_answered(self, now: int) -> None:
        """Count the answer."""
        self.answered[self.probes] = self.answered.get(self.probes, 0) + 1
        self.heard, self.asked = now, 0
        if self.blocked is not None:
            self.blocked.asked = 0
            self.block(now)

    def has_heard_by_itself(self, now: int) -> None:
        """Something came though it had not asked: its keepalive timer begins anew."""
        self.heard, self.asked = now, 0

    @property
    def probes(self) -> Probes:
        """What it asks at present."""
        return Probes.KEEPALIVE if self.blocked is None else Probes.ZERO_WINDOW

    def give_up(self) -> None:
        """Have its kernel end the connection; `restore` if it does not."""
        with self.borrowed() as tcp:
            if tcp is None:
                return
            self.is_giving_up = True
            if self.blocked is None:
                self.has_fired = True
                probe.give_up(tcp)
            else:
                probe.give_up_window(tcp)

    def restore(self) -> None:
        """Give it its own TCP_KEEPIDLE and TCP_USER_TIMEOUT back."""
        if not self.has_fired and not self.is_giving_up:
            return
        with self.borrowed() as tcp:
            if tcp is not None and self.has_fired:
                probe.restore_idle(tcp, self.keepalive.idle // self.scale)
            if tcp is not None and self.is_giving_up:
                probe.restore_user_timeout(tcp, self.keepalive.user_timeout // self.scale)
        self.has_fired = self.is_giving_up = False

    @property
    def was_lost(self) -> bool | None:
        """Now that its kernel has it no more: was it ended by the other side, or by the firewall?

        False if its application has closed it, None if that cannot be told yet.  A process that
        still has it tells it at once: its state is CLOSE.  One that has closed it afterwards leaves
        the last numbers of the socket: a RST is a segment without an octet, and nothing answers it.
        """
        if self.connection.inode == 0:
            return False
        if (last := self.host.ended.pop(self.cookie, None)) is not None:
            then, now = self.info, Info.read(last.tcp_info)
            heard, said = now.received - then.received, now.sent - then.sent
            return now.octets == then.octets and heard > said
        with self.borrowed(is_sure=False) as tcp:
            return True if tcp is not None and Info.of(tcp).state == CLOSED else None

    @property
    def is_held_closed(self) -> bool:
        """Has its kernel ended it, and some process still has it?"""
        with self.borrowed() as tcp:
            return tcp is not None and Info.of(tcp).state == CLOSED

    @contextmanager
    def borrowed(self, is_sure: bool = True) -> Iterator[socket.socket | None]:
        """The socket itself, for a moment; None if no process has it any more.

        Unless it has to be `is_sure`, only those are asked that had it before.
        """
        tcp = _borrow(self.holders, self.cookie)
        if tcp is None and is_sure:  # it may have been handed on
            self.holders = holders_of({self.connection.inode}).get(self.connection.inode, [])
            tcp = _borrow(self.holders, self.cookie)
        if tcp is None:
            yield None
            return
        with tcp:
            yield tcp

    @property
    def ends(self) -> tuple[SocketAddress, SocketAddress]:
        """Its own, and the other."""
        return self.connection.local, self.connection.remote

    @property
    def name(self) -> dict[str, Any]:
        """For people: the host, both ends, and who holds it."""
        return {
            "host": self.host.name,
            "local": str(self.connection.local),
            "remote": str(self.connection.remote),
            "process": name_of(self.holders[0].pid) if self.holders else "?",
        }


class FoundSockets(NamedTuple):
    """What there is in the hosts."""

    sockets: list[FoundSocket]
    opening: list[tuple[Host, Connection]]
    """Connections that are being opened."""
    unreachable: list[tuple[Host, Connection]]
    """Those that no process seems to hold that we may look into."""
    pids: list[int]
    """Who holds any of it."""


def find_sockets(
    hosts: Iterable[Host], known: Collection[int] = frozenset(), scale: int = 1
) -> FoundSockets:
    """Every TCP connection of the hosts, but for those with a `known` cookie.

    What lasts a second for their kernels is `scale` seconds of the time that is played.  Raises
    Unplayable where we may not look into a process.
    """
    there = [
        (host, connection)
        for host in hosts
        for connection in host.sockets.now()
        if connection.cookie not in known and (connection.inode or connection.state in OPENING)
    ]
    found: list[FoundSocket] = []
    opening: list[tuple[Host, Connection]] = []
    unreachable: list[tuple[Host, Connection]] = []
    for look in range(_LOOKS):
        if look:
            time.sleep(_BETWEEN_LOOKS_S)
        unreachable = []
        held = holders_of({connection.inode for _, connection in there})
        for host, connection in there:
            if connection.state in OPENING:
                opening.append((host, connection))
                continue
            some = held.get(connection.inode, [])
            tcp = _borrow(some, connection.cookie)
            if tcp is not None:
                with tcp:
                    keepalive = Keepalive.of(tcp).scaled(scale)
                    window_probe = WindowProbe.of(tcp, host.retries).scaled(scale)
                info = Info.read(connection.tcp_info)
                found.append(
                    FoundSocket(host, connection, info, some, keepalive, window_probe, scale)
                )
            elif (now := host.sockets.again(connection)) is not None and now.inode:
                unreachable.append((host, connection))
        there = unreachable
        if not there:
            break
    pids = {holder.pid for each in found for holder in each.holders}
    return FoundSockets(found, opening, unreachable, sorted(pids))


def holders_of(inodes: Collection[int]) -> Mapping[int, list[Holder]]:
    """Which processes hold these sockets; our own only where no other does.

    What we have is borrowed from another, mostly.
    """
    own = os.getpid()
    found = holders(inodes) if inodes else {}
    return {
        inode: [each for each in some if each.pid != own] or some for inode, some in found.items()
    }


def _borrow(held: Iterable[Holder], cookie: int) -> socket.socket | None:
    """A socket as one of ours; None if none of these holds it any more."""
    for holder in held:
        try:
            return borrow(holder, cookie)
        except PermissionError as error:
            raise Unplayable(
                f"a socket of {name_of(holder.pid)} cannot be looked into"
                f" ({error.strerror}): see `fwemu doctor`"
            ) from error
        except OSError as error:
            if error.errno == errno.ENOSYS:
                raise Unplayable("this kernel has no pidfd_getfd(2): it needs Linux 5.6") from error
            if error.errno not in _GONE:
                raise
    return None
