"""The control API of a firewall: what each path does.

The engine is asked for plain data; names, units and JSON are made here.  FastAPI describes it all
at /openapi.json and, for people, at /docs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException

from fwemu import __version__
from fwemu.config import Config, apply, policy, to_settings
from fwemu.config.duration import Duration
from fwemu.core.choices import AtExpiry, PeerState
from fwemu.daemon import requests
from fwemu.daemon.control_messages import (
    Count,
    FailedOver,
    FailOver,
    FastForward,
    FastForwarded,
    Kill,
    Match,
    Passed,
    Reboot,
    SessionsAnswer,
    SessionsQuery,
    Settings,
    TimeScale,
)
from fwemu.daemon.engine_settings import Pair, flushes, logged, pair
from fwemu.daemon.fast_forward import FastForwarder
from fwemu.daemon.hook_watch import HookWatch
from fwemu.daemon.journal_reader import read_events, read_lines
from fwemu.daemon.losses import Losses
from fwemu.daemon.metrics import Collector
from fwemu.daemon.operations import PAGE
from fwemu.daemon.pace import Pace
from fwemu.daemon.records import Record, seconds, session_record, statistics_record
from fwemu.daemon.requests import (
    AnswerT,
    Asking,
    Configure,
    CountSessions,
    EngineClient,
    Flush,
    ListSessions,
    ReadStatistics,
)
from fwemu.daemon.rundir import About
from fwemu.errors import ConfigError, ControlError, EngineError, FwemuError


def application(
    about: About,
    config: Config,
    engine: EngineClient,
    fast_forwarder: FastForwarder | None = None,
    pace: Pace | None = None,
    losses: Losses | None = None,
    watch: HookWatch | None = None,
) -> FastAPI:
    """The control API of one firewall."""
    app = FastAPI(
        title="fwemu control API",
        version=__version__,
        description="Ask and steer one running firewall.",
    )
    state = {"config": config}
    metrics_losses = losses or Losses("metrics")
    _explain_errors(app)

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
            Configure(
                policy=policy(changed),
                flushes=flushes(changed),
                pair=pair(changed),
                events=logged(changed),
                device_log=changed.daemon.device_log,
                changes=tuple(changes.settings),
                flush=changes.flush,
            )
        )
        state["config"] = changed
        return to_settings(changed)

    def matching(query: Match, after: int = 0) -> Iterator[Record]:
        """The sessions that are meant, asked for page by page as they are needed."""
        while True:
            page = engine.ask(ListSessions(after, PAGE))
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
            total=engine.ask(CountSessions()),
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
            return Count(sessions=engine.ask(requests.KillRandom(request.share, notify)))
        numbers = request.ids
        if numbers is None:
            assert request.match is not None
            numbers = [session["id"] for session in matching(request.match)]
        return Count(sessions=engine.ask(requests.Kill(tuple(numbers), notify)))

    @app.post("/flush")
    def flush() -> Count:
        """Empty the table, silently."""
        return Count(sessions=engine.ask(Flush()))

    @app.post("/failover")
    def fail_over(request: FailOver | None = None) -> FailedOver:
        """Let the peer take over."""
        known = _peer(pair(state["config"]), request or FailOver(state=None, lag=None))
        done = engine.ask(requests.FailOver(known.state, known.lag))
        return FailedOver(state=known.state, lag_s=seconds(known.lag), **done._asdict())

    @app.post("/reboot")
    def reboot(request: Reboot) -> Count:
        """Forget every session and let nothing pass for a while."""
        return Count(sessions=engine.ask(requests.Reboot(request.outage.nanoseconds)))

    @app.post("/fast-forward")
    def fast_forward(request: FastForward) -> FastForwarded:
        """Let time pass in a moment, at the firewall and in the kernels of its hosts."""
        if fast_forwarder is None:
            raise ControlError(
                "fast-forward: this firewall was started without --host, "
                "so sockets cannot be fast-forwarded"
            )
        done = fast_forwarder.fast_forward(request.by.nanoseconds, request.stop_on)
        return FastForwarded(**done.record)

    @app.get("/fast-forward")
    def passed() -> Passed:
        """How far a fast-forward under way has come."""
        passed = None if fast_forwarder is None else fast_forwarder.passed
        return Passed(passed_s=None if passed is None else seconds(passed))

    @app.delete("/fast-forward")
    def cancel() -> Passed:
        """End a fast-forward under way where it is."""
        so_far = passed()
        if fast_forwarder is not None:
            fast_forwarder.cancel()
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
        hook = {} if watch is None else {"hook": watch.report}
        return {**statistics_record(engine.ask(ReadStatistics()), metrics_losses.state), **hook}

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

    _add_metrics(app, engine, metrics_losses)
    return app


_STATUS: Final = ((ConfigError, 400), (EngineError, 500))
"""503 for the rest: asking again later may help."""


def _explain_errors(app: FastAPI) -> None:
    """Every error is one line, as it is everywhere."""

    @app.exception_handler(FwemuError)
    async def explain(request: Request, error: FwemuError) -> JSONResponse:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
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

    def ask(self, request: Asking[AnswerT]) -> AnswerT:
        raise ControlError("there is no firewall")


def described() -> dict[str, Any]:
    """The OpenAPI description, without a firewall."""
    nobody = About("", 0, 0, "", 0, "", None, "", "", None, "stateful")
    return application(nobody, Config(), _NoEngine()).openapi()


def metrics_application(engine: EngineClient, losses: Losses | None = None) -> FastAPI:
    """What is served on TCP: the metrics and nothing else, for anybody on this machine."""
    app = FastAPI(title="fwemu metrics", version=__version__, openapi_url=None)
    _add_metrics(app, engine, losses or Losses("metrics"))
    return app


def _add_metrics(app: FastAPI, engine: EngineClient, losses: Losses) -> None:
    registry = CollectorRegistry()
    registry.register(Collector(lambda: engine.ask(ReadStatistics()), losses))

    @app.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
