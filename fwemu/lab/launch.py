"""Starts a firewall in the background and waits until it decides packets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fwemu.daemon.rundir import About, RunDirectory, wait_for_end
from fwemu.errors import EXIT_CODES, FwemuError, NamespaceError

READY: Final = 20.0
"""Seconds that a firewall has to get ready, on a busy machine."""

STOP: Final = 10.0
"""Seconds that it has to end."""

_children: Final[dict[int, subprocess.Popen[bytes]]] = {}
"""Firewalls that this process has started, by process id, until `stop` has seen them end."""


def launch(directory: RunDirectory, netns: str, arguments: Sequence[str]) -> About:
    """Start `fwemu daemon` for a namespace, detached from this terminal.

    Its own error is raised here if it does not get ready.
    """
    command = [sys.executable, "-m", "fwemu", "daemon", "--netns", netns]
    command += ["--name", directory.name, "--run-dir", str(directory.path.parent)]
    command += ["--log", str(directory.events), *arguments]
    with directory.output.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY
    try:
        while True:
            about = directory.about()
            if about is not None and about.pid == process.pid:
                _children[process.pid] = process
                return about
            if process.poll() is not None:
                raise _as_it_said(process.returncode, directory.output)
            if time.monotonic() > deadline:
                raise NamespaceError(
                    f"{directory.name}: the firewall is not ready after {READY:g} s; "
                    f"what it said is in {directory.output}"
                )
            time.sleep(0.005)
    except BaseException:
        process.terminate()
        process.wait(STOP)
        raise


def stop(about: About) -> None:
    """End a firewall, and see that it has."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not about.is_alive:
            break
        os.kill(about.pid, number)
        if wait_for_end(about.pid, about.started, STOP):
            break
    child = _children.get(about.pid)
    if child is not None and child.poll() is not None:
        del _children[about.pid]


def _as_it_said(code: int, output: Path) -> FwemuError:
    """The error that the daemon printed, with its exit code."""
    lines = output.read_text(errors="replace").strip().splitlines()
    said = next((line for line in reversed(lines) if line.startswith("fwemu: ")), None)
    error = FwemuError(said.removeprefix("fwemu: ")) if said else FwemuError("\n".join(lines[-5:]))
    if code in {row.code for row in EXIT_CODES}:
        error.exit_code = code
    return error
