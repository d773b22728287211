"""An hour in a moment: how long it takes, and how soon the next lab of a run is ready."""

from __future__ import annotations

import socket
import sys
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
            times("an hour of a heartbeat of 20 s in a program", lambda: _heartbeat(lab)),
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


_SERVER: Final = """
import asyncio, sys
async def serve(reader, writer):
    while text := await reader.read(100):
        writer.write(text)
async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""

_CLIENT: Final = """
import asyncio, sys
async def main():
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    while True:
        writer.write(b"beat")
        await reader.readexactly(4)
        print("beat", flush=True)
        await asyncio.sleep(20)
asyncio.run(main())
"""


def _heartbeat(lab: Lab) -> float:
    server = lab.server.start([sys.executable, "-c", _SERVER, str(_PORT)], port=_PORT)
    client = lab.client.start([sys.executable, "-c", _CLIENT, lab.server.ip, str(_PORT)])
    with server, client:
        while not client.output():
            time.sleep(0.01)
        start = time.perf_counter()
        done = lab.fast_forward("1h")
        took = time.perf_counter() - start
        beats = sum(each["wakes"] for each in done["programs_woken"])
        lost = [each for each in done["sessions_ended"] if each["state"] == "ESTABLISHED"]
        if not 178 <= beats <= 182 or lost:
            raise RuntimeError(f"the heartbeats did not work: {beats} beats, {len(lost)} lost")
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
