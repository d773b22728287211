"""Actions of an operator on open sessions: flush, kill, another policy, a failover.

Sessions that are due end first, at their deadlines: an operator's action never ends expired ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from fwemu.core.active_policy import ActivePolicy
from fwemu.core.choices import AtExpiry, Mode
from fwemu.core.effects import Effect, Effects, StateChanged
from fwemu.core.endings import RESETS, Endings
from fwemu.core.fragment_verdicts import FragmentVerdicts
from fwemu.core.openings import Openings
from fwemu.core.policy import Policy
from fwemu.core.reasons import EndReason
from fwemu.core.rule_changes import RuleChanges
from fwemu.core.standby import Standby, Unreplicated, take_over


class Operators:
    """The actions of operators; the methods of `Firewall` with these names say more."""

    def __init__(
        self,
        active: ActivePolicy,
        endings: Endings,
        openings: Openings,
        fragments: FragmentVerdicts,
    ) -> None:
        self._policy = active.policy
        self._table = active.table
        self._timers = active.timers
        self._pressure = active.pressure
        self._endings = endings
        self._openings = openings
        self._fragments = fragments

    def flush(self, now: int) -> Effects:
        """Empty the table, silently, and drop what is held."""
        ended = self._endings.terminate_due(now)
        held = self._fragments.drop_held(now)
        return held + ended + self._endings.terminate_all(now, EndReason.FLUSHED)

    def kill(self, numbers: Iterable[int], now: int, notify: AtExpiry) -> Effects:
        """End these sessions (unknown numbers are passed over), with RSTs where `notify` says."""
        effects: list[Effect] = [*self._endings.terminate_due(now)]
        for number in numbers:
            session = self._table.get(number)
            if session is not None:
                effects += self._endings.terminate(session, now, EndReason.KILLED, RESETS[notify])
        return tuple(effects)

    def adopt(self, before: Policy, changes: RuleChanges, now: int) -> Effects:
        """Bring sessions opened under the policy `before` under this one, which replaces it now."""
        policy, table = self._policy, self._table
        effects: list[Effect] = []
        if policy.mode is not before.mode:
            effects += self.flush(now)
        for session in table:
            session.rule = changes.rule_of(
                session.rule, session.state, session.protocol, session.key, session.zone
            )
            session.lifetimes = self._timers.lifetimes(session.rule, is_trusted=session.is_trusted)
            self._timers.begin(session)
            table.expiry.moved(session)
            if session.deadline <= now:  # its new timer has run out: now, not before it was set
                effects += self._endings.expire(session, now)
        while len(table) > policy.capacity:
            victim = table.eviction.victim() or table.oldest
            effects += self._endings.terminate(victim, now, EndReason.EVICTED)
        self._pressure.counted(len(table), now)
        return tuple(effects)

    def fail_over(self, now: int, peer: Standby | None, lag: int) -> Effects:
        """Make the table what the peer has of it."""
        effects = self._endings.terminate_due(now) + self._fragments.drop_held(now)
        if peer is None:
            return effects + self._endings.terminate_all(now, EndReason.FAILED_OVER)
        peer.follow(effects)
        unreplicated = peer.unreplicated(now - lag)
        effects += self._hand_over(unreplicated, now) + self._restore(unreplicated, now)
        self._pressure.counted(len(self._table), now)
        return effects

    def _hand_over(self, unreplicated: Unreplicated, now: int) -> Effects:
        """Give the peer the sessions of the table that it knows, in the states that it knows."""
        effects: list[Effect] = []
        known = []
        for session in self._table:
            if session.id in unreplicated.opened:
                effects += self._endings.terminate(session, now, EndReason.FAILED_OVER)
            else:
                self._table.remove(session)
                known.append(session)
        for session in known:
            before = session.state
            take_over(session, unreplicated.states.get(session.id, before), now)
            self._timers.begin(session)
            self._table.add(session)
            if session.state is not before:
                effects.append(
                    StateChanged(now, session.id, before, session.state, None, session.lifetime)
                )
        return tuple(effects)

    def _restore(self, unreplicated: Unreplicated, now: int) -> Effects:
        """Open sessions again of whose end the peer has not heard, as far as there is room."""
        if self._policy.mode is not Mode.STATEFUL:
            return ()
        room = self._policy.capacity - len(self._table)
        longest = self._policy.longest
        young = [each for each in unreplicated.ended.values() if now - each.opened < longest]
        young.sort(key=lambda ended: ended.id)
        return tuple(self._openings.restore(each, now) for each in young[:room])
