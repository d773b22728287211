"""The policy of a firewall, in the form in which the core uses it.

`fwemu.config` makes it from files; the core knows nothing of files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fwemu.core.choices import (
    AtExpiry,
    Closing,
    Mode,
    OnUnknown,
    Refresh,
    ResetNumbers,
    Trust,
    UnderPressure,
)
from fwemu.core.eviction import WhenFull
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.fragments import FragmentLimits
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.rules import Action, Rule
from fwemu.core.tcp_table import State
from fwemu.core.tcp_window import WindowCheck
from fwemu.core.timeouts import Lifetimes, lifetimes


@dataclass(frozen=True, kw_only=True)
class RefreshPolicy:
    """Which packets restart the idle timer.  Entering another state always does."""

    tcp: Refresh = Refresh.EITHER
    udp: Refresh = Refresh.EITHER
    other: Refresh = Refresh.EITHER
    keepalives: bool = True
    """TCP keepalive probes and the answers to them restart it."""
    payload_only: bool = False
    """Only TCP segments that carry data restart it."""
    absolute: frozenset[State] = frozenset()
    """In these states no packet restarts it."""

    def by(self, protocol: int) -> Refresh:
        """The ends whose packets restart the timer of a session of this protocol."""
        return self.tcp if protocol == TCP else self.udp if protocol == UDP else self.other


@dataclass(frozen=True, kw_only=True)
class PressurePolicy:
    """How a filling table shortens idle timers."""

    policy: UnderPressure = UnderPressure.NONE
    start: int = 80
    """Percent of the capacity."""
    stop: int = 120
    """Percent of the capacity."""
    factor: int = 2
    early_ageout: int = 20 * SECOND


@dataclass(frozen=True, kw_only=True)
class ProbePolicy:
    """The keepalive probes that the firewall sends to the ends of a session that expires."""

    retry_interval: int = 15 * SECOND
    max_retries: int = 5


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
        "tcp_discard": 0,
        "udp_discard": 0,
        "other_discard": 0,
    }.items()
}
"""A typical enterprise firewall: an hour for an established connection, seconds for a dying one."""


@dataclass(frozen=True, kw_only=True)
class ShortTimers:
    """Lifetimes that take the place of a longer one of the state, while something is odd.

    The defaults change nothing.
    """

    retransmitted: int = NEVER
    """A TCP segment was repeated `max_retransmissions` times, or a window of zero was offered."""
    unacknowledged: int = NEVER
    """TCP data is not acknowledged yet."""
    rst_unverified: int = NEVER
    """A RST in the window has passed that did not have the number expected."""
    picked_up: int = NEVER
    """The session was picked up in mid-stream, and is not trusted yet."""
    max_retransmissions: int = 3


@dataclass(frozen=True, kw_only=True)
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
    trust: Trust = Trust.AT_ONCE
    short: ShortTimers = field(default_factory=ShortTimers)
    longest: int = NEVER
    """The age in nanoseconds at which a session ends, however busy it is."""
    refresh: RefreshPolicy = field(default_factory=RefreshPolicy)
    pressure: PressurePolicy = field(default_factory=PressurePolicy)
    probe: ProbePolicy = field(default_factory=ProbePolicy)
    reset_numbers: ResetNumbers = ResetNumbers.EXACT
    ttl: int = 64
    """Time to live (IPv6: hop limit) of the packets that the firewall makes itself."""
    window_check: WindowCheck = WindowCheck.STRICT
    """The treatment of TCP segments outside the window."""
    closing: Closing = Closing.BY_END
    """How FINs and the ACKs to them are counted."""
    fragments: FragmentLimits = field(default_factory=FragmentLimits)
    rules: tuple[Rule, ...] = ()
    default_action: dict[Zone, Action] = field(
        default_factory=lambda: {Zone.INSIDE: Action.ALLOW, Zone.OUTSIDE: Action.DENY}
    )
    """For a new session that no rule matches, by the zone it comes from."""

    @property
    def speaks_at_expiry(self) -> bool:
        """May it say something by itself, to the ends of a session whose time is over?"""
        actions = {self.at_expiry, *(rule.at_expiry or self.at_expiry for rule in self.rules)}
        return actions != {AtExpiry.SILENT}
