"""Which setting counts in which state."""

import pytest

from fwemu.core.instants import NEVER
from fwemu.core.policy import DEFAULT_TIMEOUTS
from fwemu.core.reasons import EndReason
from fwemu.core.tcp_table import State
from fwemu.core.timeouts import (
    END_OF_STATE,
    OPEN_STATES,
    SETTING_OF_STATE,
    lifetimes,
    with_idle_timeout,
)

NUMBERED = {name: number for number, name in enumerate(sorted(DEFAULT_TIMEOUTS), start=1)}


def test_every_state_has_its_timer_and_every_timer_a_state():
    """A setting that no state uses would be a lie in the reference."""
    assert set(SETTING_OF_STATE) == set(State)
    assert set(SETTING_OF_STATE.values()) - {None} == set(DEFAULT_TIMEOUTS)


@pytest.mark.parametrize("state", State)
def test_a_state_gets_the_lifetime_of_its_setting(state):
    """The names agree but for those listed here."""
    setting = {
        State.NONE: None,
        State.CLOSE: "tcp_closed",
        State.SYN_SENT2: "tcp_syn_sent",
        State.UDP_UNREPLIED: "udp_unreplied",
        State.UDP_REPLIED: "udp_replied",
        State.ICMP: "icmp",
        State.OTHER: "other",
        State.TCP_DISCARD: "tcp_discard",
        State.UDP_DISCARD: "udp_discard",
        State.OTHER_DISCARD: "other_discard",
    }.get(state, f"tcp_{state.name.lower()}")
    wanted = NEVER if setting is None else NUMBERED[setting]
    assert lifetimes(NUMBERED)[state] == wanted


@pytest.mark.parametrize("name", DEFAULT_TIMEOUTS)
def test_a_missing_setting_is_an_error(name):
    """Rather than a session that lives for ever."""
    with pytest.raises(KeyError, match=name):
        lifetimes({key: value for key, value in NUMBERED.items() if key != name})


def test_the_idle_timeout_of_a_rule_is_for_open_sessions_only():
    """A rule that lets a database idle for a day must not keep a half-open one for a day."""
    general = lifetimes(NUMBERED)
    special = with_idle_timeout(general, 999)
    changed = {state.name for state in State if special[state] != general[state]}
    assert changed == {"ESTABLISHED", "UDP_UNREPLIED", "UDP_REPLIED", "ICMP", "OTHER"}
    assert {special[state] for state in OPEN_STATES} == {999}


def test_what_the_end_of_a_timer_means():
    """After a close it is no loss; before, it is."""
    assert set(END_OF_STATE) == set(State)
    assert END_OF_STATE[State.TIME_WAIT] is EndReason.CLOSED_BY_FIN
    assert END_OF_STATE[State.CLOSE] is EndReason.CLOSED_BY_RST
    others = set(State) - {State.TIME_WAIT, State.CLOSE}
    assert {END_OF_STATE[state] for state in others} == {EndReason.EXPIRED}
