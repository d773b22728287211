"""What becomes of a fragment, and of those that have waited for it.

`fragments` remembers the datagrams; here they are judged, by their first fragments.
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

    `recount` is told of every packet that was counted as held: its reason now, and its length.
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
        """A first fragment is judged like a whole packet; later ones go its way, or wait for it."""
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
        elif fragment.start == 0:
            decision = self._judge_first(datagram, fragment, data, now, zone)
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
        """Drop what has waited too long, and forget its datagrams."""
        effects: Effects = ()
        while (datagram := self._memory.take_due(now)) is not None:
            deadline = datagram.since + self._memory.limits.timeout
            effects += self._release(datagram.held, Reason.FRAGMENT_TIMEOUT, deadline)
        return effects

    def drop_held(self, now: int) -> Effects:
        """Drop every packet that is held, and forget of which datagrams parts have passed."""
        effects = self.time_out(now)
        while len(self._memory):
            waited = self._memory.take_oldest().held
            effects += self._release(waited, Reason.UNKNOWN_FRAGMENT, now)
        return effects

    def _judge_first(
        self, datagram: Datagram, fragment: Fragment, data: bytes, now: int, zone: Zone
    ) -> Decision:
        """What would become of the datagram if it came whole."""
        if isinstance(fragment.packet, Malformed):
            arrival = Arrival(fragment.packet, data, now, zone)
            return self._refusals.refuse(arrival, fragment.packet.reason)
        packet = datagram.whole(fragment)
        decision = self._handlers[packet.kind](packet, data, now, zone)
        if decision.verdict:
            datagram.first = fragment
        return decision

    def _lengthen(self, datagram: Datagram) -> None:
        """A TCP segment whose end was not in its first fragment ends here."""
        assert datagram.first is not None
        packet = datagram.whole(datagram.first)
        is_tcp = packet.kind is Kind.TCP
        session = self._table.find(packet.protocol, packet.key) if is_tcp else None
        if session is not None and session.tcp is not None:
            direction = Direction.ORIGINAL if packet.key == session.key else Direction.REPLY
            tcp.lengthen(session.tcp, packet.end, direction)

    def _release(self, waited: Iterable[Held], reason: Reason, at: int) -> Effects:
        """Packets that were held get their verdict, and are counted by it."""
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
