"""Redis and redis-py behind firewalls that forget: who asks, how often, and who is never told.

A Redis server asks its clients every 300 s by default, redis-py 8 its server every 30 s.  Where
either has been turned off, or the firewall is quicker than it, the rest of this happens.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from fwemu.lab import Lab
from tests.apps.kit import behave_as, ended, let_pass, probes, run_snippet, snippet
from tests.kit.labs import SOON, eventually

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("redis")]


class Server:
    """A Redis server, and a way to it that does not lead through the firewall."""

    def __init__(self, path: str) -> None:
        self.ask = redis.Redis(unix_socket_path=path)

    def set(self, line: str) -> None:
        """A line of redis.conf, for all connections that begin from now on."""
        self.ask.config_set(*line.split())

    def be_as_new(self) -> None:
        """No connections, no settings, no data of before."""
        for kind in ("normal", "pubsub"):
            self.ask.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        self.set("tcp-keepalive 300")
        self.ask.flushall()


@pytest.fixture(scope="module")
def running(module_lab: Lab) -> Iterator[Server]:
    """One server for all of them."""
    directory = tempfile.mkdtemp(prefix="fwemu-redis-")
    words = ["--port", "6379", "--save", "", "--protected-mode", "no", "--dir", directory]
    path = f"{directory}/socket"
    try:
        module_lab.server.start(["redis-server", *words, "--unixsocket", path], port=6379)
        server = Server(path)
        yield server
        server.ask.close()
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def server(running: Server) -> Server:
    """The server, without connections and settings of other tests."""
    running.be_as_new()
    return running


@contextmanager
def client(lab: Lab, **more: Any) -> Iterator[redis.Redis]:
    """A client in its host, with a connection that it has used."""
    with lab.client, redis.Redis(host=lab.server.ip, **more) as made:
        made.ping()
        yield made


def port(made: redis.Redis) -> int:
    """The client's port of its connection, as the server sees it."""
    return int(made.client_info()["addr"].rpartition(":")[2])


SILENT_CLIENT: dict[str, Any] = {"socket_keepalive": False}
"""As many clients are, redis-py among them before version 8."""
ONE_TRY: dict[str, Any] = {**SILENT_CLIENT, "retry": Retry(NoBackoff(), 0)}
"""It also says at once what went wrong."""

LOST = {"silent": redis.TimeoutError, "resets": redis.ConnectionError}
"""What it says then."""


# -- commands -------------------------------------------------------------------------------------


def test_where_nobody_asks_a_quiet_connection_dies(
    lab: Lab, server: Server, behaviour: str
) -> None:
    """tcp-keepalive 0 on the server, and a client that leaves it to the server."""
    server.set("tcp-keepalive 0")
    with client(lab, **ONE_TRY) as quiet:
        here = port(quiet)
        hour = let_pass(lab)
        assert ended(hour, here) == ["expired"]
        assert probes(hour, here) == (0, 0)
        with pytest.raises(LOST[behaviour]):
            quiet.ping()


def test_repeated_commands_hide_the_loss(lab: Lab, server: Server, behaviour: str) -> None:
    """redis-py 8 connects anew and says it again: the caller sees a delay, and no error."""
    server.set("tcp-keepalive 0")
    with client(lab, **SILENT_CLIENT) as quiet:
        before = quiet.client_id()
        let_pass(lab)
        assert quiet.incr("visits") == 1
        assert quiet.client_id() != before


def test_a_health_check_asks_before_the_next_command_and_not_meanwhile(
    lab: Lab, server: Server, behaviour: str
) -> None:
    """It keeps nothing alive: the session is gone, and the check finds that out."""
    server.set("tcp-keepalive 0")
    with client(lab, **SILENT_CLIENT, health_check_interval=0.001) as checked:
        before, here = checked.client_id(), port(checked)
        assert ended(let_pass(lab), here) == ["expired"]
        assert checked.incr("visits") == 1
        assert checked.client_id() != before


@pytest.mark.parametrize(
    ("profile", "is_kept"),
    [("cisco-asa", True), ("aws-nat-gateway", True), ("azure-load-balancer", False)],
)
def test_the_default_of_the_server_is_enough_for_an_hour_and_350_s_but_not_for_240(
    lab: Lab, server: Server, profile: str, is_kept: bool
) -> None:
    """tcp-keepalive 300: it all depends on which box stands between."""
    behave_as(lab, profile)
    with client(lab, **ONE_TRY) as quiet:
        here = port(quiet)
        hour = let_pass(lab)
        if is_kept:
            assert probes(hour, here, "server") == (12, 12)
            assert quiet.ping()
        else:
            assert ended(hour, here) == ["expired"]
            with pytest.raises(LOST["silent"]):
                quiet.ping()


def test_a_quicker_server_is_enough_for_all_of_them(lab: Lab, server: Server) -> None:
    """Below 240 s: tcp-keepalive in redis.conf."""
    behave_as(lab, "azure-load-balancer")
    server.set(snippet("redis.conf"))
    with client(lab, **ONE_TRY) as quiet:
        here = port(quiet)
        assert probes(let_pass(lab), here, "server") == (18, 18)
        assert quiet.ping()


@pytest.mark.parametrize("profile", ["cisco-asa", "aws-nat-gateway", "azure-load-balancer"])
def test_the_defaults_of_redis_py_8_are_enough_for_all_of_them(
    lab: Lab, server: Server, profile: str
) -> None:
    """A question every 30 s, whatever the server does."""
    behave_as(lab, profile)
    server.set("tcp-keepalive 0")
    with client(lab, retry=Retry(NoBackoff(), 0)) as asking:
        here = port(asking)
        assert probes(let_pass(lab), here, "client") == (120, 120)
        assert asking.ping()


def test_a_client_can_ask_by_itself(lab: Lab, server: Server) -> None:
    """For older clients, and services whose server cannot be changed."""
    behave_as(lab, "azure-load-balancer")
    server.set("tcp-keepalive 0")
    with (
        lab.client,
        run_snippet("redis-py-keepalive", redis=redis, socket=socket, host=lab.server.ip) as asking,
    ):
        asking.set_retry(Retry(NoBackoff(), 0))
        here = port(asking)
        assert probes(let_pass(lab), here, "client") == (18, 18)
        assert asking.ping()


# -- subscribers ----------------------------------------------------------------------------------


@contextmanager
def subscriber(lab: Lab, **more: Any) -> Iterator[Any]:
    """Somebody who waits for orders."""
    with client(lab, **more) as waiting, waiting.pubsub(ignore_subscribe_messages=True) as hearing:
        hearing.subscribe("orders")
        assert hearing.get_message(timeout=5) is None  # that it has subscribed
        yield hearing


def heard(hearing: Any, within: float = SOON) -> Any:
    """What a subscriber hears next."""
    message = hearing.get_message(timeout=within)
    return None if message is None else message["data"]


def test_a_subscriber_never_hears_and_does_not_know(
    lab: Lab, server: Server, behaviour: str
) -> None:
    """The server counts it among those who got the message."""
    server.set("tcp-keepalive 0")
    with subscriber(lab, **SILENT_CLIENT) as hearing:
        let_pass(lab)
        assert server.ask.publish("orders", "number 1") == 1
        assert heard(hearing) is None
        assert hearing.connection.is_connected


def test_a_server_that_asks_keeps_its_subscribers(lab: Lab, server: Server, behaviour: str) -> None:
    """As it does by default."""
    with subscriber(lab, **SILENT_CLIENT) as hearing:
        let_pass(lab)
        assert server.ask.publish("orders", "number 1") == 1
        assert heard(hearing, within=5) == b"number 1"


def test_a_health_check_finds_a_subscriber_another_connection(
    lab: Lab, server: Server, behaviour: str
) -> None:
    """It subscribes again, at times by way of an error; what was said meanwhile is lost."""
    server.set("tcp-keepalive 0")
    with subscriber(lab, **SILENT_CLIENT, health_check_interval=0.001) as hearing:
        before = subscribers(server)
        let_pass(lab)
        server.ask.publish("orders", "number 1")

        def has_subscribed_again() -> bool:
            with suppress(redis.ConnectionError, redis.TimeoutError):  # ETIMEDOUT is the latter
                assert heard(hearing) is None
            return bool(subscribers(server) - before)

        eventually(has_subscribed_again)
        server.ask.publish("orders", "number 2")
        assert eventually(lambda: heard(hearing)) == b"number 2"


def test_a_health_check_does_nothing_for_a_subscriber_that_blocks(
    lab: Lab, server: Server, behaviour: str
) -> None:
    """listen() looks at its clock only when a message has come, and none ever comes."""
    server.set("tcp-keepalive 0")
    with (
        subscriber(lab, **ONE_TRY, health_check_interval=30) as hearing,
        ThreadPoolExecutor(1) as threads,
    ):
        next_message = threads.submit(next, hearing.listen())
        try:
            let_pass(lab)
            server.ask.publish("orders", "number 1")
            with pytest.raises(TimeoutError):
                next_message.result(timeout=SOON)
        finally:  # let the thread go
            hearing.connection._sock.shutdown(socket.SHUT_RDWR)


def subscribers(server: Server) -> set[str]:
    """The addresses of those whom the server takes for subscribers."""
    return {each["addr"] for each in server.ask.client_list(_type="pubsub")}
