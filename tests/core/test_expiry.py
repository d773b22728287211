"""The queue of deadlines by itself; `tests/property` compares it with a plain scan."""

import pytest

from fwemu.core.expiry import ExpiryQueue
from fwemu.core.flow import TCP, Zone
from fwemu.core.instants import NEVER
from fwemu.core.session import Session
from fwemu.core.tcp_table import State


def session(lifetime, opened=0):
    """A session that is due `lifetime` after it was opened."""
    lifetimes = (lifetime,) * len(State)
    return Session(1, TCP, b"", b"", Zone.INSIDE, State.SYN_SENT, None, lifetimes, opened)


@pytest.fixture
def queue():
    """An empty one."""
    return ExpiryQueue()


def test_nothing_is_due_in_an_empty_queue(queue):
    """Nor ever will be."""
    assert queue.due(NEVER * 2) is None
    assert queue.next_look() is None


def test_due_at_the_deadline_and_not_before(queue):
    """It stays the answer until it is removed."""
    one = session(100)
    queue.add(one)
    assert queue.next_look() == 100
    assert queue.due(99) is None
    assert queue.due(100) is one
    assert queue.due(1000) is one
    queue.remove(one)
    assert queue.due(1000) is None
    assert queue.next_look() is None


def test_the_earliest_is_first(queue):
    """And those of the same instant in the order they came."""
    sessions = [session(lifetime) for lifetime in (300, 100, 200, 100)]
    for each in sessions:
        queue.add(each)
    order = []
    while (due := queue.due(1000)) is not None:
        order.append(sessions.index(due))
        queue.remove(due)
    assert order == [1, 3, 2, 0]


def test_traffic_is_found_out_late(queue):
    """A packet only writes `restarted`; the entry is corrected when it surfaces."""
    one = session(100)
    queue.add(one)
    one.restarted = 50
    assert queue.next_look() == 100
    assert queue.due(100) is None
    assert queue.next_look() == 150
    assert queue.due(149) is None
    assert queue.due(150) is one


def test_an_earlier_deadline_is_queued_at_once(queue):
    """Five days become ten seconds when a RST is seen."""
    one = session(1000)
    queue.add(one)
    one.lifetime = 10
    queue.moved(one)
    assert queue.next_look() == 10
    assert queue.due(10) is one


def test_a_later_deadline_is_not_queued(queue):
    """It would fill the heap with an entry a packet."""
    one = session(100)
    queue.add(one)
    for lifetime in (100, 200, 300):
        one.lifetime = lifetime
        queue.moved(one)
    assert len(queue) == 1
    assert queue.due(299) is None
    assert queue.due(300) is one


def test_a_superseded_entry_does_not_report_the_same_death_twice(queue):
    """Both of its entries are over, and it has ended once."""
    one = session(100)
    queue.add(one)
    one.lifetime = 10
    queue.moved(one)
    assert len(queue) == 2
    assert queue.due(200) is one
    queue.remove(one)
    assert queue.due(200) is None


def test_a_superseded_entry_is_skipped_when_it_surfaces(queue):
    """The deadline moved earlier, and then by traffic to another instant."""
    one = session(100)
    queue.add(one)
    one.lifetime = 10
    queue.moved(one)
    one.restarted = 110
    assert queue.due(119) is None
    assert queue.next_look() == 120
    assert len(queue) == 1
    assert queue.due(120) is one


def test_two_entries_for_the_same_instant(queue):
    """The deadline moved earlier and came back: one death all the same."""
    one = session(100)
    queue.add(one)
    one.lifetime = 10
    queue.moved(one)
    one.lifetime = 100
    assert queue.due(50) is None
    assert queue.due(100) is one
    queue.remove(one)
    assert queue.due(100) is None
    assert queue.next_look() is None


def test_never_is_no_deadline(queue):
    """The daemon need not be woken for it."""
    queue.add(session(NEVER))
    assert queue.next_look() is None
    queue.add(session(100))
    assert queue.next_look() == 100


def test_what_has_ended_is_not_looked_at(queue):
    """Its entry is skipped when it surfaces."""
    one, other = session(100), session(200)
    queue.add(one)
    queue.add(other)
    queue.remove(one)
    assert queue.next_look() == 200
    assert queue.due(150) is None
    assert queue.due(200) is other


def test_the_heap_is_bounded(queue):
    """Sessions that come and go long before their timer runs out leave no heap of entries."""
    last = session(10**6)
    queue.add(last)
    most = 0
    for _ in range(5000):
        one = session(10**6)
        queue.add(one)
        queue.remove(one)
        most = max(most, len(queue))
    assert 1000 < most < 1100
    assert queue.due(10**6) is last


def test_a_heap_that_was_compacted_is_still_a_heap(queue):
    """The order of what remains survives."""
    sessions = [session(lifetime) for lifetime in range(10_000, 0, -1)]
    for each in sessions:
        queue.add(each)
    for each in sessions:
        if each.lifetime % 10:
            queue.remove(each)
    assert len(queue) < 10_000
    order = []
    while (due := queue.due(10_000)) is not None:
        order.append(due.lifetime)
        queue.remove(due)
    assert order == list(range(10, 10_001, 10))


def test_compacting_drops_what_living_sessions_have_left_behind(queue):
    """A session whose deadline moved earlier twice stands in the heap three times."""
    sessions = [session(3000) for _ in range(1500)]
    for each in sessions:
        queue.add(each)
        for lifetime in (2000, 1000):
            each.lifetime = lifetime
            queue.moved(each)
    assert len(queue) == 4500
    queue.remove(sessions.pop())
    assert len(queue) == len(sessions)
    assert queue.due(999) is None
    assert queue.due(1000) is sessions[0]
