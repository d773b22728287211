"""The control process: serves HTTP until the firewall's own process is gone.

It is another process, so that no answer ever holds up a packet.  The engine is asked over a pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from fwemu.config import Config
from fwemu.daemon.browser_guard import is_loopback, reject_cross_site
from fwemu.daemon.control import application, metrics_application
from fwemu.daemon.fast_forward import FastForwarderFactory
from fwemu.daemon.hook_watch import HookWatch
from fwemu.daemon.http_limits import AT_ONCE, WAITING, BoundedConnection, bounded_body, explained
from fwemu.daemon.losses import Losses
from fwemu.daemon.pace import Pace
from fwemu.daemon.process_log import OnceHandler, ProcessLog
from fwemu.daemon.requests import AnswerT, Asking, Note, Reply
from fwemu.daemon.rundir import About
from fwemu.errors import ControlError, EngineError


class Engine:
    """The engine at the other end of the pipe; one question at a time."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._one_at_a_time = threading.Lock()

    def ask(self, request: Asking[AnswerT]) -> AnswerT:
        """The answer of `operations.EngineRequests`."""
        try:
            with self._one_at_a_time:
                self._pipe.send(request)
                reply: Reply = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise ControlError("the firewall is ending") from error
        answer: AnswerT = answer_of(reply)
        return answer


def answer_of(reply: Reply) -> Any:
    """The value in a reply; raises EngineError if the engine failed at the request."""
    if reply.error is not None:
        raise EngineError(reply.error)
    return reply.value


def serve(
    pipe: Connection,
    parent_alive: int,
    control: socket.socket,
    metrics: socket.socket | None,
    api: socket.socket | None,
    about: About,
    config: Config,
    fast_forwarder: FastForwarderFactory | None,
    pace: Pace | None = None,
    watch: HookWatch | None = None,
) -> None:
    """Serve until the descriptor `parent_alive` says that the firewall's process is gone."""
    engine = Engine(pipe)
    losses = Losses("metrics")
    forwarder = None if fast_forwarder is None else fast_forwarder(engine)
    app = application(about, config, engine, forwarder, pace, losses, watch)
    log = ProcessLog()
    logging.getLogger().addHandler(OnceHandler(log))
    servers: list[tuple[ASGIApp, socket.socket]] = [(app, control)]
    if api is not None:
        servers.append((reject_cross_site(app, is_local=is_loopback(api.getsockname()[0])), api))
    if metrics is not None:
        servers.append((metrics_application(engine, losses), metrics))

    def note(event: str, fields: dict[str, Any]) -> None:
        engine.ask(Note(event, fields))

    with contextlib.ExitStack() as undo:
        if watch is not None:
            undo.enter_context(watch.watching(note))
        if forwarder is not None:
            undo.callback(forwarder.close)
        if pace is not None:
            undo.enter_context(pace.watched_sockets(note))
        asyncio.run(
            _serve_all(
                [(bounded_body(explained(app, log)), listener) for app, listener in servers],
                parent_alive,
            )
        )


class _Server(uvicorn.Server):
    """Leaves signals alone: the firewall's process takes them and ends this one."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(WAITING)  # asyncio has one number for this and for `AT_ONCE`

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def configured(app: ASGIApp) -> uvicorn.Server:
    """A server of this application, within the limits of `http_limits`."""
    return _Server(
        uvicorn.Config(
            app,
            http=BoundedConnection,
            lifespan="off",
            backlog=AT_ONCE,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )


async def _serve_all(served: list[tuple[ASGIApp, socket.socket]], parent_alive: int) -> None:
    servers = []
    for app, _ in served:
        servers.append(configured(app))

    def end() -> None:
        for server in servers:
            server.should_exit = True
            server.force_exit = True

    asyncio.get_running_loop().add_reader(parent_alive, end)
    await asyncio.gather(
        *(
            server.serve(sockets=[listener])
            for server, (_, listener) in zip(servers, served, strict=True)
        )
    )
