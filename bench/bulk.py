"""One TCP stream as fast as it goes.  Few packets reach the queue: they are super-packets (GSO)."""

from __future__ import annotations

import socket
import time
from typing import Final

from bench.ground import FWEMU, KERNEL
from bench.peer import BUFFER
from bench.report import Figure
from bench.run import Run
from bench.visits import Values, spread

PORT: Final = 7001

UNITS: Final = {"throughput": "MB/s"}


def figures(run: Run) -> list[Figure]:
    """Octets a second beside plain forwarding, and the size of the packets that fwemu saw."""
    ground = run.ground
    sizes = []

    def work(subject: str) -> Values:
        ground.put_under(subject)
        before = ground.packets()
        with ground.lab.client:
            speed = stream(ground.lab.server.ip, run.seconds)
        after = ground.packets()
        if subject == FWEMU:
            octets, packets = (after[name] - before[name] for name in ("octets", "packets"))
            sizes.append(octets / packets)
        return {"throughput": speed / 1e6}

    with ground.peer("count", PORT):
        ratios = run.visit("bulk", UNITS, work, baseline=KERNEL, subjects=ground.subjects)
    return [*ratios, Figure("bulk", "mean packet, ACKs included", "octets", spread(sizes))]


def stream(address: str, seconds: float) -> float:
    """Octets a second that arrive at the other end."""
    data = bytes(BUFFER)
    with socket.create_connection((address, PORT), 10) as connection:
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        arrived = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
        return arrived / (time.perf_counter() - start)
