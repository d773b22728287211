"""Ends sessions: by their timers, for want of room, or for an operator; and tells their ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fwemu.core import forge
from fwemu.core.active_policy import ActivePolicy
from fwemu.core.choices import AtExpiry
from fwemu.core.effects import Effect, Effects, PacketInjected, SessionEnded, Traffic
from fwemu.core.expiry import Budget
from fwemu.core.flow import TCP, Direction
from fwemu.core.reasons import EndReason, InjectedKind
from fwemu.core.session import Session
from fwemu.core.tcp_table import State
from fwemu.core.timeouts import END_OF_STATE

SWEEP: Final = 128
"""Sessions that one `tick` looks at, at the most: packets never wait for a mass expiry."""

RESETS: Final[dict[AtExpiry, tuple[Direction, ...]]] = {
    AtExpiry.SILENT: (),
    AtExpiry.RESET_BOTH: (Direction.ORIGINAL, Direction.REPLY),
    AtExpiry.RESET_ORIGINAL: (Direction.ORIGINAL,),
    AtExpiry.RESET_REPLY: (Direction.REPLY,),
    AtExpiry.PROBE: (),
}
"""The ends that get a RST."""

_ESTABLISHED: Final = State.ESTABLISHED
_PROBE: Final = InjectedKind.PROBE


class Endings:
    """Removes sessions from the table, and makes the effects that say so."""

    def __init__(self, active: ActivePolicy) -> None:
        self._policy = active.policy
        self._table = active.table
        self._timers = active.timers
        self._pressure = active.pressure

    # -- one session --------------------------------------------------------------------------

    def terminate(
        self,
        session: Session,
        at: int,
        reason: EndReason,
        resets: Iterable[Direction] = (),
    ) -> Effects:
        """Remove a session from the table; the ends in `resets` get a RST."""
        self._table.remove(session)
        self._pressure.counted(len(self._table), at)
        original, reply = session.ends
        ended = SessionEnded(
            at,
            session.id,
            session.flow,
            session.zone,
            reason,
            session.state,
            session.opened,
            session.idle_since,
            Traffic(original.packets, original.octets, reply.packets, reply.octets),
            session.rule,
        )
        if session.protocol != TCP:
            return (ended,)
        ttl, numbers = self._policy.ttl, self._policy.reset_numbers
        packets = ((toward, forge.reset_of(session, toward, ttl, numbers)) for toward in resets)
        return (
            ended,
            *(
                PacketInjected(
                    at, packet, session.zone_of_end(toward), InjectedKind.RESET, session.id
                )
                for toward, packet in packets
                if packet is not None
            ),
        )

    def expire(self, session: Session, at: int | None = None) -> Effects:
        """End a session whose timer has run out, at its deadline, however late that is noticed.

        With `probe` an established TCP session does not end yet: its ends are probed first.
        """
        if at is None:
            at = session.deadline
        if self._timers.is_of_age(session, at):
            return self.terminate(session, at, EndReason.LIFETIME)
        if session.state is not _ESTABLISHED:
            return self.terminate(session, at, END_OF_STATE[session.state])
        action = self._policy.at_expiry
        if session.rule is not None:
            action = self._policy.rules[session.rule].at_expiry or action
        if action is not AtExpiry.PROBE:
            return self.terminate(session, at, EndReason.EXPIRED, RESETS[action])
        if session.probes_sent < self._policy.probe.max_retries:
            probes = self._probe(session, at)
            if probes:
                return probes
        return self.terminate(
            session, at, EndReason.UNANSWERED if session.probes_sent else EndReason.EXPIRED
        )

    def _probe(self, session: Session, at: int) -> Effects:
        """Probe the ends of a session that have not answered yet; () if no end can be probed."""
        waiting = [toward for toward in Direction if not session.probe_answers & 1 << toward]
        probes = tuple(
            PacketInjected(at, packet, session.zone_of_end(toward), _PROBE, session.id)
            for toward in waiting
            if (packet := forge.probe_of(session, toward, self._policy.ttl)) is not None
        )
        if probes:
            self._timers.probe_again(session, at, self._policy.probe.retry_interval)
        return probes

    def catch_up(self, session: Session, now: int) -> Effects:
        """Do with one session what `sweep` would have done by now; it may be gone afterwards."""
        effects: Effects = ()
        while session.queued >= 0:
            idle, lifetime = now - session.restarted, session.lifetime
            if idle < lifetime and not (
                self._pressure.is_on and idle >= self._pressure.cut(lifetime)
            ):
                break
            effects += self.expire(session, min(session.deadline, now))
        return effects

    # -- many ---------------------------------------------------------------------------------

    def sweep(self, now: int) -> Effects:
        """End the sessions that are due, looking at no more than `SWEEP` of all."""
        effects: list[Effect] = []
        budget = Budget(SWEEP)
        while (session := self._table.expiry.due(now, budget)) is not None:
            effects += self.expire(session)
        for session in self._pressure.over(self._table, now, budget):
            effects += self.expire(session, now)
        return tuple(effects)

    def make_room(self, now: int) -> tuple[bool, Effects]:
        """Make room for one more session: due ones end first, then the policy's victim is evicted.

        Returns whether there is room now, and the effects.
        """
        table = self._table
        if len(table) < self._policy.capacity:
            return True, ()
        effects: Effects = ()
        budget = Budget(SWEEP)
        while (due := table.expiry.due(now, budget)) is not None:
            effects += self.expire(due)
            if len(table) < self._policy.capacity:  # else its ends are being probed
                return True, effects
        victim = table.eviction.victim()
        if victim is None:
            return False, effects
        return True, effects + self.terminate(victim, now, EndReason.EVICTED)

    def terminate_due(self, now: int) -> Effects:
        """End all that are due, so that an operator's action never ends or revives expired ones."""
        effects: list[Effect] = []
        while (session := self._table.expiry.due(now)) is not None:
            effects += self.expire(session)
        return tuple(effects)

    def terminate_all(self, now: int, reason: EndReason) -> Effects:
        """Empty the table, silently."""
        effects: list[Effect] = []
        for session in self._table:
            effects += self.terminate(session, now, reason)
        return tuple(effects)
