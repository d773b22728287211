"""Without root: everything works in a user namespace of one's own, where the kernel allows it.

Two functions make sure of the privileges that labs need.  For root both only look; whoever lacks
them (an ordinary user, or root without its capabilities, as in a container) moves with the process
into a user, mount and network namespace and is root there:

    enter()          one of this process's own; whatever is left in it ends with the process
    enter_shared()   the one of this user's standing labs, made with the first of them; every
                     command that needs it finds it again, until the last lab is gone

Both have to be called while the process has a single thread, and both take it away from the
machine's network: it has a loopback interface and what it makes itself.  `python -m
fwemu.rootless -- COMMAND` runs any program after `enter`.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from fwemu.daemon import needs
from fwemu.daemon.rundir import RUN_DIR, default_base
from fwemu.errors import NamespaceError, PrivilegeError
from fwemu.rootless import keeper
from netns import Namespace, names
from netns.lock import locked
from netns.namespace import loopback_up
from netns.procfs import pids, start_time
from netns.syscalls import unshare_network

PRIVATE: Final = frozenset({"fwemu"})
"""Entries of /run that are not taken over from the machine: root's firewalls."""

SENTENCE: Final = "not root: working in a user namespace of your own"

_MARK: Final = Path("/run/.fwemu-labs")
"""A file with a random word in the /run of a user's shared namespace: by it processes are told that
live there, however its keeper has ended."""


def say(text: str) -> None:
    """Print a line about what was done to stderr."""
    print(f"fwemu: {text}", file=sys.stderr, flush=True)


def enter(say: Callable[[str], None] = say) -> None:
    """Make sure of the privileges: root's, or those of a user namespace of this process's own.

    `say` gets SENTENCE if it is one.  Raises PrivilegeError, which says why the kernel does not
    allow that and what would change it; then nothing has changed.
    """
    if needs.is_privileged():
        return
    _enter_new()
    _keep("process", os.pidfd_open(os.getpid()))
    say(SENTENCE)


def enter_shared() -> bool:
    """Make sure of the privileges: root's, or those of this user's shared user namespace.

    True if this process has moved there, away from the machine's network.  Raises PrivilegeError as
    `enter` does.  Run directories stay where those of this user are, so that commands without
    privileges find them.
    """
    if needs.is_privileged():
        return False
    from netns import NetnsError, NotPermitted, userns

    base = default_base()
    _make(base)
    with locked(base):  # nobody else makes it meanwhile, and its keeper does not end
        there = _somebody(base)
        if there is None:
            _check_unclaimed(base)
            _enter_new()
            _MARK.write_text(secrets.token_hex())
            say(SENTENCE)
        else:
            try:
                userns.join(there)
            except NotPermitted as error:
                raise PrivilegeError(
                    f"{base} has labs in the user namespace of process {there}, which cannot be "
                    f"joined from here: set {RUN_DIR} to another directory"
                ) from error
            except NetnsError as error:
                raise NamespaceError(str(error)) from error
            _leave_host()
        if there is None or there != _keeper(base):
            pid = _keep("labs", os.open(base, os.O_RDONLY | os.O_DIRECTORY))
            record = {"pid": pid, "started": start_time(pid), "mark": _MARK.read_text()}
            draft = base / f"{keeper.RECORD}.new"
            draft.write_text(json.dumps(record) + "\n")
            draft.replace(base / keeper.RECORD)
    os.environ[RUN_DIR] = str(base)
    return True


def enter_owner(path: str) -> None:
    """Make sure of the privileges over a network namespace that is there: a path of /proc.

    An ordinary user has them over what was made in a user namespace of theirs, as by `unshare` or
    by containers without root.  This process moves there.  Raises PrivilegeError.
    """
    if not needs.missing_privileges():
        return
    from netns import NetnsError, userns

    base = default_base()
    _make(base)
    try:
        userns.join_owner(path, PRIVATE)
    except NetnsError as error:
        raise needs.PRIVILEGES.missing(f"{path} belongs to no user namespace of yours") from error
    os.environ[RUN_DIR] = str(base)
    say(f"not root: working in the user namespace to which {path} belongs")


def _check_unclaimed(base: Path) -> None:
    """Labs that root has made with its capabilities stand elsewhere and would not be found."""
    if not (base / keeper.RECORD).exists() and any(base.glob("*/lab.json")):
        raise needs.PRIVILEGES.missing(
            f"the labs in {base} were made with them; for others set {RUN_DIR} to another directory"
        )


def _enter_new() -> None:
    from netns import NotPermitted, userns

    # inside everybody is root: programs that name files after their user would meet root's
    os.environ.setdefault("USER", _user())
    try:
        userns.enter(PRIVATE)
    except NotPermitted as error:
        raise needs.PRIVILEGES.missing(needs.without_root()) from error


def _user() -> str:
    """The user's name; the user id if there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return str(os.geteuid())


def _make(base: Path) -> None:
    """The directory of this user's firewalls, which nobody else may have put there."""
    way_out = f"set {RUN_DIR} to a directory of your own"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        owners = {base: base.stat().st_uid, base.parent: base.parent.stat().st_uid}
    except OSError as error:
        raise PrivilegeError(f"{base}: {(error.strerror or '').lower()}: {way_out}") from error
    for path, owner in owners.items():
        if owner != os.geteuid() and (path == base or owner != 0):
            raise PrivilegeError(f"{path} belongs to user {owner}: {way_out}")


def _record(base: Path) -> dict[str, Any]:
    """The record of this user's namespace; empty if there is none."""
    try:
        record = json.loads((base / keeper.RECORD).read_text())
        return record if isinstance(record, dict) else {}
    except (OSError, ValueError):
        return {}


def _keeper(base: Path) -> int | None:
    """The process that keeps this user's namespace."""
    record = _record(base)
    pid, started = record.get("pid"), record.get("started")
    if not isinstance(pid, int) or started is None:
        return None
    return pid if start_time(pid) == started else None


def _somebody(base: Path) -> int | None:
    """A process inside: the keeper, or if somebody has killed it, whoever still lives there."""
    if (pid := _keeper(base)) is not None:
        return pid
    inside = _inside(_record(base).get("mark"))
    # in a host of a lab there is another network namespace than outside of it
    of_hosts = [pid for pid in inside if _is_in_host(pid)]
    others = [pid for pid in inside if pid not in of_hosts]
    return next(iter([*others, *of_hosts]), None)


def _inside(mark: str | None) -> list[int]:
    """Processes whose /run has this mark: those of this user's namespace, whoever they are."""
    found = []
    for pid in pids() if mark else ():
        with suppress(OSError):  # it has ended, or is somebody else's
            if Path(f"/proc/{pid}/root{_MARK}").read_text() == mark:
                found.append(pid)
    return found


def _is_in_host(pid: int) -> bool:
    """Is it in a network namespace that has a name where it lives?"""
    with suppress(OSError):
        named = Path(f"/proc/{pid}/root/run/netns").iterdir()
        return os.stat(f"/proc/{pid}/ns/net").st_ino in {path.stat().st_ino for path in named}
    return False


def _leave_host() -> None:
    """Whoever was joined may live in a host of a lab, which is not where commands run."""
    if Namespace.current().name in names():
        unshare_network()
        loopback_up()


def _keep(kind: str, descriptor: int) -> int:
    """Start the keeper and forget it: no child of ours, deaf to our terminal.  Its process id."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        grandchild = os.fork()
        if grandchild:
            os.write(writer, str(grandchild).encode())
            os._exit(0)
        keeper.become(kind, descriptor)
    os.close(writer)
    os.close(descriptor)
    with open(reader) as report:
        pid = int(report.read())
    os.waitpid(child, 0)
    return pid
