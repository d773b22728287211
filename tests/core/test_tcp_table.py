"""The transition table, cell by cell, as laws about its columns.

The laws together say every cell; each of them is a sentence about TCP that can be checked against
RFC 9293 without looking at the table.
"""

import itertools

import pytest

from fwemu.core.flow import Direction
from fwemu.core.state_table import IncompleteTableError, check_complete
from fwemu.core.tcp_table import (
    BY_NUMBERS,
    FLAG_SEGMENTS,
    NEXT,
    SEGMENT_OF_FLAGS,
    STAYS,
    TCP_STATES,
    TRANSITIONS,
    Cell,
    Segment,
    State,
)
from tests.kit.wire import flag_bits

S, T = State, Segment
IGNORE, REOPEN, BAD, OUTSIDE = Cell
ORIGINAL, REPLY = Direction

HANDSHAKE = (S.SYN_SENT, S.SYN_SENT2)
"""Before any SYN-ACK."""
CLOSING = (S.FIN_WAIT, S.CLOSE_WAIT, S.LAST_ACK)
ALIVE = (S.SYN_RECV, S.ESTABLISHED, *CLOSING)
OVER = (S.TIME_WAIT, S.CLOSE)


def column(direction, segment):
    """What this segment does in each state."""
    return {state: TRANSITIONS[state, direction][segment] for state in TCP_STATES}


def same(states, cell):
    return dict.fromkeys(states, cell)


def stay(states):
    return {state: state for state in states}


# -- the table as a whole --


def test_every_cell_is_written_down():
    """A missing cell would be a silent decision."""
    wanted = set(itertools.product(TCP_STATES, Direction, FLAG_SEGMENTS))
    written = {(s, d, t) for (s, d), row in TRANSITIONS.items() for t in row}
    assert written == wanted
    assert BY_NUMBERS.keys() | STAYS == set(Segment) - set(FLAG_SEGMENTS)
    assert not BY_NUMBERS.keys() & STAYS


@pytest.mark.parametrize(
    ("state", "direction", "segment"),
    [
        pytest.param(*cell, id=" ".join(each.name for each in cell))
        for cell in itertools.product(TCP_STATES, Direction, FLAG_SEGMENTS)
    ],
)
def test_a_missing_cell_names_itself(state, direction, segment):
    """No firewall starts with a hole in its table, and whoever made it reads where it is."""
    rows = {place: dict(row) for place, row in TRANSITIONS.items()}
    del rows[state, direction][segment]
    with pytest.raises(IncompleteTableError) as caught:
        check_complete("TCP", rows, dict.fromkeys(TCP_STATES, FLAG_SEGMENTS))
    named = f"state {state.name}, direction {direction.name}, Segment {segment.name}"
    assert str(caught.value) == f"TCP table: no cell for {named}"


def test_every_state_can_be_reached_and_left():
    """A state nobody enters, or nobody leaves, is a typo in the table."""
    edges = {
        (origin, cell if isinstance(cell, State) else State.SYN_SENT)
        for (origin, _), row in TRANSITIONS.items()
        for cell in row.values()
        if isinstance(cell, State) or cell is REOPEN
    }
    moves = {(origin, to) for origin, to in edges if origin is not to}
    assert {to for _, to in moves} | {S.NONE} == set(TCP_STATES)
    assert {origin for origin, _ in moves} == set(TCP_STATES)


def test_every_state_is_reached_from_nothing():
    """Reached somehow is not enough: a circle of states could stand apart."""
    reached, fresh = set(), {S.NONE}
    while fresh:
        reached |= fresh
        rows = (TRANSITIONS[state, direction] for state in fresh for direction in Direction)
        fresh = {cell for row in rows for cell in row.values() if isinstance(cell, State)} - reached
    assert reached == set(TCP_STATES)


def test_the_fast_form_is_the_same_table():
    """`NEXT` is what packets are judged by; the readable form must not be a fiction."""
    for state, direction, segment in itertools.product(TCP_STATES, Direction, FLAG_SEGMENTS):
        assert NEXT[state][direction][segment] is TRANSITIONS[state, direction][segment]
    for state, direction, segment in itertools.product(TCP_STATES, Direction, BY_NUMBERS):
        assert NEXT[state][direction][segment] is BY_NUMBERS[segment]
    for state, direction, segment in itertools.product(TCP_STATES, Direction, STAYS):
        assert NEXT[state][direction][segment] is state


def test_what_is_told_by_numbers_leads_to_one_place():
    """It is told only where that place makes sense, which `test_tcp.py` shows."""
    assert BY_NUMBERS == {
        T.SYN_AGAIN: IGNORE,
        T.SYN_ACK_SYNC: S.SYN_RECV,
        T.ACK_BOTH: S.ESTABLISHED,
        T.ACK_CHALLENGE: IGNORE,
        T.RST_INEXACT: S.ESTABLISHED,
        T.RST_OLD: OUTSIDE,
    }
    assert {T.FIN_REPEATED, T.ACK_BEFORE_FIN} == STAYS


def test_flags_tell_only_what_flags_can_tell():
    """No octet of flags means a segment that is told by its numbers."""
    assert {segment for segment in SEGMENT_OF_FLAGS if segment is not None} == set(FLAG_SEGMENTS)


# -- SYN --


def test_a_syn_from_the_opener_opens_repeats_is_ignored_or_reopens():
    """In an open connection it may be a confused peer's: the server's challenge ACK will tell."""
    assert column(ORIGINAL, T.SYN) == {
        S.NONE: S.SYN_SENT,
        **stay(HANDSHAKE),
        **same(ALIVE, IGNORE),
        **same(OVER, REOPEN),
    }


def test_a_syn_from_the_other_end_is_a_simultaneous_open_or_a_new_connection():
    """RFC 9293 figure 7; and after the close the roles may be exchanged."""
    assert column(REPLY, T.SYN) == {
        S.NONE: BAD,
        **same(HANDSHAKE, S.SYN_SENT2),
        **same(ALIVE, BAD),
        S.TIME_WAIT: REOPEN,
        S.CLOSE: BAD,
    }


# -- SYN-ACK --


def test_a_syn_ack_from_the_opener_belongs_to_a_simultaneous_open_only():
    """The opener of an ordinary connection never sends one."""
    assert column(ORIGINAL, T.SYN_ACK) == {
        **same(TCP_STATES, BAD),
        S.SYN_SENT2: S.SYN_RECV,
        S.SYN_RECV: S.SYN_RECV,
    }


def test_a_syn_ack_from_the_other_end_answers_the_syn_once():
    """A late repeat of it passes and changes nothing."""
    assert column(REPLY, T.SYN_ACK) == {
        **same(TCP_STATES, IGNORE),
        S.NONE: BAD,
        **same(HANDSHAKE, S.SYN_RECV),
    }


# -- FIN --


@pytest.mark.parametrize("direction", Direction)
def test_fins_close_from_both_ends_alike(direction):
    """The first FIN waits for its ACK, the second for the last; before a SYN-ACK there is none."""
    assert column(direction, T.FIN) == {
        S.NONE: BAD,
        **same(HANDSHAKE, BAD),
        **same((S.SYN_RECV, S.ESTABLISHED), S.FIN_WAIT),
        **same(CLOSING, S.LAST_ACK),
        **stay(OVER),
    }


# -- ACK --


ACKS_ONCE_OPEN = {
    S.ESTABLISHED: S.ESTABLISHED,
    **same((S.FIN_WAIT, S.CLOSE_WAIT), S.CLOSE_WAIT),
    **same((S.LAST_ACK, S.TIME_WAIT), S.TIME_WAIT),
    S.CLOSE: S.CLOSE,
}


def test_an_ack_from_the_opener_completes_the_handshake():
    """Without any state it is the middle of something, which only pick-up lets in."""
    assert column(ORIGINAL, T.ACK) == {
        S.NONE: S.ESTABLISHED,
        **same(HANDSHAKE, BAD),
        S.SYN_RECV: S.ESTABLISHED,
        **ACKS_ONCE_OPEN,
    }


def test_an_ack_from_the_other_end_completes_nothing():
    """Before the handshake is done it may come from a half-open peer (RFC 9293 section 3.5.1)."""
    assert column(REPLY, T.ACK) == {
        S.NONE: BAD,
        **same(HANDSHAKE, IGNORE),
        S.SYN_RECV: S.SYN_RECV,
        **ACKS_ONCE_OPEN,
    }


# -- RST --


@pytest.mark.parametrize("direction", Direction)
def test_a_rst_ends_any_connection_and_opens_none(direction):
    """Either end may give up at any time."""
    assert column(direction, T.RST) == {**same(TCP_STATES, S.CLOSE), S.NONE: BAD}


# -- flags --


@pytest.mark.parametrize(
    ("flags", "segment"),
    [
        ("S", T.SYN),
        ("SU", T.SYN),
        ("SA", T.SYN_ACK),
        ("FA", T.FIN),
        ("FAU", T.FIN),
        ("A", T.ACK),
        ("AU", T.ACK),
        ("R", T.RST),
        ("RA", T.RST),
    ],
)
def test_flags_that_endpoints_send(flags, segment):
    """PSH says nothing about the connection, and may stand beside any of them."""
    assert SEGMENT_OF_FLAGS[flag_bits(flags)] is segment
    assert SEGMENT_OF_FLAGS[flag_bits(flags + "P")] is segment


@pytest.mark.parametrize(
    "flags",
    ["", "P", "U", "F", "SF", "SFA", "SR", "SRA", "FR", "FRA", "SAU", "RU", "RAU", "FSRPAU"],
)
def test_flags_that_nobody_sends(flags):
    """Scans and broken stacks do; no state has a meaning for them."""
    assert SEGMENT_OF_FLAGS[flag_bits(flags)] is None


def test_the_two_ecn_bits_never_matter():
    """A SYN of a modern stack carries both (RFC 3168 section 6.1.1)."""
    ece, cwr = 0x40, 0x80
    for flags in range(64):
        for ecn in (ece, cwr, ece | cwr):
            assert SEGMENT_OF_FLAGS[flags | ecn] is SEGMENT_OF_FLAGS[flags]


def test_nine_combinations_of_five_flags_are_valid():
    """Nobody widens the list by accident."""
    five = [flags for flags in range(64) if not flags & flag_bits("P")]
    assert sum(SEGMENT_OF_FLAGS[flags] is not None for flags in five) == 9
