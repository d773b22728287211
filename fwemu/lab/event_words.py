"""What each event of the firewall log says to people: in a line of its own, and in a report.

A line (`fwemu events`) names the flow and is short.  A report (`account.py`) has the flow as its
head, and explains.  One table for both, so that no event has words in one place only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from fwemu.core.instants import SECOND
from fwemu.core.reasons import WHY, WHY_ENDED
from fwemu.lab.texts import counted, duration, flow, octets

Event = Mapping[str, Any]
Say = Callable[[Event], str]

_WHY: Final = {reason.word: text for reason, text in WHY.items()}
_WHY_ENDED: Final = {reason.word: text for reason, text in WHY_ENDED.items()}


class Words(NamedTuple):
    """Those of one kind of event."""

    line: Say
    report: Say


def in_a_line(event: Event) -> str:
    """Behind the name of the event: what, between whom, and why."""
    return WORDS[event["event"]].line(event) if event["event"] in WORDS else _fields(event)


def in_a_report(event: Event) -> str:
    """Below the flow that it belongs to."""
    if event["event"] in WORDS:
        return WORDS[event["event"]].report(event)
    return f"{event['event']} {_fields(event)}".strip()


def ending(event: Event) -> str:
    """How a session ended, in half a sentence."""
    idle = f", idle for {exactly(event['idle_s'])}" if event["idle_s"] else ""
    return f"{event['reason']} in {event['state']} ({_WHY_ENDED[event['reason']]}){idle}"


def exactly(seconds: float) -> str:
    """`1h`, `3.2s`: whole seconds where there are many."""
    if seconds >= 60:
        from fwemu.config.duration import Duration  # `fwemu --help` need not wait for pydantic

        return str(Duration(round(seconds) * SECOND))
    return f"{seconds:.3g}s"


# -- sessions -----------------------------------------------------------------------------------


def _flow(event: Event) -> str:
    return f"{event['protocol']} {flow(event)}"


def _picked_up(event: Event) -> str:
    return ", picked up in mid-stream" if event["picked_up"] else ""


def _built(event: Event) -> str:
    return f"{_flow(event)} from the {event['zone']}, {event['state']}{_picked_up(event)}"


def _opened(event: Event) -> str:
    return f"opened from the {event['zone']} (#{event['session']}){_picked_up(event)}"


def _torn_down(event: Event) -> str:
    packets, size = event["packets"], event["bytes"]
    return (
        f"{_flow(event)} {event['reason']} in {event['state']} after "
        f"{duration(event['duration_s'])}, idle {duration(event['idle_s'])}; "
        f"{packets['original']} packets ({octets(size['original'])}) sent, "
        f"{packets['reply']} ({octets(size['reply'])}) back"
    )


def _ended(event: Event) -> str:
    packets = event["packets"]
    return f"ended: {ending(event)}; {packets['original']} packets sent, {packets['reply']} back"


def _state(event: Event) -> str:
    return f"{event['before']} -> {event['state']}"


def _answered(event: Event) -> str:
    return "the other end has answered"


def _keepalive(event: Event) -> str:
    who = "opener" if event["direction"] == "original" else "other end"
    return f"keepalive probe of the {who}"


# -- packets ------------------------------------------------------------------------------------


def _by_rule(event: Event) -> str:
    """The rule that has refused it, by name or by its place; nothing where none has."""
    if event.get("rule") is None or event["reason"] not in ("denied", "rejected", "discarded"):
        return ""
    name = event.get("rule_name") or f"rules[{event['rule']}]"
    return f" by rule {name}"


def _denied(event: Event) -> str:
    what = _flow(event) if "source" in event else "a packet"
    segment = f" {event['segment']}" if event["segment"] else ""
    return (
        f"{what}{segment} ({octets(event['length'])}) from the {event['zone']}: "
        f"{event['reason']}{_by_rule(event)}, {event['answer']}"
    )


def _dropped(event: Event) -> str:
    segment = event["segment"] or "a packet"
    reason = event["reason"]
    return (
        f"dropped: {segment} from the {event['zone']} ({reason}: {_WHY[reason]}){_by_rule(event)}, "
        f"answer: {event['answer']}"
    )


def _injected(event: Event) -> str:
    return f"the firewall sent a {event['kind']} to the {event['zone']}"


def _injected_line(event: Event) -> str:
    between = f"{_flow(event)}: " if "source" in event else ""
    return f"{between}{_injected(event)}"


def _released(event: Event) -> str:
    return (
        f"a fragment that had waited ({octets(event['length'])}) from the {event['zone']}: "
        f"{event['verdict']} ({event['reason']})"
    )


def _released_line(event: Event) -> str:
    return f"{_flow(event)}: {_released(event)}"


# -- the firewall itself --------------------------------------------------------------------------


def _time_moving(event: Event) -> str:
    return f"{exactly(event['by_s'])} are to pass in a moment (real time {event['real_time']})"


def _time_moved(event: Event) -> str:
    missed = event["not_played"]
    what = ", ".join(dict.fromkeys(str(row.get("what")) for row in missed))
    stopped = f", stopped at {event['stopped_at']}" if event["stopped_at"] else ""
    return (
        f"{exactly(event['advanced_s'])} have passed in {event['wall_s']:g} s{stopped}: "
        f"from {event['from']} to {event['to']}, in real time {event['real_to']}; "
        + (f"not played: {what} ({counted(len(missed), 'row')})" if missed else "all was played")
        + _doubts(event)
    )


def _doubts(event: Event) -> str:
    """How many sessions are not sure; programs stood still meanwhile."""
    rows = event.get("doubtful", ())
    by_trust = {row["trust"]: 0 for row in rows}
    for row in rows:
        by_trust[row["trust"]] += 1
    numbers = ", ".join(
        f"{counted(number, 'session')} {trust.replace('-', ' ')}"
        for trust, number in by_trust.items()
    )
    return f"; {numbers}" if numbers else ""


def _doubted(event: Event) -> str:
    """What became of a session in a fast-forward may be otherwise; no event of the log's own."""
    why = event["doubtful"][0]["text"]
    return f"{event['trust'].replace('-', ' ')} in the fast-forward before: {why}"


def _log_gap(event: Event) -> str:
    return f"{counted(event['lost'], 'event')} before this could not be written: {event['error']}"


def _configured(event: Event) -> str:
    flushed = " (and the table was flushed)" if event.get("flushed") else ""
    return f"set {' '.join(event['changes'])}{flushed}"


def _fields(event: Event) -> str:
    """Of an event without words of its own: whatever it has."""
    common = ("number", "time", "at_s", "event", "session")
    fields = ((key, value) for key, value in event.items() if key not in common)
    return " ".join(f"{key}={_plain(value)}" for key, value in fields)


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _same(say: Say) -> Words:
    return Words(say, say)


WORDS: Final[Mapping[str, Words]] = {
    "built": Words(_built, _opened),
    "torn_down": Words(_torn_down, _ended),
    "denied": Words(_denied, _dropped),
    "released": Words(_released_line, _released),
    "injected": Words(_injected_line, _injected),
    "state_changed": _same(_state),
    "answered": _same(_answered),
    "keepalive": _same(_keepalive),
    "time_moving": _same(_time_moving),
    "time_moved": _same(_time_moved),
    "doubted": _same(_doubted),
    "log_gap": _same(_log_gap),
    "configured": _same(_configured),
}
"""Every kind of effect is here (a test demands it), and what would be a riddle as bare fields."""
