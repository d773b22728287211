"""Interfaces, addresses, routes and sysctls, on the real kernel."""

import socket

import pytest

from netns import (
    LinkError,
    Namespace,
    NoSuchNamespace,
    add_address,
    add_route,
    attach,
    bridge,
    configure,
    default_route_interfaces,
    delete_link,
    down,
    interfaces,
    remove,
    settle,
    sysctl,
    up,
    veth,
)

pytestmark = pytest.mark.kernel


@pytest.fixture
def pair(network, prefix):
    """Two namespaces."""
    return network.namespace(prefix + "a"), network.namespace(prefix + "b")


def one(ns: Namespace, name: str):
    return {interface.name: interface for interface in interfaces(ns)}[name]


def talk(client: Namespace, server: Namespace, address: str) -> None:
    """A byte there and back over TCP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with server.enter():
        listening = socket.create_server((address, 0), family=family)
    with listening, client.enter():
        # Less than the second after which a lost packet is sent again: none may be lost.
        calling = socket.create_connection(listening.getsockname()[:2], timeout=0.9)
        with calling:
            accepted, _ = listening.accept()
            with accepted:
                calling.sendall(b"x")
                assert accepted.recv(1) == b"x"
                accepted.sendall(b"y")
                assert calling.recv(1) == b"y"


class TestVeth:
    def test_two_ends_that_are_up_carry_traffic(self, pair):
        """The least that a network needs, with the plain functions."""
        a, b = pair
        veth(a, "left", b, "right")
        for ns, name, number in ((a, "left", 1), (b, "right", 2)):
            add_address(ns, name, f"10.0.0.{number}/24")
            add_address(ns, name, f"fd00::{number}/64")
            up(ns, name)
        settle(a)
        settle(b)
        talk(a, b, "10.0.0.2")
        talk(a, b, "fd00::2")

    def test_it_shows_what_it_is(self, pair):
        """Kind, MTU, state and addresses are what a report prints."""
        a, b = pair
        veth(a, "left", b, "right", mtu=1400)
        configure(a, "left", addresses=["fd00::1/64", "10.0.0.1/24"], up=False)
        left = one(a, "left")
        assert (left.kind, left.mtu, left.is_up) == ("veth", 1400, False)
        assert left.addresses == ("10.0.0.1/24", "fd00::1/64")
        assert one(b, "right").mtu == 1400
        configure(a, "left", mtu=1300)
        left = one(a, "left")
        assert (left.mtu, left.is_up) == (1300, True)
        down(a, "left")
        assert not one(a, "left").is_up

    def test_both_ends_may_be_in_one_namespace(self, host):
        """For an application's own namespace with two addresses."""
        veth(host, "left", host, "right")
        assert [interface.name for interface in interfaces(host)][1:] == ["right", "left"]

    def test_a_name_that_is_taken_is_an_error_that_names_it(self, pair):
        """In a topology of ten cables, which one?"""
        a, b = pair
        veth(a, "left", b, "right")
        with pytest.raises(LinkError, match=f"{a.name}/left - {b.name}/other.*exists"):
            veth(a, "left", b, "other")

    @pytest.mark.parametrize("name", ["", "a-name-of-16-byte", "a b", "a/b", "a:b", "."])
    def test_an_impossible_name_is_refused_with_the_reason(self, host, name):
        """The kernel says "Numerical result out of range"."""
        with pytest.raises(LinkError, match="cannot name an interface"):
            veth(host, name, host, "ok")
        with pytest.raises(LinkError, match="cannot name an interface"):
            veth(host, "ok", host, name)
        with pytest.raises(LinkError, match="cannot name an interface"):
            bridge(host, name)

    def test_it_needs_both_namespaces(self, host, network, prefix):
        """Whichever of the two is gone."""
        gone = network.namespace(prefix + "gone")
        remove(gone.name)
        with pytest.raises(NoSuchNamespace):
            veth(host, "left", gone, "right")
        with pytest.raises(NoSuchNamespace):
            veth(gone, "left", host, "right")

    def test_deleting_one_end_deletes_the_other_at_once(self, pair):
        """So that the names are free again."""
        a, b = pair
        for _ in range(3):
            veth(a, "left", b, "right")
            delete_link(b, "right")
            assert [interface.name for interface in interfaces(a)] == ["lo"]
        delete_link(a, "left", missing_ok=True)
        with pytest.raises(LinkError, match="no interface is named 'left'"):
            delete_link(a, "left")


class TestBridge:
    def test_members_talk_to_one_another(self, network, prefix):
        """Several clients before one firewall."""
        switch, a, b = (network.namespace(prefix + name) for name in ("switch", "a", "b"))
        bridge(switch, "br0")
        for number, ns in enumerate((a, b), start=1):
            veth(ns, "eth0", switch, f"port{number}")
            configure(ns, "eth0", addresses=[f"10.0.0.{number}/24", f"fd00::{number}/64"])
            attach(switch, "br0", f"port{number}")
        for ns in (switch, a, b):
            settle(ns)
        assert one(switch, "br0").kind == "bridge"
        talk(a, b, "10.0.0.2")
        talk(a, b, "fd00::2")

    def test_attaching_to_what_is_no_bridge_is_an_error(self, pair):
        """With the kernel's reason."""
        a, b = pair
        veth(a, "left", b, "right")
        with pytest.raises(LinkError, match="cannot attach left to the bridge lo"):
            attach(a, "lo", "left")


class TestAddresses:
    def test_an_ipv6_address_can_be_used_at_once(self, pair):
        """Duplicate address detection would take a second and fail a bind meanwhile."""
        a, b = pair
        veth(a, "left", b, "right")
        configure(b, "right")
        configure(a, "left", addresses=["fd00::1/64"])
        with a.enter(), socket.socket(socket.AF_INET6) as bound:
            bound.bind(("fd00::1", 0))

    def test_without_a_prefix_length_it_is_one_host(self, host):
        """As `ip addr add` has it."""
        add_address(host, "lo", "10.1.1.1")
        add_address(host, "lo", "fd00::1")
        assert {"10.1.1.1/32", "fd00::1/128"} <= set(one(host, "lo").addresses)

    def test_nonsense_is_refused(self, host):
        """Before the kernel is asked."""
        with pytest.raises(LinkError, match=r"'10\.0\.0\.300/24' is not an address"):
            add_address(host, "lo", "10.0.0.300/24")

    def test_an_address_twice_is_an_error(self, host):
        """Told apart from "it worked"."""
        add_address(host, "lo", "10.1.1.1/24")
        with pytest.raises(LinkError, match=r"cannot add 10\.1\.1\.1/24 to lo in namespace"):
            add_address(host, "lo", "10.1.1.1/24")

    def test_a_mistyped_interface_brings_up_the_right_one(self, pair):
        """Ten functions take an interface name; all say the same."""
        a, b = pair
        veth(a, "outside", b, "right")
        for attempt in (
            lambda: up(a, "outsid"),
            lambda: add_address(a, "outsid", "10.0.0.1/24"),
            lambda: add_route(a, "10.0.0.0/8", ifname="outsid"),
        ):
            with pytest.raises(LinkError, match="did you mean outside"):
                attempt()


class TestRoutes:
    def test_through_a_router_in_the_middle(self, network, prefix, build_row):
        """Client, firewall, server: what all this is for.  IPv4 and IPv6, without a lost packet."""
        row = build_row(network, prefix)
        talk(row.client, row.server, "10.0.2.2")
        talk(row.client, row.server, "fd00:2::2")
        talk(row.server, row.client, "10.0.1.2")
        talk(row.server, row.client, "fd00:1::2")

    def test_the_first_packet_over_ipv6_is_not_lost(self, network, prefix, build_row):
        """A router without a link-local address solicits nobody: one build in fifty was slow."""
        for i in range(10):
            row = build_row(network, f"{prefix}{i}-")
            talk(row.client, row.server, "fd00:2::2")

    def test_default_routes_name_their_interfaces(self, network, prefix, build_row):
        """`attach` finds out by this where the outside is."""
        row = build_row(network, prefix)
        assert default_route_interfaces(row.client) == ["eth0"]
        assert default_route_interfaces(row.firewall) == []

    def test_the_preferred_default_route_comes_first(self, host, pair):
        """The lower metric wins, and IPv4 stands before IPv6."""
        a, b = pair
        for name in ("one", "two", "six"):
            veth(a, name, b, name)
            up(a, name)
            up(b, name)
        add_route(a, "default", ifname="one", metric=200)
        add_route(a, "default", ifname="two", metric=100)
        add_route(a, "::/0", ifname="six")
        assert default_route_interfaces(a) == ["two", "one", "six"]

    def test_a_gateway_nowhere_near_is_an_error_with_a_way_out(self, host):
        """The usual mistake: the route before the address."""
        with pytest.raises(LinkError, match=r"default via 10\.0\.0\.1 in .*address.*first"):
            add_route(host, "default", "10.0.0.1")

    def test_a_route_needs_somewhere_to_go(self, host):
        """A mistake of the calling code."""
        with pytest.raises(ValueError, match="needs a gateway, an interface or both"):
            add_route(host, "default")


class TestSysctl:
    def test_it_is_read_and_written_in_the_namespace(self, host):
        """/proc/sys/net depends on the thread that opens it."""
        outside = Namespace.current()
        before = sysctl(outside, "net.ipv4.ip_default_ttl")
        assert sysctl(host, "net.ipv4.ip_default_ttl", 33) == "33"
        assert sysctl(host, "net.ipv4.ip_default_ttl") == "33"
        assert sysctl(outside, "net.ipv4.ip_default_ttl") == before

    def test_interfaces_with_a_dot_are_reached_with_slashes(self, host):
        """As sysctl(8) has it."""
        veth(host, "eth0.5", host, "peer")
        assert sysctl(host, "net/ipv4/conf/eth0.5/forwarding", 1) == "1"

    def test_a_setting_that_is_not_there_is_named(self, host):
        """With the file, for it may be a module that is not loaded."""
        with pytest.raises(LinkError, match=r"no setting net\.ipv4\.nonsense.*/proc/sys/net"):
            sysctl(host, "net.ipv4.nonsense")

    def test_a_value_that_does_not_fit_is_named(self, host):
        """The kernel says "Invalid argument" to all of them."""
        with pytest.raises(LinkError, match=r"cannot write 'many' to net\.ipv4\.ip_forward"):
            sysctl(host, "net.ipv4.ip_forward", "many")

    @pytest.mark.parametrize("name", ["kernel.hostname", "net/../kernel/hostname", "/etc/passwd"])
    def test_settings_of_the_whole_machine_are_out_of_reach(self, host, name):
        """A lab must not change its host."""
        with pytest.raises(ValueError, match="not a setting of a network namespace"):
            sysctl(host, name, "x")


def test_settling_gives_up_in_time_and_names_the_address(pair):
    """When somebody insists on duplicate address detection."""
    a, b = pair
    veth(a, "left", b, "right")
    sysctl(a, "net.ipv6.conf.left.accept_dad", 1)
    up(b, "right")
    up(a, "left")
    with pytest.raises(LinkError, match=r"duplicates of fe80::.* on left after 0\.02 s"):
        settle(a, timeout=0.02)
