"""The control API at work while packets flow: nobody's traffic suffers from being looked at."""

import itertools
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fwemu.client import Client
from fwemu.errors import ConfigError
from fwemu.lab import Lab
from tests.kit.labs import (
    SOON,
    Log,
    Pair,
    Wire,
    connected,
    count,
    datagrams,
    eventually,
    resets_sent_by_kernel,
    say,
    what_comes,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])


class Traffic:
    """Requests and responses over some connections without a break, in a thread of its own."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.rounds = 0
        self.problem: BaseException | None = None
        self._pairs = pairs
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            for number in itertools.count():
                for pair in self._pairs:
                    say(pair.client, pair.server, b"request %d" % number)
                    say(pair.server, pair.client, b"response %d" % number)
                self.rounds = number + 1
                if self._over.is_set():
                    return
        except BaseException as error:
            self.problem = error

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()
        if self.problem is not None:
            raise self.problem

    def goes_on(self, rounds: int = 10) -> bool:
        """Some more rounds pass from now on."""
        target = self.rounds + rounds
        eventually(lambda: self.problem is not None or self.rounds >= target, what="traffic")
        return self.problem is None


@pytest.fixture
def traffic(lab: Lab) -> Iterator[Traffic]:
    """Five busy connections; any request or response that is lost fails the test."""
    with ExitStack() as undo:
        pairs = [undo.enter_context(connected(lab, version)) for version in (4, 6, 4, 6, 4)]
        with Traffic(pairs) as traffic:
            assert traffic.goes_on()
            yield traffic
            assert traffic.goes_on()


def test_a_flush_under_traffic_loses_nothing_where_unknown_packets_are_picked_up(
    lab: Lab, traffic: Traffic
) -> None:
    """Ten times in a row, in the middle of requests and responses."""
    lab.firewall.configure(
        ["unknown.inside=pick-up", "unknown.outside=pick-up", 'rules=[{action="allow"}]']
    )
    log = Log(lab)
    for _ in range(10):
        assert lab.firewall.flush() > 0
        assert traffic.goes_on()
    assert len(log("built", picked_up=True)) >= 50
    assert log("denied") == []


def test_settings_change_under_traffic_without_a_packet_lost(lab: Lab, traffic: Traffic) -> None:
    """Every kind of setting that can change, many times over."""
    log = Log(lab)
    for number in range(20):
        lab.firewall.configure(
            [
                f"timeouts.tcp_established={number + 60}s",
                f"table.capacity={1000 + number}",
                f"table.when_full={['evict-lru', 'evict-random', 'reject-new'][number % 3]}",
                "expiry.action=reset-both",
                f'rules=[{{action="deny", proto="udp", ports=[{number + 1}]}}]',
                f'flush=[{{every="{number + 1}h"}}]',
            ]
        )
        assert traffic.goes_on(2)
    assert {session["timeout_s"] for session in lab.firewall.sessions()} == {79.0}
    assert len(log("configured")) == 20
    assert log("denied") == []


def test_a_setting_that_is_wrong_changes_nothing(lab: Lab, traffic: Traffic) -> None:
    """Not even those beside it that are right."""
    before = lab.firewall.config()
    for wrong in (
        ["timeouts.tcp_established=5s", "timeouts.nonsense=1s"],
        ["table.capacity=0"],
        ["daemon.queue=5"],
    ):
        with pytest.raises(ConfigError):
            lab.firewall.configure(wrong)
    assert lab.firewall.config() == before
    assert traffic.goes_on()


# -- kill -----------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    ("notify", "client_hears", "server_hears"),
    [
        ("silent", "nothing", "nothing"),
        ("reset-both", "ECONNRESET", "ECONNRESET"),
        ("reset-original", "ECONNRESET", "nothing"),
        ("reset-reply", "nothing", "ECONNRESET"),
    ],
)
def test_a_killed_session_is_heard_of_where_it_was_asked_for(
    lab: Lab, version: int, notify: str, client_hears: str, server_hears: str
) -> None:
    """By RSTs of the firewall's own, in the middle of a conversation; the neighbours go on."""
    before = [resets_sent_by_kernel(host) for host in (lab.client, lab.server)]
    log = Log(lab)
    with (
        connected(lab, version) as pair,
        connected(lab, version) as neighbour,
        Wire(lab.server) as wire,
    ):
        for each in (pair, neighbour):
            say(each.client, each.server, b"x" * 3000)
        (session,) = lab.firewall.sessions(port=pair.port)
        assert lab.firewall.kill(ids=[session["id"]], notify=notify) == 1
        for end, hears in ((pair.client, client_hears), (pair.server, server_hears)):
            assert what_comes(end, within=SOON if hears == "nothing" else 10) == hears
        say(neighbour.client, neighbour.server)
        (ended,) = log("torn_down")
        assert (ended["reason"], ended["source_port"]) == ("killed", pair.port)
        assert wire.sent_rsts() == []
        assert [resets_sent_by_kernel(host) for host in (lab.client, lab.server)] == before


def test_sessions_are_killed_by_what_they_have_in_common_or_by_share(lab: Lab) -> None:
    """Which is how a QA engineer thinks of them: "all to that port", "half of them"."""
    with ExitStack() as undo:
        pairs = [undo.enter_context(connected(lab)) for _ in range(8)]
        others = [undo.enter_context(connected(lab, 6)) for _ in range(4)]
        assert lab.firewall.kill(ids=[10**9]) == 0
        assert lab.firewall.kill(match={"host": lab.server.ipv6}, notify="reset-both") == 4
        for pair in others:
            assert what_comes(pair.client) == "ECONNRESET"
        assert lab.firewall.kill(share=0.5, notify="reset-original") == 4
        heard = [what_comes(pair.client, within=SOON) for pair in pairs]
        assert sorted(heard) == ["ECONNRESET"] * 4 + ["nothing"] * 4
        assert lab.firewall.kill(match={"protocol": "tcp", "state": "established"}) == 4
        assert list(lab.firewall.sessions()) == []


def test_events_are_followed_as_they_come(lab: Lab) -> None:
    """The reader waits at the end of the log and gets each event when it happens."""
    log = Log(lab)
    seen: list[dict[str, object]] = []

    def follow() -> None:
        with Client(lab.firewall.control) as reader:
            for event in reader.events(after=log.after, follow=True):
                seen.append(event)
                if event["event"] == "torn_down":
                    return

    reader = threading.Thread(target=follow)
    reader.start()
    with connected(lab) as pair:
        (built,) = eventually(lambda: [e for e in seen if e["event"] == "built"])
        assert built["source_port"] == pair.port
        lab.firewall.flush()
    reader.join(10)
    assert not reader.is_alive()
    assert [event["number"] for event in seen] == list(
        range(log.after + 1, log.after + 1 + len(seen))
    )


SESSIONS = 20_000


def test_twenty_thousand_sessions_are_listed_completely_while_traffic_flows(
    lab: Lab, traffic: Traffic
) -> None:
    """Page by page: none twice, none missing, and metrics meanwhile."""
    lab.firewall.configure(["timeouts.udp_unreplied=1h"])
    busy = {session["id"] for session in lab.firewall.sessions()}
    with datagrams(lab.client) as client:
        for port in range(1, SESSIONS + 1):
            client.sendto(b"x", (lab.server.ipv4, port))
            if port % 1000 == 0:  # the kernel's queue is no place for all of them
                eventually(
                    lambda n=port: (
                        count(lab.firewall.statistics(), "sessions", "UDP_UNREPLIED") >= n
                    )
                )
    scraped: list[str] = []
    with Client(lab.firewall.control) as other:
        done = threading.Event()

        def scrape() -> None:
            while not done.is_set():
                scraped.append(other.metrics())

        scraper = threading.Thread(target=scrape)
        scraper.start()
        try:
            listed = list(lab.firewall.sessions())
            in_large_pages = list(lab.firewall.sessions(limit=10_000))
            found = list(lab.firewall.sessions(protocol="udp", port=777))
        finally:
            done.set()
            scraper.join()
    ids = [session["id"] for session in listed]
    assert ids == sorted(set(ids))
    assert len(ids) == SESSIONS + len(busy)
    assert [session["id"] for session in in_large_pages] == ids
    ports = {s["destination_port"] for s in listed if s["protocol"] == "udp"}
    assert ports == set(range(1, SESSIONS + 1))
    assert [session["destination_port"] for session in found] == [777]
    name = 'fwemu_sessions{protocol="udp",state="UDP_UNREPLIED"}'
    assert len(scraped) > 1
    assert all(f"{name} {float(SESSIONS)}" in text for text in scraped[1:])
    assert lab.firewall.statistics()["queue"]["lost_queue_full"] == 0


def test_a_thousand_connections_that_say_nothing_hold_up_nobody(lab: Lab) -> None:
    """A monitor that leaks them, or somebody who means it: the next one is answered.

    And the log of the process, which is on the same small disk, does not grow by it.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    output = Path(lab.about.events).with_name("output.log")
    size = output.stat().st_size
    try:
        with ExitStack() as undo:
            for _ in range(1100):
                idle = undo.enter_context(socket.socket(socket.AF_UNIX))
                idle.connect(lab.about.control)
            began = time.monotonic()
            with Client(Path(lab.about.control)) as client:
                client.statistics()
            assert time.monotonic() - began < 8  # a connection may be idle for ten seconds
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert output.stat().st_size - size < 1000
