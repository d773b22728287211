"""The border to pyroute2: its exceptions, its event loop, its import time."""

import asyncio
import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyroute2.netlink import exceptions

from netns import LinkError, NotPermitted, add_address, interfaces, up
from netns.rtnl import listed, route_socket


def test_every_exception_of_pyroute2_is_known_here():
    """A new one in a new version must be looked at before it reaches a person as a traceback."""
    there = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    translated = {"NetlinkError", "NetlinkDumpInterrupted", "IPSetError"}
    # What arrives in a form that pyroute2 cannot read is a bug, and shall look like one.
    bugs = {
        "NetlinkDecodeError",
        "NetlinkHeaderDecodeError",
        "NetlinkDataDecodeError",
        "NetlinkNLADecodeError",
    }
    inner = {"SkipInode", "ChaoticException"}
    assert there == translated | bugs | inner


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (exceptions.NetlinkError(17, "File exists"), LinkError, "cannot x: File exists"),
        (exceptions.NetlinkError(22, None), LinkError, "cannot x: Invalid argument"),
        (exceptions.NetlinkError(1, "no"), NotPermitted, "sudo"),
        (exceptions.NetlinkDumpInterrupted(), LinkError, "kept changing"),
        (OSError(19, "No such device"), LinkError, "no such interface"),
    ],
)
def test_errors_of_pyroute2_become_ours(error, kind, words):
    """Nobody who calls netns needs to know that pyroute2 is below."""
    with pytest.raises(kind, match=words), route_socket("x"):
        raise error


def test_importing_netns_does_not_import_pyroute2():
    """It takes 0.2 s, which every command of a program on top would pay."""
    code = "import sys, netns; sys.exit('pyroute2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.kernel
def test_links_can_be_made_under_a_running_event_loop(host):
    """pyroute2's own synchronous sockets refuse to work there."""

    async def main():
        add_address(host, "lo", "10.9.9.9/32")
        return interfaces(host)

    (loopback,) = asyncio.run(main())
    assert "10.9.9.9/32" in loopback.addresses


@pytest.mark.kernel
def test_many_threads_may_work_on_one_namespace(host):
    """Nothing is shared between two calls."""
    with ThreadPoolExecutor(8) as pool:
        wanted = [f"10.9.{i}.1/32" for i in range(24)]
        list(pool.map(lambda address: add_address(host, "lo", address), wanted))
        list(pool.map(lambda _: up(host, "lo"), range(8)))
    (loopback,) = interfaces(host)
    assert set(wanted) <= set(loopback.addresses)


@pytest.mark.kernel
def test_a_torn_listing_is_asked_for_again(host):
    """Otherwise somebody else's new interface makes ours fail now and then."""
    failures = [exceptions.NetlinkDumpInterrupted()] * 3

    def work(_):
        if failures:
            raise failures.pop()
        return "listed"

    assert listed(host, "list", work) == "listed"


@pytest.mark.kernel
def test_a_listing_torn_each_time_is_an_error_and_no_endless_loop(host):
    """Trying again has an end."""

    def work(_):
        raise exceptions.NetlinkDumpInterrupted

    with pytest.raises(LinkError, match="kept changing"):
        listed(host, "list", work)
