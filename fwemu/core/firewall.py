"""The only door: packets and time in, decisions and effects out.

Follow one packet through `handle`.  It is parsed (`packet`); its session is looked up (`table`);
the protocol says what it means for that session (`trackers`, `tcp_table`); where there is no
session, the rules say whether it may open one (`rules`), and the policy what an unknown packet
gets.  Whatever follows from that is an effect (`effects`), carried out by whoever called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeVar

from fwemu.core import forge, tcp
from fwemu.core.choices import AtExpiry, Mode, OnUnknown, Trust
from fwemu.core.effects import (
    Decision,
    Effect,
    KeepaliveSeen,
    PacketInjected,
    PacketRefused,
    PacketReleased,
    SessionEnded,
    SessionOpened,
    StateChanged,
    Traffic,
)
from fwemu.core.eviction import Choose
from fwemu.core.expiry import Looks
from fwemu.core.flow import TCP, UDP, Direction, Zone, flow_of, is_multicast
from fwemu.core.fragments import Datagram, Held, Reassembly
from fwemu.core.packet import (
    Fragment,
    Kind,
    Malformed,
    Packet,
    flow_of_packet,
    keys_of,
    parse,
    reverse_key,
)
from fwemu.core.policy import Policy
from fwemu.core.pressure import Pressure
from fwemu.core.reasons import Answer, EndReason, Reason, Verdict
from fwemu.core.rules import Action, judge
from fwemu.core.session import Session
from fwemu.core.standby import Standby, take_over
from fwemu.core.table import SessionTable
from fwemu.core.tcp_table import Cell, Segment, State
from fwemu.core.timeouts import DISCARDED_STATES, END_OF_STATE
from fwemu.core.timers import Timers
from fwemu.core.trackers import ASSURED_STATES, TRACK, first_state, needs_pick_up

Effects = tuple[Effect, ...]

Arrived = TypeVar("Arrived", contravariant=True)


class Judge(Protocol[Arrived]):
    """Decides about a packet of one kind."""

    def __call__(self, packet: Arrived, data: bytes, now: int, arrival: Zone, /) -> Decision: ...


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
    AtExpiry.PROBE: (),
}

_DISCARD: Final = {TCP: State.TCP_DISCARD, UDP: State.UDP_DISCARD}
"""The state in which a denial is remembered, by protocol; OTHER_DISCARD for the rest."""

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
        self._fragments = Reassembly(policy.fragments)
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
        if type(packet) is Packet:
            decision = self._by_kind[packet[0]](packet, data, now, arrival)
        else:
            decision = self._judge(packet, data, now, arrival)
        reason = decision[1]
        self.packets[reason] += 1
        self.octets[reason] += packet.length
        return decision

    def _judge(
        self, packet: Packet | Fragment | Malformed, data: bytes, now: int, arrival: Zone
    ) -> Decision:
        """Whatever it is."""
        if isinstance(packet, Packet):
            return self._by_kind[packet.kind](packet, data, now, arrival)
        if isinstance(packet, Fragment):
            return self._on_fragment(packet, data, now, arrival)
        return self._on_malformed(packet, data, now, arrival)

    def _track(self, packet: Packet, data: bytes, now: int, arrival: Zone) -> Decision:
        """A packet that has, may open, or ought to have a session."""
        session = self._find(packet.protocol, packet.key)
        if session is None:
            return self._begin(packet, data, now, arrival)
        idle = now - session.restarted
        if idle >= session.lifetime or self._pressure.is_on:
            earlier = self._catch_up(session, now)
            if session.queued < 0:  # it is gone
                return self._begin(packet, data, now, arrival, earlier)
            if earlier:  # its ends are being asked
                decision = self._track(packet, data, now, arrival)
                return decision._replace(effects=earlier + decision.effects)
        direction = _ORIGINAL if packet.key == session.key else _REPLY
        talk = session.talk
        is_keepalive = False
        state: State | Cell
        if session.state in DISCARDED_STATES:
            return self._refuse(
                data, now, arrival, Reason.DISCARDED, packet=packet, session=session.id
            )
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

    def _catch_up(self, session: Session, now: int) -> Effects:
        """Do what `tick` would have done with this session by now; it may be gone afterwards."""
        effects: Effects = ()
        while session.queued >= 0:
            idle, lifetime = now - session.restarted, session.lifetime
            if idle < lifetime and not (
                self._pressure.is_on and idle >= self._pressure.cut(lifetime)
            ):
                break
            effects += self._expire(session, min(session.deadline, now))
        return effects

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
        before = session.state
        if state is not before:
            session.restarted = now
            self.table.moved(session, state)
        if self._timers.is_plain:
            session.restarted = now
        else:
            self._keep_time(session, packet, direction, before, now, is_keepalive)
        if self._seen is not None:
            self._seen(session)
        end = session.ends[direction]
        end.packets += 1
        end.octets += packet.length
        if state is before and not is_keepalive:
            return _BELONGS
        effects: list[Effect] = []
        if is_keepalive:
            end.keepalives += 1
            effects.append(KeepaliveSeen(now, session.id, direction))
        if state is not before:
            effects.append(StateChanged(now, session.id, before, state, direction))
            if state in ASSURED_STATES and not session.assured:
                self.table.assured(session)
            if session.lifetime == 0:  # this device forgets at once, without a timer
                effects += self._end(session, now, END_OF_STATE[state])
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
        """Where the state alone does not say how long a session may be quiet."""
        is_answer = direction is _REPLY and self.policy.trust is Trust.ANSWERED
        if is_answer and not session.is_trusted:
            session.is_trusted = True
            session.lifetimes = self._timers.lifetimes(session.rule, is_trusted=True)
            self.table.assured(session)
        self._timers.passed(session, packet, direction, before, now, is_keepalive)
        self.table.expiry.moved(session)

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
        on_unknown = self._on_unknown(packet, arrival) if is_midstream else OnUnknown.DROP
        if not isinstance(state, State) or (is_midstream and on_unknown is not OnUnknown.PICK_UP):
            answer = _UNKNOWN_ANSWERS[on_unknown] if is_midstream else Answer.NOTHING
            return self._refuse(
                data, now, arrival, Reason.UNKNOWN_PACKET, earlier, packet=packet, answer=answer
            )
        action, rule = judge(packet, arrival, self.policy.rules, self.policy.default_action)
        if action is not Action.ALLOW:
            reason, answer = _REFUSALS[action]
            remembered = self._remember_denial(packet, now, arrival, rule)
            return self._refuse(
                data,
                now,
                arrival,
                reason,
                earlier + remembered,
                packet=packet,
                answer=answer,
                rule=rule,
            )
        if reused is not None:
            earlier += self._end(reused, now, EndReason.REUSED)
        has_room, evicted = self._make_room(now)
        earlier += evicted
        if not has_room:
            return self._refuse(
                data, now, arrival, Reason.TABLE_FULL, earlier, packet=packet, rule=rule
            )
        is_trusted = not is_midstream or self.policy.trust is Trust.AT_ONCE
        session = self._open(packet, now, arrival, state, rule, is_trusted=is_trusted)
        if session.talk is not None:
            session.talk.open(packet)
        if is_midstream and is_trusted:
            self.table.assured(session)
        opened = SessionOpened(now, session.id, session.flow, arrival, state, rule, is_midstream)
        reason = Reason.PICKED_UP if is_midstream else Reason.OPENED
        return Decision(Verdict.ACCEPT, reason, (*earlier, opened))

    def _open(
        self,
        packet: Packet,
        now: int,
        arrival: Zone,
        state: State,
        rule: int | None,
        *,
        is_trusted: bool,
    ) -> Session:
        """Put a new session into the table; there must be room."""
        self._last_number += 1
        session = Session(
            self._last_number,
            packet.protocol,
            packet.key,
            reverse_key(packet),
            arrival,
            state,
            rule,
            self._timers.lifetimes(rule, is_trusted=is_trusted),
            now,
        )
        session.is_trusted = is_trusted
        session.ends[_ORIGINAL].packets = 1
        session.ends[_ORIGINAL].octets = packet.length
        if not self._timers.is_plain:
            self._timers.begin(session)
        self.table.add(session)
        self._pressure.counted(len(self.table), now)
        return session

    def _remember_denial(
        self, packet: Packet, now: int, arrival: Zone, rule: int | None
    ) -> Effects:
        """Open a session that discards, if the policy has a timer for it and the table room."""
        state = _DISCARD.get(packet.protocol, State.OTHER_DISCARD)
        if self.policy.lifetimes[state] == 0 or len(self.table) >= self.policy.capacity:
            return ()
        if self.table.find(packet.protocol, packet.key) is not None:  # a SYN that was to reopen
            return ()
        session = self._open(packet, now, arrival, state, rule, is_trusted=True)
        return (SessionOpened(now, session.id, session.flow, arrival, state, rule, False),)

    def _on_unknown(self, packet: Packet, arrival: Zone) -> OnUnknown:
        """What this unknown packet gets: what the rule says that allows its flow, or the policy.

        The rule speaks of the flow as it is opened; the packet may go the other way.
        """
        if self._rules_answer:
            back = packet._replace(key=reverse_key(packet), segment=Segment.SYN)
            for rule in self.policy.rules:
                if rule.action is Action.ALLOW and (
                    rule.matches(packet, arrival) or rule.matches(back, arrival.other)
                ):
                    return rule.on_unknown or self.policy.on_unknown[arrival]
        return self.policy.on_unknown[arrival]

    def _relate(self, packet: Packet, data: bytes, now: int, arrival: Zone) -> Decision:
        """An ICMP error passes if it is about a packet that went the other way in a session.

        It must be addressed to the sender of that packet, as in Linux (nf_conntrack_inet_error in
        net/netfilter/nf_conntrack_proto_icmp.c).
        """
        session = self.table.find(*packet.quoted) if packet.quoted is not None else None
        earlier: Effects = ()
        if session is not None:
            earlier = self._catch_up(session, now)
        if (
            session is not None
            and session.queued >= 0
            and session.state not in DISCARDED_STATES  # none of its packets has passed
        ):
            assert packet.quoted is not None
            quoted = _ORIGINAL if packet.quoted.key == session.key else _REPLY
            went_the_other_way = session.zone_of_end(quoted) is not arrival
            sender = flow_of(*packet.quoted).source
            if went_the_other_way and flow_of_packet(packet).destination == sender:
                related = _ACCEPTED[Reason.RELATED]
                return related._replace(effects=earlier) if earlier else related
        return self._refuse(data, now, arrival, Reason.UNRELATED_ICMP, earlier, packet=packet)

    def _follow(self, fragment: Fragment, data: bytes, now: int, arrival: Zone) -> Decision:
        """A first fragment is judged like a whole packet; later ones go its way, or wait for it."""
        earlier = self._time_out_fragments(now)
        later: Effects = ()
        memory, packet = self._fragments, fragment.packet
        datagram = memory.find(fragment, arrival)
        if datagram is None:
            while len(memory) >= memory.limits.datagrams:
                oldest = memory.take_oldest()
                earlier += self._release(oldest.held, Reason.TOO_MANY_FRAGMENTS, now)
            datagram = memory.begin(fragment, arrival, now)
        problem = memory.problem_with(datagram, fragment)
        if problem is not None:
            decision = self._refuse_any(packet, problem, data, now, arrival)
            later = self._release(memory.settle(datagram, problem), problem, now)
        elif fragment.start == 0:
            decision = self._judge_first(datagram, fragment, data, now, arrival)
            if datagram.fate is None:
                fate = Reason.FRAGMENT if decision.verdict else Reason.UNKNOWN_FRAGMENT
                later = self._release(memory.settle(datagram, fate), fate, now)
        elif datagram.fate is Reason.FRAGMENT:
            decision = _ACCEPTED[Reason.FRAGMENT]
            self._lengthen(datagram)
        else:
            assert isinstance(packet, Packet)
            ticket = memory.hold(datagram, packet, arrival)
            decision = Decision(Verdict.HOLD, Reason.HELD, (), ticket)
        if earlier or later:
            return decision._replace(effects=(*earlier, *decision.effects, *later))
        return decision

    def _judge_first(
        self, datagram: Datagram, fragment: Fragment, data: bytes, now: int, arrival: Zone
    ) -> Decision:
        """What would become of the datagram if it came whole."""
        if isinstance(fragment.packet, Malformed):
            return self._refuse_any(fragment.packet, fragment.packet.reason, data, now, arrival)
        packet = datagram.whole(fragment)
        decision = self._by_kind[packet.kind](packet, data, now, arrival)
        if decision.verdict:
            datagram.first = fragment
        return decision

    def _lengthen(self, datagram: Datagram) -> None:
        """A TCP segment whose end was not in its first fragment ends here."""
        assert datagram.first is not None
        packet = datagram.whole(datagram.first)
        session = self._find(packet.protocol, packet.key) if packet.kind is Kind.TCP else None
        if session is not None and session.talk is not None:
            direction = _ORIGINAL if packet.key == session.key else _REPLY
            tcp.lengthen(session.talk, packet.end, direction)

    def _time_out_fragments(self, now: int) -> Effects:
        """Drop what has waited too long, and forget its datagrams."""
        effects: Effects = ()
        while (datagram := self._fragments.take_due(now)) is not None:
            deadline = datagram.since + self._fragments.limits.timeout
            effects += self._release(datagram.held, Reason.FRAGMENT_TIMEOUT, deadline)
        return effects

    def _release(self, waited: Iterable[Held], reason: Reason, at: int) -> Effects:
        """Packets that were held get their verdict, and are counted by it."""
        effects: list[Effect] = []
        for ticket, packet, zone in waited:
            flow, length = flow_of_packet(packet), packet.length
            for counts, amount in ((self.packets, 1), (self.octets, length)):
                counts[Reason.HELD] -= amount
                counts[reason] += amount
            effects.append(PacketReleased(at, ticket, reason, zone, flow, length))
            if reason is not Reason.FRAGMENT:
                effects.append(
                    PacketRefused(at, reason, Answer.NOTHING, zone, flow, None, length, None, None)
                )
        return tuple(effects)

    def _filter_fragment(
        self, fragment: Fragment, data: bytes, now: int, arrival: Zone
    ) -> Decision:
        """A router ACL waits for nothing, and refuses what hides ports from it (RFC 1858, 3128)."""
        packet = fragment.packet
        if fragment.cuts_header:
            return self._refuse_any(packet, Reason.OVERLAPPING_FRAGMENT, data, now, arrival)
        if isinstance(packet, Malformed):
            return self._refuse_any(packet, packet.reason, data, now, arrival)
        return self._filter(packet, data, now, arrival)

    def _refuse_malformed(
        self, packet: Malformed, data: bytes, now: int, arrival: Zone
    ) -> Decision:
        """Not a packet: dropped, whatever the policy says."""
        return self._refuse_any(packet, packet.reason, data, now, arrival)

    def _refuse_any(
        self, packet: Packet | Malformed, reason: Reason, data: bytes, now: int, arrival: Zone
    ) -> Decision:
        """Drop, without an answer, what may be no packet at all."""
        if isinstance(packet, Malformed):
            return self._refuse(data, now, arrival, reason, length=packet.length)
        return self._refuse(data, now, arrival, reason, packet=packet)

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
        flags = 0
        spoken: Effects = ()
        if packet is not None:
            length, segment, flags = packet.length, packet.segment, packet.flags
            flow = flow_of_packet(packet)
            injected = self._answer(data, packet, answer, arrival)
            if injected is None:
                answer = Answer.NOTHING
            else:
                spoken = (PacketInjected(now, injected, arrival, answer.word, session),)
        refused = PacketRefused(
            now, reason, answer, arrival, flow, segment, length, session, rule, flags
        )
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
            return forge.reset_for(packet, self.policy.ttl)
        flow = flow_of_packet(packet)
        if is_multicast(flow.destination):  # no error in answer to these (RFC 1122 section 3.2.2)
            return None
        own = self._addresses.get((arrival, flow.version))
        return forge.rejection_of(data, flow, own, self.policy.ttl)

    # -- time ---------------------------------------------------------------------------------

    def tick(self, now: int) -> Effects:
        """End the sessions that are due by `now`, looking at no more than `SWEEP` of them.

        Calling it early, late or twice changes no verdict: `handle` checks deadlines itself.  As
        long as `next_deadline` is not after `now` there is more to do.
        """
        if self._up_at is not None and now >= self._up_at:
            self._come_up()
        effects = list(self._time_out_fragments(now))
        looks = Looks(SWEEP)
        while (session := self.table.expiry.due(now, looks)) is not None:
            effects += self._expire(session)
        for session in self._pressure.over(self.table, now, looks):
            effects += self._expire(session, now)
        return tuple(effects)

    def next_deadline(self) -> int | None:
        """Nothing happens by itself before this instant; None if nothing ever will.

        A session may end by its timer, or a reboot be over.  The answer may change with every other
        call.
        """
        if self._up_at is not None:  # and the table is empty
            return self._up_at
        looks = (
            self.table.expiry.next_look(),
            self._pressure.next_look(),
            self._fragments.next_deadline(),
        )
        return min((instant for instant in looks if instant is not None), default=None)

    # -- operators ----------------------------------------------------------------------------

    def flush(self, now: int) -> Effects:
        """Empty the table, silently."""
        ended = self._end_due(now)
        return (*self.drop_held(now), *ended, *self._end_all(self.table, now, EndReason.FLUSHED))

    def drop_held(self, now: int) -> Effects:
        """Drop every packet that is held, and forget of which datagrams parts have passed."""
        effects = self._time_out_fragments(now)
        while len(self._fragments):
            waited = self._fragments.take_oldest().held
            effects += self._release(waited, Reason.UNKNOWN_FRAGMENT, now)
        return effects

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
            session.lifetimes = self._timers.lifetimes(session.rule, is_trusted=session.is_trusted)
            self._timers.begin(session)
            self.table.expiry.moved(session)
            if session.deadline <= now:  # its new timer has run out: now, not before it was set
                effects += self._expire(session, now)
        while len(self.table) > policy.capacity:
            victim = self.table.eviction.victim() or self.table.oldest
            effects += self._end(victim, now, EndReason.EVICTED)
        self._pressure.counted(len(self.table), now)
        return tuple(effects)

    def fail_over(self, now: int, peer: Standby | None = None, lag: int = 0) -> Effects:
        """The peer takes over; without one that was kept up to date it knows nothing.

        What it knows is as old as `lag`: sessions opened since are lost, states are those of then,
        and sessions that ended since are there again, with new numbers.  All timers begin anew, and
        the numbers of TCP connections are not known.  It is up, whatever the other one was.
        """
        effects = [*self._end_due(now), *self.drop_held(now)]
        if self._up_at is not None:
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
            self._timers.begin(session)
            self.table.add(session)
            if session.state is not before:
                effects.append(StateChanged(now, session.id, before, session.state, None))
        if self.policy.mode is Mode.STATEFUL:
            room = self.policy.capacity - len(self.table)
            young = [
                each for each in unheard.ended.values() if now - each.opened < self.policy.longest
            ]
            young.sort(key=lambda ended: ended.id)
            effects += [self._restore(each, now) for each in young[:room]]
        self._pressure.counted(len(self.table), now)
        return tuple(effects)

    def reboot(self, now: int, outage: int) -> Effects:
        """Forget everything, tell nobody, and let nothing pass for `outage` nanoseconds."""
        effects = self._end_due(now)
        held = self.drop_held(now)
        self._up_at = now + outage
        self._apply(self.policy)
        return (*effects, *held, *self._end_all(self.table, now, EndReason.REBOOTED))

    def _restore(self, ended: SessionEnded, now: int) -> SessionOpened:
        """A session that ended, of which the peer has not heard, goes on there."""
        rule = ended.rule
        if rule is not None and rule >= len(self.policy.rules):
            rule = None
        self._last_number += 1
        session = Session(
            self._last_number,
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
        self.table.add(session)
        return SessionOpened(now, session.id, ended.flow, ended.zone, ended.state, rule, False)

    def _come_up(self) -> None:
        """A reboot is over."""
        self._up_at = None
        self._apply(self.policy)

    def _wait(
        self, packet: Packet | Fragment | Malformed, data: bytes, now: int, arrival: Zone
    ) -> Decision:
        """Nothing passes while the firewall is on its way up."""
        assert self._up_at is not None
        if now < self._up_at:
            refused = packet.packet if isinstance(packet, Fragment) else packet
            return self._refuse_any(refused, Reason.REBOOTING, data, now, arrival)
        self._come_up()
        return self._judge(packet, data, now, arrival)

    # -- sessions -----------------------------------------------------------------------------

    def _apply(self, policy: Policy) -> None:
        """What is worked out once a policy, so that no packet has to."""
        self._window_check = policy.window_check
        self._timers = Timers(policy)
        self._pressure = Pressure(policy.pressure, policy.capacity)
        self._rules_answer = any(rule.on_unknown is not None for rule in policy.rules)
        is_acl = policy.mode is Mode.ACL
        special = {Kind.ERROR: self._relate}
        self._by_kind = [
            self._filter if is_acl else special.get(kind, self._track) for kind in Kind
        ]
        self._on_fragment: Judge[Fragment] = self._filter_fragment if is_acl else self._follow
        self._on_malformed: Judge[Malformed] = self._refuse_malformed
        self._fragments.limits = policy.fragments
        if self._up_at is not None:
            self._by_kind = [self._wait for _ in Kind]
            self._on_fragment = self._on_malformed = self._wait

    def _make_room(self, now: int) -> tuple[bool, Effects]:
        """Room for one more session: those that are due go first, then whom the policy names."""
        table = self.table
        if len(table) < self.policy.capacity:
            return True, ()
        effects: Effects = ()
        looks = Looks(SWEEP)
        while (due := table.expiry.due(now, looks)) is not None:
            effects += self._expire(due)
            if len(table) < self.policy.capacity:  # else it is asked whether it still lives
                return True, effects
        victim = table.eviction.victim()
        if victim is None:
            return False, effects
        return True, effects + self._end(victim, now, EndReason.EVICTED)

    def _expire(self, session: Session, at: int | None = None) -> Effects:
        """Its timer has run out: it ended at its deadline, however late that is noticed.

        With `probe` an established TCP session does not end yet: its ends are asked first.
        """
        if at is None:
            at = session.deadline
        if self._timers.is_of_age(session, at):
            return self._end(session, at, EndReason.LIFETIME)
        if session.state is not _ESTABLISHED:
            return self._end(session, at, END_OF_STATE[session.state])
        action = self.policy.at_expiry
        if session.rule is not None:
            action = self.policy.rules[session.rule].at_expiry or action
        if action is not AtExpiry.PROBE:
            return self._end(session, at, EndReason.EXPIRED, _RESETS[action])
        if session.probes < self.policy.probe.max_retries:
            probes = self._ask(session, at)
            if probes:
                return probes
        return self._end(session, at, EndReason.UNANSWERED if session.probes else EndReason.EXPIRED)

    def _ask(self, session: Session, at: int) -> Effects:
        """Ask the ends of a session that have not answered yet; nothing if none can be asked."""
        waiting = [end for end in Direction if not session.answered & 1 << end]
        probes = tuple(
            PacketInjected(at, packet, session.zone_of_end(end), "probe", session.id)
            for end in waiting
            if (packet := forge.probe_of(session, end, self.policy.ttl)) is not None
        )
        if probes:
            self._timers.ask_again(session, at, self.policy.probe.retry_interval)
        return probes

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
        self._pressure.counted(len(self.table), at)
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
        ttl, numbers = self.policy.ttl, self.policy.reset_numbers
        packets = ((toward, forge.reset_of(session, toward, ttl, numbers)) for toward in resets)
        return (
            ended,
            *(
                PacketInjected(at, packet, session.zone_of_end(toward), "reset", session.id)
                for toward, packet in packets
                if packet is not None
            ),
        )
