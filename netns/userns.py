"""Move this process into a user namespace, so that an ordinary user can make network namespaces.

The maker of a user namespace has every capability over what is made inside it
(user_namespaces(7)): network namespaces, their links, rules and sysctls, and the processes within.
It has none over the machine: its network, its files and its devices.

The process must have a single thread.  It gets a network namespace without a way out, and a mount
namespace with a /run of its own: the entries of the old /run are bound into it, except `netns` and
what the caller wants to be private, and it may write there.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from netns.errors import NotPermitted, translated
from netns.namespace import loopback_up
from netns.permissions import (
    NS_GET_USERNS,
    Refusal,
    confinement,
    limit_reached,
    missing,
    setting,
)
from netns.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_REC,
    mount,
    setns,
    unshare,
)

RUN: Final = "/run"
PRIVATE: Final = frozenset({"netns", "xtables.lock"})
"""Entries of the machine's /run that are never bound: names of its namespaces, and root's lock."""

_FRESH: Final = "start it in a process of its own, which has one thread"

_EVERYBODY: Final = ["0", "0", "4294967295"]  # the map of the first user namespace


def is_inside() -> bool:
    """True if this process is in a user namespace other than the machine's first."""
    return Path("/proc/self/uid_map").read_text().split() != _EVERYBODY


def refusal(remedy_for_threads: str = _FRESH) -> Refusal | None:
    """The reason why `enter` would fail here; None if it would not.  A child process tries it.

    `remedy_for_threads` is the way out to name where this process has several threads.
    """
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        return Refusal(
            f"this process has {threads} threads already, and one alone can enter it",
            remedy_for_threads,
        )
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _try(writer)
    os.close(writer)
    with open(reader) as report:
        words = report.read().split()
    os.waitpid(child, 0)
    if words == ["done"]:
        return None
    if len(words) != 2:
        return Refusal("the attempt was killed", "look for why with `dmesg`")
    return _why(words[0], int(words[1]))


def enter(private: Collection[str] = ()) -> None:
    """Move this process into new user, mount and network namespaces, as their root.

    `private` names entries of /run that are to be its own, beside those of `PRIVATE`.

    Raises NotPermitted where `refusal` says why, and then nothing has changed.
    """
    refused = refusal()
    if refused is not None:
        raise NotPermitted(f"cannot make a user namespace: {refused}")
    where = os.getcwd()
    newcomer = _newcomer(private)
    with translated("enter a user namespace"):
        for step in _STEPS.values():
            step.take(newcomer)
    _back_to(where)


def join(pid: int) -> None:
    """Move this process into the user, network and mount namespaces of another one of this user.

    Raises NetnsError if that process has ended.
    """
    where = os.getcwd()
    with translated(f"join the namespaces of process {pid}"):
        kinds = {"user": CLONE_NEWUSER, "net": CLONE_NEWNET, "mnt": CLONE_NEWNS}
        descriptors: dict[int, int] = {}
        try:
            for name, kind in kinds.items():
                path = f"/proc/{pid}/ns/{name}"
                descriptors[kind] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            for kind, descriptor in descriptors.items():
                setns(descriptor, kind)
        finally:
            for descriptor in descriptors.values():
                os.close(descriptor)
    _back_to(where)


def join_owner(path: str, private: Collection[str] = ()) -> None:
    """Move this process into the network namespace at a path, and into its user namespace.

    The user namespace is the one in which the network namespace was made, and must belong to this
    user.  The mount namespace is a new one, with a /run as `enter` makes it.  Raises NetnsError.
    """
    where = os.getcwd()
    with translated(f"join the user namespace to which {path} belongs"):
        network = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            owner = fcntl.ioctl(network, NS_GET_USERNS)
            try:
                setns(owner, CLONE_NEWUSER)
            finally:
                os.close(owner)
            setns(network)
        finally:
            os.close(network)
        newcomer = _newcomer(private)
        _mounts(newcomer)
        _own_run(newcomer)
    _back_to(where)


class _Newcomer(NamedTuple):
    """Whoever enters a new user namespace."""

    user: int
    group: int
    private: frozenset[str]
    """Entries of /run that are not taken along."""


def _newcomer(private: Collection[str] = ()) -> _Newcomer:
    return _Newcomer(os.geteuid(), os.getegid(), PRIVATE.union(private))


def _user(newcomer: _Newcomer) -> None:
    unshare(CLONE_NEWUSER)


def _map(newcomer: _Newcomer) -> None:
    # the only maps that need no privilege: one's own user and group, without changing groups
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {newcomer.user} 1"),
        ("gid_map", f"0 {newcomer.group} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(line)


def _mounts(newcomer: _Newcomer) -> None:
    unshare(CLONE_NEWNS)


def _network(newcomer: _Newcomer) -> None:
    unshare(CLONE_NEWNET)
    loopback_up()


def _own_run(newcomer: _Newcomer) -> None:
    """Mount a new /run, with the entries of the old one bound into it, but for private ones."""
    old = os.open(RUN, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        entries = [entry for entry in os.scandir(old) if entry.name not in newcomer.private]
        mount("tmpfs", RUN, MS_NOSUID | MS_NODEV, "tmpfs", "mode=755")
        for entry in entries:
            # a file that vanishes meanwhile, or a mount that may not be seen: the rest will do
            with suppress(OSError):
                _take_over(entry, f"/proc/self/fd/{old}/{entry.name}", f"{RUN}/{entry.name}")
    finally:
        os.close(old)


def _take_over(entry: os.DirEntry[str], old: str, new: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(old), new)
        return
    if entry.is_dir():
        os.mkdir(new)
    else:
        Path(new).touch()
    mount(old, new, MS_BIND | MS_REC)


class _Step(NamedTuple):
    """A step of `enter`."""

    take: Callable[[_Newcomer], None]
    what: str
    """What it wants of the kernel."""
    limit: str | None = None
    """The limit that it may reach (namespaces(7))."""


_STEPS: Final = {
    "user": _Step(_user, "user namespace", "max_user_namespaces"),
    "map": _Step(_map, "map of one's own user"),
    "mounts": _Step(_mounts, "mount namespace", "max_mnt_namespaces"),
    "network": _Step(_network, "network namespace", "max_net_namespaces"),
    "run": _Step(_own_run, f"mount on {RUN}"),
}


def _try(writer: int) -> None:
    """Try the steps of `enter` in a child process and report the first failure; never returns."""
    report = b"done"
    newcomer = _newcomer()
    for name, step in _STEPS.items():
        try:
            step.take(newcomer)
        except OSError as error:
            report = f"{name} {error.errno}".encode()
            break
        except BaseException:
            report = b""
            break
    os.write(writer, report)
    os._exit(0)


def _why(name: str, code: int) -> Refusal:
    """Explain the error number of a step."""
    step = _STEPS[name]
    if code == errno.ENOSPC and step.limit is not None:
        return limit_reached(step.limit)
    if code == errno.EUSERS:
        return Refusal("user namespaces are nested too deep", "use one that is there already")
    if name == "map" and code == errno.EPERM and os.geteuid() == 0 and missing(["CAP_SETFCAP"]):
        # user_namespaces(7): who maps user 0 of the namespace outside has to have it there
        return Refusal(
            "root without CAP_SETFCAP gets none (since Linux 5.12)",
            "in a container be an ordinary user (--user 1000), or add --cap-add SETFCAP",
        )
    for path, value, remedy in _SWITCHES:
        if setting(path) == value:
            switch = path.replace("/", ".")
            return Refusal(f"{switch} is {value}", f"sudo sysctl -w {switch}={remedy}")
    if refusal := confinement(code):
        return refusal
    if code in (errno.EINVAL, errno.ENOSYS) and name == "user":
        return Refusal("this kernel has no user namespaces (CONFIG_USER_NS)", "use one that has")
    return Refusal(
        f"the kernel refuses a {step.what} ({os.strerror(code).lower()})",
        "look for a security module or a chroot that forbids it",
    )


_SWITCHES: Final = (
    # a patch of Debian's and Ubuntu's kernels
    ("kernel/unprivileged_userns_clone", "0", "1"),
    # Ubuntu 24.04, https://ubuntu.com/blog/ubuntu-23-10-restricted-unprivileged-user-namespaces
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
)
"""Settings that may forbid it: name, the value that forbids, the value that allows."""


def _back_to(where: str) -> None:
    """Change to the same directory under the new mounts; to / if it is not there."""
    try:
        os.chdir(where)
    except OSError:
        os.chdir("/")
