"""Clients and servers in Python: `python python_programs.py NAME HOST PORT [NAME=VALUE ...]`.

A client uses its connection once, says `ready`, and from then on does nothing by itself but what
its library does; for each line of its input it uses the connection again and says what came of it
in one line: `answered`, or the error as its user sees it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

ANSWERED: Final = "answered"


def words_of(error: BaseException) -> str:
    """An error in one line, with the one that it came of."""
    cause = error.__cause__ or error.__context__
    more = f" <- {words_of(cause)}" if cause is not None else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{more}"


def say(line: str) -> None:
    """One line for whoever started this."""
    print(line, flush=True)


def serve_questions(ask: Callable[[], object]) -> None:
    """Use the connection now, and whenever a line comes in; wait for ever between them."""
    ask()
    say("ready")
    for _ in sys.stdin:
        try:
            ask()
            say(ANSWERED)
        except Exception as error:
            say(words_of(error))


async def serve_questions_in_loop(ask: Callable[[], Awaitable[object]]) -> None:
    """The same in an event loop, which watches the input beside everything else."""
    await ask()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say("ready")
    while await reader.readline():
        try:
            await ask()
            say(ANSWERED)
        except Exception as error:
            say(words_of(error))


# -- websockets ---------------------------------------------------------------------------------


def websockets_server(host: str, port: int, ping: str) -> None:
    """Says back what it hears; `ping` in seconds, or `none`."""
    from websockets.asyncio.server import serve

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        async with serve(echo, host, port, **_pings(ping)) as server:
            await server.serve_forever()

    asyncio.run(main())


def websockets_client(host: str, port: int, ping: str) -> None:
    """A connection over which nothing is said but pings."""
    from websockets.asyncio.client import connect

    async def main() -> None:
        async with connect(f"ws://{host}:{port}", **_pings(ping)) as connection:

            async def ask() -> None:
                await connection.send("there?")
                await connection.recv()

            await serve_questions_in_loop(ask)

    asyncio.run(main())


def _pings(seconds: str) -> dict[str, Any]:
    return {"ping_interval": None if seconds == "none" else float(seconds)}


# -- gRPC ---------------------------------------------------------------------------------------

_GRPC_METHOD: Final = "/test.Watch/Watch"


def grpc_server(host: str, port: int, at_least: str, without_calls: str) -> None:
    """Says back what it hears on a stream; clients may ask every `at_least` seconds.

    Where no call is open, only if that is allowed (`without_calls=1`).
    """
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    class Watch(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)

    options = [
        ("grpc.http2.min_ping_interval_without_data_ms", milliseconds(at_least)),
        ("grpc.keepalive_permit_without_calls", int(without_calls)),
    ]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    server.add_generic_rpc_handlers((Watch(),))
    server.add_insecure_port(f"{host}:{port}")
    server.start()
    server.wait_for_termination()


def grpc_client(host: str, port: int, keepalive: str, idle: str, stream: str) -> None:
    """A stream that stays open (`stream=yes`), or a channel without a call between two of them."""
    import queue

    import grpc

    options = [("grpc.client_idle_timeout_ms", milliseconds(idle))]
    if keepalive != "none":
        options += [
            ("grpc.keepalive_time_ms", milliseconds(keepalive)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),  # as many as it likes
        ]
    channel = grpc.insecure_channel(f"{host}:{port}", options=options)
    watch = channel.stream_stream(_GRPC_METHOD)
    if stream == "yes":
        said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        answers = watch(iter(said.get, None))

        def ask() -> None:
            said.put(b"there?")
            next(answers)
    else:

        def ask() -> None:
            list(watch(iter([b"there?"])))

    serve_questions(ask)


def milliseconds(seconds: str) -> int:
    """As an integer."""
    return round(float(seconds) * 1000)


# -- clients of servers that are no Python ---------------------------------------------------------


def pika_client(host: str, port: int, heartbeat: str) -> None:
    """A consumer that waits for messages in its loop, and asks now and then."""
    import threading

    import pika

    parameters = pika.ConnectionParameters(host, port, heartbeat=int(heartbeat))
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    name = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_consume(name, lambda *delivery: None, auto_ack=True)
    asked = threading.Event()

    def listen() -> None:
        for _ in sys.stdin:
            connection.add_callback_threadsafe(asked.set)

    say("ready")
    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            connection.process_data_events(time_limit=None)
            if asked.is_set():
                asked.clear()
                channel.queue_declare(name, passive=True)
                say(ANSWERED)
        except Exception as error:
            say(words_of(error))
            return


def pymysql_client(host: str, port: int) -> None:
    """A connection that is idle between two queries."""
    import pymysql

    connection = pymysql.connect(host=host, port=port, user="test", read_timeout=30)

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("select 1")

    serve_questions(ask)


def http_client(host: str, port: int) -> None:
    """http.client, which keeps its connection if the server does."""
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=30)

    def ask() -> None:
        connection.request("GET", "/")
        connection.getresponse().read()

    serve_questions(ask)


def ldap3_client(host: str, port: int) -> None:
    """A connection that is bound once and searches now and then."""
    import ldap3

    server = ldap3.Server(host, port, get_info=ldap3.NONE)
    connection = ldap3.Connection(server, auto_bind=True, receive_timeout=30)
    serve_questions(
        lambda: connection.search("", "(objectClass=*)", ldap3.BASE, attributes=["namingContexts"])
    )


def memcached_client(host: str, port: int) -> None:
    """pymemcache, with one connection."""
    from pymemcache.client.base import Client

    client = Client((host, port), timeout=30)
    serve_questions(client.version)


def psycopg_pool_client(host: str, port: int, lifetime: str, idle: str) -> None:
    """psycopg_pool with one connection, and its times."""
    from psycopg_pool import ConnectionPool

    where = f"host={host} port={port} user=postgres keepalives=0"
    pool = ConnectionPool(
        where, min_size=1, max_size=1, open=True, max_lifetime=float(lifetime), max_idle=float(idle)
    )

    def ask() -> None:
        with pool.connection(timeout=30) as connection:
            connection.execute("select 1")

    serve_questions(ask)


def sqlalchemy_client(host: str, port: int, recycle: str) -> None:
    """An engine whose pool replaces a connection that is older, when somebody wants one."""
    import sqlalchemy

    where = f"postgresql+psycopg://postgres@{host}:{port}/postgres?keepalives=0"
    engine = sqlalchemy.create_engine(where, pool_size=1, pool_recycle=float(recycle))

    def ask() -> None:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))

    serve_questions(ask)


def redis_client(host: str, port: int, health: str) -> None:
    """redis-py without a keepalive, and with a health check that is due now and then."""
    import redis

    client = redis.Redis(host, port, health_check_interval=float(health), socket_keepalive=False)
    serve_questions(client.dbsize)


PROGRAMS: Final[dict[str, Callable[..., None]]] = {
    function.__name__: function
    for function in (
        websockets_server, websockets_client, grpc_server, grpc_client, pika_client, pymysql_client,
        http_client, ldap3_client, memcached_client, psycopg_pool_client, sqlalchemy_client,
        redis_client,
    )
}  # fmt: skip


if __name__ == "__main__":
    program, address, number, *options = sys.argv[1:]
    PROGRAMS[program](address, int(number), **dict(each.split("=", 1) for each in options))
