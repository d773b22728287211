"""PostgreSQL and psycopg behind a firewall that forgets after an hour: what dies, what lives on.

Both ends of a PostgreSQL connection have their TCP keepalive on.  Its first question comes after
two hours, as Linux has it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from fwemu.lab import Lab
from netns import sysctl
from tests.apps.kit import (
    BEHAVIOURS,
    FEW,
    REPETITIONS,
    ended,
    let_pass,
    probes,
    run_snippet,
    snippet,
)
from tests.apps.postgresql import PostgreSQL, postgresql
from tests.kit.labs import SOON, as_new, eventually

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("postgresql")]

UNEXPECTED = "server closed the connection unexpectedly"
LOST = {"silent": "Connection timed out", "resets": UNEXPECTED}
"""What libpq tells the client who goes on: after a RST it suspects the server of a crash."""


@pytest.fixture(scope="module")
def server(module_lab: Lab) -> Iterator[PostgreSQL]:
    """One server for all of them."""
    with postgresql(module_lab) as running:
        yield running


@pytest.fixture
def database(server: PostgreSQL) -> PostgreSQL:
    """The server, without connections and settings of other tests."""
    server.be_as_new()
    return server


@pytest.fixture
def conninfo(lab: Lab, database: PostgreSQL) -> str:
    """How a client finds it."""
    return f"host={lab.server.ip} user=postgres"


@contextmanager
def connected(lab: Lab, conninfo: str, name: str = "") -> Iterator[psycopg.Connection[Any]]:
    """A connection of the client, by the snippet of that name if there is one."""
    names = {"psycopg": psycopg, "conninfo": conninfo}
    with lab.client:
        connection = run_snippet(name, **names) if name else psycopg.connect(conninfo)
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def port(connection: psycopg.Connection[Any]) -> int:
    """The client's port of a connection, as the server sees it."""
    row = connection.execute("select inet_client_port()").fetchone()
    assert row is not None
    return int(row[0])


# -- a connection ---------------------------------------------------------------------------------


def test_a_quiet_connection_dies_after_an_hour(lab: Lab, conninfo: str, behaviour: str) -> None:
    """With all defaults: keepalive is on at both ends, and asks an hour too late."""
    with connected(lab, conninfo) as connection:
        here = port(connection)
        hour = let_pass(lab)
        assert ended(hour, here) == ["expired"]
        assert probes(hour, here) == (0, 0)
        with pytest.raises(psycopg.OperationalError, match=LOST[behaviour]):
            connection.execute("select 1")


def test_a_keepalive_of_the_client_keeps_it(lab: Lab, conninfo: str, behaviour: str) -> None:
    """libpq's keepalives_idle, a quarter of an hour: twelve questions in three hours."""
    with connected(lab, conninfo, "psycopg-keepalive") as connection:
        here = port(connection)
        assert probes(let_pass(lab, "3h 5m"), here, "client") == (12, 12)
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_keepalive_of_the_server_keeps_every_connection(
    lab: Lab, conninfo: str, database: PostgreSQL, behaviour: str
) -> None:
    """Where the clients are not ours to change: tcp_keepalives_idle in postgresql.conf."""
    database.set(snippet("postgresql.conf"))
    with connected(lab, conninfo) as connection:
        here = port(connection)
        assert probes(let_pass(lab, "3h 5m"), here, "server") == (12, 12)
        assert connection.execute("select 1").fetchone() == (1,)


def test_the_default_of_two_hours_finds_out_and_prevents_nothing(
    lab: Lab, conninfo: str, behaviour: str
) -> None:
    """The first question is itself refused; nine into silence end it at 2 h 11 min 15 s."""
    with connected(lab, conninfo) as connection:
        here = port(connection)
        hours = lab.fast_forward("3h", stop_on=["connection-lost"])
        later = let_pass(lab, "1s")  # the ends have not heard each other at the same moment
        lost = {
            each["error"]
            for each in hours["connections_lost"] + later["connections_lost"]
            if each["local"].endswith(f":{here}")
        }
        error, number, end = {"silent": ("ETIMEDOUT", 9, 7875), "resets": ("ECONNRESET", 1, 7200)}[
            behaviour
        ]
        assert lost == {error}
        assert hours["advanced_s"] == pytest.approx(end, abs=10)  # real seconds count too
        asked = probes(hours, here, "client")[0] + probes(later, here, "client")[0]
        assert asked == number
        with pytest.raises(psycopg.OperationalError, match=UNEXPECTED):
            connection.execute("select 1")


def test_a_user_timeout_shortens_the_wait_and_saves_nothing(lab: Lab, conninfo: str) -> None:
    """With Linux's fifteen repetitions a query into silence fails after a quarter of an hour."""
    as_new(lab, *BEHAVIOURS["silent"])
    sysctl(lab.client.namespace, REPETITIONS, 15)
    try:
        with connected(lab, conninfo, "psycopg-user-timeout") as connection:
            here = port(connection)
            assert ended(let_pass(lab), here) == ["expired"]
            with pytest.raises(psycopg.OperationalError, match=LOST["silent"]):
                connection.execute("select 1")
    finally:
        sysctl(lab.client.namespace, REPETITIONS, FEW)


# -- a pool ---------------------------------------------------------------------------------------


@contextmanager
def pooled(lab: Lab, conninfo: str, **more: Any) -> Iterator[ConnectionPool[Any]]:
    """A pool of one connection, whose threads belong to the client's host."""
    with lab.client, ConnectionPool(conninfo, min_size=1, open=True, **more) as pool:
        pool.wait()
        yield pool


@pytest.mark.parametrize(
    "settings",
    [{}, {"max_idle": 0.001}, {"max_lifetime": 0.001}],
    ids=["by default", "max_idle", "max_lifetime"],
)
def test_a_pool_hands_out_a_dead_connection(
    lab: Lab, conninfo: str, behaviour: str, settings: dict[str, float]
) -> None:
    """The time of a connection is looked at when it comes back, not when it is handed out."""
    with pooled(lab, conninfo, **settings) as pool:
        assert let_pass(lab)["sessions_ended"] != []
        with pytest.raises(psycopg.OperationalError, match=LOST[behaviour]), pool.connection() as c:
            c.execute("select 1")


def test_a_pool_that_checks_replaces_it(lab: Lab, conninfo: str, behaviour: str) -> None:
    """In silence the check itself waits as long as a query would have."""
    names = {"ConnectionPool": ConnectionPool, "conninfo": conninfo}
    with lab.client, run_snippet("psycopg-pool-check", **names) as pool:
        pool.wait()
        assert let_pass(lab)["sessions_ended"] != []
        with pool.connection() as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert pool.get_stats()["connections_lost"] == 1


def test_a_pool_whose_connections_ask_loses_none(lab: Lab, conninfo: str, behaviour: str) -> None:
    """Keepalive is a matter of each connection: the pool passes it on."""
    names = {"ConnectionPool": ConnectionPool, "conninfo": conninfo}
    with lab.client, run_snippet("psycopg-pool", **names) as pool:
        pool.wait()
        assert let_pass(lab)["sessions_ended"] == []
        with pool.connection() as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert pool.get_stats().get("connections_lost", 0) == 0


# -- long queries ---------------------------------------------------------------------------------

LONG_QUERY = "select 'done' from pg_advisory_lock(7)"
"""It lasts as long as somebody else holds the lock: an hour of work that says nothing."""


@contextmanager
def long_query(
    connection: psycopg.Connection[Any], database: PostgreSQL
) -> Iterator[Future[psycopg.Cursor[Any]]]:
    """The query, under way in a thread of its own."""
    database.ask("select pg_advisory_lock(7)")
    with ThreadPoolExecutor(1) as threads:
        query = threads.submit(connection.execute, LONG_QUERY)
        try:
            eventually(lambda: database.ask(WAITING), what="a query that waits")
            yield query
        finally:
            finish(database)
            let_go(connection)


def let_go(connection: psycopg.Connection[Any]) -> None:
    """End the wait of whoever waits at this connection."""
    with suppress(OSError, psycopg.Error):  # it is over already
        end = socket.socket(fileno=os.dup(connection.fileno()))
        with end:
            end.shutdown(socket.SHUT_RDWR)


WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
CLIENTS = "select count(*) from pg_stat_activity where client_addr is not null"


def finish(database: PostgreSQL) -> None:
    """The work is done: the server answers."""
    database.ask("select pg_advisory_unlock_all()")


def gives_up(database: PostgreSQL) -> None:
    """Until the server has found out that nobody acknowledges what it says."""
    eventually(lambda: database.ask(CLIENTS) == 0, what="a server that gives up")


def test_the_answer_of_a_long_query_is_lost_and_the_client_waits_on(
    lab: Lab, conninfo: str, database: PostgreSQL, behaviour: str
) -> None:
    """The server's answer is refused and the server gives up; nobody tells the client.

    A RST does not help: it goes to the end that spoke, which is the server.
    """
    with connected(lab, conninfo) as connection, long_query(connection, database) as query:
        let_pass(lab)
        finish(database)
        gives_up(database)
        with pytest.raises(TimeoutError):
            query.result(timeout=SOON)


def test_a_firewall_that_tells_ends_a_long_query(
    lab: Lab, conninfo: str, database: PostgreSQL
) -> None:
    """RSTs at the moment of expiry: the client knows at once, the server when it is done."""
    as_new(lab, *BEHAVIOURS["tells"])
    with connected(lab, conninfo) as connection, long_query(connection, database) as query:
        let_pass(lab)
        with pytest.raises(psycopg.OperationalError, match=UNEXPECTED):
            query.result(timeout=5)


def test_with_a_keepalive_the_answer_of_a_long_query_arrives(
    lab: Lab, conninfo: str, database: PostgreSQL, behaviour: str
) -> None:
    """The kernel of the client asks while the client waits."""
    with (
        connected(lab, conninfo, "psycopg-keepalive") as connection,
        long_query(connection, database) as query,
    ):
        let_pass(lab, "3h 5m")
        finish(database)
        assert query.result(timeout=5).fetchone() == ("done",)


# -- LISTEN and NOTIFY ----------------------------------------------------------------------------

NOTIFY = "select pg_notify('orders', 'number 1')"


def heard(connection: psycopg.Connection[Any], within: float = SOON) -> list[str]:
    """Notifications that came in."""
    return [each.payload for each in connection.notifies(timeout=within, stop_after=1)]


def test_a_listener_never_hears_and_does_not_know(
    lab: Lab, conninfo: str, database: PostgreSQL, behaviour: str
) -> None:
    """It only waits: no error, no end, and whoever notifies learns nothing either."""
    with connected(lab, conninfo) as connection:
        connection.execute("listen orders")
        let_pass(lab)
        database.ask(NOTIFY)
        gives_up(database)
        assert heard(connection) == []
        assert not connection.broken


def test_a_listener_with_a_keepalive_hears(
    lab: Lab, conninfo: str, database: PostgreSQL, behaviour: str
) -> None:
    """The same, a quarter of an hour at a time."""
    with connected(lab, conninfo, "psycopg-keepalive") as connection:
        connection.execute("listen orders")
        let_pass(lab, "3h 5m")
        database.ask(NOTIFY)
        assert heard(connection, within=5) == ["number 1"]
