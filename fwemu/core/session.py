"""A session: one entry of the table, with all that the firewall remembers of a conversation."""

from __future__ import annotations

from typing import Final

from fwemu.core.endpoint import Endpoint
from fwemu.core.flow import TCP, Direction, Flow, Zone, flow_of
from fwemu.core.tcp import TcpConnection
from fwemu.core.tcp_table import State
from fwemu.core.timeouts import Lifetimes


class Session:
    """A session of the table; compared and hashed by identity."""

    __slots__ = (
        "assured",
        "ends",
        "id",
        "is_trusted",
        "keepalive_pending",
        "key",
        "last_seen",
        "lifetime",
        "lifetimes",
        "opened",
        "probe_answers",
        "probes_sent",
        "protocol",
        "queued",
        "reply_key",
        "restarted",
        "rule",
        "slot",
        "state",
        "tcp",
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
        """The zone that its first packet came from."""
        self.opened: Final = now
        # changed by packets
        self.state = state
        self.last_seen = now
        self.restarted = now
        """The instant at which its idle timer was last restarted: not every packet does that."""
        self.lifetime = lifetimes[state]
        """Nanoseconds that the timer runs from then on."""
        self.assured = False
        """Both ends have answered each other: TCP handshake complete, UDP replied."""
        self.tcp: Final = TcpConnection(now) if protocol == TCP else None
        """The TCP connection (its ends and their numbers); None for other protocols."""
        self.ends: Final[tuple[Endpoint, Endpoint]] = (
            self.tcp.ends if self.tcp else (Endpoint(now), Endpoint(now))
        )
        """By direction: the end that sends in it."""
        self.is_trusted = True
        """It may count as established: its handshake was seen, or the policy asks for none."""
        self.keepalive_pending: Direction | None = None
        """The direction from which the answer to a keepalive probe is due; None without one."""
        self.probes_sent = 0
        """How often the firewall has probed its ends since the timer ran out."""
        self.probe_answers = 0
        """The ends that have answered these probes: a bit for each direction."""
        # changed by an operator
        self.rule = rule
        """Index of the rule that let it in; None for the default action."""
        self.lifetimes = lifetimes
        # bookkeeping of the queues it stands in
        self.queued = -1
        """The deadline under which the expiry queue holds it; -1 if it does not."""
        self.slot = -1
        """Its place in the list from which random eviction chooses."""

    @property
    def deadline(self) -> int:
        """The instant at which its idle timer runs out."""
        return self.restarted + self.lifetime

    @property
    def idle_since(self) -> int:
        """The instant at which a packet, or a change of state, last restarted its idle timer.

        The time that a probe waits for its answer belongs to the same silence.
        """
        if self.probes_sent:
            return min(end.restarted for end in self.ends)
        return self.restarted

    @property
    def flow(self) -> Flow:
        """Its endpoints, in the original direction."""
        return flow_of(self.protocol, self.key)

    def zone_of_end(self, direction: Direction) -> Zone:
        """The zone of the end that sends in this direction."""
        return self.zone if direction is Direction.ORIGINAL else self.zone.other
