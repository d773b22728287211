"""The transitions of UDP, ICMP and all other protocols, and that none is missing."""

import itertools

import pytest

from fwemu.core.datagram_table import KINDS, NEXT, TRANSITIONS
from fwemu.core.flow import Direction
from fwemu.core.packet import Kind
from fwemu.core.state_table import IncompleteTableError, check_complete
from fwemu.core.tcp_table import TCP_STATES, Cell, State
from fwemu.core.timeouts import DISCARDED_STATES

S, K, BAD = State, Kind, Cell.BAD
ORIGINAL, REPLY = Direction

CELLS = [
    (state, direction, kind)
    for state, direction in itertools.product(KINDS, Direction)
    for kind in KINDS[state]
]


def named(cell):
    return " ".join(each.name for each in cell)


def test_every_cell_is_written_down():
    """A missing cell would be a silent decision."""
    assert {(s, d, k) for (s, d), row in TRANSITIONS.items() for k in row} == set(CELLS)


def test_the_table_speaks_of_every_state_and_every_kind_that_is_not_tcp():
    """ICMP errors and later fragments have no sessions; a denial has one state, and no way out."""
    assert set(KINDS) == set(State) - set(TCP_STATES) - DISCARDED_STATES | {S.NONE}
    assert {kind for kinds in KINDS.values() for kind in kinds} == set(Kind) - {
        K.TCP,
        K.ERROR,
        K.FRAGMENT,
    }


@pytest.mark.parametrize(("state", "direction", "kind"), CELLS, ids=map(named, CELLS))
def test_a_missing_cell_names_itself(state, direction, kind):
    """No firewall starts with a hole in its table, and whoever made it reads where it is."""
    rows = {place: dict(row) for place, row in TRANSITIONS.items()}
    del rows[state, direction][kind]
    with pytest.raises(IncompleteTableError) as caught:
        check_complete("datagram", rows, KINDS)
    place = f"state {state.name}, direction {direction.name}, Kind {kind.name}"
    assert str(caught.value) == f"datagram table: no cell for {place}"


def test_every_state_is_reached_from_nothing():
    """A state nobody enters is a typo in the table."""
    reached, fresh = set(), {S.NONE}
    while fresh:
        reached |= fresh
        rows = (TRANSITIONS[state, direction] for state in fresh for direction in Direction)
        fresh = {cell for row in rows for cell in row.values() if isinstance(cell, State)} - reached
    assert reached == set(KINDS)


def test_the_fast_form_is_the_same_table():
    """`NEXT` is what packets are judged by; the readable form must not be a fiction."""
    for state, direction, kind in CELLS:
        assert NEXT[state][direction][kind] is TRANSITIONS[state, direction][kind]
    written = sum(len(row) for directions in NEXT for row in directions)
    assert written == len(CELLS)


@pytest.mark.parametrize("kind", KINDS[S.NONE])
def test_only_an_answer_opens_nothing(kind):
    """Nor does anything open a session against its own direction."""
    assert (TRANSITIONS[S.NONE, ORIGINAL][kind] is BAD) == (kind is K.RESPONSE)
    assert TRANSITIONS[S.NONE, REPLY][kind] is BAD


def test_udp_becomes_replied_by_an_answer_and_stays_so():
    """Whoever sends first may send as often as it likes."""
    assert TRANSITIONS[S.UDP_UNREPLIED, ORIGINAL] == {K.UDP: S.UDP_UNREPLIED}
    assert TRANSITIONS[S.UDP_UNREPLIED, REPLY] == {K.UDP: S.UDP_REPLIED}
    for direction in Direction:
        assert TRANSITIONS[S.UDP_REPLIED, direction] == {K.UDP: S.UDP_REPLIED}


def test_icmp_queries_go_one_way_and_answers_the_other():
    """An answer in the direction of the queries belongs to another session: its key differs."""
    assert TRANSITIONS[S.ICMP, ORIGINAL] == {K.QUERY: S.ICMP, K.RESPONSE: BAD}
    assert TRANSITIONS[S.ICMP, REPLY] == {K.QUERY: BAD, K.RESPONSE: S.ICMP}


@pytest.mark.parametrize("direction", Direction)
def test_other_protocols_have_one_state(direction):
    """Nothing in their packets says more than who sends to whom."""
    assert TRANSITIONS[S.OTHER, direction] == {K.OTHER: S.OTHER}
