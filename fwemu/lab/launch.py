"""Starts a firewall in the background and waits until it decides packets."""

from __future__ import annotations

import atexit
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, Final, NamedTuple

from fwemu.daemon.rundir import RUN_DIR, About, RunDirectory, is_daemon
from fwemu.errors import EXIT_CODES, FwemuError, NamespaceError
from netns.procfs import PinnedProcess, owner_of, pids, start_time, words_of

READY: Final = 60.0
"""Seconds that a firewall has to get ready, on a slow machine; one that ends is noticed at once."""

STOP: Final = 30.0
"""Seconds that it has to end."""

_PADDING: Final = " " * 2000
"""Room in the command line of the fork_server for that of a firewall."""


class SpawnRequest(NamedTuple):
    """A request to start a firewall: arguments, output, environment, directory."""

    arguments: list[str]
    """Of `fwemu`."""
    output: str
    """The file that it writes to."""
    environment: dict[str, str]
    directory: str

    @property
    def command(self) -> list[str]:
        """The command that would start it."""
        return [sys.executable, "-m", "fwemu", *self.arguments]


class ForkServer:
    """The process that firewalls are forked from (`fwemu/cli/fork_server.py`), from this side."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fwemu.cli.fork_server", str(theirs.fileno()), _PADDING],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._lock = threading.Lock()

    def spawn(self, request: SpawnRequest) -> int:
        """Fork a firewall; returns its process id."""
        return int(self._ask(request))

    def code(self, pid: int) -> int:
        """The exit code of one that has ended, or is about to; only once."""
        return int(self._ask(pid))

    @property
    def is_alive(self) -> bool:
        """True while the fork server runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it; the firewalls run on."""
        self._pipe.close()
        self._process.wait(STOP)

    def _ask(self, question: Any) -> Any:
        with self._lock:
            self._pipe.send(question)
            return self._pipe.recv()


_fork_servers: Final[dict[tuple[int, ...], ForkServer]] = {}
"""Those of this process, by what their children inherit of it."""


_children: Final[dict[int, ForkServer]] = {}
"""Which fork_server a running firewall is the child of, by its process id."""


def prepare() -> ForkServer:
    """The fork_server of this process: it loads what firewalls need while others go on."""
    of_us = [os.stat(f"/proc/self/ns/{kind}").st_ino for kind in ("mnt", "pid", "user")]
    key = (os.getpid(), os.geteuid(), *of_us)
    if key not in _fork_servers or not _fork_servers[key].is_alive:
        if not any(pid == os.getpid() for pid, *_ in _fork_servers):
            atexit.register(_close_all, os.getpid())
        _fork_servers[key] = ForkServer()
    return _fork_servers[key]


def _close_all(owner: int) -> None:
    """Not those of a process that this one was forked from."""
    for key in [key for key in _fork_servers if key[0] == owner == os.getpid()]:
        with suppress(Exception):
            _fork_servers.pop(key).close()


def launch(directory: RunDirectory, netns: str, arguments: Sequence[str]) -> About:
    """Start `fwemu daemon` for a namespace, detached from this terminal.

    Its own error is raised here if it does not get ready.
    """
    words = ["daemon", "--netns", netns, "--name", directory.name]
    words += ["--run-dir", str(directory.path.parent), "--of-lab"]
    words += ["--log", str(directory.events), *arguments]
    request = SpawnRequest(words, str(directory.output), dict(os.environ), _directory())
    fork_server = prepare()
    pid = fork_server.spawn(request)
    started = start_time(pid)
    deadline = time.monotonic() + READY
    try:
        while True:
            about = directory.about()
            if about is not None and about.pid == pid:
                _children[pid] = fork_server
                return about
            if started is None or start_time(pid) != started:
                raise _as_it_said(fork_server.code(pid), directory.output)
            if time.monotonic() > deadline:
                raise NamespaceError(
                    f"{directory.name}: the firewall is not ready after {READY:g} s; "
                    f"what it said is in {directory.output}"
                )
            time.sleep(0.002)
    except BaseException:
        if started is not None and (process := PinnedProcess.of(pid, started)) is not None:
            with process:
                process.stop(STOP)
        raise


def _directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # removed since
        return "/"


def stop(about: About) -> None:
    """End a firewall, and see that it has.  Raises NamespaceError if that process is none."""
    process = about.process()
    if process is not None:
        with process:
            process.stop(STOP)
    if not about.is_alive and (fork_server := _children.pop(about.pid, None)) is not None:
        with suppress(OSError, EOFError):  # it is gone as well
            fork_server.code(about.pid)


def stop_unannounced(directory: RunDirectory) -> None:
    """End the firewalls of a lab that have not come to announcing themselves in its directory.

    They are told by their command line; whoever started them is gone.
    """
    for pid in pids():
        words, started = words_of(pid), start_time(pid)
        if started is None or owner_of(pid) != os.geteuid() or not _is_of(words, directory):
            continue
        process = PinnedProcess.of(pid, started)
        if process is not None:
            with process:
                process.stop(STOP)


def _is_of(words: list[str], directory: RunDirectory) -> bool:
    if not is_daemon(words) or "--of-lab" not in words:
        return False
    options = dict(itertools.pairwise(words))
    base = str(directory.path.parent)
    return (options.get("--name"), options.get("--run-dir")) == (directory.name, base)


def _as_it_said(code: int, output: Path) -> FwemuError:
    """The error that the daemon printed, with its exit code."""
    lines = output.read_text(errors="replace").strip().splitlines()
    said = next((line for line in reversed(lines) if line.startswith("fwemu: ")), None)
    text = said.removeprefix("fwemu: ") if said else "\n".join(lines[-5:])
    error = FwemuError(text or _why_nothing_was_said(code, output))
    if code in {row.code for row in EXIT_CODES}:
        error.exit_code = code
    return error


def _why_nothing_was_said(code: int, output: Path) -> str:
    problem = f"the firewall has ended (exit code {code}) and said nothing in {output}"
    disk = os.statvfs(output.parent)
    if disk.f_bavail == 0 or (disk.f_files and disk.f_favail == 0):
        return (
            f"{problem}: that disk is full (make room there, "
            f"or set {RUN_DIR} to a directory elsewhere)"
        )
    return problem
