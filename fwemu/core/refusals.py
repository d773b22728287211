"""Refusals: the decision to drop a packet, and the answer to its sender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwemu.core import forge
from fwemu.core.arrival import Arrival
from fwemu.core.effects import Decision, Effects, PacketInjected, PacketRefused
from fwemu.core.flow import Zone, is_multicast
from fwemu.core.packet import Kind, Malformed, Packet, flow_of_packet
from fwemu.core.policy import Policy
from fwemu.core.reasons import Answer, InjectedKind, Reason, Verdict
from fwemu.core.rules import Action
from fwemu.core.tcp_table import Segment

Addresses = Mapping[tuple[Zone, int], bytes]
"""The firewall's own packed address towards a zone, by zone and IP version."""

_BY_RULE: Final = {
    Action.DENY: (Reason.DENIED, Answer.NOTHING),
    Action.REJECT: (Reason.REJECTED, Answer.REJECT),
}

_KINDS: Final = {Answer.RESET: InjectedKind.RESET, Answer.REJECT: InjectedKind.REJECT}
"""The kind of packet that gives an answer."""


class Refusals:
    """Refuses packets, and answers them where it may."""

    def __init__(self, policy: Policy, addresses: Addresses) -> None:
        self._ttl = policy.ttl
        self._addresses = addresses

    def refuse(
        self,
        arrival: Arrival[Packet | Malformed],
        reason: Reason,
        earlier: Effects = (),
        *,
        answer: Answer = Answer.NOTHING,
        rule: int | None = None,
        session: int | None = None,
    ) -> Decision:
        """Drop a packet; its sender gets `answer`, where that may be sent at all.

        `earlier` effects go before those of the refusal.  `rule` and `session` are the numbers of
        the rule that refuses it and of the session to which it pretends to belong.
        """
        packet, now, zone = arrival.packet, arrival.now, arrival.zone
        flow = None
        segment = None
        flags = 0
        spoken: Effects = ()
        if isinstance(packet, Packet):
            segment, flags = packet.segment, packet.flags
            flow = flow_of_packet(packet)
            injected = self._answer(packet, arrival.data, zone, answer)
            if injected is None:
                answer = Answer.NOTHING
            else:
                spoken = (PacketInjected(now, injected, zone, _KINDS[answer], session),)
        refused = PacketRefused(
            now, reason, answer, zone, flow, segment, packet.length, session, rule, flags
        )
        return Decision(Verdict.DROP, reason, (*earlier, refused, *spoken))

    def by_rule(
        self, arrival: Arrival[Packet], action: Action, rule: int | None, earlier: Effects = ()
    ) -> Decision:
        """Drop a packet that a rule, or the default action, does not allow."""
        reason, answer = _BY_RULE[action]
        return self.refuse(arrival, reason, earlier, answer=answer, rule=rule)

    def _answer(self, packet: Packet, data: bytes, zone: Zone, answer: Answer) -> bytes | None:
        """The packet that answers the sender; None for a RST, an ICMP error or a fragment."""
        if (
            answer is Answer.NOTHING
            or packet.segment is Segment.RST
            or packet.kind in (Kind.ERROR, Kind.FRAGMENT)
        ):
            return None
        if answer is Answer.RESET:
            return forge.reset_for(packet, self._ttl)
        flow = flow_of_packet(packet)
        if is_multicast(flow.destination):  # no error in answer to these (RFC 1122 section 3.2.2)
            return None
        own = self._addresses.get((zone, flow.version))
        return forge.rejection_of(data, flow, own, self._ttl)
