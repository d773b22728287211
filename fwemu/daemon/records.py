"""Effects and sessions as plain data with names and units, for the log and the API.

One function for each kind of effect, chosen by table; a test demands that none is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from fwemu.core.effects import (
    KeepaliveSeen,
    PacketInjected,
    PacketRefused,
    PacketReleased,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
)
from fwemu.core.flow import PROTOCOLS_WITH_PORTS, Flow, Zone, flow_of, protocol_name
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.packet import Packet, flow_of_packet, parse
from fwemu.core.reasons import Reason, Verdict
from fwemu.core.session import Session
from fwemu.core.tcp_table import State
from fwemu.daemon.losses import SinkState
from fwemu.daemon.tally import Tally

Record = dict[str, Any]


def endpoints(flow: Flow) -> Record:
    """Protocol, addresses and ports of a flow; ports only where the protocol has them."""
    record: Record = {
        "protocol": protocol_name(flow.protocol),
        "source": address_text(flow.source),
        "destination": address_text(flow.destination),
    }
    if flow.protocol in PROTOCOLS_WITH_PORTS:
        record["source_port"] = flow.source_port
        record["destination_port"] = flow.destination_port
    return record


def address_text(address: bytes) -> str:
    """A packed address as people write it."""
    # inet_ntop, because `ipaddress` takes ten times as long
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def seconds(nanoseconds: int) -> float:
    """A duration as the log prints it: seconds, to the microsecond."""
    return round(nanoseconds / SECOND, 6)


def _built(effect: SessionOpened) -> Record:
    return {
        "session": effect.id,
        **endpoints(effect.flow),
        "zone": effect.zone.word,
        "state": effect.state.name,
        "rule": effect.rule,
        "picked_up": effect.picked_up,
    }


def _torn_down(effect: SessionEnded) -> Record:
    traffic = effect.traffic
    return {
        "session": effect.id,
        **endpoints(effect.flow),
        "zone": effect.zone.word,
        "reason": effect.reason.word,
        "state": effect.state.name,
        "duration_s": seconds(effect.at - effect.opened),
        "idle_s": seconds(effect.at - effect.idle_since),
        "packets": {"original": traffic.original_packets, "reply": traffic.reply_packets},
        "bytes": {"original": traffic.original_octets, "reply": traffic.reply_octets},
        "rule": effect.rule,
    }


def _denied(effect: PacketRefused) -> Record:
    record: Record = {"session": effect.session}
    if effect.flow is not None:
        record |= endpoints(effect.flow)
    return record | {
        "zone": effect.zone.word,
        "reason": effect.reason.word,
        "answer": effect.answer.word,
        "segment": effect.segment.name if effect.segment is not None else None,
        "length": effect.length,
        "rule": effect.rule,
    }


def _released(effect: PacketReleased) -> Record:
    return endpoints(effect.flow) | {
        "zone": effect.zone.word,
        "reason": effect.reason.word,
        "verdict": effect.reason.verdict.word,
        "length": effect.length,
    }


def _state_changed(effect: StateChanged) -> Record:
    return {
        "session": effect.id,
        "before": effect.before.name,
        "state": effect.after.name,
        "direction": None if effect.direction is None else effect.direction.name.lower(),
    }


def _keepalive(effect: KeepaliveSeen) -> Record:
    return {"session": effect.id, "direction": effect.direction.name.lower()}


def _answered(effect: SessionAnswered) -> Record:
    return {"session": effect.id}


def _injected(effect: PacketInjected) -> Record:
    record = {"session": effect.session, "kind": effect.kind.word, "zone": effect.zone.word}
    packet = parse(effect.packet)
    return record | endpoints(flow_of_packet(packet)) if isinstance(packet, Packet) else record


RECORDS: Final[dict[type, tuple[str, Callable[[Any], Record]]]] = {
    SessionOpened: ("built", _built),
    SessionEnded: ("torn_down", _torn_down),
    PacketRefused: ("denied", _denied),
    PacketReleased: ("released", _released),
    StateChanged: ("state_changed", _state_changed),
    SessionAnswered: ("answered", _answered),
    KeepaliveSeen: ("keepalive", _keepalive),
    PacketInjected: ("injected", _injected),
}
"""The event's name in the log, and what it says, for each kind of effect."""


SessionRow = tuple[
    int, int, bytes, int, int, int | None, int, int, int, int, bool, int, int, int, int, int, int
]


def row_of(session: Session) -> SessionRow:
    """A session as numbers, quickly: the engine's thread makes these between packets."""
    original, reply = session.ends
    return (
        session.id,
        session.protocol,
        session.key,
        session.zone,
        session.state,
        session.rule,
        session.opened,
        session.idle_since,
        session.deadline,
        session.lifetime,
        session.assured,
        original.packets,
        original.octets,
        reply.packets,
        reply.octets,
        original.keepalives,
        reply.keepalives,
    )


def session_record(row: SessionRow, now: int) -> Record:
    """The same session with names and units, as of `now`."""
    number, protocol, key, zone, state, rule, opened, since, *rest = row
    deadline, lifetime, assured, *counts = rest
    expires = None if lifetime >= NEVER else seconds(deadline - now)
    return {
        "id": number,
        **endpoints(flow_of(protocol, key)),
        "zone": Zone(zone).word,
        "state": State(state).name,
        "assured": assured,
        "rule": rule,
        "age_s": seconds(now - opened),
        "idle_s": seconds(now - since),
        "timeout_s": None if lifetime >= NEVER else seconds(lifetime),
        "expires_in_s": expires,
        "packets": {"original": counts[0], "reply": counts[2]},
        "bytes": {"original": counts[1], "reply": counts[3]},
        "keepalive_probes": {"original": counts[4], "reply": counts[5]},
    }


class Statistics(NamedTuple):
    """All counters and gauges at one instant."""

    uptime_s: float
    packets: dict[str, int]
    """By reason."""
    octets: dict[str, int]
    """By reason."""
    sessions: dict[str, int]
    """By state."""
    capacity: int
    tally: Tally
    queue_waiting: int
    queue_lost_full: int
    queue_lost_buffer: int
    injection_failures: int
    sinks: tuple[SinkState, ...]
    failed_requests: int
    """Requests at which the engine failed."""


def statistics_record(statistics: Statistics, *more_sinks: SinkState) -> Record:
    """The same with names, for people and programs."""
    tally = statistics.tally
    sinks = (*statistics.sinks, *more_sinks)

    def nested(counts: dict[tuple[str, str], int]) -> Record:
        record: Record = {}
        for (outer, inner), count in counts.items():
            record.setdefault(outer, {})[inner] = count
        return record

    def by_verdict(counts: dict[str, int]) -> Record:
        return {
            verdict.word: {
                reason.word: counts[reason.word]
                for reason in Reason
                if reason.verdict is verdict and counts[reason.word]
            }
            for verdict in (Verdict.ACCEPT, Verdict.DROP)
        }

    return {
        "uptime_s": round(statistics.uptime_s, 3),
        "packets": by_verdict(statistics.packets),
        "bytes": by_verdict(statistics.octets),
        "sessions": {state: count for state, count in statistics.sessions.items() if count},
        "capacity": statistics.capacity,
        "sessions_opened": dict(tally.opened),
        "sessions_ended": nested(tally.ended),
        "unknown_packets": nested(tally.unknown),
        "packets_injected": nested(tally.injected),
        "injection_failures": statistics.injection_failures,
        "keepalive_probes": dict(tally.keepalives),
        "fragments_held": statistics.packets[Reason.HELD.word],
        "fragments_released": nested(tally.released),
        "queue": {
            "waiting": statistics.queue_waiting,
            "lost_queue_full": statistics.queue_lost_full,
            "lost_buffer_full": statistics.queue_lost_buffer,
        },
        "not_recorded": {each.sink: each.lost for each in sinks},
        "sink_problems": {each.sink: each.problem for each in sinks if each.problem},
        "failed_requests": statistics.failed_requests,
    }
