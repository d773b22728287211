"""What follows from a lab's name, number and topology; nothing is made here."""

import ipaddress

import pytest

from fwemu.core.flow import Zone
from fwemu.errors import ConfigError
from fwemu.lab.plan import (
    LAB_NUMBERS,
    MOST_HOSTS,
    LabPlan,
    Layout,
    Topology,
    check_name,
    is_free,
    networks_of,
)


def test_hosts_are_named_client_client2_server_server2() -> None:
    """The first of each has no number: most labs have only that one."""
    names = [name for name, _ in Topology(clients=2, servers=3).hosts]
    assert names == ["client", "client2", "server", "server2", "server3"]


@pytest.mark.parametrize("topology", [{"clients": 0}, {"servers": 0}, {"servers": MOST_HOSTS + 1}])
def test_a_side_has_at_least_one_host_and_not_too_many(topology: dict[str, int]) -> None:
    """The message says the range."""
    with pytest.raises(ConfigError, match=f"is not from 1 to {MOST_HOSTS}"):
        Topology(**topology)


@pytest.mark.parametrize("number", [LAB_NUMBERS[0], LAB_NUMBERS[-1]])
def test_every_address_of_the_largest_lab_is_valid_and_its_own(number: int) -> None:
    """Inside and outside are networks of their own, in both IP versions."""
    plan = LabPlan("x", number, Topology(MOST_HOSTS, MOST_HOSTS))
    addresses = [plan.addresses(zone, 1) for zone in Zone]
    addresses += [(host.ipv4, host.ipv6) for host in plan.hosts]
    for each in zip(*addresses, strict=True):
        parsed = {ipaddress.ip_address(address) for address in each}
        assert len(parsed) == 2 * MOST_HOSTS + 2
        assert all(address.is_private for address in parsed)
    assert len(set(plan.namespaces)) == 2 * MOST_HOSTS + 1


def test_labs_with_different_numbers_share_no_network() -> None:
    """So that a host of one is never mistaken for one of another in a log."""
    networks = {
        plan.addresses(zone, 1)
        for plan in (LabPlan("x", number, Topology()) for number in LAB_NUMBERS)
        for zone in Zone
    }
    assert len(networks) == 2 * len(LAB_NUMBERS)


def test_labs_have_addresses_of_the_networks_for_tests_of_devices() -> None:
    """RFC 2544 and RFC 5180: no office has them, and no provider carries them."""
    for_tests = [ipaddress.ip_network(each) for each in ("198.18.0.0/15", "2001:2::/48")]
    for number in LAB_NUMBERS:
        for network in networks_of(number):
            assert any(network.version == each.version and network.subnet_of(each)  # type: ignore
                       for each in for_tests)  # fmt: skip


@pytest.mark.parametrize(
    ("known", "free"),
    [
        ("198.18.7.0/24", False),
        ("198.19.7.200/32", False),
        ("2001:2:0:1907::1/128", False),
        ("198.18.6.0/24", True),
        ("198.18.0.0/15", True),
        ("10.0.0.0/8", True),
        ("2001:2:0:1906::/64", True),
    ],
)
def test_a_number_is_free_unless_somebody_is_in_its_networks(known: str, free: bool) -> None:
    """A route around all of them is only another default route."""
    assert is_free(7, [ipaddress.ip_network(known)]) is free


def test_a_single_firewall_needs_no_switch() -> None:
    """It is wired to its hosts, or is the switch itself."""
    plan = LabPlan("x", 7, Topology(3, 3))
    assert plan.switch is None
    assert [each.name for each in plan.firewalls] == ["x"]
    assert {plan.gateway(zone).number for zone in Zone} == {1}


def test_a_pair_stands_between_the_same_networks() -> None:
    """Clients send through one of them, servers through the other."""
    plan = LabPlan("x", 7, Topology(layout=Layout.ASYMMETRIC))
    assert [(each.name, each.host, each.namespace, each.number) for each in plan.firewalls] == [
        ("x", "firewall", "fwemu-x-firewall", 1),
        ("x-b", "firewall-b", "fwemu-x-firewall-b", 2),
    ]
    assert [plan.gateway(zone).number for zone in (Zone.INSIDE, Zone.OUTSIDE)] == [1, 2]
    assert plan.switch in plan.namespaces
    assert len(set(plan.namespaces)) == 5


@pytest.mark.parametrize("name", ["a", "shop-test", "7", "a" * 32])
def test_names_that_can_be_part_of_a_namespace_are_taken(name: str) -> None:
    """As they are."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a b", "a/b", "../x", "a" * 33, "a_b", "ü", "a\n"]
)
def test_other_names_are_refused_with_an_example(name: str) -> None:
    """They would become file names and namespace names."""
    with pytest.raises(ConfigError, match="as in shop-test"):
        check_name(name)
