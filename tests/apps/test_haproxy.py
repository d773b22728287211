"""HAProxy between client and server: keepalives do not cross a proxy.

A proxy ends the client's connection and makes one of its own.  Each of the two has its own
keepalive, or none, and the firewall sees only the one that crosses it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from fwemu.lab import Host, Lab, Topology
from netns.diag import Diag
from tests.apps.kit import ended, let_pass, probes, snippet
from tests.kit.labs import PATIENCE, what_comes

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("haproxy")]

TOPOLOGY = Topology(clients=2, servers=2)
"""A proxy beside the client, inside, and one beside the server, outside."""

ECHO, PLAIN, OPTION_ONLY, ASKS = 7, 7001, 7002, 7003

_CONNECTED = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9
"""ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK (include/net/tcp_states.h)."""

Connect: TypeAlias = Callable[..., socket.socket]

CONFIGURATION = """
global
    stats timeout 1h
defaults
    mode tcp
    timeout connect 5s
    timeout client 24h
    timeout server 24h
listen plain
    bind :{PLAIN}
    server echo {echo}
listen option_only
    bind :{OPTION_ONLY}
    option srvtcpka
    option clitcpka
    server echo {echo}
listen asks
    bind :{ASKS}
    {asks}
    server echo {echo}
"""


@pytest.fixture(scope="module")
def proxies(module_lab: Lab, base: Path) -> dict[str, Host]:
    """Who runs HAProxy, by its place."""
    module_lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", str(ECHO)], port=ECHO)
    places = {
        "inside": (module_lab.hosts["client2"], snippet("haproxy-server-leg")),
        "outside": (module_lab.hosts["server2"], snippet("haproxy-client-leg")),
    }
    for place, (host, asks) in places.items():
        file = base / f"{place}.cfg"
        echo = f"{module_lab.server.ip}:{ECHO}"
        file.write_text(
            CONFIGURATION.format(
                echo=echo, asks=asks, PLAIN=PLAIN, OPTION_ONLY=OPTION_ONLY, ASKS=ASKS
            )
        )
        host.start(["haproxy", "-db", "-f", str(file)], port=ASKS)
    return {place: host for place, (host, _) in places.items()}


@pytest.fixture
def connect(lab: Lab) -> Iterator[Connect]:
    """Opens connections of the client that ask every fifty minutes, unless told otherwise.

    A test before may have left some at the proxies: their firewall had forgotten them, so that
    nobody heard of their end.  They would ask as well.
    """
    for host in lab.hosts.values():
        with Diag(host.namespace, socket.IPPROTO_TCP) as diag:
            for message in diag.dump(_CONNECTED):
                diag.destroy(message)
    opened: list[socket.socket] = []

    def make(host: Host, port: int, *, asks: bool = True) -> socket.socket:
        with lab.client:
            end = socket.create_connection((host.ip, port), timeout=PATIENCE)
        opened.append(end)
        if asks:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3000)
        assert answers(end)
        return end

    yield make
    for end in opened:
        end.close()


def answers(end: socket.socket) -> bool:
    """Does the server at the other end, wherever it is, still answer?"""
    end.sendall(b"there?")
    return end.recv(100) == b"there?"


def port(end: socket.socket) -> int:
    """The client's port."""
    return int(end.getsockname()[1])


def test_without_a_proxy_a_client_that_asks_lives_on(
    lab: Lab, proxies: dict[str, Host], behaviour: str, connect: Connect
) -> None:
    """What the others are to be compared with."""
    end = connect(lab.server, ECHO)
    assert probes(let_pass(lab), port(end)) == (1, 1)
    assert answers(end)


@pytest.mark.parametrize("at", [PLAIN, OPTION_ONLY], ids=["plain", "option srvtcpka alone"])
def test_a_client_that_asks_keeps_its_own_leg_only(
    lab: Lab, proxies: dict[str, Host], behaviour: str, connect: Connect, at: int
) -> None:
    """Its questions end at the proxy, which answers; the leg behind it says nothing for an hour.

    `option srvtcpka` alone asks when Linux does, after two hours.
    """
    end = connect(proxies["inside"], at)
    hour = let_pass(lab)
    assert probes(hour, port(end)) == (1, 1)
    assert probes(hour, ECHO) == (0, 0)
    assert reasons(hour) == ["expired"]
    end.sendall(b"there?")
    assert what_comes(end) in ("end", "ECONNRESET")


def test_a_proxy_that_asks_its_server_lives_on(
    lab: Lab, proxies: dict[str, Host], behaviour: str, connect: Connect
) -> None:
    """`option srvtcpka`, with its own time; the client need not ask."""
    end = connect(proxies["inside"], ASKS, asks=False)
    assert probes(let_pass(lab), ECHO, "client2") == (4, 4)
    assert answers(end)


@pytest.mark.parametrize("at", [PLAIN, OPTION_ONLY], ids=["plain", "option clitcpka alone"])
def test_a_client_that_does_not_ask_loses_a_proxy_behind_the_firewall(
    lab: Lab, proxies: dict[str, Host], behaviour: str, connect: Connect, at: int
) -> None:
    """Now the client's leg crosses the firewall; the client hears what the firewall says."""
    end = connect(proxies["outside"], at, asks=False)
    hour = let_pass(lab)
    assert ended(hour, port(end)) == ["expired"]
    end.sendall(b"there?")
    assert what_comes(end) == {"silent": "ETIMEDOUT", "resets": "ECONNRESET"}[behaviour]


def test_a_proxy_that_asks_its_clients_lives_on(
    lab: Lab, proxies: dict[str, Host], behaviour: str, connect: Connect
) -> None:
    """`option clitcpka`, with its own time."""
    end = connect(proxies["outside"], ASKS, asks=False)
    assert probes(let_pass(lab), port(end), "server2") == (4, 4)
    assert answers(end)


def reasons(done: dict[str, Any]) -> list[str]:
    """Why sessions with the server ended."""
    return [each["reason"] for each in done["sessions_ended"] if each["destination_port"] == ECHO]
