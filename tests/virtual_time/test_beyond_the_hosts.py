"""What lies beyond the hosts of a firewall without a lab: other programs, and other clocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from netns import add_route, sysctl
from tests.kit.ground import Daemon, End, Ground
from tests.kit.labs import Pair, connected, say, unique

pytestmark = pytest.mark.kernel

HOUR = ("--set", "timeouts.tcp_established=1h")


@contextmanager
def talked(ground: Ground, server: End | None = None) -> Iterator[Pair]:
    """A connection on which something was said, from the client to that server."""
    with connected(ground, server=server) as pair:
        say(pair.client, pair.server)
        yield pair


def passed(daemon: Daemon, by: str) -> dict[str, Any]:
    """The answer to a fast-forward."""
    with daemon.client() as client:
        return client.fast_forward(by)


def test_a_session_with_an_end_that_is_no_host_is_not_sure(ground: Ground) -> None:
    """Nobody has looked whether a program there would have spoken, nor played its keepalives."""
    daemon = ground.start(*HOUR, "--host", f"client={ground.client.namespace.name}")
    with talked(ground):
        done = passed(daemon, "65m")

    (ended,) = done["sessions_ended"]
    assert ended["trust"] == "possible"
    why = f"nobody has looked at the programs at {ground.server.ipv4}, which is none of the hosts"
    assert [doubt["text"] for doubt in ended["doubtful"]] == [f"{why} (--host)"]


def test_nor_is_one_that_lives(ground: Ground) -> None:
    """The server may have closed it long before; a session of two hosts is said nothing of."""
    hosts = [end.namespace.name for end in (ground.client, ground.server)]
    daemon = ground.start(*HOUR, "--host", hosts[0])
    with talked(ground):
        (lives,) = passed(daemon, "30m")["sessions_doubtful"]
    assert lives["trust"] == "possible"
    assert lives["destination"] == ground.server.ipv4
    daemon.process.stop()

    both = ground.start(*HOUR, "--host", hosts[0], "--host", hosts[1])
    with talked(ground):
        assert passed(both, "30m")["sessions_doubtful"] == []


def two_in_a_row(ground: Ground) -> tuple[Daemon, Daemon, End]:
    """Two firewalls, the second of which has no hosts; and the server behind both."""
    network, middle = ground.network, ground.server.namespace
    far = End(network.namespace(unique("far")), "10.0.3.10", "fd00:3::10")
    network.link(
        middle, "far", far.namespace, "eth0",
        a_addresses=["10.0.3.1/24"], b_addresses=[f"{far.ipv4}/24"],
    )  # fmt: skip
    add_route(ground.firewall, "10.0.3.0/24", ground.server.ipv4)
    add_route(far.namespace, "default", "10.0.3.1")
    sysctl(middle, "net.ipv4.ip_forward", 1)
    hosts = [word for end in (ground.client, far) for word in ("--host", end.namespace.name)]
    second = ground.start(
        "--netns", middle.name, "--inside", "eth0", "--outside", "far",
        "--set", "timeouts.tcp_established=20m",
    )  # fmt: skip
    return ground.start(*HOUR, *hosts), second, far


def test_a_second_firewall_on_the_way_whose_clock_stands_still_is_told(ground: Ground) -> None:
    """Its twenty minutes would have ended the session, and no other firewall can play them."""
    first, second, far = two_in_a_row(ground)
    with talked(ground, far), talked(ground, ground.server):
        done = passed(first, "30m")

        through_both, through_one = done["sessions_doubtful"], done["not_played"]
        with second.client() as client:
            assert [row["destination"] for row in client.sessions()] == [far.ipv4]

    assert [row["what"] for row in through_one] == [
        f"the clock of the firewall {second.name!r}, which knows some connections as well"
    ]
    trust = {row["destination"]: row["trust"] for row in through_both}
    assert trust == {far.ipv4: "not-to-be-trusted", ground.server.ipv4: "possible"}
    (why,) = (row["doubtful"][0]["text"] for row in through_both if row["destination"] == far.ipv4)
    assert why == f"it crosses the firewall {second.name!r}, whose clock stands still"


def test_one_elsewhere_is_no_concern(ground: Ground) -> None:
    """It runs beside the first one, and no connection crosses both."""
    first, _, _ = two_in_a_row(ground)
    with talked(ground):
        done = passed(first, "30m")

    assert done["not_played"] == []
    assert [row["trust"] for row in done["sessions_doubtful"]] == ["possible"]
