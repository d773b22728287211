"""What the core makes of a configuration, in packets where that says more."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from ipaddress import ip_address
from typing import Any

import pytest

from fwemu.config import Config, compile, load, policy
from fwemu.core.choices import AtExpiry, Mode, OnUnknown
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.fragments import FragmentLimits
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.policy import (
    DEFAULT_TIMEOUTS,
    Policy,
    PressurePolicy,
    ProbePolicy,
    RefreshPolicy,
    ShortTimers,
)
from fwemu.core.rules import Action, Network, Rule
from fwemu.core.tcp_table import State
from fwemu.core.tcp_window import WindowCheck


def test_the_default_configuration_is_the_default_policy_of_the_core() -> None:
    """The defaults are stated once, in the core."""
    assert policy(Config()) == Policy()
    timeouts = {name: value.nanoseconds for name, value in Config().timeouts}
    assert timeouts.items() >= DEFAULT_TIMEOUTS.items()
    assert {value for name, value in timeouts.items() if name not in DEFAULT_TIMEOUTS} == {NEVER}


def test_every_setting_arrives_in_the_policy() -> None:
    made = policy(
        load(
            settings=[
                "mode=acl",
                "table.capacity=7",
                "table.when_full=reject-new",
                "timeouts.tcp_established=never",
                "timeouts.icmp=3s",
                "tcp.window=liberal",
                "expiry.action=reset-reply",
                "unknown.inside=reject",
                "unknown.outside=pick-up",
                "default_action.inside=deny",
                "default_action.outside=reject",
            ]
        )
    )
    assert made.mode is Mode.ACL
    assert made.capacity == 7
    assert made.when_full.value == "reject-new"
    assert made.lifetimes[State.ESTABLISHED] == NEVER
    assert made.lifetimes[State.ICMP] == 3 * SECOND
    assert made.window_check is WindowCheck.LIBERAL
    assert made.at_expiry is AtExpiry.RESET_REPLY
    assert made.on_unknown == {Zone.INSIDE: OnUnknown.REJECT, Zone.OUTSIDE: OnUnknown.PICK_UP}
    assert made.default_action == {Zone.INSIDE: Action.DENY, Zone.OUTSIDE: Action.REJECT}


NOT_SET = {FragmentLimits: {"datagrams"}}
"""Fields of the policy that no setting fills."""


@pytest.mark.parametrize(
    "kind",
    [Policy, ShortTimers, PressurePolicy, ProbePolicy, RefreshPolicy, FragmentLimits, Rule],
    ids=lambda kind: kind.__name__,
)
def test_every_field_of_the_policy_is_filled_from_the_settings_by_its_name(kind: type[Any]) -> None:
    """By position two numbers change places unseen; left out, a setting does nothing."""
    calls = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(compile)))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == kind.__name__
    ]
    assert [len(call.args) for call in calls] == [0]
    named = {keyword.arg for keyword in calls[0].keywords}
    assert named == {field.name for field in fields(kind)} - NOT_SET.get(kind, set())
    with pytest.raises(TypeError):
        kind(0)


def only_rule(text: str, *settings: str) -> Rule:
    (rule,) = policy(load(settings=[f"rules=[{{{text}}}]", "acl.replies=false", *settings])).rules
    return rule


def test_a_router_s_list_ends_with_what_may_be_an_answer() -> None:
    """So one word puts a router in the place of the firewall, and the same word puts it back."""
    deny = 'rules=[{action="deny", name="first"}]'
    router = policy(load(settings=[deny, "mode=acl"]))
    assert [rule.name for rule in router.rules] == [
        "first",
        "established",
        "udp-high-ports",
        "icmp",
    ]
    assert {rule.arrival for rule in router.rules[1:]} == {Zone.OUTSIDE}
    assert len(policy(load(settings=[deny, "mode=acl", "acl.replies=false"])).rules) == 1
    assert len(policy(load(settings=[deny])).rules) == 1


def test_a_rule_arrives_with_all_it_names() -> None:
    assert only_rule(
        'name="db", action="allow", from="10.0.1.0/24", to=["10.0.2.7", "2001:db8::/32"],'
        ' proto=["tcp", "udp"], ports=[5432, "8000-8080"], source_ports="1024-65535",'
        ' idle_timeout="4h"'
    ) == Rule(
        action=Action.ALLOW,
        name="db",
        sources=(Network(4, 0x0A000100, 0xFFFFFF00),),
        destinations=(
            Network(4, 0x0A000207, 0xFFFFFFFF),
            Network(16, 0x20010DB8 << 96, 0xFFFFFFFF << 96),
        ),
        protocols=frozenset({TCP, UDP}),
        source_ports=((1024, 65535),),
        ports=((5432, 5432), (8000, 8080)),
        idle_timeout=4 * 3600 * SECOND,
    )


def test_a_rule_that_names_nothing_matches_anything() -> None:
    anything = Rule(action=Action.DENY)
    assert only_rule('action="deny"') == anything
    spelled = 'from="any", to="any", proto="any", ports="any", source_ports="any"'
    assert only_rule(f'action="deny", {spelled}') == anything


@pytest.mark.parametrize(
    ("places", "arrival"),
    [
        ('from="inside"', Zone.INSIDE),
        ('from="outside"', Zone.OUTSIDE),
        ('to="outside"', Zone.INSIDE),
        ('to="inside"', Zone.OUTSIDE),
        ('from="inside", to="outside"', Zone.INSIDE),
        ('from="10.0.0.0/8", to="outside"', Zone.INSIDE),
        ('from="10.0.0.0/8"', None),
    ],
)
def test_what_goes_to_the_outside_comes_from_the_inside(places: str, arrival: Zone | None) -> None:
    assert only_rule(f'action="deny", {places}').arrival is arrival


def test_established_is_about_tcp_even_if_the_rule_names_no_protocol() -> None:
    """Otherwise the later fragments of a UDP datagram would match it."""
    rule = only_rule('action="allow", established=true', "mode=acl")
    assert rule.protocols == {TCP}
    assert rule.established


@pytest.mark.parametrize(
    ("network", "address", "is_in"),
    [
        ("10.0.2.0/24", "10.0.2.255", True),
        ("10.0.2.0/24", "10.0.3.0", False),
        ("0.0.0.0/0", "192.0.2.1", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "2001:db8::1", True),
        ("2001:db8::1", "2001:db8::1", True),
        ("2001:db8::1", "2001:db8::2", False),
    ],
)
def test_a_network_contains_its_addresses(network: str, address: str, is_in: bool) -> None:
    (made,) = only_rule(f'action="allow", to="{network}"').destinations
    assert made.contains(ip_address(address).packed) is is_in


@pytest.mark.parametrize(("queue_length", "held"), [(8192, 200), (400, 200), (100, 50), (1, 0)])
def test_what_waits_never_fills_the_queue(queue_length: int, held: int) -> None:
    """A flood of halves of datagrams must not stop the whole ones."""
    settings = ["fragments.timeout=5s", "fragments.per_datagram=24"]
    limits = policy(load(settings=[*settings, f"daemon.queue_length={queue_length}"])).fragments
    assert (limits.timeout, limits.per_datagram, limits.held) == (5 * SECOND, 24, held)
