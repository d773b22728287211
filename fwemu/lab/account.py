"""The story of a run, flow by flow, told from the firewall's log.

#1 tcp 198.18.1.10:43210 -> 198.19.1.10:7
      0.012 s  opened from the inside
   3600.013 s  ended: expired in ESTABLISHED (its idle timer ran out), idle for 1 h;
               4 packets sent, 3 back
   3900.020 s  dropped: ACK from the inside (unknown_packet: no session, and nothing that may
               open one), answer: drop; 3 times until 3901.500 s
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from fwemu.lab.event_words import exactly, in_a_report
from fwemu.lab.flows import ends_of, named

Event = Mapping[str, Any]

_WIDTH: Final = 100
_INDENT: Final = 16
MOST_FLOWS: Final = 20
"""Flows that are told, the last ones; of those before only the number."""


def account(
    events: Iterable[Event], sessions: Iterable[Event], statistics: Mapping[str, Any]
) -> str:
    """All that happened, by flow in the order in which they began, and the totals."""
    flows: dict[Any, list[Event]] = {}
    of_session: dict[int, Any] = {}
    for event in events:
        key = _key(event)
        if key is None:
            key = of_session.get(event.get("session") or 0, "the firewall")
        elif event.get("session"):
            of_session[event["session"]] = key
        flows.setdefault(key, []).append(event)
        for row in event["doubtful"] if event["event"] == "time_moved" else ():
            doubted = {**row, "event": "doubted", "at_s": event["at_s"]}
            flows.setdefault(_key(row), []).append(doubted)
    open_now: dict[Any, list[Event]] = {}
    for session in sessions:
        open_now.setdefault(_key(session), []).append(session)
        flows.setdefault(_key(session), [])
    lines = []
    if len(flows) > MOST_FLOWS:
        lines.append(f"(and {len(flows) - MOST_FLOWS} flows before these)")
    for key, happened in list(flows.items())[-MOST_FLOWS:]:
        lines += _told(happened, open_now.get(key, []))
    return "\n".join([*lines, *_totals(statistics)])


def _key(record: Event) -> Any:
    """The same for both directions of a conversation; None where no ends are named."""
    if "source" not in record:
        return None
    return (record["protocol"], *sorted(ends_of(record)))


def _told(happened: list[Event], open_now: list[Event]) -> list[str]:
    first = next((each for each in (*open_now, *happened) if "source" in each), None)
    lines = ["the firewall" if first is None else named(_opener(happened, first))]
    for text, same in groupby(happened, in_a_report):
        first_time, *more = (event["at_s"] for event in same)
        if more:
            text += f"; {1 + len(more)} times until {more[-1]:.3f} s"
        lines.append(_line(first_time, text))
    for session in open_now:
        probes = session["keepalive_probes"]
        expires = session["expires_in_s"]
        lines.append(
            _line(
                None,
                f"still open in {session['state']}, idle for {exactly(session['idle_s'])}, "
                + ("never expires" if expires is None else f"expires in {exactly(expires)}")
                + f"; {session['packets']['original']} packets sent, "
                f"{session['packets']['reply']} back; keepalive probes: "
                f"{probes['original']} from the opener, {probes['reply']} from its peer",
            )
        )
    return lines


def _opener(happened: list[Event], other: Event) -> Event:
    return next((each for each in happened if each["event"] == "built"), other)


def _line(at: float | None, text: str) -> str:
    when = "now" if at is None else f"{at:.3f} s"
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{when:>{_INDENT - 2}}  ",
        subsequent_indent=" " * _INDENT,
        break_on_hyphens=False,
    )


def _totals(statistics: Mapping[str, Any]) -> list[str]:
    packets = statistics["packets"]
    dropped = ", ".join(f"{count} {reason}" for reason, count in packets["drop"].items()) or "none"
    queue = statistics["queue"]
    lost = queue["lost_queue_full"] + queue["lost_buffer_full"]
    line = f"packets: {sum(packets['accept'].values())} accepted; dropped: {dropped}"
    return [f"{line}; lost by the kernel before the firewall: {lost}" if lost else line]
