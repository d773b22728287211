"""The settings of a firewall that was told nothing."""

from fwemu.core.choices import (
    AtExpiry,
    Mode,
    OnUnknown,
    Refresh,
    ResetNumbers,
    Trust,
    UnderPressure,
)
from fwemu.core.flow import Zone
from fwemu.core.instants import SECOND
from fwemu.core.policy import DEFAULT_TIMEOUTS, Policy
from fwemu.core.rules import Action, Rule
from fwemu.core.tcp_table import State
from fwemu.core.tcp_window import WindowCheck


def test_the_defaults():
    """Those of a typical enterprise firewall; the reference quotes them."""
    policy = Policy()
    assert policy.mode is Mode.STATEFUL
    assert policy.capacity == 65536
    assert policy.when_full.value == "evict-lru"
    assert policy.at_expiry is AtExpiry.SILENT
    assert policy.on_unknown == {Zone.INSIDE: OnUnknown.DROP, Zone.OUTSIDE: OnUnknown.DROP}
    assert policy.window_check is WindowCheck.STRICT
    assert policy.rules == ()
    assert policy.default_action == {Zone.INSIDE: Action.ALLOW, Zone.OUTSIDE: Action.DENY}
    assert policy.lifetimes[State.ESTABLISHED] == 3600 * SECOND


def test_a_dying_session_is_forgotten_sooner_than_a_living_one():
    """Every timer is shorter than the idle timeout, and none is zero but for denials."""
    denials = {"tcp_discard", "udp_discard", "other_discard"}
    for name in DEFAULT_TIMEOUTS.keys() - {"tcp_established"}:
        is_off = DEFAULT_TIMEOUTS[name] == 0
        assert is_off is (name in denials)
        assert DEFAULT_TIMEOUTS[name] < DEFAULT_TIMEOUTS["tcp_established"]


def test_two_policies_share_nothing_that_can_change():
    """What one daemon is told must not reach another."""
    one, other = Policy(), Policy()
    one.on_unknown[Zone.INSIDE] = OnUnknown.RESET
    one.default_action[Zone.INSIDE] = Action.DENY
    assert other.on_unknown[Zone.INSIDE] is OnUnknown.DROP
    assert other.default_action[Zone.INSIDE] is Action.ALLOW


def test_the_words_of_the_settings():
    """They stand in people's files."""
    assert [each.value for each in Mode] == ["stateful", "acl"]
    assert [each.value for each in OnUnknown] == ["drop", "reset", "reject", "pick-up"]
    assert [each.value for each in Action] == ["allow", "deny", "reject"]
    assert [each.value for each in AtExpiry] == [
        "silent",
        "reset-both",
        "reset-original",
        "reset-reply",
        "probe",
    ]
    assert [each.value for each in Trust] == ["at-once", "answered", "never"]
    assert [each.value for each in Refresh] == ["either", "original", "reply", "each"]
    assert [each.value for each in ResetNumbers] == ["exact", "stale"]
    assert [each.value for each in UnderPressure] == [
        "none",
        "scale",
        "accelerate",
        "early-ageout",
    ]


def test_a_kill_can_ask_for_every_action_that_ends_the_session():
    """A probe asks the ends first, which is the opposite of a kill."""
    assert [action for action in AtExpiry if not action.tells_at_once] == [AtExpiry.PROBE]


def test_whether_a_firewall_may_speak_by_itself_is_known_beforehand():
    """Whoever plays time has to be ready to hear it at that very instant."""
    reset = Rule(action=Action.ALLOW, at_expiry=AtExpiry.RESET_BOTH)

    assert not Policy().speaks_at_expiry
    assert Policy(at_expiry=AtExpiry.PROBE).speaks_at_expiry
    assert Policy(rules=(Rule(action=Action.ALLOW), reset)).speaks_at_expiry
