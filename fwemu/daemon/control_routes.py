"""What each path of the control API does: a function for each resource."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from fwemu import __version__
from fwemu.config import Config, apply, policy, to_settings
from fwemu.config.duration import Duration
from fwemu.core.choices import PeerState
from fwemu.daemon import requests
from fwemu.daemon.control_messages import (
    Count,
    FailedOver,
    FailOver,
    FastForward,
    FastForwarded,
    Kill,
    Killed,
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
from fwemu.daemon.requests import EngineClient
from fwemu.daemon.rundir import About
from fwemu.errors import ConfigError, ControlError


@dataclass
class Served:
    """The firewall behind the API."""

    about: About
    config: Config
    """As it is now."""
    engine: EngineClient
    fast_forwarder: FastForwarder | None
    pace: Pace | None
    losses: Losses
    """Of metrics that could not be made."""
    watch: HookWatch | None = None
    """Whoever looks whether the hook is still there."""


def identity(app: FastAPI, served: Served) -> None:
    """Who it is."""

    @app.get("/status")
    def status() -> dict[str, Any]:
        """Who this firewall is."""
        return {"version": __version__, **asdict(served.about)}


def settings(app: FastAPI, served: Served) -> None:
    """All its settings."""

    @app.get("/config")
    def configuration() -> dict[str, Any]:
        """All settings, as they are now."""
        return to_settings(served.config)

    @app.patch("/config")
    def configure(changes: Settings) -> dict[str, Any]:
        """Change settings; sessions that are open follow at once.  Returns all settings."""
        changed = apply(served.config, changes.settings)
        served.engine.ask(
            requests.Configure(
                policy=policy(changed),
                flushes=flushes(changed),
                pair=pair(changed),
                events=logged(changed),
                device_log=changed.daemon.device_log,
                changes=tuple(changes.settings),
                flush=changes.flush,
            )
        )
        served.config = changed
        return to_settings(changed)


def sessions(app: FastAPI, served: Served) -> None:
    """The table: what is in it, and the end of some of it."""
    engine = served.engine

    @app.get("/sessions")
    def list_sessions(query: Annotated[SessionsQuery, Query()]) -> SessionsAnswer:
        """Sessions of the table in the order of their numbers, a page at a time."""
        found = _matching(engine, query, query.after)
        page = list(itertools.islice(found, query.limit))
        more = next(found, None) is not None
        return SessionsAnswer(
            total=engine.ask(requests.CountSessions()),
            next=page[-1]["id"] if more else None,
            sessions=page,
        )

    @app.post("/sessions/kill")
    def kill(request: Kill) -> Killed:
        """End sessions, silently or with a RST to either end."""
        notify = request.notify
        if [request.ids, request.match, request.share].count(None) != 2:
            raise ConfigError("kill: give one of ids, match or share")
        if request.share is not None:
            done = engine.ask(requests.KillRandom(request.share, notify))
        elif request.ids is not None:
            done = engine.ask(requests.Kill(tuple(request.ids), notify))
        else:
            assert request.match is not None
            numbers = tuple(session["id"] for session in _matching(engine, request.match))
            done = engine.ask(requests.Kill(numbers, notify))
        missing = [] if request.ids is None else list(done.missing)
        return Killed(sessions=done.killed, missing=missing)

    @app.post("/flush")
    def flush() -> Count:
        """Empty the table, silently."""
        return Count(sessions=engine.ask(requests.Flush()))


def _matching(engine: EngineClient, query: Match, after: int = 0) -> Iterator[Record]:
    """The sessions that are meant, asked for page by page as they are needed."""
    while True:
        page = engine.ask(requests.ListSessions(after, PAGE))
        for row in page.rows:
            session = session_record(row, page.now)
            if query.accepts(session):
                yield session
        if page.following is None:
            return
        after = page.following


def outages(app: FastAPI, served: Served) -> None:
    """The peer takes over, or it is down for a while."""
    engine = served.engine

    @app.post("/failover")
    def fail_over(request: FailOver | None = None) -> FailedOver:
        """Let the peer take over."""
        known = _peer(pair(served.config), request or FailOver(state=None, lag=None))
        done = engine.ask(requests.FailOver(known.state, known.lag))
        return FailedOver(state=known.state, lag_s=seconds(known.lag), **done._asdict())

    @app.post("/reboot")
    def reboot(request: Reboot) -> Count:
        """Forget every session and let nothing pass for a while."""
        return Count(sessions=engine.ask(requests.Reboot(request.outage.nanoseconds)))


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


def time(app: FastAPI, served: Served) -> None:
    """Time that passes in a moment, or faster."""
    forwarder = served.fast_forwarder

    @app.post("/fast-forward")
    def fast_forward(request: FastForward) -> FastForwarded:
        """Let time pass in a moment, at the firewall and in the kernels of its hosts."""
        if forwarder is None:
            raise ControlError(
                "fast-forward: this firewall was started without --host, "
                "so sockets cannot be fast-forwarded"
            )
        done = forwarder.fast_forward(
            request.by.nanoseconds,
            request.stop_on,
            request.caller,
            applications=request.applications,
            grain=None if request.grain is None else request.grain.nanoseconds,
        )
        return FastForwarded(**done.record)

    @app.get("/fast-forward")
    def passed() -> Passed:
        """How far a fast-forward under way has come."""
        passed = None if forwarder is None else forwarder.passed
        return Passed(passed_s=None if passed is None else seconds(passed))

    @app.delete("/fast-forward")
    def cancel() -> Passed:
        """End a fast-forward under way where it is."""
        so_far = passed()
        if forwarder is not None:
            forwarder.cancel()
        return so_far

    @app.get("/time-scale")
    def time_scale() -> TimeScale:
        """How fast time passes here, and what of the hosts does not follow exactly."""
        if served.pace is None:
            scale = served.about.time_scale
            return TimeScale(time_scale=scale, settings=[], not_scaled=[], sockets={})
        return TimeScale(**served.pace.report)


def counters(app: FastAPI, served: Served) -> None:
    """What it has counted."""

    @app.get("/stats")
    def statistics() -> dict[str, Any]:
        """All counters and gauges, as JSON."""
        counted = served.engine.ask(requests.ReadStatistics())
        hook = {} if served.watch is None else {"hook": served.watch.report}
        return {**statistics_record(counted, served.losses.state), **hook}


def logs(app: FastAPI, served: Served) -> None:
    """What it has done, in the order in which it did it."""
    about = served.about

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


def metrics(app: FastAPI, engine: EngineClient, losses: Losses) -> None:
    """The counters for Prometheus."""
    registry = CollectorRegistry()
    registry.register(Collector(lambda: engine.ask(requests.ReadStatistics()), losses))

    @app.get("/metrics", response_class=Response)
    def scrape() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
