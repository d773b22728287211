"""The control API: HTTP in a process of its own, so that no answer ever holds up a packet.

The engine is asked over a pipe for plain data; names, units and JSON are made here.  FastAPI
describes it all at /openapi.json and, for people, at /docs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import AfterValidator, BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from fwemu import __version__
from fwemu.config import Config, apply, policy, to_settings
from fwemu.config.duration import Duration
from fwemu.config.values import Delay
from fwemu.core.choices import AtExpiry, PeerState
from fwemu.core.flow import PROTOCOL_NAMES, protocol_name
from fwemu.core.tcp_table import State
from fwemu.daemon.doorkeeper import for_programs_only, is_loopback
from fwemu.daemon.journal_reader import read_events, read_lines
from fwemu.daemon.metrics import Collector
from fwemu.daemon.operations import (
    PAGE,
    Pair,
    Reply,
    SessionsPage,
    TakenOver,
    flushes,
    logged,
    pair,
)
from fwemu.daemon.operations import Request as EngineRequest
from fwemu.daemon.pace import Pace
from fwemu.daemon.records import Record, seconds, session_record, statistics_record
from fwemu.daemon.rundir import About
from fwemu.daemon.travel import Asks, StopOn, Travel, Travels
from fwemu.errors import ConfigError, ControlError, FwemuError

Notify = Literal["silent", "reset-both", "reset-original", "reset-reply"]


class Engine:
    """The engine at the other end of the pipe; one question at a time."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._one_at_a_time = threading.Lock()

    def ask(self, name: str, **arguments: Any) -> Any:
        """The answer to a request of `operations.Operations`."""
        try:
            with self._one_at_a_time:
                self._pipe.send(EngineRequest(name, arguments))
                reply: Reply = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise ControlError("the firewall is ending") from error
        if reply.error is not None:
            raise ControlError(reply.error)
        return reply.value


def _address(text: str | None) -> str | None:
    """The one spelling of an address that sessions are listed with."""
    return None if text is None else str(ipaddress.ip_address(text))


def _state(word: str) -> str:
    """A state as the records spell it."""
    if word.upper() not in (state.name for state in State if state):
        names = ", ".join(state.name for state in State if state)
        raise ValueError(f"no such state (there are: {names})")
    return word.upper()


def _protocol(word: str) -> str:
    """A protocol as the records spell it."""
    name = protocol_name(int(word)) if word.isdigit() else word.lower()
    if not name.isdigit() and name not in PROTOCOL_NAMES.values():
        raise ValueError(
            f"no such protocol (write {', '.join(PROTOCOL_NAMES.values())} or a number)"
        )
    return name


class Match(BaseModel, extra="forbid"):
    """Which sessions are meant; what is not given matches all."""

    protocol: Annotated[str | None, AfterValidator(_protocol)] = Field(
        None, description="tcp, udp, icmp, icmpv6 or a number"
    )
    state: Annotated[str | None, AfterValidator(_state)] = Field(
        None, description="a state, as in ESTABLISHED"
    )
    host: Annotated[str | None, AfterValidator(_address)] = Field(
        None, description="the address of either end"
    )
    port: int | None = Field(None, ge=0, le=65535, description="the port of either end")

    def accepts(self, session: Record) -> bool:
        """Is this session meant?"""
        return (
            (self.protocol is None or session["protocol"] == self.protocol)
            and (self.state is None or session["state"] == self.state)
            and (self.host is None or self.host in (session["source"], session["destination"]))
            and (
                self.port is None
                or self.port in (session.get("source_port"), session.get("destination_port"))
            )
        )


class SessionsQuery(Match):
    """Which sessions to list, and which page of them."""

    after: int = Field(0, ge=0, description="the number to go on from")
    limit: int = Field(1000, ge=1, le=10_000, description="sessions a page")


class SessionsAnswer(BaseModel):
    """A page of sessions."""

    total: int = Field(description="sessions in the whole table")
    next: int | None = Field(description="give it as `after` for the next page; null on the last")
    sessions: list[dict[str, Any]]


class Kill(BaseModel, extra="forbid"):
    """Which sessions to end, and who hears of it."""

    ids: list[int] | None = Field(None, description="their numbers")
    match: Match | None = Field(None, description="or what they have in common")
    share: float | None = Field(None, gt=0, le=1, description="or this share of all, by chance")
    notify: Notify = Field("silent", description="which ends get a RST")


class Count(BaseModel):
    """How many sessions it was."""

    sessions: int


class Settings(BaseModel, extra="forbid"):
    """Settings to change, as `key=value` on the command line."""

    settings: list[str] = Field(description='as in "timeouts.tcp_established=5s"', min_length=1)
    flush: bool = Field(False, description="empty the table in the same step")


class FailOver(BaseModel, extra="forbid"):
    """What the peer knows that takes over; what is not given is as `[standby]` says."""

    state: PeerState | None = Field(None, description="nothing, or what it has heard of")
    lag: Delay | None = Field(None, description="how old that is; at most `standby.lag`")


class FailedOver(BaseModel):
    """What has become of the sessions."""

    state: PeerState
    lag_s: float
    kept: int = Field(description="sessions that the peer knew")
    lost: int = Field(description="sessions that it did not know")
    returned: int = Field(description="sessions that had ended, of which it had not heard")


class Reboot(BaseModel, extra="forbid"):
    """How long a reboot takes."""

    outage: Delay = Field(description='until packets pass again, as in "30s"')


class FastForward(BaseModel, extra="forbid"):
    """How much time is to pass in a moment."""

    by: Delay = Field(description='how long, as in "1h 5m"')
    stop_on: list[StopOn] = Field(default=[], description="events that end it before its time")


class Passed(BaseModel):
    """How far a travel in time has come."""

    passed_s: float | None = Field(description="null if there is none")


class TimeScale(BaseModel):
    """How fast time passes, and how exactly the hosts follow."""

    time_scale: int = Field(description="seconds of the firewall in a real one")
    settings: list[dict[str, Any]] = Field(
        description="settings of the hosts: what was asked, what is exact, what was set, the error"
    )
    not_scaled: list[dict[str, Any]] = Field(description="what goes on in real time")
    sockets: dict[str, Any] = Field(
        description="how many had values of their own, and those that had to be rounded"
    )


class TravelledTime(BaseModel):
    """What happened on the way."""

    advanced_s: float
    wall_s: float = Field(description="how long it really took")
    probes: list[dict[str, Any]] = Field(
        description="each socket that sent keepalive probes: how many were sent and answered"
    )
    sessions_ended: list[dict[str, Any]]
    connections_lost: list[dict[str, Any]] = Field(
        description="sockets whose kernel ended the connection, and the error"
    )
    not_played: list[dict[str, Any]] = Field(description="what could not be played, by name")
    stopped_at: StopOn | None


def application(
    about: About,
    config: Config,
    engine: Asks,
    travels: Travels | None = None,
    pace: Pace | None = None,
) -> FastAPI:
    """The control API of one firewall."""
    app = FastAPI(
        title="fwemu control API",
        version=__version__,
        description="Ask and steer one running firewall.",
    )
    state = {"config": config}

    @app.exception_handler(FwemuError)
    async def explain(request: Request, error: FwemuError) -> JSONResponse:
        status = 400 if isinstance(error, ConfigError) else 503
        return JSONResponse({"error": str(error)}, status_code=status)

    @app.exception_handler(RequestValidationError)
    async def explain_request(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'body'}: {problem['msg']}"
            for problem in error.errors()
        ]
        text = f"{'; '.join(problems)} (docs/reference/api.md, or GET /openapi.json)"
        return JSONResponse({"error": text}, status_code=400)

    @app.exception_handler(HTTPException)
    async def explain_path(request: Request, error: HTTPException) -> JSONResponse:
        text = f"{request.method} {request.url.path}: {error.detail} (see GET /openapi.json)"
        return JSONResponse({"error": text}, status_code=error.status_code)

    @app.get("/status")
    def status() -> dict[str, Any]:
        """Who this firewall is."""
        return {"version": __version__, **asdict(about)}

    @app.get("/config")
    def configuration() -> dict[str, Any]:
        """All settings, as they are now."""
        return to_settings(state["config"])

    @app.patch("/config")
    def configure(changes: Settings) -> dict[str, Any]:
        """Change settings; sessions that are open follow at once.  Returns all settings."""
        changed = apply(state["config"], changes.settings)
        engine.ask(
            "configure",
            policy=policy(changed),
            flushes=flushes(changed),
            pair=pair(changed),
            events=logged(changed),
            device_log=changed.daemon.device_log,
            changes=changes.settings,
            flush=changes.flush,
        )
        state["config"] = changed
        return to_settings(changed)

    def matching(query: Match, after: int = 0) -> Iterator[Record]:
        """The sessions that are meant, asked for page by page as they are needed."""
        while True:
            page: SessionsPage = engine.ask("sessions", after=after, limit=PAGE)
            for row in page.rows:
                session = session_record(row, page.now)
                if query.accepts(session):
                    yield session
            if page.following is None:
                return
            after = page.following

    @app.get("/sessions")
    def sessions(query: Annotated[SessionsQuery, Query()]) -> SessionsAnswer:
        """Sessions of the table in the order of their numbers, a page at a time."""
        found = matching(query, query.after)
        page = list(itertools.islice(found, query.limit))
        more = next(found, None) is not None
        return SessionsAnswer(
            total=engine.ask("count"),
            next=page[-1]["id"] if more else None,
            sessions=page,
        )

    @app.post("/sessions/kill")
    def kill(request: Kill) -> Count:
        """End sessions, silently or with a RST to either end."""
        notify = AtExpiry(request.notify)
        if [request.ids, request.match, request.share].count(None) != 2:
            raise ConfigError("kill: give one of ids, match or share")
        if request.share is not None:
            return Count(sessions=engine.ask("kill_random", share=request.share, notify=notify))
        numbers = request.ids
        if numbers is None:
            assert request.match is not None
            numbers = [session["id"] for session in matching(request.match)]
        return Count(sessions=engine.ask("kill", numbers=numbers, notify=notify))

    @app.post("/flush")
    def flush() -> Count:
        """Empty the table, silently."""
        return Count(sessions=engine.ask("flush"))

    @app.post("/failover")
    def fail_over(request: FailOver | None = None) -> FailedOver:
        """Let the peer take over."""
        known = _peer(pair(state["config"]), request or FailOver(state=None, lag=None))
        done: TakenOver = engine.ask("fail_over", state=known.state, lag=known.lag)
        return FailedOver(state=known.state, lag_s=seconds(known.lag), **done._asdict())

    @app.post("/reboot")
    def reboot(request: Reboot) -> Count:
        """Forget every session and let nothing pass for a while."""
        return Count(sessions=engine.ask("reboot", outage=request.outage.nanoseconds))

    @app.post("/fast-forward")
    def fast_forward(request: FastForward) -> TravelledTime:
        """Let time pass in a moment, at the firewall and in the kernels of its hosts."""
        if travels is None:
            raise ControlError("fast-forward: nobody here can play the hosts of this firewall")
        done = travels.fast_forward(request.by.nanoseconds, request.stop_on)
        return TravelledTime(**done.record)

    @app.get("/fast-forward")
    def passed() -> Passed:
        """How far a travel under way has come."""
        passed = None if travels is None else travels.passed
        return Passed(passed_s=None if passed is None else seconds(passed))

    @app.delete("/fast-forward")
    def cancel() -> Passed:
        """End a travel under way where it is."""
        so_far = passed()
        if travels is not None:
            travels.cancel()
        return so_far

    @app.get("/time-scale")
    def time_scale() -> TimeScale:
        """How fast time passes here, and what of the hosts does not follow exactly."""
        if pace is None:
            return TimeScale(time_scale=about.time_scale, settings=[], not_scaled=[], sockets={})
        return TimeScale(**pace.report)

    @app.get("/stats")
    def statistics() -> dict[str, Any]:
        """All counters and gauges, as JSON."""
        return statistics_record(engine.ask("statistics"))

    @app.get("/events", response_class=StreamingResponse)
    def events(
        after: Annotated[int, Query(ge=0, description="only events with higher numbers")] = 0,
        follow: Annotated[bool, Query(description="go on with events as they come")] = False,
    ) -> StreamingResponse:
        """The firewall log, one JSON object a line."""
        lines = read_events(Path(about.events), after=after, follow=follow)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @app.get("/device-log", response_class=StreamingResponse)
    def device_log(
        follow: Annotated[bool, Query(description="go on with lines as they come")] = False,
    ) -> StreamingResponse:
        """The log in the format of a device (`daemon.device_log`), as its collector gets it."""
        lines = read_lines(Path(about.device_log), follow=follow)
        return StreamingResponse(lines, media_type="text/plain; charset=utf-8")

    _add_metrics(app, engine)
    return app


def _peer(configured: Pair, request: FailOver) -> Pair:
    """What the peer knows, if that can be known here."""
    known = configured.state if request.state is None else request.state
    if known is PeerState.NONE:
        if request.lag is not None:
            raise ConfigError(
                "failover: a peer without state has no lag "
                "(leave lag out, or give state synchronised)"
            )
        return Pair()
    lag = configured.lag if request.lag is None else request.lag.nanoseconds
    if lag > configured.lag:
        raise ConfigError(
            f"failover: lag {request.lag}: changes are kept for {Duration(configured.lag)} only "
            f"(set standby.lag={request.lag} at least that long before)"
        )
    return Pair(known, lag)


class _NoEngine:
    """Stands where there is no firewall to ask."""

    def ask(self, name: str, **arguments: Any) -> Any:
        raise ControlError("there is no firewall")


def described() -> dict[str, Any]:
    """The OpenAPI description, without a firewall."""
    nobody = About("", 0, 0, "", 0, "", None, "", "", None, "stateful")
    return application(nobody, Config(), _NoEngine()).openapi()


def metrics_application(engine: Asks) -> FastAPI:
    """What is served on TCP: the metrics and nothing else, for anybody on this machine."""
    app = FastAPI(title="fwemu metrics", version=__version__, openapi_url=None)
    _add_metrics(app, engine)
    return app


def _add_metrics(app: FastAPI, engine: Asks) -> None:
    registry = CollectorRegistry()
    registry.register(Collector(lambda: engine.ask("statistics")))

    @app.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def serve(
    pipe: Connection,
    parent_alive: int,
    control: socket.socket,
    metrics: socket.socket | None,
    api: socket.socket | None,
    about: About,
    config: Config,
    travel: Travel | None,
    pace: Pace | None = None,
) -> None:
    """Serve until the descriptor `parent_alive` says that the firewall's process is gone."""
    engine = Engine(pipe)
    travels = None if travel is None else travel(engine)
    app = application(about, config, engine, travels, pace)
    servers: list[tuple[ASGIApp, socket.socket]] = [(app, control)]
    if api is not None:
        servers.append((for_programs_only(app, is_local=is_loopback(api.getsockname()[0])), api))
    if metrics is not None:
        servers.append((metrics_application(engine), metrics))

    def note(event: str, fields: dict[str, Any]) -> None:
        engine.ask("note", event=event, fields=fields)

    with contextlib.nullcontext() if pace is None else pace.watched_sockets(note):
        asyncio.run(_serve_all(servers, parent_alive))


class _Server(uvicorn.Server):
    """Leaves signals alone: the firewall's process takes them and ends this one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_all(served: list[tuple[ASGIApp, socket.socket]], parent_alive: int) -> None:
    servers = []
    for app, _ in served:
        config = uvicorn.Config(
            app, lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=1
        )
        servers.append(_Server(config))

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
