"""What listing 100,000 sessions and scraping metrics do to the packets that pass meanwhile.

Whoever asks and the process that answers need the processor too, and this machine may have none to
spare.  So the same is measured beside a program that only burns processor time: what listing costs
beyond that is what it costs the firewall itself.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.ground import Ground
from bench.latency import PORT, exchange
from bench.report import ROOT, Figure
from bench.run import Run
from bench.visits import Values, percentile, spread
from fwemu.client import Client

SESSIONS: Final = 100_000
STEP: Final = 2_000
SETTINGS: Final = (f"table.capacity={2 * SESSIONS}", "timeouts.udp_unreplied=1h")

QUIET: Final = "quiet"
PROGRAMS: Final = {
    "listing": ["-m", "bench.api"],
    "burning": ["-c", "print(flush=True)\nwhile True: pass"],
}

UNITS: Final = {"median": "us", "p99": "us", "maximum": "us"}


def figures(run: Run) -> list[Figure]:
    """Request and response while somebody lists, and while somebody burns, beside quiet."""
    with Ground(*SETTINGS) as ground, ground.peer("echo", PORT):
        run.progress.say("api", f"opening {SESSIONS:,} sessions")
        fill(ground)
        control = ground.lab.about.control

        def work(subject: str) -> Values:
            with _program(subject, control):
                times = exchange(ground.lab, run.seconds)
            return {
                "median": percentile(times, 0.5),
                "p99": percentile(times, 0.99),
                "maximum": max(times),
            }

        ratios = run.visit(
            "api", UNITS, work, baseline=QUIET, subjects=list(PROGRAMS), rounds=min(run.rounds, 5)
        )
        run.progress.say("api", "one list")
        listing = spread(_seconds_to_list(control) for _ in range(min(run.repeats, 3)))
    return [*ratios, Figure("api", f"list {SESSIONS:,} sessions", "s", listing)]


def fill(ground: Ground) -> None:
    """Open that many sessions, by UDP to ports where nobody listens."""
    lab = ground.lab
    opened = 0
    while opened < SESSIONS:
        with lab.client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for first in range(1024, 1024 + SESSIONS // 2, STEP):
                for port in range(first, first + STEP):
                    sender.sendto(b"", (lab.server.ip, port))
                opened = _wait_for(lab.firewall, opened + STEP)


def _wait_for(firewall: Client, count: int) -> int:
    """How many sessions there are, once it is that many or no more come."""
    end = time.monotonic() + 1
    while True:
        there: int = sum(firewall.statistics()["sessions"].values())
        if there >= count or time.monotonic() > end:
            return there
        time.sleep(0.01)


@contextmanager
def _program(subject: str, control: str) -> Iterator[None]:
    """The program that runs meanwhile, if any; it works when this is entered."""
    if subject == QUIET:
        yield
        return
    command = [sys.executable, *PROGRAMS[subject], control]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            process.kill()


def _seconds_to_list(control: str) -> float:
    start = time.perf_counter()
    with Client(Path(control)) as client:
        for _ in client.sessions():
            pass
    return time.perf_counter() - start


def _list_for_ever(control: str) -> None:
    with Client(Path(control)) as client:
        while True:
            for number, _ in enumerate(client.sessions()):
                if number == 0:
                    print(flush=True)
            client.metrics()


if __name__ == "__main__":
    _list_for_ever(sys.argv[1])
