"""Where a rule stands in another list: the same rule, else its namesake, else a new judgement.

What that means for open sessions is told in `test_reconfigure.py`.
"""

import pytest

from fwemu.core.flow import UDP, Zone
from fwemu.core.rule_changes import RuleChanges
from fwemu.core.tcp_table import State
from tests.kit.play import policy, rule

KEY = bytes([10, 0, 1, 2, 10, 0, 2, 2, 156, 64, 0, 53])
"""A datagram of the client to port 53."""

A, B, C = (rule("allow", name=name, idle_timeout="1h") for name in "abc")
ANY_A = rule("allow", name="a", idle_timeout="2h")
NO_A = rule("deny", name="a")
UNNAMED = rule("allow", idle_timeout="3h")


def moved(before, after, index=0, state=State.UDP_REPLIED):
    """The new index of the rule that had this one."""
    changes = RuleChanges(before, policy(rules=after))
    return changes.rule_of(index, state, UDP, KEY, Zone.INSIDE)


@pytest.mark.parametrize(
    ("before", "after", "index"),
    [
        ([A], [B, A], 1),  # another in front
        ([A], [ANY_A, A], 1),  # the same before the namesake
        ([A], [B, ANY_A], 1),  # a namesake that says something else
        ([A], [NO_A, B], None),  # a namesake that would not have let it in: judged anew, denied
        ([A], [B, C], 0),  # none: judged anew
        ([A], [ANY_A, rule("deny", name="a")], 0),  # two of that name: judged anew
        ([UNNAMED], [rule("allow"), A], 0),  # no name is no name to go by: judged anew
        ([UNNAMED], [A, UNNAMED], 1),
        ([A], [], None),  # judged by the default action
    ],
)
def test_where_a_rule_is_found(before, after, index):
    """By what it says, wherever it stands; then by its name; then as if the flow began now."""
    assert moved(before, after) == index


def test_rules_that_are_equal_keep_their_order():
    """Neither is preferred; one that has no counterpart is found by its name no more."""
    assert [moved([A, A, B], [B, A, A], index) for index in range(3)] == [1, 2, 0]
    assert [moved([A, A], [B, A], index) for index in range(2)] == [1, 0]


def test_a_remembered_denial_is_found_like_a_session():
    """Judged anew, it belongs to a rule only if that denies."""
    denial = State.UDP_DISCARD
    assert moved([NO_A], [B, rule("deny", name="a", protocols=[17])], state=denial) == 1
    assert moved([NO_A], [rule("deny", protocols=[17])], state=denial) == 0
    assert moved([NO_A], [B], state=denial) is None


def test_no_rule_stays_no_rule_and_the_same_rules_stay_where_they_are():
    """The default action is no rule that could be found elsewhere."""
    assert moved([A], [B], index=None) is None
    assert RuleChanges([A, B], policy(rules=[A, B])).is_none
    assert moved([A, B], [A, B], index=1) == 1
    assert not RuleChanges([A, B], policy(rules=[B, A])).is_none
