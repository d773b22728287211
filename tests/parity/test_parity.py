"""The engine decides as the kernel does: a short run; `make parity` holds thousands."""

from __future__ import annotations

import pytest

from tests.parity.__main__ import compare
from tests.parity.duel import VARIANTS

CONVERSATIONS = 60

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_engine_decides_as_the_kernel_does(variant):
    """Whoever knows nf_conntrack knows what the profile `linux-conntrack` will do."""
    result = compare(variant, seed=1, conversations=CONVERSATIONS)

    assert result.conversations == CONVERSATIONS
    assert result.packets > 5 * CONVERSATIONS
    assert result.unexplained == []


@pytest.mark.parametrize("variant", VARIANTS[:2], ids=lambda variant: variant.name)
def test_a_difference_does_not_stay_unseen(variant):
    """A comparison that cannot fail would prove nothing: here the engine follows the other one."""
    other = VARIANTS[1 - VARIANTS.index(variant)]
    result = compare(variant, seed=1, conversations=CONVERSATIONS, policy=other.policy())

    assert result.unexplained
