"""Verdicts on fragments: the first one of a datagram decides, the others get its verdict.

`fragments.py` remembers the datagrams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fwemu.core import tcp
from fwemu.core.arrival import Arrival, PacketHandler
from fwemu.core.effects import Decision, Effect, Effects, PacketRefused, PacketReleased
from fwemu.core.flow import Direction, Zone
from fwemu.core.fragments import Datagram, Held, Reassembly
from fwemu.core.packet import Fragment, Kind, Malformed, Packet, flow_of_packet
from fwemu.core.reasons import Answer, Reason, Verdict
from fwemu.core.refusals import Refusals
from fwemu.core.table import SessionTable

_FOLLOWS: Final = Decision(Verdict.ACCEPT, Reason.FRAGMENT)


class FragmentVerdicts:
    """Decides about fragments as `handlers`, by kind, do about whole packets.

    `recount` is called for every packet that was counted as held: with its reason and length.
    """

    def __init__(
        self,
        memory: Reassembly,
        table: SessionTable,
        handlers: Sequence[PacketHandler[Packet]],
        refusals: Refusals,
        recount: Callable[[Reason, int], None],
    ) -> None:
        self._memory = memory
        self._table = table
        self._handlers = handlers
        self._refusals = refusals
        self._recount = recount

    def on_fragment(self, fragment: Fragment, data: bytes, now: int, zone: Zone) -> Decision:
        """Decide about a first fragment as if it were whole; later ones follow or wait for it."""
        earlier = self.time_out(now)
        later: Effects = ()
        memory, packet = self._memory, fragment.packet
        datagram = memory.find(fragment, zone)
        if datagram is None:
            while len(memory) >= memory.limits.datagrams:
                oldest = memory.take_oldest()
                earlier += self._release(oldest.held, Reason.TOO_MANY_FRAGMENTS, now)
            datagram = memory.begin(fragment, zone, now)
        problem = memory.problem_with(datagram, fragment)
        if problem is not None:
            decision = self._refusals.refuse(Arrival(packet, data, now, zone), problem)
            later = self._release(memory.settle(datagram, problem), problem, now)
        elif fragment.offset == 0:
            decision = self._decide_first(datagram, fragment, data, now, zone)
            if datagram.fate is None:
                fate = Reason.FRAGMENT if decision.verdict else Reason.UNKNOWN_FRAGMENT
                later = self._release(memory.settle(datagram, fate), fate, now)
        elif datagram.fate is Reason.FRAGMENT:
            decision = _FOLLOWS
            self._lengthen(datagram)
        else:
            assert isinstance(packet, Packet)
            ticket = memory.hold(datagram, packet, zone)
            decision = Decision(Verdict.HOLD, Reason.HELD, (), ticket)
        if earlier or later:
            return decision._replace(effects=(*earlier, *decision.effects, *later))
        return decision

    def time_out(self, now: int) -> Effects:
        """Drop fragments that have waited too long, and forget their datagrams."""
        effects: Effects = ()
        while (datagram := self._memory.take_due(now)) is not None:
            deadline = datagram.since + self._memory.limits.timeout
            effects += self._release(datagram.held, Reason.FRAGMENT_TIMEOUT, deadline)
        return effects

    def drop_held(self, now: int) -> Effects:
        """Drop every packet that is held, and forget all datagrams of which fragments were seen."""
        effects = self.time_out(now)
        while len(self._memory):
            waited = self._memory.take_oldest().held
            effects += self._release(waited, Reason.UNKNOWN_FRAGMENT, now)
        return effects

    def _decide_first(
        self, datagram: Datagram, fragment: Fragment, data: bytes, now: int, zone: Zone
    ) -> Decision:
        """Decide about a datagram by its first fragment, as if it came whole."""
        if isinstance(fragment.packet, Malformed):
            arrival = Arrival(fragment.packet, data, now, zone)
            return self._refusals.refuse(arrival, fragment.packet.reason)
        packet = datagram.whole(fragment)
        decision = self._handlers[packet.kind](packet, data, now, zone)
        if decision.verdict:
            datagram.first = fragment
        return decision

    def _lengthen(self, datagram: Datagram) -> None:
        """Tell its session where a TCP segment ends that began in an earlier fragment."""
        assert datagram.first is not None
        packet = datagram.whole(datagram.first)
        is_tcp = packet.kind is Kind.TCP
        session = self._table.find(packet.protocol, packet.key) if is_tcp else None
        if session is not None and session.tcp is not None:
            direction = Direction.ORIGINAL if packet.key == session.key else Direction.REPLY
            tcp.lengthen(session.tcp, packet.seq_end, direction)

    def _release(self, waited: Iterable[Held], reason: Reason, at: int) -> Effects:
        """Give held packets their verdict, and count them by it."""
        effects: list[Effect] = []
        for ticket, packet, zone in waited:
            flow, length = flow_of_packet(packet), packet.length
            self._recount(reason, length)
            effects.append(PacketReleased(at, ticket, reason, zone, flow, length))
            if reason is not Reason.FRAGMENT:
                effects.append(
                    PacketRefused(at, reason, Answer.NOTHING, zone, flow, None, length, None, None)
                )
        return tuple(effects)
