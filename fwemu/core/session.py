"""One entry of the table: what the firewall remembers of a conversation."""

from __future__ import annotations

from typing import Final

from fwemu.core.flow import Direction, Flow, Zone, flow_of
from fwemu.core.packet import Packet
from fwemu.core.seq import HALF
from fwemu.core.tcp_table import Segment, State
from fwemu.core.timeouts import Lifetimes

_SYN, _ACK, _RST = Segment.SYN, Segment.ACK, Segment.RST


class End:
    """What was seen from one of the two ends."""

    __slots__ = ("acked", "next", "octets", "packets")

    def __init__(self) -> None:
        self.packets = 0
        self.octets = 0
        # TCP only; None until a segment told.
        self.next: int | None = None
        """The sequence number after the last octet it sent (SND.NXT, RFC 9293)."""
        self.acked: int | None = None
        """The last number it acknowledged: what it expects next (RCV.NXT)."""

    def sends(self, packet: Packet, peer: End) -> bool:
        """Count a packet from this end; is it a keepalive probe?

        A probe is an ACK one below the next sequence number, with no octet or a useless one, while
        nothing is outstanding (RFC 9293 section 3.8.4).
        """
        _, _, _, length, segment, seq, ack, end, _, _ = packet
        self.packets += 1
        self.octets += length
        if segment is None:
            return False
        before = self.next
        if end != before and (before is None or 0 < end - before & 0xFFFFFFFF < HALF):
            self.next = end
        if segment is _SYN or segment is _RST:
            return False
        acked = self.acked
        if ack != acked and (acked is None or 0 < ack - acked & 0xFFFFFFFF < HALF):
            self.acked = ack
        if before is None or before - seq & 0xFFFFFFFF != 1:
            return False
        return segment is _ACK and end - seq & 0xFFFFFFFF <= 1 and peer.acked == before


class Session:
    """A session of the table; compared and hashed by identity."""

    __slots__ = (
        "assured",
        "ends",
        "id",
        "key",
        "last_seen",
        "lifetime",
        "lifetimes",
        "opened",
        "protocol",
        "queued",
        "reply_key",
        "rule",
        "slot",
        "state",
        "zone",
    )

    def __init__(
        self,
        number: int,
        protocol: int,
        key: bytes,
        reply_key: bytes,
        zone: Zone,
        state: State,
        rule: int | None,
        lifetimes: Lifetimes,
        now: int,
    ) -> None:
        # set once
        self.id: Final = number
        self.protocol: Final = protocol
        self.key: Final = key
        self.reply_key: Final = reply_key
        self.zone: Final = zone
        """Where its first packet came from."""
        self.opened: Final = now
        # changed by packets
        self.state = state
        self.last_seen = now
        self.lifetime = lifetimes[state]
        """How long it may be quiet from `last_seen` on, in its present state."""
        self.assured = False
        """Both ends have answered each other: TCP handshake complete, UDP replied."""
        self.ends: Final = (End(), End())
        """By direction: the end that sends in it."""
        # changed by an operator
        self.rule = rule
        """Index of the rule that let it in; None for the default action."""
        self.lifetimes = lifetimes
        # bookkeeping of the queues it stands in
        self.queued = -1
        """The deadline under which the expiry queue holds it."""
        self.slot = -1
        """Its place in the list from which random eviction chooses."""

    @property
    def deadline(self) -> int:
        """The instant from which it counts as forgotten."""
        return self.last_seen + self.lifetime

    @property
    def flow(self) -> Flow:
        """Its endpoints, in the original direction."""
        return flow_of(self.protocol, self.key)

    def zone_of_end(self, direction: Direction) -> Zone:
        """The zone of the end that sends in this direction."""
        return self.zone if direction is Direction.ORIGINAL else self.zone.other
