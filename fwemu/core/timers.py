"""Idle timers: which packets restart that of a session, and for how long it then runs.

In most firewalls every packet restarts it, and the state says for how long.  For these `is_plain`
is true, and nothing else in here is used.  The others look at the packet (its direction, whether it
carries data), at the session (whether something is odd about it), or at its age.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fwemu.core.choices import AtExpiry, Refresh, Trust
from fwemu.core.flow import Direction
from fwemu.core.instants import NEVER
from fwemu.core.packet import Packet
from fwemu.core.policy import Policy, RefreshPolicy, ShortTimers
from fwemu.core.seq import MASK
from fwemu.core.session import Session
from fwemu.core.tcp_table import FIN, SYN, Segment, State
from fwemu.core.timeouts import Lifetimes, with_idle_timeout

BOTH: Final = 1 << Direction.ORIGINAL | 1 << Direction.REPLY
"""`Session.probe_answers` when both ends have answered."""

_ENDS_OF: Final = {Refresh.ORIGINAL: Direction.ORIGINAL, Refresh.REPLY: Direction.REPLY}


class Timers:
    """The timers of one policy."""

    def __init__(self, policy: Policy) -> None:
        self._refresh = policy.refresh
        self._short = policy.short
        self._longest = policy.longest
        actions = {policy.at_expiry, *(rule.at_expiry for rule in policy.rules)}
        self.is_plain = (
            policy.refresh == RefreshPolicy()
            and _is_never(policy.short)
            and policy.longest == NEVER
            and policy.trust is Trust.AT_ONCE
            and AtExpiry.PROBE not in actions
        )
        """Every packet restarts the timer, and the state alone says for how long."""
        self._of_rule: dict[int | None, Lifetimes] = {None: policy.lifetimes}
        for index, rule in enumerate(policy.rules):
            self._of_rule[index] = (
                policy.lifetimes
                if rule.idle_timeout is None
                else with_idle_timeout(policy.lifetimes, rule.idle_timeout)
            )
        self._of_untrusted = {
            rule: _with_established(general, policy.short.picked_up)
            for rule, general in self._of_rule.items()
        }

    def lifetimes(self, rule: int | None, *, is_trusted: bool) -> Lifetimes:
        """The lifetimes of a session that this rule has let in (None: the default action)."""
        return (self._of_rule if is_trusted else self._of_untrusted)[rule]

    def begin(self, session: Session) -> None:
        """Start the timer of a session afresh, with the lifetime of its state."""
        session.probes_sent = session.probe_answers = 0
        session.lifetime = self._within_age(session, session.lifetimes[session.state])

    def passed(
        self, session: Session, packet: Packet, direction: Direction, before: State, now: int,
        is_keepalive: bool,
    ) -> None:  # fmt: skip
        """Restart the timer if the policy says so: a packet has passed, the state was `before`."""
        if session.probes_sent:
            session.probe_answers |= 1 << direction
            if session.probe_answers != BOTH and session.state is before:
                return
            session.probes_sent = session.probe_answers = 0
        ends = session.ends
        if session.state is not before:
            ends[0].restarted = ends[1].restarted = now
        elif self._restarts(session, packet, direction, is_keepalive):
            ends[direction].restarted = now
            if self._refresh.by(session.protocol) is not Refresh.EACH:
                ends[1 - direction].restarted = now
        else:
            return
        session.restarted = min(ends[0].restarted, ends[1].restarted)
        session.lifetime = self._within_age(session, self._lifetime(session, packet))

    def probe_again(self, session: Session, at: int, interval: int) -> None:
        """Start the timer of a session whose ends were just probed: they have `interval`."""
        session.probes_sent += 1
        session.restarted = at
        session.lifetime = self._within_age(session, interval)

    def is_of_age(self, session: Session, at: int) -> bool:
        """True if this session has reached the age at which every session ends."""
        return at - session.opened >= self._longest

    def _restarts(
        self, session: Session, packet: Packet, direction: Direction, is_keepalive: bool
    ) -> bool:
        """True if this packet, which has not changed the state, restarts the timer."""
        refresh = self._refresh
        if session.state in refresh.absolute:
            return False
        asks_or_answers = _is_about_keepalive(session, packet, direction, is_keepalive)
        if asks_or_answers and not refresh.keepalives:
            return False
        if refresh.payload_only and packet.segment is not None and not _has_payload(packet):
            return False
        return _ENDS_OF.get(refresh.by(session.protocol), direction) is direction

    def _lifetime(self, session: Session, packet: Packet) -> int:
        """The lifetime of the state, or a shorter one while something is odd."""
        lifetime, tcp, short = session.lifetimes[session.state], session.tcp, self._short
        if tcp is None:
            return lifetime
        if tcp.repeats >= short.max_retransmissions or tcp.has_closed_window:
            lifetime = min(lifetime, short.retransmitted)
        if packet.segment is Segment.RST and session.state is State.ESTABLISHED:
            lifetime = min(lifetime, short.rst_unverified)
        if tcp.ends[0].is_unacknowledged or tcp.ends[1].is_unacknowledged:
            lifetime = min(lifetime, short.unacknowledged)
        return lifetime

    def _within_age(self, session: Session, lifetime: int) -> int:
        """A lifetime, cut so that the timer does not outlast the greatest age of a session."""
        return min(lifetime, session.opened + self._longest - session.restarted)


def _is_about_keepalive(
    session: Session, packet: Packet, direction: Direction, is_keepalive: bool
) -> bool:
    """True for a keepalive probe, and for the bare ACK that answers it."""
    asked = session.keepalive_pending
    session.keepalive_pending = direction.reverse if is_keepalive else None
    return is_keepalive or (asked is direction and not _has_payload(packet))


def _has_payload(packet: Packet) -> bool:
    """True if this TCP segment carries data."""
    return packet.seq_end - packet.seq & MASK > (1 if packet.flags & (SYN | FIN) else 0)


def _is_never(short: ShortTimers) -> bool:
    """True if no packet of a trusted session brings one of these timers."""
    default = ShortTimers()
    of_others = {"picked_up": default.picked_up, "max_retransmissions": default.max_retransmissions}
    return replace(short, **of_others) == default


def _with_established(general: Lifetimes, lifetime: int) -> Lifetimes:
    """The same lifetimes, with another one at the most for an open connection."""
    return tuple(
        min(general[state], lifetime) if state is State.ESTABLISHED else general[state]
        for state in State
    )
