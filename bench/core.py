"""The engine alone, without the kernel: nanoseconds a packet, and a session opened or expired."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from bench.report import Figure
from bench.run import Run
from bench.traffic import (
    Arrival,
    Connection,
    connections,
    established,
    firewall,
    udp_exchange,
)
from bench.visits import spread
from fwemu.core import tcp
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Direction
from fwemu.core.instants import SECOND
from fwemu.core.packet import Packet, parse
from fwemu.core.tcp_table import Segment

NOW: Final = 1_000 * SECOND
PACKETS: Final = 20_000
MANY: Final = 10_000


class Trial(NamedTuple):
    """Something to be timed once: what it does was prepared outside of the time."""

    operations: int
    work: Callable[[], object]


def figures(run: Run) -> list[Figure]:
    """Nanoseconds an operation; of processor time, so that other programs do not count."""
    found = []
    for what, prepare in TRIALS.items():
        measured = []
        for index in range(run.repeats):
            run.progress.say("core", f"{what} {index + 1}/{run.repeats}")
            measured.append(_nanoseconds(prepare()))
        found.append(Figure("core", what, "ns", spread(measured)))
    return found


def _nanoseconds(trial: Trial) -> float:
    gc.collect()
    start = time.thread_time_ns()
    trial.work()
    return (time.thread_time_ns() - start) / trial.operations


def _handle(engine: Firewall, arrivals: list[Arrival]) -> Trial:
    def work() -> None:
        handle = engine.handle
        for data, zone in arrivals:
            handle(data, NOW, zone)

    return Trial(len(arrivals), work)


def _parse(version: int) -> Trial:
    (one,) = connections(1, version)
    packets = [data for data, _ in one.exchange(PACKETS // 2)]

    def work() -> None:
        for data in packets:
            parse(data)

    return Trial(len(packets), work)


def _belonging(version: int, sessions: int = 1) -> Trial:
    """Requests and responses of TCP sessions that are open."""
    engine = firewall()
    some = connections(sessions, version)
    established(engine, some, NOW)
    return _handle(engine, _mixed(some))


def _by_flags(version: int) -> Trial:
    """The same without windows: every segment of an open connection is believed."""
    trial = _belonging(version)

    def work() -> None:
        looks = tcp.flows_on
        tcp.flows_on = _believed
        try:
            trial.work()
        finally:
            tcp.flows_on = looks

    return Trial(trial.operations, work)


def _believed(talk: tcp.TcpConnection, packet: Packet, direction: Direction) -> bool:
    return packet.segment is Segment.ACK


def _mixed(some: Iterable[Connection]) -> list[Arrival]:
    """`PACKETS` in all, one connection's at a time in no particular order."""
    each = list(some)
    rounds = max(1, PACKETS // 2 // len(each))
    chance = random.Random(1)
    arrivals: list[Arrival] = []
    for _ in range(rounds):
        for connection in chance.sample(each, len(each)):
            arrivals += connection.exchange(1)
    return arrivals


def _udp() -> Trial:
    return _handle(firewall(), udp_exchange(PACKETS // 2))


def _opening() -> Trial:
    return _handle(firewall(), [one.syn() for one in connections(MANY)])


def _refusing() -> Trial:
    return _handle(firewall(), [packet for one in connections(MANY) for packet in one.exchange(1)])


def _expiring() -> Trial:
    engine = firewall()
    established(engine, connections(MANY), NOW)
    later = NOW + max(engine.policy.lifetimes)

    def work() -> None:
        while engine.next_deadline() is not None:
            engine.tick(later)

    return Trial(MANY, work)


TRIALS: Final[dict[str, Callable[[], Trial]]] = {
    "parse a TCP packet, IPv4": lambda: _parse(4),
    "parse a TCP packet, IPv6": lambda: _parse(6),
    "packet of a TCP session, IPv4": lambda: _belonging(4),
    "packet of a TCP session, IPv6": lambda: _belonging(6),
    "packet of a TCP session, numbers unseen": lambda: _by_flags(4),
    f"packet of one of {MANY:,} TCP sessions": lambda: _belonging(4, MANY),
    "packet of a UDP session": _udp,
    "SYN that opens a session": _opening,
    "unknown packet, dropped": _refusing,
    "session that expires": _expiring,
}
