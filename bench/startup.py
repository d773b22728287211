"""How long until a firewall decides packets, and until a whole lab can be used."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from bench.report import Figure
from bench.run import Run
from bench.visits import spread
from netns import Namespace, Network

FWEMU: Final = (sys.executable, "-m", "fwemu")

NOBODY_LISTENS: Final = 9


def figures(run: Run) -> list[Figure]:
    """Seconds to start, as somebody sees them who types the command."""

    def times(what: str, once: Callable[[], float]) -> Figure:
        measured = []
        for index in range(run.repeats):
            run.progress.say("startup", f"{what} {index + 1}/{run.repeats}")
            measured.append(once())
        return Figure("startup", what, "s", spread(measured))

    with Network() as network:
        names = {zone: f"fwemu-bench-{os.getpid()}-{zone}" for zone in ("inside", "outside")}
        firewall = network.namespace(f"fwemu-bench-{os.getpid()}")
        for zone, name in names.items():
            network.link(firewall, zone, network.namespace(name), "eth0")
        daemon = times("fwemu daemon until ready", lambda: _until_ready(firewall))
    return [daemon, times("fwemu up until packets pass", _until_usable)]


def _until_ready(namespace: Namespace) -> float:
    command = [*FWEMU, "daemon", "--netns", namespace.name, "--inside", "inside"]
    start = time.perf_counter()
    with subprocess.Popen(
        [*command, "--outside", "outside"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("`fwemu daemon` did not get ready")
            return time.perf_counter() - start
        finally:
            process.terminate()
            process.wait()  # here, since leaving the block by Ctrl-C would not


def _until_usable() -> float:
    name = f"bench-{os.getpid()}"
    try:
        start = time.perf_counter()
        made = subprocess.run(
            [*FWEMU, "up", "--name", name, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        hosts = json.loads(made.stdout)["hosts"]
        with Namespace.named(hosts["client"]["netns"]).enter(), socket.socket() as connection:
            connection.settimeout(5)
            refused = connection.connect_ex((hosts["server"]["ipv4"], NOBODY_LISTENS))
        took = time.perf_counter() - start
        if not refused:
            raise RuntimeError("somebody listens on a server that was just made")
        return took
    finally:
        subprocess.run([*FWEMU, "down", name], capture_output=True, check=False)
