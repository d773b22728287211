"""The control API of a firewall: put together, described, and what its errors say.

The engine is asked for plain data; names, units and JSON are made here and in `control_routes.py`.
FastAPI describes it all at /openapi.json and, for people, at /docs.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from fwemu import __version__
from fwemu.config import Config
from fwemu.daemon import control_routes
from fwemu.daemon.control_routes import Served
from fwemu.daemon.fast_forward import FastForwarder
from fwemu.daemon.hook_watch import HookWatch
from fwemu.daemon.http_limits import error_response
from fwemu.daemon.losses import Losses
from fwemu.daemon.pace import Pace
from fwemu.daemon.request_problems import explained
from fwemu.daemon.requests import AnswerT, Asking, EngineClient
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
    losses = losses or Losses("metrics")
    served = Served(about, config, engine, fast_forwarder, pace, losses, watch)
    for resource in _RESOURCES:
        resource(app, served)
    control_routes.metrics(app, engine, losses)
    _explain_errors(app)
    app.openapi = lambda: _description(app)  # type: ignore[method-assign]
    return app


_RESOURCES: Final = (
    control_routes.identity,
    control_routes.settings,
    control_routes.sessions,
    control_routes.outages,
    control_routes.time,
    control_routes.counters,
    control_routes.logs,
)


def metrics_application(engine: EngineClient, losses: Losses | None = None) -> FastAPI:
    """What is served on TCP: the metrics and nothing else, for anybody on this machine."""
    app = FastAPI(title="fwemu metrics", version=__version__, openapi_url=None)
    control_routes.metrics(app, engine, losses or Losses("metrics"))
    _explain_errors(app)
    return app


_STATUS: Final = ((ConfigError, 400), (EngineError, 500))
"""503 for the rest: asking again later may help."""


def _explain_errors(app: FastAPI) -> None:
    """Every error is one line, as it is everywhere."""

    @app.exception_handler(FwemuError)
    async def explain(request: Request, error: FwemuError) -> JSONResponse:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
        return error_response(status, str(error))

    @app.exception_handler(RequestValidationError)
    async def explain_request(request: Request, error: RequestValidationError) -> JSONResponse:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json = media_type.startswith("application/") and media_type.endswith("json")
        text = explained(error.errors(), is_json=is_json)
        return error_response(400, f"{text} (docs/reference/api.md, or GET /openapi.json)")

    @app.exception_handler(HTTPException)
    async def explain_path(request: Request, error: HTTPException) -> JSONResponse:
        text = f"{request.method} {request.url.path}: {error.detail} (see GET /openapi.json)"
        return error_response(error.status_code, text)

    @app.exception_handler(Exception)
    async def explain_failure(request: Request, error: Exception) -> JSONResponse:
        return error_response(
            500,
            f"{request.method} {request.url.path}: failed ({type(error).__name__}): "
            "see the traceback in the log of the firewall's process",
        )


_ERRORS: Final = {
    "400": "the request is wrong: nothing has happened",
    "408": "the body did not come in time",
    "413": "the body is too large",
    "500": "an error in fwemu; the firewall goes on",
    "503": "not now: the firewall is ending, or cannot do that",
}


def _description(app: FastAPI) -> dict[str, Any]:
    """As FastAPI makes it, with the errors that there are: it cannot know that 422 is 400 here."""
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Error"] = {
            "title": "Error",
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "string", "description": "one line"}},
        }
        for methods in described["paths"].values():
            for operation in methods.values():
                takes = "422" in operation["responses"]
                operation["responses"].pop("422", None)
                operation["responses"] |= {
                    status: _error_answer(text)
                    for status, text in _ERRORS.items()
                    if takes or status in ("500", "503")
                }
        app.openapi_schema = described
    return app.openapi_schema


def _error_answer(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


class _NoEngine:
    """Stands where there is no firewall to ask."""

    def ask(self, request: Asking[AnswerT]) -> AnswerT:
        raise ControlError("there is no firewall")


def described() -> dict[str, Any]:
    """The OpenAPI description, without a firewall."""
    nobody = About("", 0, 0, "", 0, "", None, "", "", None, "stateful")
    return application(nobody, Config(), _NoEngine()).openapi()
