"""Linux: events of nf_conntrack as `conntrack -E -o timestamp,id` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from fwemu.core.effects import (
    PacketRefused,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
)
from fwemu.core.flow import ICMP, ICMPV6, PROTOCOLS_WITH_PORTS, TCP, UDP, Flow
from fwemu.core.packet import ICMP_QUERIES
from fwemu.core.tcp_table import TCP_STATES, State
from fwemu.core.trackers import ASSURED_STATES
from fwemu.daemon.formats.device import LONGEST, Device, Format, whole_seconds
from fwemu.daemon.records import address_text as text

_PROTOCOLS: Final[Mapping[int, str]] = {
    ICMP: "icmp",
    TCP: "tcp",
    UDP: "udp",
    33: "dccp",
    47: "gre",
    ICMPV6: "icmpv6",
    132: "sctp",
    136: "udplite",
}


def _line(
    event: str,
    time: datetime,
    flow: Flow,
    session: int,
    state: State | None,
    lifetime: int | None,
    *,
    is_answered: bool,
    is_assured: bool,
    counts: tuple[str, str] = ("", ""),
) -> str:
    original, reply = _tuples(flow)
    parts = (
        f"{_PROTOCOLS.get(flow.protocol, 'unknown'):<8} {flow.protocol}",
        "" if lifetime is None else f"{min(whole_seconds(lifetime), LONGEST)}",
        state.name if state in TCP_STATES else "",
        original,
        counts[0],
        "" if is_answered else "[UNREPLIED]",
        reply,
        counts[1],
        "[ASSURED]" if is_assured else "",
        f"id={session}",
    )
    stamp = f"[{int(time.timestamp())}.{time.microsecond:06}]"
    return f"{stamp}\t{event:>9} {' '.join(part for part in parts if part)}"


def _tuples(flow: Flow) -> tuple[str, str]:
    """The flow as its packets have it in either direction."""
    here, there = text(flow.source), text(flow.destination)
    original, reply = f"src={here} dst={there}", f"src={there} dst={here}"
    if flow.protocol in PROTOCOLS_WITH_PORTS:
        near, far = flow.source_port, flow.destination_port
        return f"{original} sport={near} dport={far}", f"{reply} sport={far} dport={near}"
    if flow.protocol in (ICMP, ICMPV6):
        number, kind = flow.source_port, flow.destination_port
        answer = ICMP_QUERIES[flow.protocol][kind]
        return (
            f"{original} type={kind} code=0 id={number}",
            f"{reply} type={answer} code=0 id={number}",
        )
    return original, reply


def _new(device: Device, effect: SessionOpened, time: datetime) -> str:
    return _line(
        "[NEW]",
        time,
        effect.flow,
        effect.id,
        effect.state,
        effect.lifetime,
        is_answered=False,
        is_assured=False,
    )


def _update(device: Device, effect: StateChanged, time: datetime) -> str | None:
    return _of_known(device, effect, time, effect.after)


def _answered(device: Device, effect: SessionAnswered, time: datetime) -> str | None:
    """An UPDATE that is none of state, and so names none."""
    return _of_known(device, effect, time, None, is_first_answer=True)


def _of_known(
    device: Device,
    effect: StateChanged | SessionAnswered,
    time: datetime,
    state: State | None,
    *,
    is_first_answer: bool = False,
) -> str | None:
    """The line of an event of an open session; None if its beginning was not seen."""
    known = device.known(effect.id)
    if known.flow is None:
        return None
    return _line(
        "[UPDATE]",
        time,
        known.flow,
        effect.id,
        state,
        effect.lifetime,
        is_answered=is_first_answer or known.is_answered,
        is_assured=known.is_assured,
    )


def _destroy(device: Device, effect: SessionEnded, time: datetime) -> str:
    traffic = effect.traffic
    is_answered = traffic.reply_packets > 0
    known = device.known(effect.id)
    return _line(
        "[DESTROY]",
        time,
        effect.flow,
        effect.id,
        effect.state,
        None,
        is_answered=is_answered,
        is_assured=is_answered and (known.is_assured or effect.state in ASSURED_STATES),
        counts=(
            f"packets={traffic.original_packets} bytes={traffic.original_octets}",
            f"packets={traffic.reply_packets} bytes={traffic.reply_octets}",
        ),
    )


FORMAT: Final = Format(
    title="Linux conntrack",
    lines={
        SessionOpened: _new,
        StateChanged: _update,
        SessionAnswered: _answered,
        SessionEnded: _destroy,
    },
    silent=frozenset({PacketRefused}),
    notes=(
        "Events NEW, UPDATE (each change of state, and the first answer) and DESTROY, with the "
        "time stamp of `-o timestamp`; `id` is the number of the session. IPv4 and IPv6 stand in "
        "one file, where the program needs `-f` for the one or the other.",
        "DESTROY has the last TCP state, as recent kernels tell it, and packets and bytes, as with "
        "`net.netfilter.nf_conntrack_acct=1`.",
        "The number after the protocol is the time that is left to the session at this moment. An "
        "answer that changes no state (ICMP, other protocols, a connection that was picked up) "
        "names none.",
        "nf_conntrack has no event for a packet that is dropped.",
    ),
    sources=(
        "conntrack-tools, src/conntrack.c (time stamp), libnetfilter_conntrack, "
        "src/conntrack/snprintf_default.c (order and width of the fields)",
        "Real lines in weaveworks/scope (conntrack_internal_test.go), on the netfilter-devel list "
        "(DESTROY with a state) and in public repositories (ICMP)",
    ),
    unverified=(
        "A UDP session is assured with its first reply here, and has its long timer; the kernel "
        "waits for more packets. So is a connection that was picked up, where the kernel prints "
        "300 once more and ASSURED with the packet after.",
        "The kernel prints a hash as `id`, and an UPDATE for some changes that are none of state.",
        "A timeout of `never` is printed as 4294967295.",
    ),
)
