"""Which interface is inside: as named, or as guessed from names and routes."""

import ipaddress

import pytest

from fwemu.core.flow import Zone
from fwemu.daemon import zones
from fwemu.daemon.zones import Zones
from fwemu.errors import NamespaceError
from netns import Interface, Namespace

HERE = Namespace("fw", "/var/run/netns/fw")


class Machine:
    """The interfaces of a namespace that there is not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.interfaces = [self.interface(1, "lo", "127.0.0.1/8")]
        self.outward: set[str] = set()
        self.looks = 0
        monkeypatch.setattr(zones, "interfaces", self._interfaces)
        monkeypatch.setattr(zones, "default_route_interfaces", lambda namespace: self.outward)

    def add(self, *names: str, outward: str | None = None) -> "Machine":
        for name in names:
            self.interfaces.append(self.interface(len(self.interfaces) + 1, name))
        if outward is not None:
            self.outward.add(outward)
        return self

    @staticmethod
    def interface(index: int, name: str, *addresses: str) -> Interface:
        return Interface(index, name, "veth", True, 1500, addresses)

    def _interfaces(self, namespace: Namespace) -> list[Interface]:
        self.looks += 1
        return list(self.interfaces)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def inside(found: Zones) -> list[str]:
    return list(found.inside)


def test_what_is_named_is_so(machine: Machine) -> None:
    """And nothing is said about guessing."""
    machine.add("lan", "wan", "dmz")
    found = Zones(HERE, ["lan"], ["wan"])
    assert not found.guessed
    assert (found.inside, found.outside) == (("lan",), ("wan",))
    assert [found[index] for index in (2, 3, 4)] == [Zone.INSIDE, Zone.OUTSIDE, Zone.OUTSIDE]


def test_with_only_the_outside_named_all_others_are_inside(machine: Machine) -> None:
    """The usual way to speak of a firewall: it has one dangerous side."""
    machine.add("lan", "wan", "office")
    assert inside(Zones(HERE, [], ["wan"])) == ["lan", "office"]


def test_an_interface_called_inside_is_inside(machine: Machine) -> None:
    """Whatever the routes say."""
    machine.add("inside", "other", outward="inside")
    assert inside(Zones(HERE, [], [])) == ["inside"]


def test_the_default_route_points_outside(machine: Machine) -> None:
    """All others are inside."""
    machine.add("eth0", "eth1", "eth2", outward="eth1")
    found = Zones(HERE, [], [])
    assert found.guessed
    assert inside(found) == ["eth0", "eth2"]
    assert found.outside == ("eth1",)


def test_else_the_first_interface_is_inside(machine: Machine) -> None:
    """A guess that is said aloud."""
    machine.add("eth0", "eth1")
    assert inside(Zones(HERE, [], [])) == ["eth0"]


def test_without_interfaces_there_is_no_zone_yet(machine: Machine) -> None:
    """And the loopback is none."""
    found = Zones(HERE, [], [])
    assert (found.inside, found.outside) == ((), ())


def test_a_name_that_is_not_there_is_told_with_those_that_are(machine: Machine) -> None:
    """On either side."""
    machine.add("eth0", "eth1")
    for named in ((["eth9"], []), ([], ["eth9"])):
        with pytest.raises(NamespaceError, match=r"no interface 'eth9' \(there are: eth0, eth1\)"):
            Zones(HERE, *named)


def test_an_unknown_interface_is_looked_up_once_and_not_trusted(machine: Machine) -> None:
    """It has appeared since; a packet may not cost a look at the system each time."""
    machine.add("lan", "wan")
    found = Zones(HERE, ["lan"], [])
    looks = machine.looks
    machine.add("late")
    assert [found[4], found[4], found[99], found[99]] == [Zone.OUTSIDE] * 4
    assert machine.looks == looks + 2


def test_a_named_interface_that_comes_back_has_its_zone(machine: Machine) -> None:
    """With another index, as interfaces do."""
    machine.add("lan", "wan")
    found = Zones(HERE, ["lan"], [])
    machine.interfaces[1] = machine.interface(7, "lan")
    assert found[7] is Zone.INSIDE


def test_the_firewalls_own_addresses_are_the_first_of_each_side(machine: Machine) -> None:
    """The source of its ICMP errors; a link-local address reaches nobody behind a router."""
    machine.interfaces += [
        machine.interface(2, "lan", "fe80::1/64", "10.0.1.1/24", "10.9.9.9/8", "fd00:1::1/64"),
        machine.interface(3, "wan", "169.254.1.1/16", "10.0.2.1/24"),
    ]
    own = Zones(HERE, ["lan"], []).addresses
    assert {key: str(ipaddress.ip_address(packed)) for key, packed in own.items()} == {
        (Zone.INSIDE, 4): "10.0.1.1",
        (Zone.INSIDE, 6): "fd00:1::1",
        (Zone.OUTSIDE, 4): "10.0.2.1",
    }
