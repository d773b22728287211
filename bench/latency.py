"""Request and response of 64 octets over one TCP connection: how long until the answer is there."""

from __future__ import annotations

import socket
import time
from typing import Final

from bench.ground import KERNEL
from bench.report import Figure
from bench.run import Run
from bench.visits import Values, percentile
from fwemu.lab import Lab

PORT: Final = 7000
REQUEST: Final = bytes(64)
WARM_UP: Final = 50

UNITS: Final = {"median": "us", "p99": "us"}


def figures(run: Run) -> list[Figure]:
    """Median and 99th percentile beside plain forwarding."""
    ground = run.ground

    def work(subject: str) -> Values:
        ground.put_under(subject)
        times = exchange(ground.lab, run.seconds)
        return {"median": percentile(times, 0.5), "p99": percentile(times, 0.99)}

    with ground.peer("echo", PORT):
        return run.visit("latency", UNITS, work, baseline=KERNEL, subjects=ground.subjects)


def exchange(lab: Lab, seconds: float) -> list[float]:
    """Microseconds of one exchange after the other for so long, over a connection of its own."""
    times = []
    with lab.client, socket.create_connection((lab.server.ip, PORT), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(WARM_UP):
            _ask(connection)
        end = time.perf_counter_ns() + round(seconds * 1e9)
        while (start := time.perf_counter_ns()) < end:
            _ask(connection)
            times.append((time.perf_counter_ns() - start) / 1000)
    return times


def _ask(connection: socket.socket) -> None:
    connection.sendall(REQUEST)
    missing = len(REQUEST)
    while missing:
        missing -= len(connection.recv(missing)) or _gone()


def _gone() -> int:
    raise ConnectionError("the server hung up")
