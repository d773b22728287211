"""FortiGate: the forward traffic log as key=value pairs, as FortiOS sends it to a collector."""

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
from fwemu.daemon.formats.device import Device, Format, whole_seconds
from fwemu.daemon.records import address_text as text

_PRI: Final = 189
"""local7.notice."""

SERIAL: Final = "FGVM000000000000"
"""A serial number that no device has."""

_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

_START, _END = "0000000015", "0000000013"
"""LOG_ID_TRAFFIC_START_FORWARD and LOG_ID_TRAFFIC_END_FORWARD."""

_ROLES: Final = {Zone.INSIDE: "lan", Zone.OUTSIDE: "wan"}

_SERVICES: Final = {
    (TCP, 22): "SSH",
    (TCP, 53): "DNS",
    (UDP, 53): "DNS",
    (TCP, 80): "HTTP",
    (TCP, 443): "HTTPS",
}

_NAMES: Final = {TCP: "tcp", UDP: "udp", ICMP: "PING", ICMPV6: "PING6"}


class _Bare(str):
    """A value that stands without quotes: addresses and numbers."""


def _service(flow: Flow) -> str:
    name = _NAMES.get(flow.protocol)
    if name is None:
        return f"{flow.protocol}"
    if flow.protocol in (ICMP, ICMPV6):
        return name
    port = flow.destination_port
    return _SERVICES.get((flow.protocol, port), f"{name}/{port}")


def _line(
    device: Device,
    time: datetime,
    flow: Flow,
    zone: Zone,
    logid: str,
    session: int,
    action: str,
    rule: int | None,
    duration: int,
    traffic: Traffic,
) -> str:
    has_ports = flow.protocol in PROTOCOLS_WITH_PORTS
    is_query = flow.protocol in (ICMP, ICMPV6)
    policy = device.rule(rule)
    values: Mapping[str, object] = {
        "date": _Bare(f"{time:%Y-%m-%d}"),
        "time": _Bare(f"{time:%H:%M:%S}"),
        "devname": device.name,
        "devid": SERIAL,
        "eventtime": (time - _EPOCH) // timedelta(microseconds=1) * 1000,
        "tz": "+0000",
        "logid": logid,
        "type": "traffic",
        "subtype": "forward",
        "level": "notice",
        "vd": "root",
        "srcip": _Bare(text(flow.source)),
        "srcport": flow.source_port if has_ports else None,
        "identifier": flow.source_port if is_query else None,
        "srcintf": zone.word,
        "srcintfrole": _ROLES[zone],
        "dstip": _Bare(text(flow.destination)),
        "dstport": flow.destination_port if has_ports else None,
        "dstintf": zone.other.word,
        "dstintfrole": _ROLES[zone.other],
        "srccountry": "Reserved",
        "dstcountry": "Reserved",
        "sessionid": session,
        "proto": flow.protocol,
        "action": action,
        "policyid": 0 if policy is None or rule is None else rule + 1,
        "policytype": "policy",
        "policyname": policy,
        "service": _service(flow),
        "trandisp": "noop",
        "duration": duration,
        "sentbyte": traffic.original_octets,
        "rcvdbyte": traffic.reply_octets,
        "sentpkt": traffic.original_packets,
        "rcvdpkt": traffic.reply_packets,
        "appcat": "unscanned",
    }
    told = (f"{key}={_shown(value)}" for key, value in values.items() if value is not None)
    return f"<{_PRI}>{' '.join(told)}"


def _shown(value: object) -> str:
    if isinstance(value, int | _Bare):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _started(device: Device, effect: SessionOpened, time: datetime) -> str:
    return _line(
        device,
        time,
        effect.flow,
        effect.zone,
        _START,
        effect.id,
        "start",
        effect.rule,
        0,
        Traffic(0, 0, 0, 0),
    )


RESETS: Final[Mapping[Direction | None, str]] = {
    Direction.ORIGINAL: "client-rst",
    Direction.REPLY: "server-rst",
    None: "close",
}
"""By the end that sent it; None if that is not known."""

_ACTIONS: Final[Mapping[EndReason, str]] = {
    EndReason.EXPIRED: "timeout",
    EndReason.LIFETIME: "timeout",
    EndReason.UNANSWERED: "timeout",
    EndReason.CLOSED_BY_FIN: "close",
    EndReason.FLUSHED: "close",
    EndReason.KILLED: "close",
    EndReason.EVICTED: "close",
    EndReason.REUSED: "close",
}
"""Of a TCP session; all others have `accept`."""


def action(ended: EndReason, protocol: int, closer: Direction | None) -> str:
    """The word for how a session ended."""
    if protocol != TCP:
        return "accept"
    return RESETS[closer] if ended is EndReason.CLOSED_BY_RST else _ACTIONS[ended]


def _ended(device: Device, effect: SessionEnded, time: datetime) -> str:
    closer = device.known(effect.id).closer
    return _line(
        device,
        time,
        effect.flow,
        effect.zone,
        _END,
        effect.id,
        action(effect.reason, effect.flow.protocol, closer),
        effect.rule,
        whole_seconds(effect.at - effect.opened),
        effect.traffic,
    )


REFUSALS: Final[Mapping[Reason, str | None]] = {
    Reason.DENIED: "deny",
    Reason.REJECTED: "deny",
    # seen by `diagnose debug flow`; not logged unless asked for
    Reason.UNKNOWN_PACKET: None,
}
"""The action that is logged for a reason to drop a packet, None for no line; see `UNLOGGED`."""


def _denied(device: Device, effect: PacketRefused, time: datetime) -> str | None:
    word, flow = REFUSALS.get(effect.reason), effect.flow
    if word is None or flow is None:
        return None
    return _line(
        device, time, flow, effect.zone, _END, 0, word, effect.rule, 0, Traffic(0, 0, 0, 0)
    )


FORMAT: Final = Format(
    title="FortiGate",
    lines={SessionOpened: _started, SessionEnded: _ended, PacketRefused: _denied},
    silent=frozenset({StateChanged, SessionAnswered}),
    notes=(
        'type="traffic" subtype="forward": logid 0000000015 for the start of a session, which '
        "devices log only if asked to, 0000000013 for its end and for what is denied.",
        "Text is quoted, numbers and addresses are not. The policy is the number of the rule, "
        "counted from 1; 0 is the default action.",
        "Packets without a session have no line: the device shows them in its debug flow only.",
    ),
    sources=(
        "FortiOS Log Message Reference, 13 LOG_ID_TRAFFIC_END_FORWARD, and its values of action",
        "elastic/integrations, packages/fortinet_fortigate, test-fortinet-7-4.log (real lines)",
        "Real lines with timeout, deny and ICMP identifier in public repositories",
    ),
    unverified=(
        "`close` for sessions that were killed, flushed or gave way to others; session 0 in a "
        "denial (devices give it a number); the level of a denial, which older releases log as "
        "warning.",
        "`PING6`, and the service of protocols without ports.",
        "Names of services other than those of DNS, HTTP, HTTPS and SSH: protocol/port.",
        "The serial number is none.",
    ),
)
