"""The API with clients that send nothing, slowly, or too much: the next one is answered."""

import asyncio
import json
import logging
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from fwemu.client import Client
from fwemu.daemon import http_limits
from fwemu.daemon.control_process import configured
from fwemu.daemon.http_limits import BODY, CONNECTIONS, bounded_body, explained
from fwemu.daemon.process_log import OnceHandler, ProcessLog
from fwemu.errors import ControlError
from tests.kit.labs import PATIENCE, eventually


class Api:
    """A small application on a unix socket, served as the control API is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.app = FastAPI()
        self.sizes: list[int] = []

        @self.app.get("/stats")
        async def stats() -> dict[str, int]:
            return {"served": 1}

        @self.app.post("/body")
        async def body(request: Request) -> dict[str, int]:
            self.sizes.append(len(await request.body()))
            return {"octets": self.sizes[-1]}

        @self.app.get("/follow")
        async def follow() -> StreamingResponse:
            async def lines() -> Any:
                yield b"one\n"
                await self.over.wait()

            return StreamingResponse(lines())

        @self.app.get("/broken")
        async def broken() -> None:
            raise ZeroDivisionError("planted")

        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        self._server = configured(bounded_body(explained(self.app, ProcessLog())))
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listener,))
        self._thread.start()
        eventually(lambda: self._server.started, what="a server")

    def _run(self, listener: socket.socket) -> None:
        async def serve() -> None:
            self.over = asyncio.Event()
            self.loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[listener])

        with listener:
            asyncio.run(serve())

    def connect(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(self.path))  # waits where too many wait already
        made.settimeout(PATIENCE)
        return made

    def ask(self, path: str = "/stats") -> bytes:
        """A whole answer, on a connection of its own."""
        with self.connect() as made:
            made.sendall(b"GET %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" % path.encode())
            return received(made)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()


def received(made: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    parts = []
    try:
        while part := made.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    made = Api(tmp_path / "sock")
    yield made
    made.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def idle(api: Api) -> Iterator[Callable[[int], list[socket.socket]]]:
    """Makes connections that say nothing."""
    with ExitStack() as undo:

        def make(number: int) -> list[socket.socket]:
            return [undo.enter_context(api.connect()) for _ in range(number)]

        yield make


def test_a_thousand_idle_connections_do_not_keep_the_next_client_waiting(
    api: Api, idle: Callable[[int], list[socket.socket]]
) -> None:
    """Room is made by the one that is idle for the longest time; the newest ones are kept."""
    made = idle(1100)
    began = time.monotonic()
    assert b'{"served":1}' in api.ask()
    assert time.monotonic() - began < http_limits.REQUEST_S  # nobody had to time out for it
    oldest, newest = made[0], made[-1]
    assert received(oldest) == b""
    newest.sendall(b"GET /stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert b'{"served":1}' in received(newest)
    assert len(api._server.server_state.connections) <= CONNECTIONS


def test_who_is_served_is_not_sent_away(
    api: Api, idle: Callable[[int], list[socket.socket]]
) -> None:
    """`events --follow` is quiet for hours."""
    with api.connect() as follower:
        follower.sendall(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n")
        heard = b""
        while b"one" not in heard:
            heard += follower.recv(4096)
        idle(2 * CONNECTIONS)
        api.ask()
        follower.setblocking(False)
        with pytest.raises(BlockingIOError):
            follower.recv(1)


def test_when_all_are_busy_the_next_one_hears_so(
    api: Api, idle: Callable[[int], list[socket.socket]]
) -> None:
    """And is answered when one of the others has gone."""
    busy = idle(CONNECTIONS)
    for each in busy:
        each.sendall(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n")
    for each in busy:
        assert each.recv(10)
    answer = api.ask()
    assert answer.startswith(b"HTTP/1.1 503")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["error"].startswith("all 128 connections are busy")
    assert f"content-length: {len(body)}".encode() in head
    busy[0].close()
    eventually(lambda: b'{"served":1}' in api.ask(), what="room")


@pytest.mark.parametrize(
    ("before", "begun"),
    [
        (0, b""),
        (0, b"GET /stats HT"),
        (0, b"GET /stats HTTP/1.1\r\nhost: x\r\n"),
        (1, b"G"),
        (2, b"GET /stats HTTP/1.1\r\n"),
    ],
)
def test_half_a_request_is_not_waited_for_for_ever(
    api: Api, monkeypatch: pytest.MonkeyPatch, before: int, begun: bytes
) -> None:
    """From the first moment of the connection, or from the first octet behind an answer."""
    if not before:
        monkeypatch.setattr(http_limits, "REQUEST_S", 0.2)
    with api.connect() as slow:
        for _ in range(before):
            slow.sendall(b"GET /stats HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += slow.recv(1)
        monkeypatch.setattr(http_limits, "REQUEST_S", 0.2)
        slow.sendall(begun)
        assert received(slow) == b""


def test_half_a_body_is_not_waited_for_for_ever(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, since somebody may be waiting for an answer."""
    monkeypatch.setattr(http_limits, "BODY_S", 0.2)
    with api.connect() as slow:
        slow.sendall(b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")
        assert received(slow).startswith(b"HTTP/1.1 408")
    assert api.sizes == []


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(BODY, 200), (BODY + 1, 413), (8 * BODY, 413)])
def test_a_body_has_a_bound(api: Api, size: int, status: int, chunked: bool) -> None:
    """Whoever sends more hears why, and nothing of it is kept."""
    data = b"x" * size
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, data) if chunked else data
    length = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % size
    with api.connect() as sender:
        sender.sendall(
            b"POST /body HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%s\r\n\r\n%s" % (length, body)
        )
        answer = received(sender)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert api.sizes == ([size] if status == 200 else [])
    if status == 413:
        assert b"more than 1,048,576 octets" in answer


def test_a_body_without_an_end_is_cut_off(api: Api) -> None:
    """400 MB took 1.1 GB of memory; now most of them are not even read."""
    with api.connect() as sender:
        sender.sendall(b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 400000000\r\n\r\n")
        sent = 0
        with suppress(ConnectionError):
            while sent < 400:
                sender.sendall(bytes(1_000_000))
                sent += 1
        assert sent < 40
    assert b'{"served":1}' in api.ask()
    assert api.sizes == []


def test_what_clients_do_wrong_is_said_once(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    """The log of the process must not grow with every request of a client that is broken."""
    handler = OnceHandler(ProcessLog())
    logging.getLogger().addHandler(handler)
    try:
        for _ in range(20):
            with api.connect() as broken:
                broken.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
                assert received(broken).startswith(b"HTTP/1.1 400")
            assert api.ask("/broken").startswith(b"HTTP/1.1 500")
    finally:
        logging.getLogger().removeHandler(handler)
    said = capfd.readouterr().err
    assert said.count("Invalid HTTP request") == 1
    assert said.count("Traceback") == said.count("GET /broken: failed") == 1


def test_a_client_of_ours_hears_what_is_wrong_with_its_request(api: Api) -> None:
    """And not that the firewall has ended, because it was still sending."""
    api.app.post("/sessions/kill")(lambda: {"sessions": 0, "missing": []})
    with Client(api.path) as client, pytest.raises(ControlError, match=r"more than 1,048,576"):
        client.kill(ids=list(range(10**6)))
