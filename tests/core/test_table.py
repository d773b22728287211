"""The table: sessions by flow and by number, and how they stand in each state."""

import pytest

from fwemu.core.eviction import WhenFull
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.session import Session
from fwemu.core.table import SessionTable
from fwemu.core.tcp_table import State
from tests.kit.play import policy

LIFETIMES = policy().lifetimes


def session(number, protocol=TCP, state=State.SYN_SENT):
    key, back = b"key %d" % number, b"back %d" % number
    return Session(number, protocol, key, back, Zone.INSIDE, state, None, LIFETIMES, 0)


@pytest.fixture
def table():
    """An empty one."""
    return SessionTable(WhenFull.EVICT_LRU, lambda n: 0)


def test_a_session_is_found_from_both_directions(table):
    """And no longer when it is gone."""
    one = session(1)
    table.add(one)
    assert table.find(TCP, b"key 1") is one
    assert table.find(TCP, b"back 1") is one
    assert table.find(TCP, b"key 2") is None
    assert table.find(UDP, b"key 1") is None
    assert table.get(1) is one
    assert len(table) == 1
    table.remove(one)
    assert table.find(TCP, b"key 1") is None
    assert table.find(TCP, b"back 1") is None
    assert table.get(1) is None
    assert len(table) == 0


def test_the_same_ports_of_another_protocol_are_another_session(table):
    """DNS over UDP and over TCP."""
    one, other = (
        session(1),
        Session(2, UDP, b"key 1", b"back 1", Zone.INSIDE, State.UDP_UNREPLIED, None, LIFETIMES, 0),
    )
    table.add(one)
    table.add(other)
    assert table.find(TCP, b"key 1") is one
    assert table.find(UDP, b"key 1") is other
    table.remove(one)
    assert table.find(UDP, b"back 1") is other


def test_how_many_are_in_each_state(table):
    """Opened, moved, gone."""
    one, other = session(1), session(2)
    table.add(one)
    table.add(other)
    assert table.population[State.SYN_SENT] == 2
    table.moved(one, State.ESTABLISHED)
    assert table.population[State.SYN_SENT] == table.population[State.ESTABLISHED] == 1
    assert one.state is State.ESTABLISHED
    assert one.lifetime == LIFETIMES[State.ESTABLISHED]
    table.remove(one)
    assert table.population[State.ESTABLISHED] == 0
    assert sum(table.population) == 1


def test_pages(table):
    """In order of their numbers, whatever leaves in between; nothing twice, nothing missed."""
    sessions = [session(number) for number in range(1, 11)]
    for each in sessions:
        table.add(each)
    numbers = table.numbers()
    assert table.newest == numbers[-1] == 10
    for number in (1, 4, 5, 10):
        table.remove(sessions[number - 1])
    assert table.newest == 9

    def page(after, limit):
        found, following = table.page(numbers, after, limit)
        return [each.id for each in found], following

    assert page(0, 3) == ([2, 3], 3)
    assert page(3, 2) == ([], 5)
    assert page(5, 4) == ([6, 7, 8, 9], 9)
    assert page(9, 4) == ([], None)
    assert page(10, 4) == ([], None)
    assert page(0, 10) == ([2, 3, 6, 7, 8, 9], None)


def test_the_table_may_change_while_it_is_listed(table):
    """A flush removes what it walks over."""
    for number in (1, 2, 3):
        table.add(session(number))
    seen = []
    for each in table:
        seen.append(each.id)
        table.remove(each)
    assert seen == [1, 2, 3]
    assert len(table) == 0
