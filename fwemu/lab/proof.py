"""Assertions of tests about a lab; each AssertionError says what happened instead.

pytest shows the line of the test that claimed it (`__tracebackhide__`).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from fwemu.lab.account import account
from fwemu.lab.event_words import ending
from fwemu.lab.faults import BY_THE_ENDS
from fwemu.lab.flows import Flow, Session, chosen, flow_of, named, what_there_is
from fwemu.lab.trust import not_to_be_trusted, problem

if TYPE_CHECKING:
    from fwemu.lab.lab import Lab

_ESTABLISHED: Final = 1  # include/net/tcp_states.h
_ORDERLY: Final = {reason.word for reason in BY_THE_ENDS}


def story(lab: Lab) -> str:
    """The events until now, flow by flow."""
    statistics = lab.firewall.statistics()  # first: what has happened by now is in the log then
    return account(list(lab.firewall.events()), lab.firewall.sessions(), statistics)


def assert_traversed(lab: Lab, which: Any = None, **match: Any) -> None:
    """Something really crossed the firewall: of this connection, port or host, or anything.

    So that a test does not pass because its client never went that way.  Of a connection (or port
    or host) packets of both directions must have passed; without one, any packet will do.
    """
    __tracebackhide__ = True
    statistics = lab.firewall.statistics()
    accepted = statistics["packets"]["accept"]
    if which is None and not any(value is not None for value in match.values()):
        if sum(accepted.values()) == 0:
            raise AssertionError(
                "nothing crossed the firewall; is the client's socket made inside "
                "`with lab.client`, and does it go to lab.server?"
            )
        return
    wanted = _records(lab, which, match)
    if not any(each["packets"]["original"] and each["packets"]["reply"] for each in wanted):
        raise AssertionError(f"{_what(which, match)} did not cross the firewall in both directions")


def assert_survived(lab: Lab, which: Any = None, **match: Any) -> None:
    """This connection lives, and the firewall still knows it.

    `which` is a socket, or an asyncio writer or transport: its own kernel must hold it for
    established, and the firewall must have a session for it (unless its mode is acl).  With `port`
    or the like: there are such sessions, and none was lost that its ends had not closed.  Where a
    fast-forward has left open what became of it (an application would have woken by itself, data
    was on its way), that is an AssertionError too.
    """
    __tracebackhide__ = True
    if which is None and not any(value is not None for value in match.values()):
        match = {"protocol": "tcp"}
    if which is not None and not isinstance(which, int | dict):
        flow = flow_of(which)
        _assert_lives(lab, which, flow)
        known = chosen(lab.firewall, which, {})
        if lab.firewall.config()["mode"] != "acl" and not known:
            raise AssertionError(f"{flow} did not survive: {_how_it_ended(lab, flow.owns)}")
        _assert_played(lab, known)
        return
    there = chosen(lab.firewall, which, match)
    wants = _wants(which, match)
    lost = [
        event
        for event in _ended(lab)
        if wants(event) and event["reason"] not in _ORDERLY and not _is_back(event, there)
    ]
    if lost:
        ends = "; ".join(f"#{each['session']} {named(each)} {ending(each)}" for each in lost[:5])
        raise AssertionError(f"{_what(which, match)} did not survive: {ends}")
    if not there:
        raise AssertionError(
            f"{_what(which, match)}: the firewall has no such session (there are: "
            f"{what_there_is(lab.sessions)})"
        )
    _assert_played(lab, there)


def _assert_played(lab: Lab, sessions: Iterable[Session]) -> None:
    """Can what became of these be trusted, after fast-forwards that could not play all of it?"""
    __tracebackhide__ = True
    numbers = {session["id"] for session in sessions}
    for event in lab.firewall.events():
        if event["event"] == "time_moved":
            rows = [row for row in not_to_be_trusted(event) if row["session"] in numbers]
            if rows:
                raise AssertionError(problem(rows))


def _assert_lives(lab: Lab, connection: Any, flow: Flow) -> None:
    """True if its kernel has the connection as established."""
    __tracebackhide__ = True
    get = getattr(connection, "get_extra_info", None)
    ours = connection if get is None else get("socket")
    if flow.protocol != "tcp":
        return
    state = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    if flow.remote is None or state != _ESTABLISHED:
        raise AssertionError(
            f"{flow} did not survive: its kernel has closed it, or its peer has; "
            f"{_how_it_ended(lab, flow.owns)}"
        )


def _how_it_ended(lab: Lab, wants: Callable[[Session], bool]) -> str:
    ended = [event for event in _ended(lab) if wants(event)]
    if ended:
        return f"at the firewall, session #{ended[-1]['session']} {ending(ended[-1])}"
    if any(wants(session) for session in lab.sessions):
        return "at the firewall its session is still there"
    return "the firewall has never seen it"


def _ended(lab: Lab) -> list[Session]:
    lab.firewall.statistics()
    return [event for event in lab.firewall.events() if event["event"] == "torn_down"]


def _records(lab: Lab, which: Any, match: dict[str, Any]) -> Iterable[Session]:
    """Sessions of now and of before."""
    yield from chosen(lab.firewall, which, match)
    wants = _wants(which, match)
    yield from (event for event in _ended(lab) if wants(event))


def _wants(which: Any, match: dict[str, Any]) -> Callable[[Session], bool]:
    """True if this session, ended or not, is one of the selected."""
    if isinstance(which, dict):
        which = which["id"]
    if isinstance(which, int):
        return lambda each: each.get("session", each.get("id")) == which
    if which is not None:
        return flow_of(which).owns

    def wants(each: Session) -> bool:
        return (
            match.get("protocol") in (None, each["protocol"])
            and match.get("state") in (None, each["state"])
            and match.get("host") in (None, each["source"], each["destination"])
            and match.get("port") in (None, each.get("source_port"), each.get("destination_port"))
        )

    return wants


def _is_back(event: Session, there: Iterable[Session]) -> bool:
    """True if the session was picked up, or returned by a failover."""
    return any(named(event) == named(each) for each in there)


def _what(which: Any, match: dict[str, Any]) -> str:
    if isinstance(which, int | dict):
        return f"session #{which if isinstance(which, int) else which['id']}"
    if which is not None:
        return str(flow_of(which))
    return " ".join(f"{name}={value}" for name, value in match.items() if value is not None)
