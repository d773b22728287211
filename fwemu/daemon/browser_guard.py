"""Guards the control API on TCP against web pages in a browser (CSRF, DNS rebinding).

A unix socket has an owner; a loopback port is open to whatever runs here, a browser with a foreign
page in it included.  Such a page can send simple requests anywhere (they carry its `Origin`), and
by DNS rebinding (its own name, made to point at 127.0.0.1) read the answers too (they carry that
name as `Host`).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def is_loopback(host: str) -> bool:
    """True for a loopback address or name, which no other machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reject_cross_site(app: ASGIApp, *, is_local: bool) -> ASGIApp:
    """The application, for requests that no foreign web page can have made; others get 403.

    `is_local`: it is reached by a loopback address only, so that any other `Host` is a trick.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        problem = _problem(scope, is_local) if scope["type"] == "http" else None
        if problem is None:
            await app(scope, receive, send)
        else:
            await JSONResponse({"error": problem}, status_code=403)(scope, receive, send)

    return guarded


def _problem(scope: Scope, is_local: bool) -> str | None:
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1") != f"http://{host}":
        return "a page of another site may not steer this firewall (leave the header Origin out)"
    if is_local and not is_loopback(_name_in(host)):
        return f"Host: {host}: this address is for local use (ask for 127.0.0.1 or localhost)"
    return None


def _name_in(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not match
        return ""
