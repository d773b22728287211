"""The control API on TCP is for programs: no web page in a browser of this machine steers it."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from fwemu.daemon.browser_guard import is_loopback, reject_cross_site


def ask(headers: dict[str, str], *, is_local: bool = True) -> httpx.Response:
    """POST /flush with these headers."""
    app = FastAPI()
    app.post("/flush")(lambda: {"sessions": 1})
    transport = httpx.ASGITransport(app=reject_cross_site(app, is_local=is_local))

    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:80") as client:
            return await client.post("/flush", headers=headers)

    return asyncio.run(request())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.0.0.2"])
def test_a_program_of_this_machine_is_served(host):
    """Whatever it calls this machine."""
    assert ask({"Host": host}).json() == {"sessions": 1}


def test_the_documentation_page_may_try_requests():
    """It is served at /docs by the same address; its origin is our own."""
    assert ask({"Host": "127.0.0.1:80", "Origin": "http://127.0.0.1:80"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:81", "null", ""])
@pytest.mark.parametrize("is_local", [True, False])
def test_a_page_of_another_site_is_refused(origin, is_local):
    """A POST without a body needs no permission of the server: any page can send one."""
    answer = ask({"Host": "127.0.0.1:80", "Origin": origin}, is_local=is_local)

    assert answer.status_code == 403
    assert "leave the header Origin out" in answer.json()["error"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "192.0.2.1", "[::1", ""])
def test_a_name_that_only_points_here_is_refused(host):
    """DNS rebinding: the page's own name resolves to 127.0.0.1, and its origin is right."""
    answer = ask({"Host": host, "Origin": f"http://{host}"})

    assert answer.status_code == 403
    assert "for local use" in answer.json()["error"]


def test_an_api_that_was_opened_is_served_by_any_name():
    """Containers call each other by names."""
    assert ask({"Host": "firewall:8080"}, is_local=False).status_code == 200


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("fw", False)],
)
def test_loopback_is_what_no_other_machine_can_reach(host, answer):
    """All addresses at once are not."""
    assert is_loopback(host) is answer
