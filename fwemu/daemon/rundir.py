"""The run directories by which running firewalls are found: one each.

/run/fwemu/NAME/    (of root with its capabilities; of all others $XDG_RUNTIME_DIR/fwemu/NAME/, or
                    /tmp/fwemu-UID/fwemu/NAME/; or $FWEMU_RUN_DIR/NAME/)
    starting.json   the process that is about to run one here, as long as nobody does
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
import stat
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from fwemu.daemon.bounded_file import rotated
from fwemu.daemon.needs import is_privileged
from fwemu.errors import NamespaceError, PrivilegeError
from netns import userns
from netns.lock import locked
from netns.procfs import PinnedProcess, owner_of, start_time, words_of

RUN_DIR: Final = "FWEMU_RUN_DIR"
"""Environment variable: where the run directories are.  Those who use different ones never see
each other's firewalls (but names of namespaces belong to the whole machine)."""

OF_ROOT: Final = Path("/run/fwemu")
"""Where those of root are; without the capabilities root is a user like others."""

_DYING_S: Final = 5.0
"""How long a process may take that has no command line any more: it has been killed."""

_OVERFLOW_UID: Final = 65534
"""Whoever has no number in a user namespace (user_namespaces(7))."""


def default_base() -> Path:
    """The directory of this user's run directories."""
    if chosen := os.environ.get(RUN_DIR):
        return Path(chosen).absolute()
    if is_privileged():
        return OF_ROOT
    return Path(os.environ.get("XDG_RUNTIME_DIR", f"/tmp/fwemu-{os.geteuid()}")) / "fwemu"


def require_own(base: Path) -> None:
    """Raise PrivilegeError if anybody but this user and root could have put something there.

    What stands in a run directory names processes to end and sockets to speak to.  So root, too,
    follows none that belongs to somebody else, or that somebody else could put another in place of.
    """
    me = os.geteuid()
    trusted = {0, me}
    if userns.is_inside():
        trusted.add(_OVERFLOW_UID)  # the machine's root is seen as this one
    way_out = f"set {RUN_DIR} to a directory of your own"
    try:
        status = base.stat()
        if status.st_uid != me:
            raise PrivilegeError(f"{base} belongs to user {status.st_uid}: {way_out}")
        by_group = status.st_mode & stat.S_IWGRP and status.st_gid != os.getegid()
        if status.st_mode & stat.S_IWOTH or by_group:
            raise PrivilegeError(
                f"{base} can be written by others: chmod go-w {base}, or {way_out}"
            )
        there = base.absolute()
        for path in {*there.parents, there, *there.resolve().parents}:
            status = path.lstat()
            is_open = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
            if status.st_uid not in trusted:
                raise PrivilegeError(f"{base}: {path} belongs to user {status.st_uid}: {way_out}")
            if is_open and not stat.S_ISLNK(status.st_mode):
                raise PrivilegeError(f"{base}: {path} can be written by others: {way_out}")
    except (FileNotFoundError, NotADirectoryError):
        return  # nothing is there, and nothing is read from there


@dataclass(frozen=True)
class About:
    """The announcement of a running firewall."""

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
    netns_inode: int = 0
    """Inode number of its network namespace: by it that is found again, whatever its name is."""
    fail: str = "closed"
    """What happens to packets while it does not run, but its hook is still there."""

    @property
    def is_alive(self) -> bool:
        """True while its process runs."""
        return start_time(self.pid) == self.started

    def process(self) -> PinnedProcess | None:
        """Its process, to be ended; None if that has ended.

        Raises NamespaceError if that is not verifiably this firewall: the process with that id and
        start time has to be this user's, and a `fwemu daemon`.
        """
        process = PinnedProcess.of(self.pid, self.started)
        if process is None:
            return None
        words = words_of(self.pid)
        if owner_of(self.pid) == os.geteuid() and is_daemon(words):
            return process
        with process:
            if process.ends_within(_DYING_S if not words else 0):
                return None
        raise NamespaceError(
            f"process {self.pid} is not the firewall {self.name!r}, as its run directory says "
            f"({' '.join(words)[:80] or 'no command'}): it is left alone"
        )


def is_daemon(words: Sequence[str]) -> bool:
    """True for the command line of a firewall."""
    return "daemon" in words and any("fwemu" in word for word in words)


class RunDirectory:
    """The directory of one firewall."""

    def __init__(self, base: Path, name: str, *, is_lab: bool = False) -> None:
        self.name = name
        self.path = base / name
        self._is_lab = is_lab
        """Is it that of a lab, which has made it before?"""
        self.control = self.path / "control.sock"
        self.events = self.path / "events.jsonl"
        self.device_log = self.path / "device.log"
        self.output = self.path / "output.log"
        self._about = self.path / "firewall.json"
        self._starting = self.path / "starting.json"

    def make(self) -> None:
        """Create it, for its owner only; logs that a dead firewall of this name left are removed.

        What that has announced stays until this one does: until then its hook is in force.  Raises
        NamespaceError if a firewall of this name runs, or the lab that it is for is gone.
        """
        if not self._is_lab:
            self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        require_own(self.path.parent)
        about = self.about()
        if about is not None and about.is_alive and about.pid != os.getpid():
            raise NamespaceError(
                f"a firewall called {self.name!r} is running already (process {about.pid}): "
                "choose another name"
            )
        if not self._is_lab:
            self._make_as_own()
        elif not self.path.is_dir():
            raise self._gone()
        for leftover in (self.control, *self._logs()):
            leftover.unlink(missing_ok=True)

    def _make_as_own(self) -> None:
        """Never without saying who does: killed at any moment, it leaves what can be found.

        A draft that is left has the form of one of a lab.
        """
        starting = self._draft_of(self._nobody_yet())
        draft = self.path.with_name(f".{self.name}-{os.getpid()}.new")
        draft.mkdir(mode=0o700)
        try:
            (draft / self._starting.name).write_text(starting)
            with contextlib.suppress(OSError):  # there is one already, and something in it
                draft.rename(self.path)
                return
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._starting.write_text(starting)

    def _nobody_yet(self) -> About:
        """This process, which has no hook anywhere."""
        paths = (str(self.control), None, str(self.events), str(self.device_log))
        me = os.getpid()
        return About(self.name, me, start_time(me) or 0, "", 0, *paths, None, "stateful")

    @staticmethod
    def _draft_of(about: About) -> str:
        return json.dumps(asdict(about), indent=2) + "\n"

    def prepare(self, about: About) -> None:
        """Write down where the hook will be, before it is; a lab has that in its own record."""
        if not self._is_lab:
            with contextlib.suppress(FileNotFoundError):  # `announce` says that it is gone
                draft = self._starting.with_suffix(".new")
                draft.write_text(self._draft_of(about))
                draft.replace(self._starting)

    def abandoned(self) -> About | None:
        """Who was about to run a firewall here, and was ended before saying that it runs."""
        about = _read(self._starting)
        return None if about is None or about.is_alive or self.about() is not None else about

    def announce(self, about: About) -> None:
        """Say who runs here; readers see the old file or the new one, never half of it.

        Raises NamespaceError if the directory was removed meanwhile: nobody would find it here.
        """
        draft = self._about.with_suffix(".new")
        try:
            with self.locked():
                draft.write_text(self._draft_of(about))
                draft.replace(self._about)
                self._starting.unlink(missing_ok=True)
        except FileNotFoundError as error:
            raise self._gone() from error
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise not_writable(self.path, error) from error

    def _gone(self) -> NamespaceError:
        return NamespaceError(f"{self.path} was removed meanwhile: {self.name!r} was taken down")

    def locked(self) -> AbstractContextManager[object]:
        """Nobody else announces anything here meanwhile; FileNotFoundError if it is gone."""
        return locked(self.path)

    def about(self) -> About | None:
        """Who runs, or ran, here; None if nobody has said so."""
        return _read(self._about)

    def withdraw(self, *, keep_log: bool) -> None:
        """This firewall has ended: what it had put here goes, and the directory if that was all.

        Where another one has left its hook, that stays to be seen.
        """
        about = self.about()
        is_own = about is not None and about.pid == os.getpid() and about.is_alive
        own = [self.control, self._about.with_suffix(".new")]
        own += [self._starting, self._starting.with_suffix(".new")]
        if is_own:
            own.append(self._about)
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


def _read(path: Path) -> About | None:
    try:
        return About(**json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError, TypeError):
        return None


def not_writable(path: Path, error: OSError) -> NamespaceError:
    """The error where a directory takes nothing: it is full, or somebody else's."""
    return NamespaceError(
        f"{path}: cannot be written ({error.strerror}): make room there, "
        f"or set {RUN_DIR} to a directory elsewhere"
    )


def firewalls(base: Path) -> list[About]:
    """All firewalls that run, by name."""
    return [about for about in announced(base) if about.is_alive]


def announced(base: Path) -> list[About]:
    """All firewalls that run, or have left something, by name.

    Raises PrivilegeError if what is there cannot be trusted.
    """
    require_own(base)
    if not base.is_dir():
        return []
    found = [RunDirectory(base, path.name).about() for path in sorted(base.iterdir())]
    return [about for about in found if about is not None]


def abandoned(base: Path) -> list[About]:
    """Those who were ended before they could say that a firewall runs, by name.

    They may have left their hook.
    """
    if not base.is_dir():
        return []
    found = [RunDirectory(base, path.name).abandoned() for path in sorted(base.iterdir())]
    return [about for about in found if about is not None]
