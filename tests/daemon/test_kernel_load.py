"""Ten thousand connections at once: no wrong verdict, nothing lost, and nothing left."""

import subprocess
import sys
from pathlib import Path

import pytest

from fwemu.lab import Lab
from netns import spawn
from tests.kit.labs import Log, count, dropped, eventually

pytestmark = pytest.mark.kernel

MANY = 10_000
PROGRAM = str(Path(__file__).with_name("crowd.py"))


def test_ten_thousand_connections_are_all_served_and_all_forgotten(lab: Lab) -> None:
    """Half of them IPv6; each is checked by an echo when it opens, and when all are open."""
    hosts = f"{lab.server.ipv4},{lab.server.ipv6}"
    log = Log(lab)
    drops = dropped(lab)
    before = lab.firewall.statistics()
    lab.server.start([sys.executable, PROGRAM, "server", hosts, "7000"], port=7000)
    with spawn(
        lab.client.namespace,
        [sys.executable, PROGRAM, "client", hosts, "7000", str(MANY)],
        stdin=subprocess.PIPE,
    ) as client:

        def says(text: str) -> bool:
            assert client.is_running, client.last_words()
            return text in client.output()

        def tell(command: str) -> None:
            assert client.stdin is not None
            client.stdin.write(f"{command}\n".encode())
            client.stdin.flush()

        eventually(lambda: says(f"open {MANY} lost 0"), within=60, what="all connections")
        assert lab.firewall.statistics()["sessions"] == {"ESTABLISHED": MANY}
        tell("echo")
        eventually(lambda: says(f"echoed {MANY} lost 0"), within=60, what="all echoes")

        now = lab.firewall.statistics()
        assert dropped(lab) == drops
        assert log("denied") == []
        assert now["queue"]["lost_queue_full"] == 0
        assert now["queue"]["lost_buffer_full"] == 0
        assert (
            count(now, "sessions_opened", "tcp") - count(before, "sessions_opened", "tcp") == MANY
        )
        assert count(now, "sessions_ended") == count(before, "sessions_ended")

        lab.firewall.configure(["timeouts.tcp_established=1s"])
        eventually(lambda: lab.firewall.statistics()["sessions"] == {}, what="their expiry")
        ended = log("torn_down")
        assert len(ended) == MANY
        assert {event["reason"] for event in ended} == {"expired"}
        # each went through the handshake and two echoes, both ways
        assert all(event["packets"]["original"] >= 4 for event in ended)
        assert all(event["packets"]["reply"] >= 3 for event in ended)
        assert len({(event["source"], event["source_port"]) for event in ended}) == MANY
        tell("close")
        eventually(lambda: says("closed"))
