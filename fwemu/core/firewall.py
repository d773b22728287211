"""The only door: packets and time in, decisions and effects out.

Follow one packet through `handle`.  It is parsed (`packet`); its session is looked up (`table`);
the protocol says what it means for that session (`trackers`, `tcp_table`); where there is no
session, the rules say whether it may open one (`rules`), and the policy what an unknown packet
gets.  Whatever follows from that is an effect (`effects`), carried out by whoever called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fwemu.core import forge, tcp
from fwemu.core.effects import (
    Decision,
    Effect,
    KeepaliveSeen,
    PacketInjected,
    PacketRefused,
    SessionEnded,
    SessionOpened,
    StateChanged,
    Traffic,
)
from fwemu.core.eviction import Choose
from fwemu.core.expiry import Looks
from fwemu.core.flow import TCP, Direction, Zone, flow_of, is_multicast
from fwemu.core.fragments import AcceptedDatagrams
from fwemu.core.packet import (
    Kind,
    Malformed,
    Packet,
    flow_of_packet,
    keys_of,
    parse,
    reverse_key,
)
from fwemu.core.policy import AtExpiry, Mode, OnUnknown, Policy
from fwemu.core.reasons import Answer, EndReason, Reason, Verdict
from fwemu.core.rules import Action, judge
from fwemu.core.session import Session
from fwemu.core.standby import Standby, take_over
from fwemu.core.table import SessionTable
from fwemu.core.tcp_table import Cell, Segment, State
from fwemu.core.timeouts import END_OF_STATE, Lifetimes, with_idle_timeout
from fwemu.core.trackers import ASSURED_STATES, TRACK, first_state, needs_pick_up

Effects = tuple[Effect, ...]

Addresses = Mapping[tuple[Zone, int], bytes]
"""The firewall's own packed address towards a zone, by zone and IP version."""

SWEEP: Final = 128
"""Sessions that one `tick` looks at, at the most: packets never wait for a mass expiry."""

_ACCEPTED: Final = {reason: Decision(Verdict.ACCEPT, reason) for reason in Reason}
"""Decisions without effects are made once: most packets get one of these."""

_BELONGS: Final = _ACCEPTED[Reason.SESSION]

_ESTABLISHED: Final = State.ESTABLISHED
_ORIGINAL, _REPLY = Direction.ORIGINAL, Direction.REPLY
_RESETS: Final[dict[AtExpiry, tuple[Direction, ...]]] = {
    AtExpiry.SILENT: (),
    AtExpiry.RESET_BOTH: (_ORIGINAL, _REPLY),
    AtExpiry.RESET_ORIGINAL: (_ORIGINAL,),
    AtExpiry.RESET_REPLY: (_REPLY,),
}

_REFUSALS: Final = {
    Action.DENY: (Reason.DENIED, Answer.NOTHING),
    Action.REJECT: (Reason.REJECTED, Answer.REJECT),
}

_UNKNOWN_ANSWERS: Final = {
    OnUnknown.DROP: Answer.NOTHING,
    OnUnknown.RESET: Answer.RESET,
    OnUnknown.REJECT: Answer.REJECT,
    OnUnknown.PICK_UP: Answer.NOTHING,
}


class Firewall:
    """A firewall with a policy.  Not thread-safe: one thread owns it.

    `choose` is the chance that random eviction asks; `addresses` are the firewall's own, for the
    ICMP errors it sends (without them, these seem to come from the refused packet's destination).
    """

    def __init__(
        self,
        policy: Policy,
        *,
        choose: Choose = lambda n: 0,
        addresses: Addresses | None = None,
    ) -> None:
        self.policy = policy
        self.table = SessionTable(policy.when_full, choose)
        self.packets = [0] * len(Reason)
        """Packets decided, indexed by `Reason`."""
        self.octets = [0] * len(Reason)
        """Their octets."""
        self._addresses = addresses or {}
        self._fragments = AcceptedDatagrams()
        self._last_number = 0
        self._up_at: int | None = None
        """The instant at which a reboot ends; None if there is none."""
        self._find = self.table.find
        self._seen = self.table.eviction.seen
        self._apply(policy)

    # -- packets ------------------------------------------------------------------------------

    def handle(self, data: bytes, now: int, arrival: Zone) -> Decision:
        """Decide about one packet that arrived from a zone at an instant.

        `data` is the packet from its IP header on; its payload may be missing.  Any bytes give a
        decision.  `now` must not run backwards.
        """
        packet = parse(data)
        if isinstance(packet, Malformed):
            is_up = self._up_at is None or now >= self._up_at
            broken = packet.reason if is_up else Reason.REBOOTING
            decision = self._refuse(data, now, arrival, broken, length=packet.length)
        else:
            decision = self._by_kind[packet[0]](packet, data, now, arrival)
        reason = decision[1]
        self.packets[reason] += 1
        self.octets[reason] += packet.length
        return decision

    def _track(self, packet: Packet, data: bytes, now: int, arrival: Zone) -> Decision:
        """A packet that has, may open, or ought to have a session."""
        session = self._find(packet.protocol, packet.key)
        if session is None:
            return self._begin(packet, data, now, arrival)
        if now - session.last_seen >= session.lifetime:
            return self._begin(packet, data, now, arrival, self._expire(session))
        direction = _ORIGINAL if packet.key == session.key else _REPLY
        talk = session.talk
        is_keepalive = False
        state: State | Cell
        if talk is None:
            state = TRACK[packet.kind](session, packet, direction)
        elif session.state is _ESTABLISHED and tcp.flows_on(talk, packet, direction):
            state = _ESTABLISHED
        else:
            is_keepalive = tcp.is_keepalive(talk, packet, direction)
            state = tcp.track(talk, session.state, packet, direction, self._window_check)
        if isinstance(state, State):
            return self._advance(session, packet, direction, state, now, is_keepalive)
        if state is Cell.IGNORE:
            return _ACCEPTED[Reason.IGNORED]
        if state is Cell.REOPEN:
            return self._begin(packet, data, now, arrival, reused=session)
        reason = Reason.INVALID_STATE if state is Cell.BAD else Reason.OUT_OF_WINDOW
        return self._refuse(data, now, arrival, reason, packet=packet, session=session.id)

    def _advance(
        self,
        session: Session,
        packet: Packet,
        direction: Direction,
        state: State,
        now: int,
        is_keepalive: bool,
    ) -> Decision:
        """A packet of a session passes and moves it on."""
        session.last_seen = now
        if self._seen is not None:
            self._seen(session)
        end = session.ends[direction]
        end.packets += 1
        end.octets += packet.length
        if packet.datagram is not None:
            self._fragments.accept(packet.datagram, now)
        before = session.state
        if state is before and not is_keepalive:
            return _BELONGS
        effects: list[Effect] = []
        if is_keepalive:
            effects.append(KeepaliveSeen(now, session.id, direction))
        if state is not before:
            self.table.moved(session, state)
            effects.append(StateChanged(now, session.id, before, state))
            if state in ASSURED_STATES and not session.assured:
                self.table.assured(session)
            if session.lifetime == 0:  # this device forgets at once, without a timer
                effects += self._end(session, now, END_OF_STATE[state])
        return Decision(Verdict.ACCEPT, Reason.SESSION, tuple(effects))

    def _begin(
        self,
        packet: Packet,
        data: bytes,
        now: int,
        arrival: Zone,
        earlier: Effects = (),
        reused: Session | None = None,
    ) -> Decision:
        """A packet without a session; `earlier` effects came of its finding that out.

        A `reused` session gives way only to one that may begin: a dropped packet changes nothing.
        """
        state = first_state(packet)
        is_midstream = needs_pick_up(packet)
        on_unknown = self.policy.on_unknown[arrival]
        if not isinstance(state, State) or (is_midstream and on_unknown is not OnUnknown.PICK_UP):
            answer = _UNKNOWN_ANSWERS[on_unknown] if is_midstream else Answer.NOTHING
            return self._refuse(
                data, now, arrival, Reason.UNKNOWN_PACKET, earlier, packet=packet, answer=answer
            )
        action, rule = judge(packet, arrival, self.policy.rules, self.policy.default_action)
        if action is not Action.ALLOW:
            reason, answer = _REFUSALS[action]
            return self._refuse(
                data, now, arrival, reason, earlier, packet=packet, answer=answer, rule=rule
            )
        if reused is not None:
            earlier += self._end(reused, now, EndReason.REUSED)
        has_room, evicted = self._make_room(now)
        earlier += evicted
        if not has_room:
            return self._refuse(
                data, now, arrival, Reason.TABLE_FULL, earlier, packet=packet, rule=rule
            )
        self._last_number += 1
        session = Session(
            self._last_number,
            packet.protocol,
            packet.key,
            reverse_key(packet),
            arrival,
            state,
            rule,
            self._lifetimes_of_rule[rule],
            now,
        )
        session.ends[_ORIGINAL].packets = 1
        session.ends[_ORIGINAL].octets = packet.length
        if session.talk is not None:
            session.talk.open(packet)
        self.table.add(session)
        if is_midstream:
            self.table.assured(session)
        if packet.datagram is not None:
            self._fragments.accept(packet.datagram, now)
        opened = SessionOpened(now, session.id, session.flow, arrival, state, rule, is_midstream)
        reason = Reason.PICKED_UP if is_midstream else Reason.OPENED
        return Decision(Verdict.ACCEPT, reason, (*earlier, opened))

    def _relate(self, packet: Packet, data: bytes, now: int, arrival: Zone) -> Decision:
        """An ICMP error passes if it is about a packet that went the other way in a session.

        It must be addressed to the sender of that packet, as in Linux (nf_conntrack_inet_error in
        net/netfilter/nf_conntrack_proto_icmp.c).
        """
        session = self.table.find(*packet.quoted) if packet.quoted is not None else None
        if session is not None and now - session.last_seen < session.lifetime:
            assert packet.quoted is not None
            quoted = _ORIGINAL if packet.quoted.key == session.key else _REPLY
            went_the_other_way = session.zone_of_end(quoted) is not arrival
            sender = flow_of(*packet.quoted).source
            if went_the_other_way and flow_of_packet(packet).destination == sender:
                return _ACCEPTED[Reason.RELATED]
        return self._refuse(data, now, arrival, Reason.UNRELATED_ICMP, packet=packet)

    def _follow(self, packet: Packet, data: bytes, now: int, arrival: Zone) -> Decision:
        """A later fragment goes the way of its first one."""
        if self._fragments.knows(packet.key, now):
            return _ACCEPTED[Reason.FRAGMENT]
        return self._refuse(data, now, arrival, Reason.UNKNOWN_FRAGMENT, packet=packet)

    def _filter(self, packet: Packet, data: bytes, now: int, arrival: Zone) -> Decision:
        """A router ACL: the rules see every packet, and nothing is remembered."""
        action, rule = judge(packet, arrival, self.policy.rules, self.policy.default_action)
        if action is Action.ALLOW:
            return _ACCEPTED[Reason.PERMITTED]
        reason, answer = _REFUSALS[action]
        return self._refuse(data, now, arrival, reason, packet=packet, answer=answer, rule=rule)

    def _refuse(
        self,
        data: bytes,
        now: int,
        arrival: Zone,
        reason: Reason,
        earlier: Effects = (),
        *,
        packet: Packet | None = None,
        length: int = 0,
        answer: Answer = Answer.NOTHING,
        rule: int | None = None,
        session: int | None = None,
    ) -> Decision:
        """The packet goes no further; its sender hears of it or not."""
        flow = None
        segment = None
        spoken: Effects = ()
        if packet is not None:
            length, segment = packet.length, packet.segment
            flow = flow_of_packet(packet)
            injected = self._answer(data, packet, answer, arrival)
            if injected is None:
                answer = Answer.NOTHING
            else:
                spoken = (PacketInjected(now, injected, arrival, answer.word, session),)
        refused = PacketRefused(now, reason, answer, arrival, flow, segment, length, session, rule)
        return Decision(Verdict.DROP, reason, (*earlier, refused, *spoken))

    def _answer(self, data: bytes, packet: Packet, answer: Answer, arrival: Zone) -> bytes | None:
        """The packet that tells the sender; never in answer to a RST or to an ICMP error."""
        if (
            answer is Answer.NOTHING
            or packet.segment is Segment.RST
            or packet.kind in (Kind.ERROR, Kind.FRAGMENT)
        ):
            return None
        if answer is Answer.RESET:
            return forge.reset_for(packet)
        flow = flow_of_packet(packet)
        if is_multicast(flow.destination):  # no error in answer to these (RFC 1122 section 3.2.2)
            return None
        own = self._addresses.get((arrival, flow.version))
        return forge.rejection_of(data, flow, own)

    # -- time ---------------------------------------------------------------------------------

    def tick(self, now: int) -> Effects:
        """End the sessions that are due by `now`, looking at no more than `SWEEP` of them.

        Calling it early, late or twice changes no verdict: `handle` checks deadlines itself.  As
        long as `next_deadline` is not after `now` there is more to do.
        """
        if self._up_at is not None and now >= self._up_at:
            self._come_up()
        effects: list[Effect] = []
        looks = Looks(SWEEP)
        while (session := self.table.expiry.due(now, looks)) is not None:
            effects += self._expire(session)
        return tuple(effects)

    def next_deadline(self) -> int | None:
        """Nothing happens by itself before this instant; None if nothing ever will.

        A session may end by its timer, or a reboot be over.  The answer may change with every other
        call.
        """
        if self._up_at is not None:  # and the table is empty
            return self._up_at
        return self.table.expiry.next_look()

    # -- operators ----------------------------------------------------------------------------

    def flush(self, now: int) -> Effects:
        """Empty the table, silently."""
        self._fragments.forget_all()
        return (*self._end_due(now), *self._end_all(self.table, now, EndReason.FLUSHED))

    def kill(self, numbers: Iterable[int], now: int, notify: AtExpiry) -> Effects:
        """End these sessions (unknown numbers are passed over), with RSTs where `notify` says."""
        effects = self._end_due(now)
        for number in numbers:
            session = self.table.get(number)
            if session is not None:
                effects += self._end(session, now, EndReason.KILLED, _RESETS[notify])
        return tuple(effects)

    def reconfigure(self, policy: Policy, now: int) -> Effects:
        """Follow another policy from now on; sessions that are open get its timers.

        A session keeps its rule's timeout as long as that rule stands at the same place.  A smaller
        capacity evicts at once; a change of mode empties the table.
        """
        effects = self._end_due(now)
        before, self.policy = self.policy, policy
        self._apply(policy)
        if policy.mode is not before.mode:
            effects += self.flush(now)
        if policy.when_full is not before.when_full:
            self.table.set_eviction(policy.when_full)
            self._seen = self.table.eviction.seen
        for session in self.table:
            if session.rule is not None and session.rule >= len(policy.rules):
                session.rule = None
            session.lifetimes = self._lifetimes_of_rule[session.rule]
            session.lifetime = session.lifetimes[session.state]
            self.table.expiry.moved(session)
            if session.deadline <= now:  # its new timer has run out: now, not before it was set
                effects += self._expire(session, now)
        while len(self.table) > policy.capacity:
            victim = self.table.eviction.victim() or self.table.oldest
            effects += self._end(victim, now, EndReason.EVICTED)
        return tuple(effects)

    def fail_over(self, now: int, peer: Standby | None = None, lag: int = 0) -> Effects:
        """The peer takes over; without one that was kept up to date it knows nothing.

        What it knows is as old as `lag`: sessions opened since are lost, states are those of then,
        and sessions that ended since are there again, with new numbers.  All timers begin anew, and
        the numbers of TCP connections are not known.  It is up, whatever the other one was.
        """
        effects = self._end_due(now)
        self._fragments.forget_all()
        self._come_up()
        if peer is None:
            return (*effects, *self._end_all(self.table, now, EndReason.FAILED_OVER))
        peer.follow(effects)
        unheard = peer.unheard(now - lag)
        known = []
        for session in self.table:
            if session.id in unheard.opened:
                effects += self._end(session, now, EndReason.FAILED_OVER)
            else:
                self.table.remove(session)
                known.append(session)
        for session in known:
            before = session.state
            take_over(session, unheard.states.get(session.id, before), now)
            self.table.add(session)
            if session.state is not before:
                effects.append(StateChanged(now, session.id, before, session.state))
        if self.policy.mode is Mode.STATEFUL:
            room = self.policy.capacity - len(self.table)
            ended = sorted(unheard.ended.values(), key=lambda ended: ended.id)
            effects += [self._restore(each, now) for each in ended[:room]]
        return tuple(effects)

    def reboot(self, now: int, outage: int) -> Effects:
        """Forget everything, tell nobody, and let nothing pass for `outage` nanoseconds."""
        self._fragments.forget_all()
        effects = self._end_due(now)
        self._up_at = now + outage
        self._apply(self.policy)
        return (*effects, *self._end_all(self.table, now, EndReason.REBOOTED))

    def _restore(self, ended: SessionEnded, now: int) -> SessionOpened:
        """A session that ended, of which the peer has not heard, goes on there."""
        rule = ended.rule if ended.rule in self._lifetimes_of_rule else None
        self._last_number += 1
        session = Session(
            self._last_number,
            ended.flow.protocol,
            *keys_of(ended.flow),
            ended.zone,
            ended.state,
            rule,
            self._lifetimes_of_rule[rule],
            ended.opened,
        )
        take_over(session, ended.state, now)
        original, reply = session.ends
        original.packets, original.octets, reply.packets, reply.octets = ended.traffic
        self.table.add(session)
        return SessionOpened(now, session.id, ended.flow, ended.zone, ended.state, rule, False)

    def _come_up(self) -> None:
        """A reboot is over."""
        self._up_at = None
        self._apply(self.policy)

    def _wait(self, packet: Packet, data: bytes, now: int, arrival: Zone) -> Decision:
        """Nothing passes while the firewall is on its way up."""
        assert self._up_at is not None
        if now < self._up_at:
            return self._refuse(data, now, arrival, Reason.REBOOTING, packet=packet)
        self._come_up()
        return self._by_kind[packet[0]](packet, data, now, arrival)

    # -- sessions -----------------------------------------------------------------------------

    def _apply(self, policy: Policy) -> None:
        """What is worked out once a policy, so that no packet has to."""
        self._window_check = policy.window_check
        self._lifetimes_of_rule: dict[int | None, Lifetimes] = {None: policy.lifetimes}
        for index, rule in enumerate(policy.rules):
            self._lifetimes_of_rule[index] = (
                policy.lifetimes
                if rule.idle_timeout is None
                else with_idle_timeout(policy.lifetimes, rule.idle_timeout)
            )
        special = {Kind.ERROR: self._relate, Kind.FRAGMENT: self._follow}
        self._by_kind = [
            self._filter if policy.mode is Mode.ACL else special.get(kind, self._track)
            for kind in Kind
        ]
        if self._up_at is not None:
            self._by_kind = [self._wait for _ in Kind]

    def _make_room(self, now: int) -> tuple[bool, Effects]:
        """Room for one more session: those that are due go first, then whom the policy names."""
        table = self.table
        if len(table) < self.policy.capacity:
            return True, ()
        due = table.expiry.due(now, Looks(SWEEP))
        if due is not None:
            return True, self._expire(due)
        victim = table.eviction.victim()
        if victim is None:
            return False, ()
        return True, self._end(victim, now, EndReason.EVICTED)

    def _expire(self, session: Session, at: int | None = None) -> Effects:
        """Its timer has run out: it ended at its deadline, however late that is noticed."""
        reason = END_OF_STATE[session.state]
        resets = _RESETS[self.policy.at_expiry] if session.state is State.ESTABLISHED else ()
        return self._end(session, session.deadline if at is None else at, reason, resets)

    def _end_due(self, now: int) -> list[Effect]:
        """End all that are due, so that an operator's action never claims or raises the dead."""
        effects: list[Effect] = []
        while (session := self.table.expiry.due(now)) is not None:
            effects += self._expire(session)
        return effects

    def _end_all(self, sessions: Iterable[Session], now: int, reason: EndReason) -> Effects:
        effects: list[Effect] = []
        for session in sessions:
            effects += self._end(session, now, reason)
        return tuple(effects)

    def _end(
        self,
        session: Session,
        at: int,
        reason: EndReason,
        resets: Iterable[Direction] = (),
    ) -> Effects:
        """Forget a session; tell the named ends by RST."""
        self.table.remove(session)
        original, reply = session.ends
        ended = SessionEnded(
            at,
            session.id,
            session.flow,
            session.zone,
            reason,
            session.state,
            session.opened,
            session.last_seen,
            Traffic(original.packets, original.octets, reply.packets, reply.octets),
            session.rule,
        )
        if session.protocol != TCP:
            return (ended,)
        packets = ((toward, forge.reset_of(session, toward)) for toward in resets)
        return (
            ended,
            *(
                PacketInjected(at, packet, session.zone_of_end(toward), "reset", session.id)
                for toward, packet in packets
                if packet is not None
            ),
        )
