"""One of everything that devices log, for the guide and for tests."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from fwemu.core.effects import (
    Effect,
    PacketRefused,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
    Traffic,
)
from fwemu.core.flow import ICMP, TCP, UDP, Direction, Flow, Zone
from fwemu.core.instants import SECOND
from fwemu.core.policy import Policy
from fwemu.core.reasons import Answer, EndReason, Reason
from fwemu.core.rules import Action, Rule
from fwemu.core.tcp_table import ACK, PSH, SYN, Segment, State
from fwemu.daemon.formats.device import Device, Format

START: Final = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
"""Half past eight on a Monday."""

POLICY: Final = Policy(
    rules=(Rule(action=Action.ALLOW, name="web"), Rule(action=Action.DENY, name="no-telnet"))
)

_ORIGINAL, _REPLY = Direction.ORIGINAL, Direction.REPLY
_WEB, _NO_TELNET = 0, 1


def _flow(protocol: int, source: str, port: int, destination: str, to_port: int) -> Flow:
    here, there = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    return Flow(protocol, here.packed, port, there.packed, to_port)


_IPV4: Final = _flow(TCP, "10.0.1.10", 41000, "10.0.2.10", 443)
_IPV6: Final = _flow(TCP, "fd00:1::10", 41000, "fd00:2::10", 5432)
_DNS: Final = _flow(UDP, "10.0.1.10", 41001, "10.0.2.10", 53)
_ECHO: Final = _flow(ICMP, "10.0.1.10", 77, "10.0.2.10", 8)
_TELNET: Final = _flow(TCP, "10.0.2.10", 41002, "10.0.1.10", 23)


_LIFETIMES: Final = Policy().lifetimes


class Sample(NamedTuple):
    """An event in words, and its effects."""

    sentence: str
    effects: tuple[Effect, ...]


def _opened(number: int, flow: Flow, state: State, rule: int | None = _WEB) -> SessionOpened:
    return SessionOpened(0, number, flow, Zone.INSIDE, state, rule, False, _LIFETIMES[state])


def _moved(number: int, second: float, *steps: tuple[State, Direction]) -> Iterator[StateChanged]:
    """Changes from state to state, a millisecond apart; the first step is where they begin."""
    (before, _), *following = steps
    for index, (after, direction) in enumerate(following, start=1):
        at = round((second + index / 1000) * SECOND)
        yield StateChanged(at, number, before, after, direction, _LIFETIMES[after])
        before = after


def _established(number: int) -> tuple[StateChanged, ...]:
    return tuple(
        _moved(
            number,
            0,
            (State.SYN_SENT, _ORIGINAL),
            (State.SYN_RECV, _REPLY),
            (State.ESTABLISHED, _ORIGINAL),
        )
    )


def _ended(
    number: int,
    flow: Flow,
    reason: EndReason,
    state: State,
    second: float,
    traffic: Traffic,
    rule: int | None = _WEB,
) -> SessionEnded:
    at = round(second * SECOND)
    return SessionEnded(at, number, flow, Zone.INSIDE, reason, state, 0, at, traffic, rule)


_TALK: Final = Traffic(6, 829, 5, 2641)


def _refused(
    reason: Reason, zone: Zone, flow: Flow, segment: Segment, flags: int, rule: int | None
) -> PacketRefused:
    at = 61 * SECOND
    return PacketRefused(at, reason, Answer.NOTHING, zone, flow, segment, 60, None, rule, flags)


SAMPLES: Final = (
    Sample(
        "A TCP connection from the inside: SYN, SYN-ACK, ACK.",
        (_opened(7, _IPV4, State.SYN_SENT), *_established(7)),
    ),
    Sample(
        "It is closed: first FIN from the inside.",
        (
            *_moved(
                7,
                60,
                (State.ESTABLISHED, _ORIGINAL),
                (State.FIN_WAIT, _ORIGINAL),
                (State.CLOSE_WAIT, _REPLY),
                (State.LAST_ACK, _REPLY),
                (State.TIME_WAIT, _ORIGINAL),
            ),
            _ended(7, _IPV4, EndReason.CLOSED_BY_FIN, State.TIME_WAIT, 75, _TALK),
        ),
    ),
    Sample("A connection over IPv6, without a rule.", (_opened(8, _IPV6, State.SYN_SENT, None),)),
    Sample(
        "Its server resets it.",
        (
            *_established(8),
            *_moved(8, 3, (State.ESTABLISHED, _REPLY), (State.CLOSE, _REPLY)),
            _ended(8, _IPV6, EndReason.CLOSED_BY_RST, State.CLOSE, 13, _TALK, None),
        ),
    ),
    Sample(
        "An established connection is quiet for an hour.",
        (
            _opened(9, _IPV4, State.SYN_SENT),
            *_established(9),
            _ended(9, _IPV4, EndReason.EXPIRED, State.ESTABLISHED, 3661.5, _TALK),
        ),
    ),
    Sample(
        "A SYN that nobody answers.",
        (
            _opened(10, _IPV4, State.SYN_SENT),
            _ended(10, _IPV4, EndReason.EXPIRED, State.SYN_SENT, 37, Traffic(4, 240, 0, 0)),
        ),
    ),
    Sample(
        "DNS over UDP.",
        (
            _opened(11, _DNS, State.UDP_UNREPLIED),
            *_moved(11, 0, (State.UDP_UNREPLIED, _ORIGINAL), (State.UDP_REPLIED, _REPLY)),
            _ended(11, _DNS, EndReason.EXPIRED, State.UDP_REPLIED, 120, Traffic(1, 57, 1, 73)),
        ),
    ),
    Sample(
        "An ICMP echo and its reply.",
        (
            _opened(12, _ECHO, State.ICMP, None),
            SessionAnswered(SECOND // 1000, 12, _LIFETIMES[State.ICMP]),
            _ended(12, _ECHO, EndReason.EXPIRED, State.ICMP, 30, Traffic(1, 84, 1, 84), None),
        ),
    ),
    Sample(
        "Data for a connection that the firewall has forgotten, from the inside.",
        (_refused(Reason.UNKNOWN_PACKET, Zone.INSIDE, _IPV4, Segment.ACK, PSH | ACK, None),),
    ),
    Sample(
        "A connection from the outside that a rule denies.",
        (_refused(Reason.DENIED, Zone.OUTSIDE, _TELNET, Segment.SYN, SYN, _NO_TELNET),),
    ),
)


def lines_of(format: Format) -> Iterator[tuple[str, list[str]]]:
    """The lines of a device for each sample, in order."""
    device = Device("lab1", POLICY)
    for sentence, effects in SAMPLES:
        told = (
            format.line(device, effect, START + timedelta(microseconds=effect.at / 1000))
            for effect in effects
        )
        yield sentence, [line for line in told if line is not None]
