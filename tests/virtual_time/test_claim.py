"""A host's time belongs to one firewall, and the next one is told whose it is."""

from __future__ import annotations

import os
import signal

import pytest

from fwemu.errors import NamespaceError
from fwemu.virtual_time.claim import claimed
from tests.kit.ground import Ground

pytestmark = pytest.mark.kernel


def keepalive(ground: Ground) -> str:
    """A setting of the client that a time scale divides."""
    with ground.client.namespace.enter(), open("/proc/sys/net/ipv4/tcp_keepalive_time") as file:
        return file.read().strip()


def test_a_second_firewall_does_not_divide_the_settings_of_a_host_again(ground: Ground) -> None:
    """7200, 720, 72: each would scale what the one before has made of it."""
    host = ("--host", f"client={ground.client.namespace.name}")
    before = keepalive(ground)
    first = ground.start("--time-scale", "10", *host)
    scaled = keepalive(ground)
    second = ground.start("--set", "daemon.queue=1", "--time-scale", "10", *host, ready=False)

    assert second.ends() == NamespaceError.exit_code
    assert f"its time belongs to the firewall '{first.name}'" in second.said
    assert "start this one without --host" in second.said
    assert "Traceback" not in second.said
    assert (before, scaled, keepalive(ground)) == ("7200", "720", "720")
    first.process.stop()
    assert keepalive(ground) == before


def test_a_clock_is_not_moved_beside_another_one_that_plays_the_same_host(ground: Ground) -> None:
    """Without a time scale as well: a fast-forward of one leaves the other's clock behind."""
    host = ("--host", ground.server.namespace.name)
    first = ground.start(*host)
    second = ground.start("--set", "daemon.queue=1", *host, ready=False)

    assert second.ends() == NamespaceError.exit_code
    assert f"stands still while '{first.name}' fast-forwards" in second.said


def test_a_claim_goes_with_the_firewall_however_that_ends(ground: Ground) -> None:
    """A lock that outlives a SIGKILL would have to be removed by hand."""
    host = ("--host", ground.client.namespace.name)
    first = ground.start(*host)
    os.kill(first.process.pid, signal.SIGKILL)
    first.ends()
    assert ground.start(*host).process.is_running


def test_hosts_of_others_are_others(ground: Ground) -> None:
    """A claim is on a namespace: two firewalls with different hosts do not meet."""
    with (
        claimed({"client": ground.client.namespace.name}, "one"),
        claimed({"server": ground.server.namespace.name, "gone": "no-such-netns"}, "two"),
    ):
        pass
