"""Where the rules of one policy stand in the next: sessions keep theirs through a policy push."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import Final

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Zone
from fwemu.core.packet import Kind, Packet
from fwemu.core.policy import Policy
from fwemu.core.rules import Action, Rule, first_match
from fwemu.core.tcp_table import Segment, State
from fwemu.core.timeouts import DISCARDED_STATES

_KINDS: Final = {TCP: Kind.TCP, UDP: Kind.UDP, ICMP: Kind.QUERY, ICMPV6: Kind.QUERY}
"""The kind of packet that opens a session, by protocol; OTHER for the rest."""


class RuleChanges:
    """The step from one list of rules to another, by index.

    A rule of before is the one that says the same, wherever it stands now; if there is none, the
    one that bears its name and has its action.  The flows of a rule that is gone are judged anew,
    as if they began now, but nothing ends for that: where the new rules would not decide as was
    decided, the session belongs to no rule.  The default action stays the default action.
    """

    def __init__(self, before: Sequence[Rule], policy: Policy) -> None:
        self._policy = policy
        self.is_none: Final = tuple(before) == policy.rules
        """The rules are the same, in the same order."""
        places: defaultdict[Rule, deque[int]] = defaultdict(deque)
        for place, rule in enumerate(policy.rules):
            places[rule].append(place)
        named = _by_unique_name(policy.rules)
        old_names = _by_unique_name(before)
        self._found: list[int | None] = []
        for rule in before:
            same = places.get(rule)
            index: int | None = same.popleft() if same else None
            if index is None and rule.name in old_names:
                namesake = named.get(rule.name)
                if namesake is not None and policy.rules[namesake].action is rule.action:
                    index = namesake
            self._found.append(index)

    def rule_of(
        self, rule: int | None, state: State, protocol: int, key: bytes, zone: Zone
    ) -> int | None:
        """The index now of the rule that decided about a session, and had this index before.

        `state` is the session's, `key` and `zone` those of the packet that opened it.
        """
        if rule is None or self.is_none:
            return rule
        found = self._found[rule]
        if found is not None:
            return found
        segment = Segment.SYN if protocol == TCP else None
        opening = Packet(_KINDS.get(protocol, Kind.OTHER), protocol, key, 0, segment)
        policy = self._policy
        action, index = first_match(opening, zone, policy.rules, policy.default_action)
        was_allowed = state not in DISCARDED_STATES
        return index if (action is Action.ALLOW) is was_allowed else None


def _by_unique_name(rules: Sequence[Rule]) -> dict[str, int]:
    """The index of each rule that has a name which no other one of them has."""
    counts = Counter(rule.name for rule in rules)
    return {
        rule.name: index for index, rule in enumerate(rules) if rule.name and counts[rule.name] == 1
    }
