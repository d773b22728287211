"""The faults that `--fail-on` can name, counted by the firewall.

The counters say how often; the log, which may be bounded or filtered, shows the first time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple

from fwemu.client import Client
from fwemu.core.reasons import EndReason, Reason

Statistics = dict[str, Any]
Event = dict[str, Any]

PATIENCE: Final = 1.0
"""Seconds that packets in the kernel's queue have to be decided before the counters are read."""


class Fault(NamedTuple):
    """A fault that `--fail-on` can name."""

    name: str
    meaning: str
    times: Callable[[Statistics], int]
    """How often, by the counters of one firewall."""
    is_logged_as: Callable[[Event], bool]
    """Is it this event of the log?"""


class Found(NamedTuple):
    """A fault with its count over all firewalls of a lab."""

    name: str
    meaning: str
    times: int
    first: Event | None
    """From the log; None if it did not happen, or the log does not have it."""


def _refused(name: str, meaning: str, reasons: Collection[Reason] | None = None) -> Fault:
    """Packets that were dropped or answered, for these reasons or for any."""
    words = None if reasons is None else {reason.word for reason in reasons}

    def count(statistics: Statistics) -> int:
        drops: dict[str, int] = statistics["packets"]["drop"]
        return sum(number for word, number in drops.items() if words is None or word in words)

    def is_logged_as(event: Event) -> bool:
        return event["event"] == "denied" and (words is None or event["reason"] in words)

    return Fault(name, meaning, count, is_logged_as)


def _ended(name: str, meaning: str, reasons: Collection[EndReason]) -> Fault:
    """Sessions that ended for these reasons."""
    words = {reason.word for reason in reasons}

    def count(statistics: Statistics) -> int:
        by_protocol: dict[str, dict[str, int]] = statistics["sessions_ended"]
        return sum(
            number
            for ended in by_protocol.values()
            for word, number in ended.items()
            if word in words
        )

    def is_logged_as(event: Event) -> bool:
        return event["event"] == "torn_down" and event["reason"] in words

    return Fault(name, meaning, count, is_logged_as)


def _resets(statistics: Statistics) -> int:
    return sum(statistics["packets_injected"].get("reset", {}).values())


def _lost(statistics: Statistics) -> int:
    queue = statistics["queue"]
    return int(queue["lost_queue_full"] + queue["lost_buffer_full"])


BY_THE_ENDS: Final = frozenset({EndReason.CLOSED_BY_FIN, EndReason.CLOSED_BY_RST, EndReason.REUSED})
"""How sessions end by what their two ends did; in every other case it was the firewall."""

FAULTS: Final = {
    fault.name: fault
    for fault in (
        _refused("dropped", "the firewall dropped, reset or rejected a packet"),
        _refused(
            "denied",
            "a rule or the default action denied a packet",
            {Reason.DENIED, Reason.REJECTED, Reason.DISCARDED},
        ),
        _refused(
            "unknown-packet",
            "a packet came that belonged to no session",
            {Reason.UNKNOWN_PACKET},
        ),
        _refused("table-full", "a packet found no room in the table", {Reason.TABLE_FULL}),
        Fault(
            "reset",
            "the firewall sent a RST",
            _resets,
            lambda event: event["event"] == "injected" and event["kind"] == "reset",
        ),
        _ended(
            "session-ended",
            "the firewall ended a session that neither end had closed",
            set(EndReason) - BY_THE_ENDS,
        ),
        _ended(
            "expired",
            "a session reached its idle timeout or its greatest age",
            {EndReason.EXPIRED, EndReason.LIFETIME, EndReason.UNANSWERED},
        ),
        _ended("evicted", "a session had to make room at capacity", {EndReason.EVICTED}),
        Fault(
            "overload",
            "the kernel lost packets in front of the firewall, which falsifies what was seen",
            _lost,
            lambda event: False,
        ),
    )
}
"""By name, in the order of the docs."""


def settled_statistics(firewalls: Sequence[Client]) -> list[Statistics]:
    """The counters of each firewall, once the packets that wait in its queue are decided."""
    deadline = time.monotonic() + PATIENCE
    settled = []
    for firewall in firewalls:
        statistics = firewall.statistics()
        while statistics["queue"]["waiting"] and time.monotonic() < deadline:
            time.sleep(0.005)
            statistics = firewall.statistics()
        settled.append(statistics)
    return settled


def has_seen_packets(statistics: Sequence[Statistics]) -> bool:
    """True if any packet came to any of these firewalls, whatever its verdict."""
    return any(
        number
        for each in statistics
        for packets in each["packets"].values()
        for number in packets.values()
    )


def found(
    names: Sequence[str], firewalls: Sequence[Client], statistics: Sequence[Statistics]
) -> list[Found]:
    """The counts of these faults, each with the first time."""
    return [_found(FAULTS[name], firewalls, statistics) for name in dict.fromkeys(names)]


def _found(fault: Fault, firewalls: Sequence[Client], statistics: Sequence[Statistics]) -> Found:
    counts = [fault.times(each) for each in statistics]
    logs = (firewall.events() for firewall, count in zip(firewalls, counts, strict=True) if count)
    first = next((event for log in logs for event in log if fault.is_logged_as(event)), None)
    return Found(fault.name, fault.meaning, sum(counts), first)
