"""Effects are records of the past."""

import typing

import pytest

from fwemu.core import effects
from fwemu.core.effects import Decision, Effect
from fwemu.core.reasons import Reason, Verdict


@pytest.mark.parametrize("kind", typing.get_args(Effect))
def test_an_effect_cannot_be_changed(kind):
    """Many sinks get the same one; and it begins with when it happened."""
    effect = kind(*range(len(kind._fields)))
    assert effect.at == 0
    with pytest.raises(AttributeError):
        effect.at = 1


def test_every_kind_of_effect_is_in_the_union():
    """Sinks are checked against it: a kind outside would pass them by."""
    helpers = {effects.Decision, effects.Traffic}
    kinds = {
        each
        for each in vars(effects).values()
        if isinstance(each, type) and each.__module__ == effects.__name__
    }
    assert kinds - helpers == set(typing.get_args(Effect))


def test_the_places_that_are_looked_up_by_number():
    """`Firewall.handle` takes the reason of a decision by its place, once a packet."""
    assert Decision._fields.index("reason") == 1


def test_most_decisions_have_no_effects():
    """Nothing but a verdict and its reason."""
    assert Decision(Verdict.ACCEPT, Reason.SESSION).effects == ()
