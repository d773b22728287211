"""A table for a hundred sessions and a thousand connections, under every eviction policy."""

import random
import resource
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fwemu.lab import Lab
from tests.kit.labs import (
    Log,
    as_new,
    connected,
    count,
    eventually,
    listening,
    receive,
    say,
    what_comes,
)

pytestmark = pytest.mark.kernel

CAPACITY = 100
CONNECTIONS = 1000


@pytest.fixture(scope="module", autouse=True)
def _many_files() -> Iterator[None]:
    """Two descriptors a connection."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 8192), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd:
    """Connections in the order in which they were opened, both ends here."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.undo = ExitStack()
        self.listener = self.undo.enter_context(listening(lab.server))
        self.clients: list[socket.socket] = []
        self.servers: list[socket.socket] = []

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *exception: object) -> None:
        self.undo.close()

    def new_client(self) -> socket.socket:
        with self.lab.client:
            return self.undo.enter_context(socket.socket())

    def open(self) -> None:
        """One more, complete."""
        client = self.new_client()
        client.settimeout(10)
        client.connect(self.listener.getsockname())
        server, _ = self.listener.accept()
        server.settimeout(10)
        self.clients.append(client)
        self.servers.append(self.undo.enter_context(server))

    def try_to_open(self) -> socket.socket:
        """A SYN, and no waiting for an answer."""
        client = self.new_client()
        client.setblocking(False)
        assert client.connect_ex(self.listener.getsockname()) != 0
        return client

    def known(self) -> set[int]:
        """Which of them the firewall has in its table, by their number here."""
        number = {client.getsockname()[1]: i for i, client in enumerate(self.clients)}
        return {number[session["source_port"]] for session in self.lab.firewall.sessions()}

    def check_each(self) -> None:
        """Those in the table talk; the others are told that there is no such connection."""
        known = self.known()
        self.lab.firewall.configure(["unknown.inside=reset"])
        for number, client in enumerate(self.clients):
            client.sendall(f"{number:04}".encode())
        for number, (client, server) in enumerate(zip(self.clients, self.servers, strict=True)):
            if number in known:
                assert receive(server, 4) == f"{number:04}".encode()
                say(server, client)
            else:
                assert what_comes(client) == "ECONNRESET"
        assert self.known() == known


def limited(lab: Lab, when_full: str) -> None:
    lab.firewall.configure([f"table.capacity={CAPACITY}", f"table.when_full={when_full}"])


def test_evict_lru_keeps_those_that_were_heard_of_last(lab: Lab) -> None:
    """Also the very first one, which says something now and then."""
    limited(lab, "evict-lru")
    evicted = count(lab.firewall.statistics(), "sessions_ended", "tcp", "evicted")
    with Crowd(lab) as crowd:
        crowd.open()
        for number in range(1, CONNECTIONS):
            crowd.open()
            if number % 50 == 0:
                say(crowd.clients[0], crowd.servers[0])
                say(crowd.servers[0], crowd.clients[0])
        assert crowd.known() == {0, *range(CONNECTIONS - CAPACITY + 1, CONNECTIONS)}
        now = count(lab.firewall.statistics(), "sessions_ended", "tcp", "evicted")
        assert now - evicted == CONNECTIONS - CAPACITY
        crowd.check_each()


def test_evict_random_lets_everybody_in_and_anybody_go(lab: Lab) -> None:
    """Old ones survive by luck, and new ones do not by lack of it."""
    limited(lab, "evict-random")
    with Crowd(lab) as crowd:
        for _ in range(CONNECTIONS):
            crowd.open()
        known = crowd.known()
        assert len(known) == CAPACITY
        assert CONNECTIONS - 1 in known
        assert known != set(range(CONNECTIONS - CAPACITY, CONNECTIONS))
        crowd.check_each()


@pytest.mark.parametrize("when_full", ["reject-new", "evict-unassured"])
def test_a_table_full_of_live_connections_refuses_the_others(lab: Lab, when_full: str) -> None:
    """Silently: who tries hears nothing, and who is in does not notice."""
    limited(lab, when_full)
    before = lab.firewall.statistics()["packets"]["drop"]
    with Crowd(lab) as crowd:
        for _ in range(CAPACITY):
            crowd.open()
        refused = [crowd.try_to_open() for _ in range(CONNECTIONS - CAPACITY)]
        eventually(
            lambda: (
                count(lab.firewall.statistics(), "packets", "drop", "table_full")
                >= before.get("table_full", 0) + len(refused)
            ),
            what="the refusal of each",
        )
        with selectors.DefaultSelector() as selector:
            for attempt in refused:
                selector.register(attempt, selectors.EVENT_READ | selectors.EVENT_WRITE)
            assert selector.select(0.1) == []
        for attempt in refused:
            attempt.close()
        assert crowd.known() == set(range(CAPACITY))
        crowd.check_each()


def test_evict_unassured_makes_room_from_half_open_connections_only(lab: Lab) -> None:
    """A SYN flood fills the table; real connections push it out, until the table is all real."""
    limited(lab, "evict-unassured")
    log = Log(lab)
    nobody = lab.server.ipv4.rpartition(".")[0] + ".99"
    with Crowd(lab) as crowd, ExitStack() as undo:
        for _ in range(CAPACITY):
            with lab.client:
                half_open = undo.enter_context(socket.socket())
            half_open.setblocking(False)
            half_open.connect_ex((nobody, 5000))
        eventually(lambda: count(lab.firewall.statistics(), "sessions", "SYN_SENT") == CAPACITY)
        for _ in range(CAPACITY):
            crowd.open()
        assert crowd.known() == set(range(CAPACITY))
        assert {event["state"] for event in log("torn_down", reason="evicted")} == {"SYN_SENT"}
        with crowd.try_to_open():
            eventually(lambda: log("denied", reason="table_full"), what="the refusal")
        crowd.check_each()


def test_the_end_of_one_connection_makes_room_for_another(lab: Lab) -> None:
    """With reject-new that is the only way in; who closes properly leaves after TIME_WAIT."""
    limited(lab, "reject-new")
    lab.firewall.configure(["table.capacity=1", "timeouts.tcp_time_wait=0s"])
    for _ in range(3):
        with connected(lab) as pair:
            say(pair.client, pair.server)
            pair.client.close()
            assert what_comes(pair.server) == "end"
            pair.server.close()
            eventually(lambda: list(lab.firewall.sessions()) == [], what="the end of the session")


def test_a_smaller_capacity_evicts_at_once(lab: Lab) -> None:
    """Changed over the API while they are open."""
    with Crowd(lab) as crowd:
        for _ in range(CAPACITY):
            crowd.open()
        for number in random.Random(1).sample(range(CAPACITY), 10):
            say(crowd.clients[number], crowd.servers[number])
            say(crowd.servers[number], crowd.clients[number])
        lab.firewall.configure(["table.capacity=10"])
        assert crowd.known() == set(random.Random(1).sample(range(CAPACITY), 10))
        crowd.check_each()
    as_new(lab)
