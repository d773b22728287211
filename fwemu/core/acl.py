"""A router's access list: the rules decide about every packet, and no session is remembered."""

from __future__ import annotations

from typing import Final

from fwemu.core.arrival import Arrival
from fwemu.core.effects import Decision
from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Zone
from fwemu.core.packet import Fragment, Malformed, Packet
from fwemu.core.policy import Policy
from fwemu.core.reasons import Reason, Verdict
from fwemu.core.refusals import Refusals
from fwemu.core.rules import Action, Rule, first_match

_PERMITTED: Final = Decision(Verdict.ACCEPT, Reason.PERMITTED)

REPLIES: Final = (
    Rule(
        action=Action.ALLOW,
        name="established",
        arrival=Zone.OUTSIDE,
        protocols=frozenset({TCP}),
        established=True,
    ),
    Rule(
        action=Action.ALLOW,
        name="udp-high-ports",
        arrival=Zone.OUTSIDE,
        protocols=frozenset({UDP}),
        ports=((1024, 65535),),
    ),
    Rule(
        action=Action.ALLOW, name="icmp", arrival=Zone.OUTSIDE, protocols=frozenset({ICMP, ICMPV6})
    ),
)
"""What may be an answer to the inside: the end of a router's list, as in those of the 1990s
(http://www.skunk.net/computer/ciscofilters.htm)."""


class AccessList:
    """Applies the rules of a policy to each packet by itself (`acl` mode)."""

    def __init__(self, policy: Policy, refusals: Refusals) -> None:
        self._rules = policy.rules
        self._default_action = policy.default_action
        self._refusals = refusals

    def on_packet(self, packet: Packet, data: bytes, now: int, zone: Zone) -> Decision:
        """Accept a packet if the first rule that matches allows it, else refuse it."""
        action, rule = first_match(packet, zone, self._rules, self._default_action)
        if action is Action.ALLOW:
            return _PERMITTED
        return self._refusals.by_rule(Arrival(packet, data, now, zone), action, rule)

    def on_fragment(self, fragment: Fragment, data: bytes, now: int, zone: Zone) -> Decision:
        """Decide about a fragment at once: no fragment waits for the first one of its datagram.

        One that hides ports from the rules is refused (RFC 1858, RFC 3128).
        """
        packet = fragment.packet
        if fragment.cuts_header:
            arrival = Arrival(packet, data, now, zone)
            return self._refusals.refuse(arrival, Reason.OVERLAPPING_FRAGMENT)
        if isinstance(packet, Malformed):
            return self._refusals.refuse(Arrival(packet, data, now, zone), packet.reason)
        return self.on_packet(packet, data, now, zone)
