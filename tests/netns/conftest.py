"""Names nobody else uses, and networks that are gone after the test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from netns import Namespace, Network, add_route, names, remove, sysctl

_numbers = itertools.count()


@pytest.fixture
def prefix() -> Iterator[str]:
    """The beginning of this test's names: no other test, worker or run has the same."""
    mine = f"t{os.getpid()}-{next(_numbers)}-"
    yield mine
    left = [name for name in names() if name.startswith(mine)]
    for name in left:
        remove(name, missing_ok=True)
    assert left == [], "the test left namespaces behind"


@pytest.fixture
def network(prefix: str) -> Iterator[Network]:
    """A network that is closed after the test."""
    with Network(grace=0.5) as network:
        yield network


@pytest.fixture
def host(network: Network, prefix: str) -> Namespace:
    """One namespace with nothing but its loopback."""
    return network.namespace(prefix + "host")


@dataclass(frozen=True)
class Row:
    """Client, firewall and server in a row; the firewall forwards."""

    client: Namespace
    firewall: Namespace
    server: Namespace


@pytest.fixture
def build_row() -> Callable[[Network, str], Row]:
    return _build_row


def _build_row(network: Network, prefix: str) -> Row:
    row = Row(*(network.namespace(prefix + name) for name in ("client", "firewall", "server")))
    network.link(
        row.client,
        "eth0",
        row.firewall,
        "inside",
        a_addresses=["10.0.1.2/24", "fd00:1::2/64"],
        b_addresses=["10.0.1.1/24", "fd00:1::1/64"],
    )
    network.link(
        row.firewall,
        "outside",
        row.server,
        "eth0",
        a_addresses=["10.0.2.1/24", "fd00:2::1/64"],
        b_addresses=["10.0.2.2/24", "fd00:2::2/64"],
    )
    for ns, number in ((row.client, 1), (row.server, 2)):
        add_route(ns, "default", f"10.0.{number}.1")
        add_route(ns, "default", f"fd00:{number}::1")
    sysctl(row.firewall, "net.ipv4.ip_forward", 1)
    sysctl(row.firewall, "net.ipv6.conf.all.forwarding", 1)
    return row
