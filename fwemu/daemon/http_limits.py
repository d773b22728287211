"""Limits for each client of the API: connections, time, memory.

uvicorn closes a connection that is quiet after an answer, and no other: one that never sends a
request, or half of one, is kept for ever, with a descriptor, until none is left to accept with.
Its `limit_concurrency` refuses requests, those of the next client; it closes nothing.  And it hands
over a body of any size.  So each connection here is watched from its first moment.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from fwemu.daemon.json_lines import json_line, readable
from fwemu.daemon.process_log import ProcessLog

CONNECTIONS: Final = 128
"""To each of the sockets that are listened on; of a firewall with three a third of the descriptors
that a process has by default."""

AT_ONCE: Final = 100
"""That are accepted in one go, before room is made: each has a descriptor meanwhile."""

WAITING: Final = 1024
"""That may wait to be accepted."""

REQUEST_S: Final = 10.0
"""Seconds in which a request's head must be complete, from the first moment of the connection."""

BODY_S: Final = 30.0
"""Seconds in which its body must be."""

BODY: Final = 1 << 20
"""Octets of a body: room for a thousand rules, or for the numbers of 130,000 sessions."""

_DRAINED: Final = 16 * BODY
"""Octets that are read and thrown away, so that a client that only sends hears why."""

_FULL: Final = json_line(
    {"error": f"all {CONNECTIONS} connections are busy with requests: end some of the others"}
)


class BoundedConnection(H11Protocol):
    """A connection that is closed when it takes too long over a request, or room is needed.

    Room is made by the one that has been idle for the longest time; those with a request under way
    (`events --follow`) stay.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._app = self.app
        self.app = self._serve
        self._deadline: asyncio.TimerHandle | None = None
        self._requests = 0
        self.idle_since = 0.0

    @property
    def is_idle(self) -> bool:
        """True if neither a request nor an answer is under way."""
        return not self._requests and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new one: if there are too many now, the one that is idle for the longest time goes."""
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        self._await_request()
        if len(self.connections) > CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Something of a request, or all of it."""
        if not self._requests and self._deadline is None:
            self._await_request()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._stop_waiting()
        self._requests += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= 1
            self.idle_since = self.loop.time()

    def _make_room(self) -> None:
        others = [
            each
            for each in self.connections
            if isinstance(each, BoundedConnection) and each is not self and each.is_idle
        ]
        if others:
            oldest = min(others, key=lambda each: each.idle_since)
            self.connections.discard(oldest)
            oldest.transport.abort()
        else:
            self.transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
                b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_FULL), _FULL)
            )
            self.transport.close()

    def _await_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded_body(app: ASGIApp) -> ASGIApp:
    """The application, for requests whose body is whole, in time, and not larger than `BODY`."""

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_S):
                body = await _whole_body(receive)
        except _ClientGoneError:
            return
        except TimeoutError:
            await problem(
                408, f"the body: not all of it came in {BODY_S:g} s", scope, receive, send
            )
            return
        if body is None:
            text = f"the body: more than {BODY:,} octets (kill many sessions by `match`)"
            await problem(413, text, scope, receive, send)
            return
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Message:
            return next(messages, None) or await receive()

        await app(scope, replay, send)

    return bounded


class _ClientGoneError(Exception):
    """Nobody waits for an answer any more."""


async def _whole_body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    parts, size = [], 0
    while size <= _DRAINED:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size <= BODY:
            parts.append(part)
        if not message.get("more_body", False):
            break
    return b"".join(parts) if size <= BODY else None


async def problem(status: int, text: str, scope: Scope, receive: Receive, send: Send) -> None:
    """An error as everywhere, and the end of the connection: what else comes is not looked at."""
    answer = error_response(status, text)
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)


def error_response(status: int, text: str) -> JSONResponse:
    """An error as everywhere: one line, whatever the client has sent."""
    return JSONResponse({"error": readable(text)}, status_code=status)


def explained(app: ASGIApp, log: ProcessLog) -> ASGIApp:
    """The application; what fails in it is said in the log of the process, once."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:  # it is answered already: see `control._explain_errors`
            log.explain_once(f"{scope.get('method')} {scope.get('path')}: failed", error)

    return guarded
