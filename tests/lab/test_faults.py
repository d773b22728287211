"""What a run can be told to fail on, from the counters of a firewall."""

from __future__ import annotations

from typing import Any

import pytest

from fwemu.cli.run import FAULT_NAMES
from fwemu.core.reasons import EndReason, Reason, Verdict
from fwemu.lab.faults import BY_THE_ENDS, FAULTS, found

QUIET: dict[str, Any] = {
    "packets": {"accept": {"session": 5}, "drop": {}},
    "sessions_ended": {"tcp": {"closed_by_fin": 2, "closed_by_rst": 1, "reused": 1}},
    "packets_injected": {"probe": {"inside": 2}},
    "queue": {"waiting": 0, "lost_queue_full": 0, "lost_buffer_full": 0},
}
"""Counters of a firewall that has only forwarded."""


class Firewall:
    """Its log; asked only where it has something to say."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self._events = events

    def events(self):
        return iter(self._events)


def happened(**counters: Any) -> set[str]:
    """The words that are true of these counters."""
    statistics = {**QUIET, **counters}
    return {each.name for each in found(list(FAULTS), [Firewall()], [statistics]) if each.times}


def test_the_command_line_offers_the_whole_vocabulary():
    """It has a copy, which makes --help quick."""
    assert tuple(FAULTS) == FAULT_NAMES


def test_forwarding_is_no_fault():
    """Connections that their ends close, keepalive probes of the firewall: nothing is wrong."""
    assert happened() == set()


@pytest.mark.parametrize("reason", [each for each in Reason if each.verdict is Verdict.DROP])
def test_every_drop_is_dropped_and_perhaps_something_nearer(reason):
    """Nothing that was refused can be missed."""
    nearer = {
        Reason.UNKNOWN_PACKET: {"unknown-packet"},
        Reason.DENIED: {"denied"},
        Reason.REJECTED: {"denied"},
        Reason.DISCARDED: {"denied"},
        Reason.TABLE_FULL: {"table-full"},
    }
    packets = {"accept": {}, "drop": {reason.word: 1}}

    assert happened(packets=packets) == {"dropped"} | nearer.get(reason, set())


@pytest.mark.parametrize("reason", list(EndReason))
def test_every_end_is_the_firewalls_or_that_of_the_ends(reason):
    """A new reason must be one or the other."""
    nearer = {
        EndReason.EXPIRED: {"expired"},
        EndReason.LIFETIME: {"expired"},
        EndReason.UNANSWERED: {"expired"},
        EndReason.EVICTED: {"evicted"},
    }
    expected = set() if reason in BY_THE_ENDS else {"session-ended", *nearer.get(reason, set())}

    assert happened(sessions_ended={"udp": {reason.word: 1}}) == expected


@pytest.mark.parametrize("counter", ["lost_queue_full", "lost_buffer_full"])
def test_what_the_kernel_lost_is_told_apart_from_what_was_dropped(counter):
    """Then the machine was too slow, and the firewall is not to blame."""
    assert happened(queue={**QUIET["queue"], counter: 3}) == {"overload"}


def test_resets_count_whoever_they_were_sent_to():
    """To either end."""
    assert happened(packets_injected={"reset": {"inside": 1, "outside": 1}}) == {"reset"}


def test_two_firewalls_are_added_and_the_first_time_is_from_the_log():
    """An asymmetric lab has two logs; the words of the log lead to the cause."""
    dropped = {**QUIET, "packets": {"accept": {}, "drop": {"denied": 2}}}
    event = {"event": "denied", "reason": "denied", "number": 3}
    logs = [Firewall(), Firewall({"event": "built"}, event, {**event, "number": 4})]

    (denied,) = found(["denied", "denied"], logs, [dropped, dropped])

    assert (denied.times, denied.first) == (4, event)
