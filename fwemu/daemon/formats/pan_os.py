"""Palo Alto PAN-OS: the traffic log as comma-separated values in syslog, fields of PAN-OS 9.1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from fwemu.core.effects import (
    PacketRefused,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
    Traffic,
)
from fwemu.core.flow import ICMP, ICMPV6, PROTOCOLS_WITH_PORTS, TCP, UDP, Direction, Flow, Zone
from fwemu.core.reasons import EndReason, Reason
from fwemu.core.tcp_table import State
from fwemu.daemon.formats.device import MONTHS, Device, Format, whole_seconds
from fwemu.daemon.records import address_text as text

_PRI: Final = 14
"""user.info: the default facility, and the severity of traffic logs."""

SERIAL: Final = "000000000000000"
"""A serial number that no device has."""

_ETHERNET: Final = 14
"""Octets that the device counts with every packet: a ping of 84 octets is logged as 98."""

_PROTOCOLS: Final = {
    ICMP: "icmp",
    TCP: "tcp",
    UDP: "udp",
    47: "gre",
    50: "esp",
    51: "ah",
    ICMPV6: "ipv6-icmp",
    132: "sctp",
}

_IPV6_SESSION: Final = 0x02000000

FIELDS: Final = (
    "future_use_1", "receive_time", "serial", "type", "subtype", "future_use_2", "time_generated",
    "src", "dst", "natsrc", "natdst", "rule", "srcuser", "dstuser", "app", "vsys", "from", "to",
    "inbound_if", "outbound_if", "logset", "future_use_3", "sessionid", "repeatcnt", "sport",
    "dport", "natsport", "natdport", "flags", "proto", "action", "bytes", "bytes_sent",
    "bytes_received", "packets", "start", "elapsed", "category", "future_use_4", "seqno",
    "actionflags", "srcloc", "dstloc", "future_use_5", "pkts_sent", "pkts_received",
    "session_end_reason", "dg_hier_level_1", "dg_hier_level_2", "dg_hier_level_3",
    "dg_hier_level_4", "vsys_name", "device_name", "action_source", "src_uuid", "dst_uuid",
    "tunnelid", "monitortag", "parent_session_id", "parent_start_time", "tunnel", "assoc_id",
    "chunks", "chunks_sent", "chunks_received", "rule_uuid", "http2_connection",
    "link_change_count", "policy_id", "link_switches", "sdwan_cluster", "sdwan_device_type",
    "sdwan_cluster_type", "sdwan_site", "dynusergroup_name",
)  # fmt: skip
"""In the order of the line."""

_ALWAYS: Final[Mapping[str, object]] = {
    "future_use_1": 1,
    "serial": SERIAL,
    "type": "TRAFFIC",
    "future_use_2": 2305,
    "vsys": "vsys1",
    "repeatcnt": 1,
    "natsport": 0,
    "natdport": 0,
    "category": "any",
    "future_use_4": 0,
    "actionflags": "0x0",
    "future_use_5": 0,
    "dg_hier_level_1": 0,
    "dg_hier_level_2": 0,
    "dg_hier_level_3": 0,
    "dg_hier_level_4": 0,
    "action_source": "from-policy",
    "tunnelid": 0,
    "parent_session_id": 0,
    "tunnel": "N/A",
    "assoc_id": 0,
    "chunks": 0,
    "chunks_sent": 0,
    "chunks_received": 0,
    "http2_connection": 0,
    "link_change_count": 0,
}


_TOLD: Final = frozenset(
    {
        "receive_time", "subtype", "time_generated", "src", "dst", "natsrc", "natdst", "rule",
        "app", "from", "to", "inbound_if", "outbound_if", "future_use_3", "sessionid", "sport",
        "dport", "flags", "proto", "action", "bytes", "bytes_sent", "bytes_received", "packets",
        "start", "elapsed", "seqno", "pkts_sent", "pkts_received", "session_end_reason",
        "device_name",
    }
)  # fmt: skip
"""The fields that are not the same in every line."""

_RECORD: Final = ",".join(
    f"%({name})s" if name in _TOLD else str(_ALWAYS.get(name, "")) for name in FIELDS
)


def _line(device: Device, time: datetime, flow: Flow, zone: Zone, **told: object) -> str:
    source, destination = text(flow.source), text(flow.destination)
    now = _stamp(time)
    nowhere = "0.0.0.0" if flow.version == 4 else "::"
    has_ports = flow.protocol in PROTOCOLS_WITH_PORTS
    values: Mapping[str, object] = {
        "receive_time": now,
        "time_generated": now,
        "future_use_3": now,
        "src": source,
        "dst": destination,
        "natsrc": nowhere,
        "natdst": nowhere,
        "from": zone.word,
        "to": zone.other.word,
        "inbound_if": zone.word,
        "sport": flow.source_port if has_ports else 0,
        "dport": flow.destination_port if has_ports else 0,
        "flags": f"{_IPV6_SESSION if flow.version == 6 else 0:#x}",
        "proto": _PROTOCOLS.get(flow.protocol, flow.protocol),
        "seqno": device.number(),
        "device_name": device.name,
        "outbound_if": "",
        **told,
    }
    record = _RECORD % values
    head = f"<{_PRI}>{MONTHS[time.month - 1]} {time.day:2} {time:%H:%M:%S} {device.name}"
    return f"{head} {record}"


def _stamp(time: datetime) -> str:
    return f"{time:%Y/%m/%d %H:%M:%S}"


def _quoted(value: str) -> str:
    """Quote a value if it would break the line: names of rules may hold anything."""
    if "," in value or '"' in value:
        return '"' + value.replace('"', '""') + '"'
    return value


_APPLICATIONS: Final = {
    ICMP: "ping",
    TCP: "unknown-tcp",
    UDP: "unknown-udp",
    ICMPV6: "ping6",
}


def _application(flow: Flow, has_data: bool) -> str:
    """The generic App-ID of a flow; TCP without data is `incomplete`."""
    if flow.protocol == TCP and not has_data:
        return "incomplete"
    return _APPLICATIONS.get(flow.protocol, "unknown-p2p")


def _has_data(flow: Flow, traffic: Traffic) -> bool:
    """True if a TCP session has more octets than its headers.

    Segments with time stamps and nothing else, and 8 octets more for either SYN.
    """
    header = (20 if flow.version == 4 else 40) + 32
    packets = traffic.original_packets + traffic.reply_packets
    return traffic.original_octets + traffic.reply_octets > packets * header + 16


def _counts(traffic: Traffic) -> Mapping[str, object]:
    sent = traffic.original_octets + _ETHERNET * traffic.original_packets
    received = traffic.reply_octets + _ETHERNET * traffic.reply_packets
    return {
        "bytes": sent + received,
        "bytes_sent": sent,
        "bytes_received": received,
        "packets": traffic.original_packets + traffic.reply_packets,
        "pkts_sent": traffic.original_packets,
        "pkts_received": traffic.reply_packets,
    }


def _of_session(device: Device, effect: SessionOpened | SessionEnded) -> Mapping[str, object]:
    return {
        "rule": _quoted(device.rule(effect.rule) or "default-allow"),
        "outbound_if": effect.zone.other.word,
        "sessionid": effect.id,
        "action": "allow",
    }


def _started(device: Device, effect: SessionOpened, time: datetime) -> str:
    flow = effect.flow
    return _line(
        device,
        time,
        flow,
        effect.zone,
        **_of_session(device, effect),
        **_counts(Traffic(0, 0, 0, 0)),
        subtype="start",
        app=_application(flow, has_data=False),
        start=_stamp(time),
        elapsed=0,
        session_end_reason="n/a",
    )


RESETS: Final[Mapping[Direction | None, str]] = {
    Direction.ORIGINAL: "tcp-rst-from-client",
    Direction.REPLY: "tcp-rst-from-server",
    None: "unknown",
}
"""By the end that sent it; None if that is not known."""

_REASONS: Final[Mapping[EndReason, str]] = {
    EndReason.EXPIRED: "aged-out",
    EndReason.LIFETIME: "aged-out",
    EndReason.UNANSWERED: "aged-out",
    EndReason.CLOSED_BY_FIN: "tcp-fin",
    EndReason.REUSED: "tcp-reuse",
    EndReason.EVICTED: "resources-unavailable",
    EndReason.FLUSHED: "unknown",
    EndReason.KILLED: "unknown",
}


def reason(ended: EndReason, closer: Direction | None) -> str:
    """The session end reason."""
    return RESETS[closer] if ended is EndReason.CLOSED_BY_RST else _REASONS[ended]


def _ended(device: Device, effect: SessionEnded, time: datetime) -> str:
    flow, traffic = effect.flow, effect.traffic
    known = device.known(effect.id)
    is_complete = known.is_assured or effect.state is State.ESTABLISHED
    return _line(
        device,
        time,
        flow,
        effect.zone,
        **_of_session(device, effect),
        **_counts(traffic),
        subtype="end",
        app=_application(flow, is_complete and _has_data(flow, traffic)),
        start=_stamp(time - timedelta(microseconds=(effect.at - effect.opened) / 1000)),
        elapsed=whole_seconds(effect.at - effect.opened),
        session_end_reason=reason(effect.reason, known.closer),
    )


REFUSALS: Final[Mapping[Reason, str | None]] = {
    Reason.DENIED: "deny",
    Reason.REJECTED: "drop ICMP",
    # counted by `show counter global`, not logged
    Reason.UNKNOWN_PACKET: None,
}
"""The action that is logged for a reason to drop a packet, None for no line; see `UNLOGGED`."""


def _denied(device: Device, effect: PacketRefused, time: datetime) -> str | None:
    action, flow = REFUSALS.get(effect.reason), effect.flow
    if action is None or flow is None:
        return None
    return _line(
        device,
        time,
        flow,
        effect.zone,
        **_counts(Traffic(1, effect.length, 0, 0)),
        subtype="drop",
        rule=_quoted(device.rule(effect.rule) or "default-deny"),
        app="not-applicable",
        sessionid=0,
        action=action,
        start=_stamp(time),
        elapsed=0,
        session_end_reason="policy-deny",
    )


FORMAT: Final = Format(
    title="Palo Alto PAN-OS",
    lines={SessionOpened: _started, SessionEnded: _ended, PacketRefused: _denied},
    silent=frozenset({StateChanged, SessionAnswered}),
    notes=(
        "TRAFFIC with subtypes start, end and drop; 75 fields in the order of PAN-OS 9.1. Devices "
        "log the start of a session only where a rule asks for it.",
        "`bytes` counts 14 octets of Ethernet with every packet, as the device does.",
        "The application is what App-ID says where it does not know better: incomplete (TCP "
        "without data), unknown-tcp, unknown-udp, ping. Whether there was data is judged by the "
        "octets.",
        "Packets without a session have no line: the device counts them only.",
    ),
    sources=(
        "Palo Alto Networks, PAN-OS 9.1 Administrator's Guide, Traffic Log Fields (order and "
        "subtypes)",
        "elastic/integrations, packages/panw, test-panw-panos-traffic-sample.log (real lines)",
        "Real lines of denials with not-applicable and policy-deny in public repositories",
    ),
    unverified=(
        "`unknown` for killed and flushed sessions; `resources-unavailable` for evicted ones; "
        "`drop ICMP` as it is spelt in the line.",
        "The application at the start of a session, `ping6`, the flag of an IPv6 session, and the "
        "application of protocols without ports.",
        "The serial number is all zeros; rules have no UUID.",
    ),
)
