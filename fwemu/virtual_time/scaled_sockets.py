"""Scales the hosts: their settings, and the options that sockets have set for themselves.

An application that asks for 900 s means the firewall's time.  So its value is divided by the scale
soon after it was set: the sockets of the hosts are looked at several times a second.  A value is
divided once; one that is not what was written here was set again.  A value of a socket's own that
happens to be that of its host cannot be seen, but for the keepalive times, where the setting is
changed for a moment: what follows it is not the socket's own.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fwemu.daemon.pace import Note
from fwemu.errors import ControlError, NamespaceError
from fwemu.virtual_time.found_sockets import holders_of
from fwemu.virtual_time.host_settings import HostSettings, constants
from fwemu.virtual_time.rounding import Scaled, nearest
from netns import Namespace, NetnsError
from netns.connections import Connection, Holder, borrow, connections
from netns.options import TCP_RTO_MAX_MS, TCP_RTO_MIN_US
from netns.procfs import name_of

INTERVAL: Final = 0.1
"""Seconds between two looks."""

_SHARE: Final = 10
"""Of this many parts of a processor the looks take one at most."""

_AGAIN: Final = 20
"""After so many looks, sockets that nobody seemed to hold are looked for again."""

_REMEMBERED: Final = 1000
"""Sockets of which the report tells what was rounded."""


class Option(NamedTuple):
    """A value that a socket can have of its own (of IPPROTO_TCP)."""

    name: str
    number: int
    unit: str
    least: int
    follows: str | None = None
    """The setting that counts while the socket has none."""


OPTIONS: Final = (
    Option("TCP_KEEPIDLE", socket.TCP_KEEPIDLE, "s", 1, "tcp_keepalive_time"),
    Option("TCP_KEEPINTVL", socket.TCP_KEEPINTVL, "s", 1, "tcp_keepalive_intvl"),
    Option("TCP_USER_TIMEOUT", socket.TCP_USER_TIMEOUT, "ms", 1),
    Option("TCP_RTO_MIN_US", TCP_RTO_MIN_US, "us", 1),
    Option("TCP_RTO_MAX_MS", TCP_RTO_MAX_MS, "ms", 1000),
)


@dataclass
class _Known:
    """A socket that was looked at before."""

    host: str
    holder: Holder
    cookie: int
    written: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By option: what was written, and the value before."""
    inherits: set[int] = field(default_factory=set)
    """Options in which it follows the settings of its host."""

    def borrow(self) -> socket.socket:
        """The socket; OSError if its holder has closed that descriptor, or is gone."""
        return borrow(self.holder, self.cookie)


def _set_at_least(tcp: socket.socket, option: int, wanted: int, most: int) -> int:
    """Set an option to a value, or to more where the kernel refuses that; returns the old value."""
    while True:
        try:
            tcp.setsockopt(socket.IPPROTO_TCP, option, wanted)
        except OSError as error:
            if error.errno != errno.EINVAL or wanted >= most:
                raise
            wanted = min(2 * wanted, most)  # TCP_RTO_MIN_US: two ticks of the kernel at least
        else:
            return wanted


class SocketScaler:
    """Watches the sockets of some hosts, and divides the values that they have set."""

    def __init__(self, hosts: Mapping[Namespace, HostSettings], scale: int) -> None:
        self._hosts = hosts
        self._scale = scale
        self._known: dict[int, _Known] = {}
        self._nobodys: set[int] = set()
        self._looks = 0
        self.count = 0
        """Sockets of which something was scaled."""
        self.rounded: list[dict[str, Any]] = []
        self.unreachable: dict[int, str] = {}
        """Sockets that cannot be looked into, by their cookie, and why."""

    def look(self) -> list[dict[str, Any]]:
        """One round; returns a record of each socket and each host that was changed."""
        happened: list[dict[str, Any]] = []
        there: dict[int, tuple[HostSettings, Connection]] = {}
        for namespace, settings in self._hosts.items():
            try:
                changed = settings.scale(self._scale)
                found = connections(namespace)
            except (NetnsError, OSError):
                continue  # it is being removed
            if changed:
                happened.append(
                    {"host": settings.host, "values": [each.record for each in changed]}
                )
            there.update((each.cookie, (settings, each)) for each in found if each.inode)
        self._find_holders(there)
        for cookie, (settings, connection) in there.items():
            known = self._known.get(cookie)
            if known is not None and (values := self._scaled(connection, known, settings)):
                happened.append(self._record(known, connection, values))
        return happened

    def restore(self) -> None:
        """Give every socket its own value back."""
        for known in self._known.values():
            with suppress(OSError), known.borrow() as tcp:
                for option, (written, before) in known.written.items():
                    if tcp.getsockopt(socket.IPPROTO_TCP, option) == written:
                        tcp.setsockopt(socket.IPPROTO_TCP, option, before)

    def _find_holders(self, there: Mapping[int, tuple[HostSettings, Connection]]) -> None:
        """Find the holders; that is slow, so it is done for new sockets only."""
        self._known = {cookie: each for cookie, each in self._known.items() if cookie in there}
        self._looks += 1
        self._nobodys = set() if self._looks % _AGAIN == 0 else self._nobodys & there.keys()
        new = there.keys() - self._known.keys() - self._nobodys
        if not new:
            return
        held = holders_of({there[cookie][1].inode for cookie in new})
        for cookie in new:
            settings, connection = there[cookie]
            if connection.inode in held:
                holder = held[connection.inode][0]
                self._known[cookie] = _Known(settings.host, holder, cookie)
            else:
                self._nobodys.add(cookie)

    def _scaled(
        self, connection: Connection, known: _Known, settings: HostSettings
    ) -> list[Scaled]:
        """What was changed of a socket now."""
        cookie = connection.cookie
        try:
            with known.borrow() as tcp:
                return [
                    done
                    for option in OPTIONS
                    if (done := self._one(tcp, option, known, settings)) is not None
                ]
        except PermissionError as error:
            name = name_of(known.holder.pid)
            self.unreachable[cookie] = f"a socket of {name}: {error.strerror}"
        except OSError:  # closed, or handed to another process
            self._nobodys.discard(cookie)
            held = holders_of({connection.inode}).get(connection.inode)
            if held:
                self._known[cookie] = _Known(known.host, held[0], cookie, known.written)
        return []

    def _one(
        self, tcp: socket.socket, option: Option, known: _Known, settings: HostSettings
    ) -> Scaled | None:
        default = settings.defaults().get(option.number)
        if default is None:
            return None
        value = tcp.getsockopt(socket.IPPROTO_TCP, option.number)
        if value == known.written.get(option.number, (None,))[0] or value <= 0:
            return None
        if value == default and not self._is_own(tcp, option, known, settings):
            return None
        wanted = nearest(value, self._scale, option.least)
        wanted = _set_at_least(tcp, option.number, wanted, value)
        effect = tcp.getsockopt(socket.IPPROTO_TCP, option.number)
        known.written[option.number] = (effect, value)
        return Scaled(option.name, option.unit, value, self._scale, wanted, effect)

    def _is_own(
        self, tcp: socket.socket, option: Option, known: _Known, settings: HostSettings
    ) -> bool:
        """True if a value equal to that of the host is nevertheless the socket's own."""
        has_keepalive = tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if option.follows is None or not has_keepalive or option.number in known.inherits:
            return False
        before = settings[option.follows]
        try:
            settings[option.follows] = before + 1
            is_own = tcp.getsockopt(socket.IPPROTO_TCP, option.number) == before
        finally:
            settings[option.follows] = before
        if not is_own:
            known.inherits.add(option.number)
        return is_own

    def _record(
        self, known: _Known, connection: Connection, values: list[Scaled]
    ) -> dict[str, Any]:
        record = {
            "host": known.host,
            "local": str(connection.local),
            "remote": str(connection.remote),
            "process": name_of(known.holder.pid),
            "values": [each.record for each in values],
        }
        self.count += 1
        if not all(each.is_exact for each in values):
            self.rounded = [*self.rounded, record][-_REMEMBERED:]
        return record


def _check_borrowing() -> None:
    """Check that sockets of other processes can be reached: all clocks must run equally fast."""
    with socket.socket() as own:
        try:
            borrow(Holder(os.getpid(), own.fileno())).close()
        except OSError as error:
            raise NamespaceError(
                f"--time-scale: sockets of other processes cannot be reached ({error.strerror}): "
                "that needs pidfd_getfd(2), Linux 5.6 or later"
            ) from error


class HostPace:
    """Has hosts run at the pace of a firewall (`fwemu.daemon.pace.Pace`)."""

    def __init__(self, hosts: Mapping[str, str], scale: int) -> None:
        """`hosts` are the names of the namespaces by what people call them."""
        self._netns = hosts
        self._hosts: dict[Namespace, HostSettings] = {}
        self.scale = scale
        self._settings: list[tuple[str, Scaled]] = []
        self._sockets = SocketScaler(self._hosts, scale)
        self.alone = threading.Lock()
        """Held while sockets are looked at, and by whoever must not be disturbed by that."""

    @contextmanager
    def scaled_hosts(self) -> Iterator[None]:
        """Within the block the settings of the hosts are scaled.

        Raises NamespaceError where they, or values of sockets, cannot be changed.
        """
        with ExitStack() as undo:
            _check_borrowing()
            for host, netns in self._netns.items():
                try:
                    namespace = Namespace.named(netns)
                    settings = HostSettings(host, namespace)
                except NetnsError as error:
                    raise NamespaceError(f"--host: {error}") from error
                except PermissionError as error:
                    raise NamespaceError(
                        f"--time-scale: the settings of {netns} cannot be written "
                        f"({error.strerror}): see `fwemu doctor`"
                    ) from error
                undo.callback(settings.close)
                undo.callback(settings.restore)
                self._hosts[namespace] = settings
                self._settings += [(host, each) for each in settings.scale(self.scale)]
            yield

    @contextmanager
    def watched_sockets(self, note: Note) -> Iterator[None]:
        """Within the block the values that sockets have of their own are scaled."""
        stop = threading.Event()

        def watch() -> None:
            took = 0.0
            while not stop.wait(max(INTERVAL, took * _SHARE)):
                began = time.monotonic()
                with self.alone:
                    happened = self._sockets.look()
                with suppress(ControlError):  # the firewall is ending
                    for record in happened:
                        note("time_scaled", record)
                took = time.monotonic() - began

        watcher = threading.Thread(target=watch, name="time scale", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
            self._sockets.restore()

    @property
    def report(self) -> dict[str, Any]:
        """A report of the scaled settings, their exactness, and what is not scaled."""
        missing = next((each.missing for each in self._hosts.values()), [])
        sockets = self._sockets
        return {
            "time_scale": self.scale,
            "settings": [
                {"host": host, **each.record, "text": str(each)} for host, each in self._settings
            ],
            "not_scaled": [
                *constants(self.scale, missing),
                *({"what": why} for why in sockets.unreachable.values()),
            ],
            "sockets": {"scaled": sockets.count, "rounded": sockets.rounded},
        }
