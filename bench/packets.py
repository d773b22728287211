"""Small UDP packets a second, offered as fast as one process can, counted where they arrive."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Final

from bench.ground import FWEMU, KERNEL
from bench.report import Figure
from bench.run import Run
from bench.visits import Values, spread
from fwemu.lab import Host

PORT: Final = 7002
PAYLOAD: Final = bytes(22)
"""IPv4, UDP and this make 50 octets: with Ethernet's 14 the smallest frame."""

SETTLED: Final = 0.05
"""Seconds without a packet that mean the queue is empty."""

UNITS: Final = {"delivered": "packets/s"}


def figures(run: Run) -> list[Figure]:
    """Packets a second that come through beside plain forwarding, and what happens to the rest."""
    ground = run.ground
    client, server = ground.lab.client, ground.lab.server
    offered, lost = [], []

    def work(subject: str) -> Values:
        ground.put_under(subject)
        before, arrived_before = ground.packets(), arrived(server)
        start = time.perf_counter()
        with client:
            sent = flood(server.ip, run.seconds)
        offered_for = time.perf_counter() - start
        arrived_after, end = _when_settled(server)
        after = ground.packets()
        if subject == FWEMU:
            offered.append(sent / offered_for)
            lost.append(100 * (after["lost"] - before["lost"]) / sent)
        return {"delivered": (arrived_after - arrived_before) / (end - start)}

    with server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("", PORT))  # never read: else each packet would cost an ICMP error
        ratios = run.visit("packets", UNITS, work, baseline=KERNEL, subjects=ground.subjects)
    return [
        *ratios,
        Figure("packets", "offered to fwemu", "packets/s", spread(offered)),
        Figure("packets", "of these lost before the queue", "%", spread(lost)),
    ]


def flood(address: str, seconds: float) -> int:
    """Send for so long; how many packets that was."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((address, PORT))
        send = sender.send
        sent = 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for _ in range(100):
                send(PAYLOAD)
            sent += 100
    return sent


def arrived(host: Host) -> int:
    """Packets that the host's interface has received."""
    with host:
        lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
    fields = next(line for line in lines if line.strip().startswith("eth0:")).split()
    return int(fields[2])


def _when_settled(host: Host) -> tuple[int, float]:
    """How many packets have arrived when no more come, and when the last one did."""
    count, since = arrived(host), time.perf_counter()
    while time.perf_counter() - since < SETTLED:
        time.sleep(0.005)
        now = arrived(host)
        if now != count:
            count, since = now, time.perf_counter()
    return count, since
