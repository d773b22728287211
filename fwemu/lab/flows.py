"""Selects sessions of the firewall: by a socket, a number, or common properties."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from fwemu.client import Client
from fwemu.errors import ConfigError, ControlError
from netns import host_port

Session = dict[str, Any]
"""A session as the control API lists it."""

End = tuple[str, int]


class Flow(NamedTuple):
    """The two ends of a conversation, as one of them sees it."""

    protocol: str
    local: End
    remote: End | None
    """None where the socket has no peer (any more)."""

    def owns(self, record: Mapping[str, Any]) -> bool:
        """True if a session or an event belongs to this flow, in either direction."""
        if record.get("protocol") != self.protocol:
            return False
        ends = ends_of(record)
        return self.local in ends and (self.remote is None or self.remote in ends)

    def __str__(self) -> str:
        there = "?" if self.remote is None else _spelled(self.remote)
        return f"{self.protocol} {_spelled(self.local)} -> {there}"


def flow_of(connection: Any) -> Flow:
    """The flow of a socket, or of an object that has one, as an asyncio writer or transport.

    Raises ConfigError for anything else, and where it has been closed.
    """
    get = getattr(connection, "get_extra_info", None)
    found = connection if get is None else get("socket")
    if not hasattr(found, "getsockname"):
        raise ConfigError(
            f"{connection!r} is no connection: give a socket, an asyncio writer or transport, "
            "or say which by port=, host=, protocol= or state="
        )
    try:
        local = found.getsockname()
    except OSError as error:
        raise ConfigError(f"{connection!r} is closed ({error.strerror})") from error
    try:
        remote = _end(found.getpeername())
    except OSError:
        remote = None
    protocol = "udp" if found.type == socket.SOCK_DGRAM else "tcp"
    return Flow(protocol, _end(local), remote)


MATCHES: Final = ("port", "host", "protocol", "state")
"""What sessions can be chosen by."""


def chosen(firewall: Client, which: Any, match: Mapping[str, Any]) -> list[Session]:
    """The sessions that are meant; all of them if nothing is said.

    `which` is a number, a session, or a connection; `match` any of `MATCHES`.
    """
    given = {name: value for name, value in match.items() if value is not None}
    if unknown := given.keys() - set(MATCHES):
        raise ConfigError(f"{', '.join(sorted(unknown))}: give any of {', '.join(MATCHES)}")
    sessions = list(firewall.sessions(**given))
    if which is None:
        return sessions
    if isinstance(which, Mapping):
        which = which["id"]
    if isinstance(which, int):
        return [session for session in sessions if session["id"] == which]
    flow = flow_of(which)
    return [session for session in sessions if flow.owns(session)]


def end(firewalls: Iterable[Client], which: Any, match: Mapping[str, Any], notify: str) -> int:
    """End the sessions that are meant, at every firewall; returns how many.

    Raises ControlError if something is meant and it is not there: a test that goes on would show
    nothing.
    """
    everything = which is None and not any(value is not None for value in match.values())
    count, others = 0, []
    for firewall in firewalls:
        ids = [session["id"] for session in chosen(firewall, which, match)]
        if ids:
            count += firewall.kill(ids=ids, notify=notify)
        others += list(firewall.sessions())
    if not count and not everything:
        raise ControlError(f"no session is meant by that (there are: {what_there_is(others)})")
    return count


def what_there_is(sessions: Iterable[Session]) -> str:
    """All sessions in one line, for errors."""
    words = [f"#{each['id']} {named(each)} {each['state']}" for each in sessions]
    return "; ".join(words[:5]) + ("; ..." if len(words) > 5 else "") if words else "none"


def named(record: Mapping[str, Any]) -> str:
    """`tcp 198.18.1.10:4242 -> 198.19.1.10:80`."""
    source, destination = ends_of(record)
    return f"{record['protocol']} {_spelled(source)} -> {_spelled(destination)}"


def ends_of(record: Mapping[str, Any]) -> tuple[End, End]:
    """Source and destination of a session or an event; ports that there are none of are 0."""
    return (
        (record["source"], record.get("source_port") or 0),
        (record["destination"], record.get("destination_port") or 0),
    )


def _end(address: Any) -> End:
    host, port = address[:2]
    return (host.removeprefix("::ffff:") if "." in host else host), port


def _spelled(end: End) -> str:
    host, port = end
    if not port:
        return host
    return host_port(host, port)
