"""Networks that nobody in a namespace reaches, whatever its routes say."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import subprocess

import pytest

from netns import (
    LinkError,
    Namespace,
    Network,
    add_address,
    add_route,
    choosing_networks,
    known_networks,
    make_unreachable,
    undo_unreachable,
)
from netns.unreachable import PRIORITY

pytestmark = pytest.mark.kernel

NETWORKS = [ipaddress.ip_network(each) for each in ("198.18.7.0/24", "2001:2:0:1807::/64")]
INSIDE = ["198.18.7.10", "2001:2:0:1807::10"]


def rules(ns: Namespace) -> str:
    """What `ip rule` shows of ours."""
    with ns.enter():
        shown = [
            subprocess.run(["ip", version, "rule"], capture_output=True, text=True, check=True)
            for version in ("-4", "-6")
        ]
    lines = "".join(each.stdout for each in shown).splitlines()
    return "\n".join(line for line in lines if line.startswith(f"{PRIORITY}:"))


def why_not(ns: Namespace, address: str) -> str:
    """The errno of a datagram to that address; `gone` if it was sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ns.enter(), socket.socket(family, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(b"x", (address, 9))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
    return "gone"


def away(network: Network, host: Namespace, prefix: str) -> None:
    """A default route of both IP versions, as the machine of a user has."""
    far = network.namespace(prefix + "far")
    network.link(host, "eth0", far, "eth0", a_addresses=["10.0.0.1/24", "fd00::1/64"])
    for gateway in ("10.0.0.2", "fd00::2"):
        add_route(host, "default", gateway)


@pytest.mark.parametrize("table", ["main", "before main"])
def test_no_route_leads_there_any_more(
    network: Network, host: Namespace, prefix: str, table: str
) -> None:
    """Neither the default route nor that of a VPN, which has a rule and a table of its own."""
    away(network, host, prefix)
    if table != "main":
        with host.enter():
            for version, via in (("-4", "10.0.0.2"), ("-6", "fd00::2")):
                for words in (
                    ["route", "add", "default", "via", via, "table", "52"],
                    ["rule", "add", "priority", "5270", "lookup", "52"],
                ):
                    subprocess.run(["ip", version, *words], check=True)
    assert [why_not(host, address) for address in INSIDE] == ["gone", "gone"]

    make_unreachable(host, NETWORKS)

    assert [why_not(host, address) for address in INSIDE] == ["ENETUNREACH", "ENETUNREACH"]
    assert [why_not(host, each) for each in ("198.18.8.10", "2001:2:0:1808::10")] == ["gone"] * 2

    undo_unreachable(host, NETWORKS)

    assert [why_not(host, address) for address in INSIDE] == ["gone", "gone"]
    assert rules(host) == ""


def test_undoing_what_was_not_done_is_harmless(host: Namespace) -> None:
    """So it can be registered before, and be done again after a crash."""
    undo_unreachable(host, NETWORKS)
    make_unreachable(host, NETWORKS)
    undo_unreachable(host, NETWORKS)
    undo_unreachable(host, NETWORKS)
    assert rules(host) == ""


def test_what_is_unreachable_already_belongs_to_somebody_else(host: Namespace) -> None:
    """Two owners of one rule would take it away from each other."""
    make_unreachable(host, NETWORKS[:1])
    with pytest.raises(LinkError, match=r"198\.18\.7\.0/24 is unreachable already"):
        make_unreachable(host, NETWORKS[:1])


def test_a_kernel_without_policy_routing_gets_routes(
    network: Network, host: Namespace, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONFIG_IP_MULTIPLE_TABLES is not everywhere; a promise that is not kept would be worse."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    def refused(self: IPRoute, *arguments: object, **more: object) -> None:
        raise NetlinkError(errno.EOPNOTSUPP)

    monkeypatch.setattr(IPRoute, "rule", refused, raising=False)
    away(network, host, prefix)

    make_unreachable(host, NETWORKS)

    assert [why_not(host, address) for address in INSIDE] == ["EHOSTUNREACH", "EHOSTUNREACH"]
    with pytest.raises(LinkError, match="is unreachable already"):
        make_unreachable(host, NETWORKS)

    undo_unreachable(host, NETWORKS)
    undo_unreachable(host, NETWORKS)

    assert [why_not(host, address) for address in INSIDE] == ["gone", "gone"]


def test_one_knows_which_networks_a_machine_has_to_do_with(
    network: Network, host: Namespace, prefix: str
) -> None:
    """Its addresses, its routes, and what was made unreachable; not the way to everywhere."""
    away(network, host, prefix)
    add_address(host, "lo", "198.18.9.1/32")
    add_route(host, "198.18.64.0/20", "10.0.0.2")
    make_unreachable(host, NETWORKS)

    known = known_networks(host)

    expected = ["198.18.9.1/32", "198.18.64.0/20", "10.0.0.0/24", "fd00::/64"]
    assert {*map(ipaddress.ip_network, expected), *NETWORKS} <= set(known)
    assert all(each.prefixlen for each in known)


def test_one_chooses_at_a_time(host: Namespace) -> None:
    """The lock lies on the namespace, however one has come by it, and ends with the block."""
    with choosing_networks(host):
        descriptor = host.open()
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
    with choosing_networks(host):
        pass
