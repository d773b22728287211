"""Cisco ASA and FTD (Lina): syslog messages 302013 and its like, with their device's header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from fwemu.core.effects import (
    PacketRefused,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
)
from fwemu.core.flow import ICMP, ICMPV6, PROTOCOLS_WITH_PORTS, TCP, UDP, Flow, Zone
from fwemu.core.reasons import EndReason, Reason
from fwemu.core.tcp_table import State
from fwemu.daemon.formats.device import MONTHS, Device, Format, whole_seconds
from fwemu.daemon.records import address_text as text

_LOCAL4: Final = 20 * 8
"""`logging facility 20` is the default."""

_HEADERS: Final = {TCP: 20, UDP: 8, ICMP: 0, ICMPV6: 0}
"""Octets of the transport header that are no data; an ICMP header is counted with its data."""

_FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
"""By bit, from the lowest."""


def _message(device: Device, time: datetime, severity: int, number: int, words: str) -> str:
    """A line with PRI, time stamp (`logging timestamp`) and device id (`logging device-id`)."""
    stamp = f"{MONTHS[time.month - 1]} {time:%d %Y %H:%M:%S}"
    head = f"<{_LOCAL4 + severity}>{stamp} {device.name} : "
    return f"{head}%ASA-{severity}-{number}: {words}"


def _outbound(zone: Zone) -> str:
    return "outbound" if zone is Zone.INSIDE else "inbound"


def _sides(flow: Flow, zone: Zone) -> tuple[str, str]:
    """The outside end and the inside end as address/port: the less secure one is named first."""
    source = f"{text(flow.source)}/{flow.source_port}"
    destination = f"{text(flow.destination)}/{flow.destination_port}"
    return (source, destination) if zone is Zone.OUTSIDE else (destination, source)


def _icmp(flow: Flow, zone: Zone) -> str:
    """The identifier stands at the end that asks, 0 at the other."""
    asks = f"{text(flow.source)}/{flow.source_port}"
    answers = f"{text(flow.destination)}/0"
    foreign, local = (asks, answers) if zone is Zone.OUTSIDE else (answers, asks)
    kind = f"type {flow.destination_port} code 0"
    return f"ICMP connection for faddr {foreign} gaddr {local} laddr {local} {kind}"


_BUILT: Final = {TCP: ("TCP", 302013), UDP: ("UDP", 302015)}
_TEARDOWN: Final = {TCP: ("TCP", 302014), UDP: ("UDP", 302016)}


def _built(device: Device, effect: SessionOpened, time: datetime) -> str | None:
    flow, zone = effect.flow, effect.zone
    if flow.protocol in (ICMP, ICMPV6):
        words = f"Built {_outbound(zone)} {_icmp(flow, zone)}"
        return _message(device, time, 6, 302020, words)
    if flow.protocol not in _BUILT:
        return None
    name, number = _BUILT[flow.protocol]
    outside, inside = _sides(flow, zone)
    words = (
        f"Built {_outbound(zone)} {name} connection {effect.id} "
        f"for outside:{outside} ({outside}) to inside:{inside} ({inside})"
    )
    return _message(device, time, 6, number, words)


_WAITING: Final[Mapping[State, str]] = {
    State.SYN_SENT: "SYN Timeout",
    State.SYN_RECV: "SYN Timeout",
    State.SYN_SENT2: "SYN Timeout",
    State.ESTABLISHED: "Conn-timeout",
    State.FIN_WAIT: "FIN Timeout",
    State.CLOSE_WAIT: "FIN Timeout",
    State.LAST_ACK: "FIN Timeout",
    State.TIME_WAIT: "TCP FINs",
    State.CLOSE: "Conn-timeout",
}
"""What a TCP connection was waiting for when its time was up."""

RESETS: Final = {Zone.INSIDE: "TCP Reset-I", Zone.OUTSIDE: "TCP Reset-O"}

_REASONS: Final[Mapping[EndReason, str]] = {
    EndReason.CLOSED_BY_FIN: "TCP FINs",
    EndReason.FLUSHED: "Xlate Clear",
    EndReason.KILLED: "Xlate Clear",
    EndReason.LIFETIME: "Conn-timeout",
    EndReason.UNANSWERED: "Probe maximum retries of retransmission exceeded",
    EndReason.EVICTED: "Unknown",
    EndReason.REUSED: "Unknown",
}
"""The reasons that neither the state nor the zone has a part in."""


def reason(ended: EndReason, state: State, closer: Zone | None) -> str:
    """The reason of a TCP teardown, and where it came from if an end closed."""
    if ended is EndReason.EXPIRED:
        return _WAITING[state]
    origin = "" if closer is None else f" from {closer.word}"
    if ended is EndReason.CLOSED_BY_RST:
        return "Unknown" if closer is None else RESETS[closer] + origin
    return _REASONS[ended] + (origin if ended is EndReason.CLOSED_BY_FIN else "")


def _data(effect: SessionEnded, has_data: bool) -> int:
    """Octets of data: the device counts no headers."""
    flow, traffic = effect.flow, effect.traffic
    if not has_data:
        return 0
    header = (20 if flow.version == 4 else 40) + _HEADERS[flow.protocol]
    packets = traffic.original_packets + traffic.reply_packets
    return max(0, traffic.original_octets + traffic.reply_octets - packets * header)


def _torn_down(device: Device, effect: SessionEnded, time: datetime) -> str | None:
    flow, zone = effect.flow, effect.zone
    if flow.protocol in (ICMP, ICMPV6):
        return _message(device, time, 6, 302021, f"Teardown {_icmp(flow, zone)}")
    if flow.protocol not in _TEARDOWN:
        return None
    name, number = _TEARDOWN[flow.protocol]
    outside, inside = _sides(flow, zone)
    known = device.known(effect.id)
    lasted = whole_seconds(effect.at - effect.opened)
    has_data = flow.protocol == UDP or known.is_assured or effect.state is State.ESTABLISHED
    words = (
        f"Teardown {name} connection {effect.id} for outside:{outside} to inside:{inside} "
        f"duration {lasted // 3600}:{lasted // 60 % 60:02}:{lasted % 60:02} "
        f"bytes {_data(effect, has_data)}"
    )
    if flow.protocol == TCP:
        closer = known.closer
        came_from = None if closer is None else (zone.other if closer else zone)
        words += f" {reason(effect.reason, effect.state, came_from)}"
    return _message(device, time, 6, number, words)


def _denied(device: Device, effect: PacketRefused, time: datetime) -> str | None:
    tell = REFUSALS.get(effect.reason)
    return None if tell is None or effect.flow is None else tell(device, effect, effect.flow, time)


def _by_list(device: Device, effect: PacketRefused, flow: Flow, time: datetime) -> str:
    names = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmp"}
    name = names.get(flow.protocol, f"protocol {flow.protocol}")
    ends = [text(flow.source), text(flow.destination)]
    kind = ""
    if flow.protocol in PROTOCOLS_WITH_PORTS:
        ends = [f"{ends[0]}/{flow.source_port}", f"{ends[1]}/{flow.destination_port}"]
    elif flow.protocol in names:
        kind = f" (type {flow.destination_port}, code 0)"
    zone = effect.zone
    group = device.rule(effect.rule) or f"{zone.word}_access_in"
    words = (
        f"Deny {name} src {zone.word}:{ends[0]} dst {zone.other.word}:{ends[1]}{kind} "
        f'by access-group "{group}" [0x0, 0x0]'
    )
    return _message(device, time, 4, 106023, words)


def _without_connection(
    device: Device, effect: PacketRefused, flow: Flow, time: datetime
) -> str | None:
    source, destination, zone = text(flow.source), text(flow.destination), effect.zone.word
    if flow.protocol == TCP:
        flags = " ".join(name for bit, name in enumerate(_FLAGS) if effect.flags >> bit & 1)
        words = (  # two blanks before `on`: the device has them, and parsers rely on it
            f"Deny TCP (no connection) from {source}/{flow.source_port} "
            f"to {destination}/{flow.destination_port} flags {flags}  on interface {zone}"
        )
        return _message(device, time, 6, 106015, words)
    if flow.protocol in (ICMP, ICMPV6):
        words = (
            f"Denied ICMP type={flow.destination_port}, from laddr {source} "
            f"on interface {zone} to {destination}: no matching session"
        )
        return _message(device, time, 4, 313004, words)
    return None


Refuses = Callable[[Device, PacketRefused, Flow, datetime], str | None]

REFUSALS: Final[Mapping[Reason, Refuses]] = {
    Reason.UNKNOWN_PACKET: _without_connection,
    Reason.DENIED: _by_list,
    Reason.REJECTED: _by_list,
}
"""The message for a reason to drop a packet; the others are in `UNLOGGED`."""

FORMAT: Final = Format(
    title="Cisco ASA",
    lines={SessionOpened: _built, SessionEnded: _torn_down, PacketRefused: _denied},
    silent=frozenset({StateChanged, SessionAnswered}),
    notes=(
        "Header as with `logging timestamp` and `logging device-id hostname`; facility local4.",
        "302013 to 302016, 302020 and 302021 for sessions; 106015 for a TCP packet without one, "
        "313004 for an ICMP answer without one, 106023 for what a rule denies. The outside end is "
        "named first, whoever began.",
        "`bytes` counts data without headers. TCP options are taken for data here, as the firewall "
        "does not remember how many there were; before the handshake is complete it is 0.",
        "Drops that the device counts in `show asp drop` instead of logging them have no line.",
    ),
    sources=(
        "Cisco Secure Firewall ASA Series Syslog Messages: 302013 to 302016, 302020, 302021, and "
        "the table of reasons at 302014",
        "Cisco document 116149, on built and teardown messages (which end comes first)",
        "elastic/integrations, packages/cisco_asa, test-sample.log (real lines of every number "
        "here, IPv6 among them)",
        "logstash-patterns-core, patterns/firewalls (CISCOFW106015 has the two blanks)",
    ),
    unverified=(
        "`Conn-timeout` where some releases may print `Connection timeout`.",
        "The reason of a session whose ends did not answer probes, and of one that had reached its "
        "greatest age.",
        "`Unknown` for sessions that gave way to others, `Xlate Clear` for killed and flushed "
        "ones.",
        "The name in `by access-group` is that of the rule, or ZONE_access_in.",
        "Sessions of protocols other than TCP, UDP and ICMP have no line.",
    ),
)
