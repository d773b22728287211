"""`fwemu stats`: the counters of a firewall."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import counted, duration, emit, octets
from fwemu.cli.target import connect

Counts = dict[str, Any]


@click.command(epilog=example("fwemu stats"))
@which_firewall
@as_json
def command(name: str | None, control: Path | None, as_json: bool) -> None:
    """Show the counters of a firewall since its start."""
    with connect(name, control) as client:
        statistics = client.statistics()
    if as_json:
        emit(statistics)
        return
    for head, text in rows(statistics):
        print(f"{head:<10} {text}")
    for loss in (losses(statistics["queue"]), not_recorded(statistics), failures(statistics)):
        if loss is not None:
            print(loss)
    if unseen := unseen_of(statistics.get("hook")):
        print(f"\nunseen     {unseen}")


def rows(statistics: Counts) -> Iterator[tuple[str, str]]:
    """Heads and texts of the block."""
    sessions = statistics["sessions"]
    opened = statistics["sessions_opened"]
    ended = _flat(statistics["sessions_ended"])
    yield "up", duration(statistics["uptime_s"])
    filled = f"{sum(sessions.values())} of {statistics['capacity']}"
    yield "sessions", _of(filled, sessions)
    yield "opened", _of(sum(opened.values()), opened)
    yield "ended", _of(sum(ended.values()), ended)
    for verdict, head in (("accept", "accepted"), ("drop", "dropped")):
        packets, size = statistics["packets"][verdict], statistics["bytes"][verdict]
        total = f"{counted(sum(packets.values()), 'packet')}, {octets(sum(size.values()))}"
        yield head, _of(total, packets)
    for key, head in (("unknown_packets", "unknown"), ("packets_injected", "injected")):
        counts = _flat(statistics[key])
        yield head, _of(counted(sum(counts.values()), "packet"), counts)
    if statistics["injection_failures"]:
        failures = counted(statistics["injection_failures"], "packet")
        yield "", f"{failures} more that the kernel would not send"
    probes = statistics["keepalive_probes"]
    yield "keepalive", _of(counted(sum(probes.values()), "probe"), probes)
    yield "queue", f"{counted(statistics['queue']['waiting'], 'packet')} waiting"


def losses(queue: Counts) -> str | None:
    """The packets that the kernel could not queue; the firewall did not drop them."""
    full, buffer = queue["lost_queue_full"], queue["lost_buffer_full"]
    if not full and not buffer:
        return None
    return (
        f"\nlost       {counted(full + buffer, 'packet')}: {full} because the kernel's queue was "
        f"full, {buffer} because its buffer was.\n"
        "           This machine was too busy to ask the firewall about them.  That is overload "
        "of\n           this machine and no verdict of the firewall."
    )


def not_recorded(statistics: Counts) -> str | None:
    """The events that a log or a counter lost; the firewall decided all the same."""
    lost = {sink: count for sink, count in statistics["not_recorded"].items() if count}
    problems = statistics["sink_problems"]
    if not lost and not problems:
        return None
    counts = ", ".join(f"{count} by {sink}" for sink, count in lost.items()) or "nothing yet"
    now = "".join(f"\n           {sink}: {problem}" for sink, problem in problems.items())
    return (
        f"\nnot recorded: {counts}{now}\n"
        "           Every packet was decided as the policy says; what happened is missing there."
    )


def failures(statistics: Counts) -> str | None:
    """Requests at which the engine failed: an error in fwemu."""
    if not (count := statistics["failed_requests"]):
        return None
    return (
        f"\nfailed     {counted(count, 'request')}: an error in fwemu; "
        "its traceback is in the log of the firewall's process"
    )


def unseen_of(hook: Counts | None) -> str | None:
    """What passed while the hook was not there: nobody knows how much."""
    if hook is None:
        return None
    if hook["in_place"] is False:
        return (
            "somebody took the firewall's hook away, and it cannot be put back: "
            "packets pass undecided"
        )
    if not hook["restored"]:
        return None
    times = "once" if hook["restored"] == 1 else f"{hook['restored']} times"
    return (
        f"somebody took the firewall's hook away {times}, and it was put back: what passed "
        "meanwhile was not decided about"
    )


def _of(total: object, counts: Counts) -> str:
    """`12 (session 10, opened 2)`, the largest first."""
    parts = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    inner = ", ".join(f"{name} {count}" for name, count in parts if count)
    return f"{total} ({inner})" if inner else str(total)


def _flat(nested: dict[str, Counts]) -> Counts:
    """`{"tcp": {"expired": 3}}` as `{"tcp expired": 3}`."""
    return {
        f"{outer} {inner}": count
        for outer, counts in nested.items()
        for inner, count in counts.items()
    }
