"""Networks that a namespace must not reach by any of its routes: rules that say "unreachable".

Rules of policy routing, and no routes, for they come first: a VPN that has its default route in a
table of its own is asked before the main table, and would take the packets along (ip-rule(8)).
Whoever sends to such a network, or through this namespace, gets ENETUNREACH at once.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from netns.errors import LinkError
from netns.namespace import Namespace
from netns.rtnl import listed, refusal, with_route_socket

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

PRIORITY: Final = 198
"""Of the rules: after the addresses of the machine itself (0), before VRFs (1000) and VPNs."""

_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_LACKING: Final = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP})
"""What a kernel answers without policy routing (CONFIG_IP_MULTIPLE_TABLES), or without IPv6."""


def make_unreachable(ns: Namespace, networks: Iterable[IPNetwork]) -> None:
    """Make these networks unreachable in this namespace from now on.

    What is connected already goes on.  Raises LinkError if one of them is unreachable already.
    Networks of an IP version that the kernel does not have are unreachable as it is.
    """
    wanted = list(networks)

    def work(route: Any) -> None:
        for network in wanted:
            if _tell(route, "add", network) == errno.EEXIST:
                raise LinkError(f"{network} is unreachable already (see `ip rule`)")

    with_route_socket(ns, f"make {_listed(wanted)} unreachable", work)


def undo_unreachable(ns: Namespace, networks: Iterable[IPNetwork]) -> None:
    """The routes count again; harmless where `make_unreachable` was not."""
    wanted = list(networks)

    def work(route: Any) -> None:
        for network in wanted:
            _tell(route, "del", network)

    with_route_socket(ns, f"make {_listed(wanted)} reachable again", work)


def known_networks(ns: Namespace) -> list[IPNetwork]:
    """Every network that a route or a rule of this namespace names, addresses of its own included.

    Default routes do not count.
    """

    def work(route: Any) -> list[IPNetwork]:
        messages: list[Any] = []
        for family in _FAMILIES.values():
            for dump in (route.get_rules, route.get_routes):
                _answer(partial(_dump, dump, family, messages))
        return [
            ipaddress.ip_network(f"{message.get('dst')}/{message['dst_len']}", strict=False)
            for message in messages
            if message["dst_len"]
        ]

    return listed(ns, "list the routes", work)


@contextmanager
def choosing_networks(ns: Namespace) -> Iterator[None]:
    """While the block lasts nobody else on this machine is in such a block of this namespace.

    For whoever looks which networks are free, and then takes some.  The lock lies on the
    namespace itself, and goes with the process that has it.
    """
    descriptor = ns.open()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _tell(route: Any, verb: str, network: IPNetwork) -> int:
    """Add or delete the rule that makes a network unreachable; a route, if there are no rules.

    Returns what the kernel says: 0, EEXIST, ENOENT or ESRCH.
    """
    family = _FAMILIES[network.version]
    answer = _answer(
        lambda: route.rule(
            verb,
            family=family,
            priority=PRIORITY,
            dst=str(network.network_address),
            dst_len=network.prefixlen,
            action="FR_ACT_UNREACHABLE",
        )
    )
    if answer in _LACKING:
        answer = _answer(
            lambda: route.route(verb, family=family, dst=str(network), type="unreachable")
        )
    return answer


def _dump(dump: Callable[..., Any], family: int, messages: list[Any]) -> None:
    """Keep the answers of this address family: a kernel without it may answer with others."""
    messages += [each for each in dump(family=family) if each["family"] == family]


def _answer(ask: Callable[[], object]) -> int:
    """The answer of the kernel: 0, or an error number that does not matter."""
    answer = refusal(ask)
    if answer not in _LACKING | {0, errno.EEXIST, errno.ENOENT, errno.ESRCH}:
        raise OSError(answer, os.strerror(answer))
    return answer


def _listed(networks: Iterable[IPNetwork]) -> str:
    return " and ".join(map(str, networks))
