"""The check that a state table is complete, on a table that fits a line."""

import pytest

from fwemu.core.flow import Direction
from fwemu.core.state_table import IncompleteTableError, check_complete
from fwemu.core.tcp_table import Segment, State

EVENTS = {State.NONE: (Segment.SYN,), State.CLOSE: (Segment.ACK, Segment.RST)}


def whole():
    """Every cell that `EVENTS` asks for."""
    return {
        (state, direction): dict.fromkeys(events, state)
        for state, events in EVENTS.items()
        for direction in Direction
    }


def test_a_whole_table_passes():
    """Each event that can meet a state has a cell, in both directions."""
    check_complete("small", whole(), EVENTS)


def test_a_missing_row_names_every_cell_of_it():
    """All at once, so that they need not be found one by one."""
    rows = whole()
    del rows[State.CLOSE, Direction.REPLY]
    with pytest.raises(IncompleteTableError) as caught:
        check_complete("small", rows, EVENTS)
    assert str(caught.value) == (
        "small table: no cell for state CLOSE, direction REPLY, Segment ACK; "
        "small table: no cell for state CLOSE, direction REPLY, Segment RST"
    )


def test_a_cell_that_no_packet_can_ask_for_names_itself_too():
    """It would look like a decision, and be none."""
    rows = whole()
    rows[State.NONE, Direction.ORIGINAL][Segment.FIN] = State.CLOSE
    with pytest.raises(IncompleteTableError) as caught:
        check_complete("small", rows, EVENTS)
    named = "state NONE, direction ORIGINAL, Segment FIN"
    assert str(caught.value) == f"small table: needless cell for {named}"
