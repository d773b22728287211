"""The page of states: each table cell by cell, TCP's as a diagram too, made from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwemu.config.duration import Duration
from fwemu.core import datagram_table
from fwemu.core.flow import Direction
from fwemu.core.packet import Kind
from fwemu.core.policy import DEFAULT_TIMEOUTS
from fwemu.core.tcp_table import (
    BY_NUMBERS,
    FLAG_SEGMENTS,
    STAYS,
    TCP_STATES,
    TRANSITIONS,
    Cell,
    Segment,
    State,
)
from fwemu.core.timeouts import SETTING_OF_STATE

_HEAD: Final = """
A session has one state for both of its ends, as in nf_conntrack
([decision 0001](../decisions/0001-joint-tcp-state.md)). These are the tables that the firewall
follows; there is no transition anywhere else.
"""

_CELLS: Final = {
    Cell.IGNORE: "passes, and moves nothing: it may be invalid, the endpoint decides",
    Cell.REOPEN: "begins a new session on the same addresses and ports",
    Cell.BAD: "cannot occur in this state: dropped as `invalid_state` (without a session as"
    " `unknown_packet`)",
    Cell.OUTSIDE: "its numbers cannot be: dropped as `out_of_window`",
}

_NUMBERS: Final = {
    Segment.SYN_AGAIN: "a SYN that may be a new connection or not; only a SYN-ACK will tell",
    Segment.SYN_ACK_SYNC: "a SYN-ACK that answers a SYN which was passed and ignored",
    Segment.ACK_BOTH: "an ACK after both ends have sent a SYN",
    Segment.ACK_CHALLENGE: "the challenge ACK to a SYN that was passed while the last ACK is due",
    Segment.RST_INEXACT: "a RST in the window, but not on the number expected",
    Segment.RST_OLD: "a RST below what its receiver has acknowledged",
    Segment.FIN_REPEATED: "a FIN of the end that has closed already (`tcp.closing`)",
    Segment.ACK_BEFORE_FIN: "an ACK while closing that leaves a FIN unacknowledged (`tcp.closing`)",
}


def page(head: str) -> str:
    """docs/reference/states.md"""
    lines = [head, "", "# States", "", _HEAD.strip(), "", "## TCP, by flags", ""]
    lines += _diagram()
    lines += ["", *_table(), "", "What is not a state in a cell:", ""]
    lines += [f"- `{cell.value}`: {text}" for cell, text in _CELLS.items()]
    lines += ["", "## TCP, by numbers", "", _BY_NUMBERS_HEAD.strip(), ""]
    lines += ["| segment | | leads to |", "|---|---|---|"]
    lines += [
        f"| `{segment.name}` | {text} |"
        f" {'stays' if segment in STAYS else _cell(BY_NUMBERS[segment])} |"
        for segment, text in _NUMBERS.items()
    ]
    lines += ["", "## UDP, ICMP and other protocols", "", _DATAGRAMS_HEAD.strip(), ""]
    lines += _datagrams()
    lines += ["", "## Timers", "", _TIMERS_HEAD.strip(), ""]
    lines += ["| state | setting | default |", "|---|---|---|"]
    for state, setting in SETTING_OF_STATE.items():
        if setting is not None:
            default = Duration(DEFAULT_TIMEOUTS[setting])
            lines.append(f"| `{state.name}` | `timeouts.{setting}` | {default} |")
    return "\n".join(lines) + "\n"


_BY_NUMBERS_HEAD: Final = """
Some segments are told by their numbers as well as their flags, before the table is asked. Whatever
the state, they lead here:
"""


_DATAGRAMS_HEAD: Final = """
A packet meets the states of its own protocol only. ICMP queries are echo requests, and in IPv4
those for a timestamp, information or an address mask; any other ICMP message but an error counts as
an answer.
"""

_KINDS: Final = {
    Kind.UDP: "UDP",
    Kind.QUERY: "ICMP query",
    Kind.RESPONSE: "ICMP answer",
    Kind.OTHER: "other",
}


_TIMERS_HEAD: Final = """
Each state has a timer, which packets of the session restart ([refresh](settings.md) says which).
"""


def _diagram() -> Iterator[str]:
    """The transitions to another state; ignored and refused segments are not drawn."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    edges: dict[tuple[State, State], list[str]] = {}
    for (state, direction), row in TRANSITIONS.items():
        for segment, cell in row.items():
            after = State.SYN_SENT if cell is Cell.REOPEN else cell
            if isinstance(after, State) and after is not state:
                arrow = ">" if direction is Direction.ORIGINAL else "<"
                edges.setdefault((state, after), []).append(f"{arrow} {segment.name}")
    for (before, after), labels in edges.items():
        begin = "[*]" if before is State.NONE else before.name
        yield f"    {begin} --> {after.name}: {_merged(labels)}"
    yield "```"
    yield ""
    yield "`>` goes in the original direction, `<` in the reply direction, `<>` either way."


def _merged(labels: list[str]) -> str:
    """Merge the same segment in both directions into one."""
    segments = dict.fromkeys(label[2:] for label in labels)
    return ", ".join(
        f"<> {segment}"
        if {f"> {segment}", f"< {segment}"} <= set(labels)
        else next(label for label in labels if label[2:] == segment)
        for segment in segments
    )


def _table() -> Iterator[str]:
    yield f"| state | | {' | '.join(segment.name for segment in FLAG_SEGMENTS)} |"
    yield "|---|---|" + "---|" * len(FLAG_SEGMENTS)
    for state in TCP_STATES:
        for direction in Direction:
            row = TRANSITIONS[state, direction]
            cells = " | ".join(_cell(row[segment]) for segment in FLAG_SEGMENTS)
            yield f"| `{state.name}` | {direction.name.lower()} | {cells} |"


def _datagrams() -> Iterator[str]:
    yield f"| state | | {' | '.join(_KINDS.values())} |"
    yield "|---|---|" + "---|" * len(_KINDS)
    for (state, direction), row in datagram_table.TRANSITIONS.items():
        cells = " | ".join(_cell(row[kind]) if kind in row else "" for kind in _KINDS)
        yield f"| `{state.name}` | {direction.name.lower()} | {cells} |"


def _cell(cell: State | Cell) -> str:
    return cell.name if isinstance(cell, State) else f"*{cell.value}*"
