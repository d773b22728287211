"""Everything a firewall is told to do, in the form in which the core uses it.

`fwemu.config` makes it from files; the core knows nothing of files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from fwemu.core.eviction import WhenFull
from fwemu.core.flow import Zone
from fwemu.core.fragments import FragmentLimits
from fwemu.core.instants import SECOND
from fwemu.core.rules import Action, Rule
from fwemu.core.tcp_window import WindowCheck
from fwemu.core.timeouts import Lifetimes, lifetimes


class Mode(Enum):
    """Which of two machines this is.  The value is the setting's."""

    STATEFUL = "stateful"
    ACL = "acl"


class AtExpiry(Enum):
    """Who hears of it when the idle timer of an established TCP session runs out."""

    SILENT = "silent"
    RESET_BOTH = "reset-both"
    RESET_ORIGINAL = "reset-original"
    RESET_REPLY = "reset-reply"


class OnUnknown(Enum):
    """What an unknown packet gets.  The value is the setting's."""

    DROP = "drop"
    RESET = "reset"
    REJECT = "reject"
    PICK_UP = "pick-up"


DEFAULT_TIMEOUTS: Final[dict[str, int]] = {
    name: seconds * SECOND
    for name, seconds in {
        "tcp_syn_sent": 30,
        "tcp_syn_recv": 30,
        "tcp_established": 3600,
        "tcp_fin_wait": 120,
        "tcp_close_wait": 120,
        "tcp_last_ack": 30,
        "tcp_time_wait": 15,
        "tcp_closed": 10,
        "udp_unreplied": 30,
        "udp_replied": 120,
        "icmp": 30,
        "other": 600,
    }.items()
}
"""A typical enterprise firewall: an hour for an established connection, seconds for a dying one."""


@dataclass(frozen=True)
class Policy:
    """The whole behaviour of one firewall."""

    mode: Mode = Mode.STATEFUL
    capacity: int = 65536
    """Sessions the table holds."""
    when_full: WhenFull = WhenFull.EVICT_LRU
    lifetimes: Lifetimes = field(default_factory=lambda: lifetimes(DEFAULT_TIMEOUTS))
    at_expiry: AtExpiry = AtExpiry.SILENT
    on_unknown: dict[Zone, OnUnknown] = field(
        default_factory=lambda: dict.fromkeys(Zone, OnUnknown.DROP)
    )
    window_check: WindowCheck = WindowCheck.STRICT
    """What becomes of TCP segments whose numbers do not fit."""
    fragments: FragmentLimits = field(default_factory=FragmentLimits)
    """How much is remembered of datagrams in parts."""
    rules: tuple[Rule, ...] = ()
    default_action: dict[Zone, Action] = field(
        default_factory=lambda: {Zone.INSIDE: Action.ALLOW, Zone.OUTSIDE: Action.DENY}
    )
    """For a new session that no rule speaks of, by the zone it comes from."""
