"""New TCP connections a second, 32 at a time, each opened and closed without a word."""

from __future__ import annotations

import os
import select
import socket
import time
from typing import Final

from bench.ground import KERNEL
from bench.report import Figure
from bench.run import Run
from bench.visits import Values
from netns import sysctl

FIRST_PORT: Final = 20_000
PORTS: Final = 64
AT_ONCE: Final = 32

UNITS: Final = {"new connections": "/s"}


def figures(run: Run) -> list[Figure]:
    """Connections a second beside plain forwarding."""
    ground = run.ground
    lab = ground.lab
    # room for TIME_WAIT, below the ports of the server only by custom
    sysctl(lab.client.namespace, "net.ipv4.ip_local_port_range", "1024 65535")
    ports = list(range(FIRST_PORT, FIRST_PORT + PORTS))
    unused = iter(ports)

    def work(subject: str) -> Values:
        ground.put_under(subject)
        with lab.client:
            return {"new connections": rate(lab.server.ip, next(unused), run.seconds)}

    with ground.peer("hang-up", *ports):
        return run.visit("connections", UNITS, work, baseline=KERNEL, subjects=ground.subjects)


def rate(address: str, port: int, seconds: float) -> float:
    """Connections a second to this port."""
    opened = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        opened += _open_some(address, port)
    return opened / elapsed


def _open_some(address: str, port: int) -> int:
    poll = select.poll()
    waiting = {}
    for _ in range(AT_ONCE):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((address, port))
        poll.register(connection, select.POLLOUT)
        waiting[connection.fileno()] = connection
    while waiting:
        for descriptor, _ in poll.poll(10_000) or _stuck(len(waiting)):
            poll.unregister(descriptor)
            with waiting.pop(descriptor) as connection:
                code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, os.strerror(code))
    return AT_ONCE


def _stuck(count: int) -> list[tuple[int, int]]:
    raise TimeoutError(f"{count} connections are not open after 10 s")
