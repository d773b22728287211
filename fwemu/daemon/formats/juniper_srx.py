"""Juniper SRX: RT_FLOW session messages as structured syslog (`format sd-syslog`, RFC 5424)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from fwemu.core.effects import (
    PacketRefused,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
)
from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Direction, Flow, Zone
from fwemu.core.reasons import EndReason, Reason
from fwemu.daemon.formats.device import Device, Format, whole_seconds
from fwemu.daemon.records import address_text as text

_PRI: Final = 14
"""user.info, as the device sends session messages."""

_ENTERPRISE: Final = "junos@2636.1.1.1.2.129"
"""Juniper's enterprise number and a product; 129 is a virtual SRX."""

_SERVICES: Final = {
    (TCP, 22): "junos-ssh",
    (TCP, 53): "junos-dns-tcp",
    (UDP, 53): "junos-dns-udp",
    (TCP, 80): "junos-http",
    (TCP, 443): "junos-https",
}

Pairs = Iterable[tuple[str, object]]


def _message(device: Device, time: datetime, event: str, pairs: Pairs) -> str:
    stamp = f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"
    told = " ".join(f'{name}="{_escaped(str(value))}"' for name, value in pairs)
    return f"<{_PRI}>1 {stamp} {device.name} RT_FLOW - {event} [{_ENTERPRISE} {told}]"


def _escaped(value: str) -> str:
    """RFC 5424 section 6.3.3."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _endpoints(flow: Flow) -> tuple[str, int, str, int]:
    """An ICMP query has its identifier where others have the destination port."""
    source, destination = text(flow.source), text(flow.destination)
    if flow.protocol in (ICMP, ICMPV6):
        return source, 0, destination, flow.source_port
    return source, flow.source_port, destination, flow.destination_port


def _service(flow: Flow) -> str:
    if flow.protocol in (ICMP, ICMPV6):
        return "icmp" if flow.protocol == ICMP else "icmpv6"
    return _SERVICES.get((flow.protocol, flow.destination_port), "None")


def _asked_for(flow: Flow) -> Pairs:
    """The fields with which each message begins."""
    source, source_port, destination, destination_port = _endpoints(flow)
    return (
        ("source-address", source),
        ("source-port", source_port),
        ("destination-address", destination),
        ("destination-port", destination_port),
        ("connection-tag", 0),
        ("service-name", _service(flow)),
    )


def _which(device: Device, effect: SessionOpened | SessionEnded) -> Pairs:
    """The fields that a session has from its beginning to its end."""
    flow, zone = effect.flow, effect.zone
    source, source_port, destination, destination_port = _endpoints(flow)
    return (
        *_asked_for(flow),
        ("nat-source-address", source),
        ("nat-source-port", source_port),
        ("nat-destination-address", destination),
        ("nat-destination-port", destination_port),
        ("nat-connection-tag", 0),
        ("src-nat-rule-type", "N/A"),
        ("src-nat-rule-name", "N/A"),
        ("dst-nat-rule-type", "N/A"),
        ("dst-nat-rule-name", "N/A"),
        ("protocol-id", flow.protocol),
        ("policy-name", device.rule(effect.rule) or "default-permit"),
        ("source-zone-name", zone.word),
        ("destination-zone-name", zone.other.word),
        ("session-id-32", effect.id),
    )


_UNKNOWN_APPLICATION: Final[Pairs] = (("application", "UNKNOWN"), ("nested-application", "UNKNOWN"))
_NOBODY: Final[Pairs] = (("username", "N/A"), ("roles", "N/A"))
_CATEGORIES: Final[Pairs] = (
    ("application-category", "N/A"),
    ("application-sub-category", "N/A"),
    ("application-risk", 1),
    ("application-characteristics", "N/A"),
)


def _incoming(zone: Zone) -> tuple[str, object]:
    return "packet-incoming-interface", zone.word


def _created(device: Device, effect: SessionOpened, time: datetime) -> str:
    pairs = (
        *_which(device, effect),
        *_NOBODY,
        _incoming(effect.zone),
        *_UNKNOWN_APPLICATION,
        ("encrypted", "UNKNOWN"),
        *_CATEGORIES,
    )
    return _message(device, time, "RT_FLOW_SESSION_CREATE", pairs)


RESETS: Final[Mapping[Direction | None, str]] = {
    Direction.ORIGINAL: "TCP CLIENT RST",
    Direction.REPLY: "TCP SERVER RST",
    None: "TCP RST",
}
"""By the end that sent it; None if that is not known."""

_REASONS: Final[Mapping[EndReason, str]] = {
    EndReason.EXPIRED: "idle Timeout",
    EndReason.LIFETIME: "idle Timeout",
    EndReason.UNANSWERED: "idle Timeout",
    EndReason.CLOSED_BY_FIN: "TCP FIN",
    EndReason.FLUSHED: "CLI",
    EndReason.KILLED: "CLI",
    EndReason.EVICTED: "unset",
    EndReason.REUSED: "unset",
}


def reason(ended: EndReason, closer: Direction | None) -> str:
    """The reason of a close."""
    return RESETS[closer] if ended is EndReason.CLOSED_BY_RST else _REASONS[ended]


def _closed(device: Device, effect: SessionEnded, time: datetime) -> str:
    traffic = effect.traffic
    pairs = (
        ("reason", reason(effect.reason, device.known(effect.id).closer)),
        *_which(device, effect),
        ("packets-from-client", traffic.original_packets),
        ("bytes-from-client", traffic.original_octets),
        ("packets-from-server", traffic.reply_packets),
        ("bytes-from-server", traffic.reply_octets),
        ("elapsed-time", whole_seconds(effect.at - effect.opened)),
        *_UNKNOWN_APPLICATION,
        *_NOBODY,
        _incoming(effect.zone),
        ("encrypted", "UNKNOWN"),
        *_CATEGORIES,
    )
    return _message(device, time, "RT_FLOW_SESSION_CLOSE", pairs)


REFUSALS: Final[Mapping[Reason, str | None]] = {
    Reason.DENIED: "Denied by policy",
    Reason.REJECTED: "Denied by policy",
    # dropped by the flow module or a screen, not by a policy: no session message
    Reason.UNKNOWN_PACKET: None,
}
"""The device's word for a reason to drop a packet, None for no message; see `UNLOGGED`."""


def _denied(device: Device, effect: PacketRefused, time: datetime) -> str | None:
    word, flow, zone = REFUSALS.get(effect.reason), effect.flow, effect.zone
    if word is None or flow is None:
        return None
    is_icmp = flow.protocol in (ICMP, ICMPV6)
    pairs = (
        *_asked_for(flow),
        ("protocol-id", flow.protocol),
        ("icmp-type", flow.destination_port if is_icmp else 0),
        ("policy-name", device.rule(effect.rule) or "default-deny"),
        ("source-zone-name", zone.word),
        ("destination-zone-name", zone.other.word),
        *_UNKNOWN_APPLICATION,
        *_NOBODY,
        _incoming(zone),
        ("encrypted", "No"),
        ("reason", word),
        ("session-id-32", 0),
        *_CATEGORIES,
    )
    return _message(device, time, "RT_FLOW_SESSION_DENY", pairs)


FORMAT: Final = Format(
    title="Juniper SRX",
    lines={SessionOpened: _created, SessionEnded: _closed, PacketRefused: _denied},
    silent=frozenset({StateChanged, SessionAnswered}),
    notes=(
        "RT_FLOW_SESSION_CREATE, _CLOSE and _DENY as structured data, with the fields of Junos 19. "
        "Client is who opened the session, server the other end.",
        "A session message belongs to a policy: packets dropped for want of a session have none.",
    ),
    sources=(
        "Juniper, Information Provided in Session Log Entries for SRX Series (fields of each "
        "message)",
        "elastic/integrations, packages/juniper_srx, test-flow.log (real lines of 2010 to 2019)",
        "Real lines with TCP CLIENT RST in public repositories; RFC 5424 for the frame",
    ),
    unverified=(
        "`idle Timeout` for sessions that had reached their greatest age.",
        "`CLI` for killed and flushed sessions, `unset` for those that gave way to others.",
        "`Denied by policy` for rejected packets too; session 0 in a denial.",
        "An ICMP identifier stands in destination-port, and source-port, a sequence number on the "
        "device, is 0; `icmpv6` as a service name.",
        "Names of services other than those of DNS, HTTP, HTTPS and SSH: None.",
    ),
)
