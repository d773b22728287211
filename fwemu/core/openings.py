"""Packets without a session: each opens one, or is refused.

The rules say which flows may open a session.  The policy says how an unknown packet (from the
middle of a connection) is treated, and whether the denial of a rule is remembered.
"""

from __future__ import annotations

from typing import Final

from fwemu.core.active_policy import ActivePolicy
from fwemu.core.arrival import Arrival
from fwemu.core.choices import OnUnknown, Trust
from fwemu.core.effects import Decision, Effects, SessionEnded, SessionOpened
from fwemu.core.endings import Endings
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.packet import Packet, keys_of, reverse_key
from fwemu.core.reasons import Answer, EndReason, Reason, Verdict
from fwemu.core.refusals import Refusals
from fwemu.core.rules import Action, first_match
from fwemu.core.session import Session
from fwemu.core.standby import take_over
from fwemu.core.tcp_table import Segment, State
from fwemu.core.trackers import first_state, needs_pick_up

_DISCARD: Final = {TCP: State.TCP_DISCARD, UDP: State.UDP_DISCARD}
"""The state in which a denial is remembered, by protocol; OTHER_DISCARD for the rest."""

_UNKNOWN_ANSWERS: Final = {
    OnUnknown.DROP: Answer.NOTHING,
    OnUnknown.RESET: Answer.RESET,
    OnUnknown.REJECT: Answer.REJECT,
    OnUnknown.PICK_UP: Answer.NOTHING,
}


class Openings:
    """Opens sessions for packets that may have one, and refuses the others."""

    def __init__(self, active: ActivePolicy, endings: Endings, refusals: Refusals) -> None:
        self._policy = active.policy
        self._table = active.table
        self._timers = active.timers
        self._pressure = active.pressure
        self._endings = endings
        self._refusals = refusals
        self._rules_answer = any(rule.on_unknown is not None for rule in active.policy.rules)

    def begin(
        self, arrival: Arrival[Packet], earlier: Effects = (), reused: Session | None = None
    ) -> Decision:
        """Decide about a packet without a session; `earlier` effects come before its own.

        A `reused` session ends only if the new one may begin: a dropped packet changes nothing.
        """
        packet, now, zone = arrival.packet, arrival.now, arrival.zone
        policy = self._policy
        state = first_state(packet)
        is_midstream = needs_pick_up(packet)
        on_unknown = self._on_unknown(packet, zone) if is_midstream else OnUnknown.DROP
        if not isinstance(state, State) or (is_midstream and on_unknown is not OnUnknown.PICK_UP):
            answer = _UNKNOWN_ANSWERS[on_unknown]
            return self._refusals.refuse(arrival, Reason.UNKNOWN_PACKET, earlier, answer=answer)
        action, rule = first_match(packet, zone, policy.rules, policy.default_action)
        if action is not Action.ALLOW:
            earlier += self._remember_denial(arrival, rule)
            return self._refusals.by_rule(arrival, action, rule, earlier)
        if reused is not None:
            earlier += self._endings.terminate(reused, now, EndReason.REUSED)
        has_room, evicted = self._endings.make_room(now)
        earlier += evicted
        if not has_room:
            return self._refusals.refuse(arrival, Reason.TABLE_FULL, earlier, rule=rule)
        is_trusted = not is_midstream or policy.trust is Trust.AT_ONCE
        session = self._open(arrival, state, rule, is_trusted=is_trusted)
        if session.tcp is not None:
            session.tcp.open(packet)
        if is_midstream and is_trusted:
            self._table.assured(session)
        opened = SessionOpened(
            now, session.id, session.flow, zone, state, rule, is_midstream, session.lifetime
        )
        reason = Reason.PICKED_UP if is_midstream else Reason.OPENED
        return Decision(Verdict.ACCEPT, reason, (*earlier, opened))

    def restore(self, ended: SessionEnded, now: int) -> SessionOpened:
        """Open a session again of whose end the peer has not heard: there it goes on.

        There must be room.  The caller tells `Pressure` the new population, once for many.
        """
        rule = ended.rule
        session = Session(
            self._table.new_number(),
            ended.flow.protocol,
            *keys_of(ended.flow),
            ended.zone,
            ended.state,
            rule,
            self._timers.lifetimes(rule, is_trusted=True),
            ended.opened,
        )
        take_over(session, ended.state, now)
        self._timers.begin(session)
        original, reply = session.ends
        original.packets, original.octets, reply.packets, reply.octets = ended.traffic
        self._table.add(session)
        return SessionOpened(
            now, session.id, ended.flow, ended.zone, ended.state, rule, False, session.lifetime
        )

    def _open(
        self, arrival: Arrival[Packet], state: State, rule: int | None, *, is_trusted: bool
    ) -> Session:
        """Put a new session into the table; there must be room."""
        packet, now, zone = arrival.packet, arrival.now, arrival.zone
        session = Session(
            self._table.new_number(),
            packet.protocol,
            packet.key,
            reverse_key(packet),
            zone,
            state,
            rule,
            self._timers.lifetimes(rule, is_trusted=is_trusted),
            now,
        )
        session.is_trusted = is_trusted
        original, _ = session.ends
        original.packets = 1
        original.octets = packet.length
        if not self._timers.is_plain:
            self._timers.begin(session)
        self._table.add(session)
        self._pressure.counted(len(self._table), now)
        return session

    def _remember_denial(self, arrival: Arrival[Packet], rule: int | None) -> Effects:
        """Open a session that discards, if the policy has a timer for it and the table room."""
        packet, now, zone = arrival.packet, arrival.now, arrival.zone
        state = _DISCARD.get(packet.protocol, State.OTHER_DISCARD)
        if self._policy.lifetimes[state] == 0 or len(self._table) >= self._policy.capacity:
            return ()
        if self._table.find(packet.protocol, packet.key) is not None:  # a SYN that was to reopen
            return ()
        session = self._open(arrival, state, rule, is_trusted=True)
        return (
            SessionOpened(
                now, session.id, session.flow, zone, state, rule, False, session.lifetime
            ),
        )

    def _on_unknown(self, packet: Packet, zone: Zone) -> OnUnknown:
        """The treatment of an unknown packet: by the rule that allows its flow, or by the policy.

        The rule speaks of the flow as it is opened; the packet may go the other way.
        """
        if self._rules_answer:
            back = packet._replace(key=reverse_key(packet), segment=Segment.SYN)
            for rule in self._policy.rules:
                if rule.action is Action.ALLOW and (
                    rule.matches(packet, zone) or rule.matches(back, zone.other)
                ):
                    return rule.on_unknown or self._policy.on_unknown[zone]
        return self._policy.on_unknown[zone]
