"""Where running firewalls leave what others need to find them: one directory each.

/run/fwemu/NAME/    (of root; other users: $XDG_RUNTIME_DIR/fwemu/NAME/; or $FWEMU_RUN_DIR/NAME/)
    firewall.json   who it is: process, namespace, queue, control socket, metrics address
    control.sock    the control API, for its owner only
    events.jsonl    the firewall log
    device.log      the same in the format of a device, if one is chosen
    output.log      what the daemon printed, if it runs in the background
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from fwemu.daemon.bounded_file import rotated
from fwemu.errors import NamespaceError

RUN_DIR: Final = "FWEMU_RUN_DIR"
"""Environment variable: where the run directories are.  Those who use different ones never see
each other's firewalls (but names of namespaces belong to the whole machine)."""


def default_base() -> Path:
    """Where the run directories of this user are."""
    if chosen := os.environ.get(RUN_DIR):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/run/fwemu")
    return Path(os.environ.get("XDG_RUNTIME_DIR", f"/tmp/fwemu-{os.geteuid()}")) / "fwemu"


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is no such process.

    Together with the process id it tells a process from a later one with the same id.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


@dataclass(frozen=True)
class About:
    """Who a running firewall is."""

    name: str
    pid: int
    started: int
    """Start time of the process, as `start_time` gives it."""
    netns: str
    queue: int
    control: str
    """Path of the control socket."""
    metrics: str | None
    """Address of the metrics, as in http://127.0.0.1:9100/metrics."""
    events: str
    """Path of the firewall log."""
    device_log: str
    """Path of the log in the format of a device; nothing is there before one is chosen."""
    profile: str | None
    mode: str
    time_scale: int = 1
    """How many times faster its time passes."""
    api: str | None = None
    """Address of the control API on TCP, as in http://127.0.0.1:8080; None unless asked for."""

    @property
    def is_alive(self) -> bool:
        """Does its process still run?"""
        return start_time(self.pid) == self.started


class RunDirectory:
    """The directory of one firewall."""

    def __init__(self, base: Path, name: str) -> None:
        self.name = name
        self.path = base / name
        self.control = self.path / "control.sock"
        self.events = self.path / "events.jsonl"
        self.device_log = self.path / "device.log"
        self.output = self.path / "output.log"
        self._about = self.path / "firewall.json"

    def make(self) -> None:
        """Create it, for its owner only; what a dead firewall of this name left is removed."""
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        about = self.about()
        if about is not None and about.is_alive and about.pid != os.getpid():
            raise NamespaceError(
                f"a firewall called {self.name!r} is running already (process {about.pid}): "
                "choose another name"
            )
        self.path.mkdir(mode=0o700, exist_ok=True)
        for leftover in (self._about, self.control, *self._logs()):
            leftover.unlink(missing_ok=True)

    def announce(self, about: About) -> None:
        """Say who runs here; readers see the old file or the new one, never half of it."""
        draft = self._about.with_suffix(".new")
        try:
            draft.write_text(json.dumps(asdict(about), indent=2) + "\n")
            draft.replace(self._about)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise not_writable(self.path, error) from error

    def about(self) -> About | None:
        """Who runs, or ran, here; None if nobody has said so."""
        try:
            return About(**json.loads(self._about.read_text()))
        except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError, TypeError):
            return None

    def withdraw(self, *, keep_log: bool) -> None:
        """The firewall has ended: what it had put here goes, and the directory if that was all."""
        own = [self._about, self.control]
        if not keep_log:
            own += self._logs()
        for path in own:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else has something here
            self.path.rmdir()

    def _logs(self) -> list[Path]:
        """Both logs, with their rotated parts."""
        return [part for log in (self.events, self.device_log) for part in (log, rotated(log))]

    def remove(self) -> None:
        """Remove the directory with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def not_writable(path: Path, error: OSError) -> NamespaceError:
    """The error where a directory takes nothing: it is full, or somebody else's."""
    return NamespaceError(
        f"{path}: cannot be written ({error.strerror}): make room there, "
        f"or set {RUN_DIR} to a directory elsewhere"
    )


def firewalls(base: Path) -> list[About]:
    """All firewalls that run, by name."""
    if not base.is_dir():
        return []
    found = [RunDirectory(base, path.name).about() for path in sorted(base.iterdir())]
    return [about for about in found if about is not None and about.is_alive]


def wait_for_end(pid: int, started: int, timeout: float) -> bool:
    """Has this process ended within `timeout` seconds?"""
    deadline = time.monotonic() + timeout
    while start_time(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
