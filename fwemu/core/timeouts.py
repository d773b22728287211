"""Idle timeouts by state, in two small tables: state -> setting -> nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwemu.core.instants import NEVER
from fwemu.core.reasons import EndReason
from fwemu.core.tcp_table import State

Lifetimes = tuple[int, ...]
"""Nanoseconds a session may be quiet, indexed by `State`."""

SETTING_OF_STATE: Final[dict[State, str | None]] = {
    State.NONE: None,  # no session is ever in it
    State.SYN_SENT: "tcp_syn_sent",
    State.SYN_RECV: "tcp_syn_recv",
    State.ESTABLISHED: "tcp_established",
    State.FIN_WAIT: "tcp_fin_wait",
    State.CLOSE_WAIT: "tcp_close_wait",
    State.LAST_ACK: "tcp_last_ack",
    State.TIME_WAIT: "tcp_time_wait",
    State.CLOSE: "tcp_closed",
    State.SYN_SENT2: "tcp_syn_sent",
    State.UDP_UNREPLIED: "udp_unreplied",
    State.UDP_REPLIED: "udp_replied",
    State.ICMP: "icmp",
    State.OTHER: "other",
    State.TCP_DISCARD: "tcp_discard",
    State.UDP_DISCARD: "udp_discard",
    State.OTHER_DISCARD: "other_discard",
}

OPEN_STATES: Final = frozenset(
    {State.ESTABLISHED, State.UDP_UNREPLIED, State.UDP_REPLIED, State.ICMP, State.OTHER}
)
"""The states that the idle timeout of a rule applies to: not the handshake, not the close."""

DISCARDED_STATES: Final = frozenset({State.TCP_DISCARD, State.UDP_DISCARD, State.OTHER_DISCARD})
"""The states of a denial that is remembered: no packet passes, and none prolongs them."""

END_OF_STATE: Final[dict[State, EndReason]] = {
    state: {
        State.TIME_WAIT: EndReason.CLOSED_BY_FIN,
        State.CLOSE: EndReason.CLOSED_BY_RST,
    }.get(state, EndReason.EXPIRED)
    for state in State
}
"""The reason for which a session ends when the timer of its state runs out."""


def lifetimes(settings: Mapping[str, int]) -> Lifetimes:
    """Lay the settings (nanoseconds by name) out by state; a missing one is a KeyError."""
    return tuple(
        NEVER if (setting := SETTING_OF_STATE[state]) is None else settings[setting]
        for state in State
    )


def with_idle_timeout(general: Lifetimes, idle_timeout: int) -> Lifetimes:
    """The same lifetimes with another idle timeout for the open states (that of a rule)."""
    return tuple(idle_timeout if state in OPEN_STATES else general[state] for state in State)
