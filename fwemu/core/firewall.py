"""The firewall, the only door of the core: packets and time in, decisions and effects out.

Follow one packet through `handle`.  It is parsed (`packet`), and the handler of its kind decides.
In a stateful firewall its session is looked up (`stateful`, `table`), and the protocol says what it
means for that session (`trackers`, `tcp_table`); where there is no session, the rules say whether
it may open one, and the policy what an unknown packet gets (`openings`).  A packet that goes no
further is refused (`refusals`).  Everything else that follows is an effect (`effects`), for the
caller to carry out.
"""

from __future__ import annotations

from collections.abc import Iterable

from fwemu.core.acl import AccessList
from fwemu.core.active_policy import ActivePolicy
from fwemu.core.arrival import Arrival, PacketHandler
from fwemu.core.choices import AtExpiry, Mode
from fwemu.core.effects import Decision, Effects
from fwemu.core.endings import Endings
from fwemu.core.eviction import Choose
from fwemu.core.flow import Zone
from fwemu.core.fragment_verdicts import FragmentVerdicts
from fwemu.core.fragments import Reassembly
from fwemu.core.openings import Openings
from fwemu.core.operators import Operators
from fwemu.core.packet import Fragment, Kind, Malformed, Packet, parse
from fwemu.core.policy import Policy
from fwemu.core.reasons import EndReason, Reason
from fwemu.core.refusals import Addresses, Refusals
from fwemu.core.rule_changes import RuleChanges
from fwemu.core.standby import Standby, renumbered
from fwemu.core.stateful import Stateful
from fwemu.core.table import SessionTable


class Firewall:
    """A firewall with a policy.  Not thread-safe: one thread owns it.

    `choose` gives random eviction its chance; `addresses` are the firewall's own, for the
    ICMP errors it sends (without them, these seem to come from the refused packet's destination).
    """

    def __init__(
        self,
        policy: Policy,
        *,
        choose: Choose = lambda n: 0,
        addresses: Addresses | None = None,
    ) -> None:
        self.table = SessionTable(policy.when_full, choose)
        self.packets = [0] * len(Reason)
        """Packets decided, indexed by `Reason`."""
        self.octets = [0] * len(Reason)
        """Their octets."""
        self._addresses = addresses or {}
        self._fragments = Reassembly(policy.fragments)
        self._up_at: int | None = None
        """The instant at which a reboot ends; None if the firewall is up."""
        self._apply(policy)

    def _apply(self, policy: Policy) -> None:
        """Build everything that depends on the policy, so that no packet has to.

        The table, the remembered fragments and the counters stay.
        """
        self.policy = policy
        self._fragments.limits = policy.fragments
        self._active = ActivePolicy(policy, self.table)
        self._refusals = Refusals(policy, self._addresses)
        self._endings = Endings(self._active)
        openings = Openings(self._active, self._endings, self._refusals)
        stateful = Stateful(self._active, self._endings, openings, self._refusals)
        self._verdicts = FragmentVerdicts(
            self._fragments, self.table, stateful.handlers, self._refusals, self._recount
        )
        self._operators = Operators(self._active, self._endings, openings, self._verdicts)
        self._handlers = stateful.handlers
        self._on_fragment: PacketHandler[Fragment] = self._verdicts.on_fragment
        self._on_malformed: PacketHandler[Malformed] = self._refuse_malformed
        if policy.mode is Mode.ACL:
            access_list = AccessList(policy, self._refusals)
            self._handlers = [access_list.on_packet for _ in Kind]
            self._on_fragment = access_list.on_fragment
        if self._up_at is not None:
            self._handlers = [self._refuse_while_booting for _ in Kind]
            self._on_fragment = self._on_malformed = self._refuse_while_booting

    # -- packets ------------------------------------------------------------------------------

    def handle(self, data: bytes, now: int, zone: Zone) -> Decision:
        """Decide about one packet that arrived from a zone at an instant.

        `data` is the packet from its IP header on; its payload may be missing.  Any bytes give a
        decision.  `now` must not run backwards.
        """
        packet = parse(data)
        if type(packet) is Packet:
            decision = self._handlers[packet[0]](packet, data, now, zone)
        else:
            decision = self._dispatch(packet, data, now, zone)
        reason = decision[1]
        self.packets[reason] += 1
        self.octets[reason] += packet.length
        return decision

    def _dispatch(
        self, packet: Packet | Fragment | Malformed, data: bytes, now: int, zone: Zone
    ) -> Decision:
        """Decide about a packet, a fragment or malformed bytes."""
        if isinstance(packet, Packet):
            return self._handlers[packet.kind](packet, data, now, zone)
        if isinstance(packet, Fragment):
            return self._on_fragment(packet, data, now, zone)
        return self._on_malformed(packet, data, now, zone)

    def _refuse_malformed(self, packet: Malformed, data: bytes, now: int, zone: Zone) -> Decision:
        """Drop bytes that are no packet, whatever the policy says."""
        return self._refusals.refuse(Arrival(packet, data, now, zone), packet.reason)

    def _refuse_while_booting(
        self, packet: Packet | Fragment | Malformed, data: bytes, now: int, zone: Zone
    ) -> Decision:
        """Drop everything while the firewall is on its way up."""
        assert self._up_at is not None
        if now < self._up_at:
            refused = packet.packet if isinstance(packet, Fragment) else packet
            return self._refusals.refuse(Arrival(refused, data, now, zone), Reason.REBOOTING)
        self._come_up()
        return self._dispatch(packet, data, now, zone)

    def _recount(self, reason: Reason, length: int) -> None:
        """Count a packet that was held by its verdict from now on."""
        for counts, amount in ((self.packets, 1), (self.octets, length)):
            counts[Reason.HELD] -= amount
            counts[reason] += amount

    # -- time ---------------------------------------------------------------------------------

    def tick(self, now: int) -> Effects:
        """End the sessions that are due by `now`, looking at no more than `endings.SWEEP` of them.

        Calling it early, late or twice changes no verdict: `handle` checks deadlines itself.  As
        long as `next_deadline` is not after `now` there is more to do.
        """
        if self._up_at is not None and now >= self._up_at:
            self._come_up()
        return self._verdicts.time_out(now) + self._endings.sweep(now)

    def next_deadline(self) -> int | None:
        """The instant before which nothing happens by itself; None if nothing ever will.

        A session may end by its timer, or a reboot be over.  The answer may change with every other
        call.
        """
        if self._up_at is not None:  # and the table is empty
            return self._up_at
        looks = (
            self.table.expiry.next_look(),
            self._active.pressure.next_look(),
            self._fragments.next_deadline(),
        )
        return min((instant for instant in looks if instant is not None), default=None)

    # -- operators ----------------------------------------------------------------------------

    def flush(self, now: int) -> Effects:
        """Empty the table, silently."""
        return self._operators.flush(now)

    def drop_held(self, now: int) -> Effects:
        """Drop every packet that is held, and forget all datagrams of which fragments were seen."""
        return self._verdicts.drop_held(now)

    def kill(self, numbers: Iterable[int], now: int, notify: AtExpiry) -> Effects:
        """End these sessions (unknown numbers are passed over), with RSTs where `notify` says."""
        return self._operators.kill(numbers, now, notify)

    def reconfigure(
        self, policy: Policy, now: int, peer: Standby | None = None, *, flush: bool = False
    ) -> Effects:
        """Replace the policy; sessions that are open get the timers of the new one.

        A session keeps its rule wherever that stands now, and the sessions of a rule that is gone
        are judged anew (see `RuleChanges`); so does what the `peer` has not heard of yet.  All that
        is reported names rules by their new index.  A smaller capacity evicts at once; a change of
        mode empties the table, and so does `flush`, before anything else.
        """
        changes = RuleChanges(self.policy.rules, policy)
        ended = self._operators.flush(now) if flush else self._endings.terminate_due(now)
        before = self.policy
        if policy.when_full is not before.when_full:
            self.table.set_eviction(policy.when_full)
        self._apply(policy)
        if peer is not None:
            peer.rules_changed(changes)
        return renumbered(ended, changes) + self._operators.adopt(before, changes, now)

    def fail_over(self, now: int, peer: Standby | None = None, lag: int = 0) -> Effects:
        """Let the peer take over; without `peer`, one that knows nothing does.

        Its knowledge is as old as `lag`: sessions opened since are lost, states are those of then,
        and sessions that ended since are there again, with new numbers.  All timers begin anew, and
        the numbers of TCP connections are not known.  A reboot that was under way is over.
        """
        if self._up_at is not None:
            self._come_up()
        return self._operators.fail_over(now, peer, lag)

    def reboot(self, now: int, outage: int) -> Effects:
        """Forget everything, tell nobody, and let nothing pass for `outage` nanoseconds."""
        ended = self._endings.terminate_due(now)
        held = self.drop_held(now)
        self._up_at = now + outage
        self._apply(self.policy)
        return ended + held + self._endings.terminate_all(now, EndReason.REBOOTED)

    def _come_up(self) -> None:
        """End a reboot."""
        self._up_at = None
        self._apply(self.policy)
