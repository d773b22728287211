"""A stateful firewall: a packet is decided by the session that it belongs to, or is about."""

from __future__ import annotations

from typing import Final

from fwemu.core import tcp
from fwemu.core.active_policy import ActivePolicy
from fwemu.core.arrival import Arrival, PacketHandler
from fwemu.core.choices import Trust
from fwemu.core.effects import (
    Decision,
    Effect,
    Effects,
    KeepaliveSeen,
    SessionAnswered,
    StateChanged,
)
from fwemu.core.endings import Endings
from fwemu.core.flow import Direction, Zone, flow_of
from fwemu.core.openings import Openings
from fwemu.core.packet import Kind, Packet, flow_of_packet
from fwemu.core.reasons import Reason, Verdict
from fwemu.core.refusals import Refusals
from fwemu.core.session import Session
from fwemu.core.tcp_table import Cell, State
from fwemu.core.timeouts import DISCARDED_STATES, END_OF_STATE
from fwemu.core.trackers import ASSURED_STATES, track

_BELONGS: Final = Decision(Verdict.ACCEPT, Reason.SESSION)
"""Made once: most packets get this decision."""

_IGNORED: Final = Decision(Verdict.ACCEPT, Reason.IGNORED)
_RELATED: Final = Decision(Verdict.ACCEPT, Reason.RELATED)

_ESTABLISHED: Final = State.ESTABLISHED
_ORIGINAL, _REPLY = Direction.ORIGINAL, Direction.REPLY


class Stateful:
    """Decides about packets by their sessions."""

    def __init__(
        self, active: ActivePolicy, endings: Endings, openings: Openings, refusals: Refusals
    ) -> None:
        self._table = active.table
        self._find = active.table.find
        self._seen = active.table.eviction.seen
        self._timers = active.timers
        self._pressure = active.pressure
        self._window_check = active.policy.window_check
        self._closing = active.policy.closing
        self._trust = active.policy.trust
        self._endings = endings
        self._begin = openings.begin
        self._refuse = refusals.refuse
        self.handlers: Final[list[PacketHandler[Packet]]] = [
            self._relate if kind is Kind.ERROR else self._track for kind in Kind
        ]
        """The handler of a packet, indexed by its kind."""

    def _track(self, packet: Packet, data: bytes, now: int, zone: Zone) -> Decision:
        """Decide about a packet (of any kind but an ICMP error) that has a session or needs one."""
        session = self._find(packet.protocol, packet.key)
        if session is None:
            return self._begin(Arrival(packet, data, now, zone))
        idle = now - session.restarted
        if idle >= session.lifetime or self._pressure.is_on:
            earlier = self._endings.catch_up(session, now)
            if session.queued < 0:  # it is gone
                return self._begin(Arrival(packet, data, now, zone), earlier)
            if earlier:  # its ends are being probed
                decision = self._track(packet, data, now, zone)
                return decision._replace(effects=earlier + decision.effects)
        direction = _ORIGINAL if packet.key == session.key else _REPLY
        connection = session.tcp
        is_keepalive = is_first_answer = False
        state: State | Cell
        if session.state in DISCARDED_STATES:
            arrival = Arrival(packet, data, now, zone)
            return self._refuse(arrival, Reason.DISCARDED, session=session.id)
        if connection is None:
            state = track(session.state, packet, direction)
            is_first_answer = direction is _REPLY and not session.ends[_REPLY].packets
        elif session.state is _ESTABLISHED and tcp.flows_on(connection, packet, direction):
            state = _ESTABLISHED
        else:
            is_keepalive = tcp.is_keepalive(connection, packet, direction)
            is_first_answer = direction is _REPLY and not session.ends[_REPLY].packets
            state = tcp.track(
                connection, session.state, packet, direction, self._window_check, self._closing
            )
        if isinstance(state, State):
            return self._advance(
                session, packet, direction, state, now, is_keepalive, is_first_answer
            )
        if state is Cell.IGNORE:
            return _IGNORED
        arrival = Arrival(packet, data, now, zone)
        if state is Cell.REOPEN:
            return self._begin(arrival, reused=session)
        reason = Reason.INVALID_STATE if state is Cell.BAD else Reason.OUT_OF_WINDOW
        return self._refuse(arrival, reason, session=session.id)

    def _advance(
        self,
        session: Session,
        packet: Packet,
        direction: Direction,
        state: State,
        now: int,
        is_keepalive: bool,
        is_first_answer: bool,
    ) -> Decision:
        """Accept a packet of a session, and bring the session up to date."""
        session.last_seen = now
        before = session.state
        if state is not before:
            session.restarted = now
            self._table.moved(session, state)
        if self._timers.is_plain:
            session.restarted = now
        else:
            self._keep_time(session, packet, direction, before, now, is_keepalive)
        if self._seen is not None:
            self._seen(session)
        end = session.ends[direction]
        end.packets += 1
        end.octets += packet.length
        if state is before and not is_keepalive and not is_first_answer:
            return _BELONGS
        effects: list[Effect] = []
        if is_keepalive:
            end.keepalives += 1
            effects.append(KeepaliveSeen(now, session.id, direction))
        if state is not before:
            effects.append(
                StateChanged(now, session.id, before, state, direction, session.lifetime)
            )
            if state in ASSURED_STATES and not session.assured:
                self._table.assured(session)
            if session.lifetime == 0:  # this device forgets at once, without a timer
                effects += self._endings.terminate(session, now, END_OF_STATE[state])
        elif is_first_answer:
            effects.append(SessionAnswered(now, session.id, session.lifetime))
        return Decision(Verdict.ACCEPT, Reason.SESSION, tuple(effects))

    def _keep_time(
        self,
        session: Session,
        packet: Packet,
        direction: Direction,
        before: State,
        now: int,
        is_keepalive: bool,
    ) -> None:
        """Set the idle timer, where the state alone does not say for how long (see `timers.py`)."""
        is_answer = direction is _REPLY and self._trust is Trust.ANSWERED
        if is_answer and not session.is_trusted:
            session.is_trusted = True
            session.lifetimes = self._timers.lifetimes(session.rule, is_trusted=True)
            self._table.assured(session)
        self._timers.passed(session, packet, direction, before, now, is_keepalive)
        self._table.expiry.moved(session)

    def _relate(self, packet: Packet, data: bytes, now: int, zone: Zone) -> Decision:
        """Accept an ICMP error about a packet that went the other way in a session.

        It must be addressed to the sender of that packet, as in Linux (nf_conntrack_inet_error in
        net/netfilter/nf_conntrack_proto_icmp.c).
        """
        session = self._find(*packet.quoted) if packet.quoted is not None else None
        earlier: Effects = ()
        if session is not None:
            earlier = self._endings.catch_up(session, now)
        if (
            session is not None
            and session.queued >= 0
            and session.state not in DISCARDED_STATES  # none of its packets has passed
        ):
            assert packet.quoted is not None
            quoted = _ORIGINAL if packet.quoted.key == session.key else _REPLY
            went_the_other_way = session.zone_of_end(quoted) is not zone
            sender = flow_of(*packet.quoted).source
            if went_the_other_way and flow_of_packet(packet).destination == sender:
                return _RELATED._replace(effects=earlier) if earlier else _RELATED
        return self._refuse(Arrival(packet, data, now, zone), Reason.UNRELATED_ICMP, earlier)
