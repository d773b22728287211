"""An hour in a moment: how long it takes, and how soon the next lab of a run is ready."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.report import Figure
from bench.run import Run
from bench.visits import spread
from fwemu.lab import Lab

SOCKETS: Final = 100

_PORT: Final = 5000


def figures(run: Run) -> list[Figure]:
    """Seconds, from Python, on real sockets."""

    def times(what: str, once: Callable[[], float]) -> Figure:
        measured = []
        for index in range(run.repeats):
            run.progress.say("fast_forward", f"{what} {index + 1}/{run.repeats}")
            measured.append(once())
        return Figure("fast_forward", what, "s", spread(measured))

    with Lab(settings=["timeouts.tcp_established=1h"]) as lab:
        return [
            times(
                f"an hour of {SOCKETS} sockets, keepalive 15 minutes",
                lambda: _hour(lab, SOCKETS, 900),
            ),
            times("2 h 12 min until ETIMEDOUT, keepalive 2 hours", lambda: _death(lab)),
            times("the next lab, from Python", _next_lab),
        ]


@contextmanager
def _connections(lab: Lab, number: int, idle: int) -> Iterator[list[socket.socket]]:
    """Open connections with keepalive, over the firewall."""
    with ExitStack() as undo:
        with lab.server:
            listener = undo.enter_context(
                socket.create_server((lab.server.ip, _PORT), backlog=number)
            )
        made = []
        for _ in range(number):
            with lab.client:
                near = undo.enter_context(socket.create_connection((lab.server.ip, _PORT)))
            undo.enter_context(listener.accept()[0])
            near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
            made.append(near)
        yield made


def _hour(lab: Lab, number: int, idle: int) -> float:
    with _connections(lab, number, idle):
        start = time.perf_counter()
        done = lab.fast_forward("1h")
        took = time.perf_counter() - start
        if done["connections_lost"] or len(done["probes"]) != number:
            raise RuntimeError(f"the keepalives did not work: {done}")
        return took


def _death(lab: Lab) -> float:
    with _connections(lab, 1, 7200) as (near,):
        start = time.perf_counter()
        done = lab.fast_forward("2h 12m")
        took = time.perf_counter() - start
        if [each["error"] for each in done["connections_lost"]] != ["ETIMEDOUT"]:
            raise RuntimeError(f"the connection did not end as it should: {done}")
        near.close()
        return took


def _next_lab() -> float:
    start = time.perf_counter()
    lab = Lab().up()
    took = time.perf_counter() - start
    lab.close()
    return took
