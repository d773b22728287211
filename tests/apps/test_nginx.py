"""nginx and a client that keeps its connections: HTTP keep-alive is not TCP keepalive.

The one is a promise not to hang up, kept by timers of the application.  The other is a question
that the kernel asks.  nginx makes the promise and does not ask.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from fwemu.lab import Lab
from netns import Process
from netns.connections import connections
from tests.apps.kit import ended, let_pass, probes, run_snippet, snippet
from tests.kit.labs import PATIENCE, eventually

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("nginx")]

DEFAULTS, HOURS, ASKS, A_SECOND = 80, 81, 82, 83
"""Ports: 75 s until nginx hangs up; two hours; two hours and a TCP keepalive; one second."""

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/pid;
events {{ }}
http {{
    access_log off;
    {servers}
}}
"""
SERVERS = (
    f"listen {DEFAULTS};",
    f"listen {HOURS}; {snippet('nginx-hours')}",
    f"{snippet('nginx-asks')} {snippet('nginx-hours')}",
    f"listen {A_SECOND}; keepalive_timeout 1s;",
)


@pytest.fixture(scope="module")
def nginx(module_lab: Lab) -> Iterator[Process]:
    """One server for all of them."""
    directory = Path(tempfile.mkdtemp(prefix="fwemu-nginx-"))
    servers = "\n".join(
        f'server {{ {each} location / {{ return 200 "hello"; }} }}' for each in SERVERS
    )
    text = CONFIGURATION.format(directory=directory, servers=servers)
    (directory / "nginx.conf").write_text(text)
    words = ["-p", str(directory), "-c", "nginx.conf", "-e", "stderr"]
    try:
        with module_lab.server.start(["nginx", *words], port=DEFAULTS) as process:
            yield process
    finally:
        shutil.rmtree(directory)


@contextmanager
def client(lab: Lab) -> Iterator[httpx.Client]:
    """A client in its host that keeps its connections for as long as the server does."""
    limits = httpx.Limits(keepalive_expiry=None)
    with lab.client, httpx.Client(limits=limits, timeout=PATIENCE) as made:
        yield made


def ask(http: httpx.Client, lab: Lab, at: int) -> int:
    """Ask for a page; returns the client's port."""
    answer = http.get(f"http://{lab.server.ip}:{at}/")
    assert answer.text == "hello"
    stream = answer.extensions["network_stream"]
    return int(stream.get_extra_info("client_addr")[1])


LOST = {"silent": httpx.ReadTimeout, "resets": httpx.ReadError}
"""What the client is told when it asks again.  With the default timeout silence lasts 5 s."""


def test_a_connection_that_http_keeps_alive_dies_after_an_hour(
    lab: Lab, nginx: Process, behaviour: str
) -> None:
    """keepalive_timeout says when nginx hangs up: nobody says a word until then."""
    with client(lab) as http:
        here = ask(http, lab, HOURS)
        hour = let_pass(lab)
        assert ended(hour, here) == ["expired"]
        assert probes(hour, here) == (0, 0)
        http.timeout = httpx.Timeout(0.5)
        with pytest.raises(LOST[behaviour]):
            ask(http, lab, HOURS)


def test_a_tcp_keepalive_of_the_server_keeps_it(lab: Lab, nginx: Process, behaviour: str) -> None:
    """so_keepalive of the listening socket, with a time below the firewall's."""
    with client(lab) as http:
        here = ask(http, lab, ASKS)
        assert probes(let_pass(lab), here, "server") == (4, 4)
        assert ask(http, lab, ASKS) == here


def test_a_tcp_keepalive_of_the_client_keeps_it(lab: Lab, nginx: Process, behaviour: str) -> None:
    """httpx does not ask either, unless it is told to; and it hangs up by itself after 5 s."""
    assert httpx.Limits().keepalive_expiry == 5
    with lab.client, run_snippet("httpx-keepalive", httpx=httpx, socket=socket) as http:
        here = ask(http, lab, HOURS)
        assert probes(let_pass(lab), here, "client") == (4, 4)
        assert ask(http, lab, HOURS) == here


def test_nginx_hangs_up_in_its_own_time(lab: Lab, nginx: Process, behaviour: str) -> None:
    """By default after 75 s, which pass in a moment; the firewall has nothing to forget."""
    with client(lab) as http:
        here = ask(http, lab, DEFAULTS)
        hour = let_pass(lab)
        (session,) = [each for each in hour["sessions_ended"] if each["source_port"] == here]
        assert session["trust"] != "not-to-be-trusted", session["doubtful"]
        assert session["state"] in ("FIN_WAIT", "CLOSE_WAIT")
        assert 74 < session["at_s"] - session["idle_s"] - hour_began(lab) < 90
        assert ask(http, lab, DEFAULTS) != here


def hour_began(lab: Lab) -> float:
    """When the last fast-forward began, by the firewall's clock."""
    return [each for each in lab.firewall.events() if each["event"] == "time_moving"][-1]["at_s"]


def test_where_nginx_stands_still_that_is_said(lab: Lab, nginx: Process, behaviour: str) -> None:
    """What happens then after an hour would not happen: the connection would have been closed."""
    with client(lab) as http:
        here = ask(http, lab, DEFAULTS)
        hour = lab.fast_forward("1h 10s", applications=False)
        assert ended(hour, here) == ["expired"]
        (session,) = [each for each in hour["sessions_ended"] if each["source_port"] == here]
        assert session["trust"] == "not-to-be-trusted"
        doubt = session["doubtful"][0]
        assert doubt["process"].startswith("nginx")
        assert 60 < doubt["after_s"] <= 75


def test_a_server_that_hangs_up_in_time_leaves_nothing_to_forget(
    lab: Lab, nginx: Process, behaviour: str
) -> None:
    """A keepalive_timeout below the firewall's time; here a second, in real time."""
    with client(lab) as http:
        here = ask(http, lab, A_SECOND)
        eventually(lambda: here not in open_at(lab, A_SECOND), what="a server that hangs up")
        let_pass(lab)
        assert ask(http, lab, A_SECOND) != here


def open_at(lab: Lab, at: int) -> set[int]:
    """The client's ports of the connections that are open at a port of the server."""
    return {
        each.remote.port
        for each in connections(lab.server.namespace)
        if each.local.port == at and each.state == "ESTABLISHED"
    }
