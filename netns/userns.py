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

_NS_GET_USERNS: Final = 0xB701  # include/uapi/linux/nsfs.h
_EVERYBODY: Final = ["0", "0", "4294967295"]  # the map of the first user namespace


class Refusal(NamedTuple):
    """The reason why the kernel refuses a user namespace to this user, and the way out."""

    reason: str
    remedy: str
    """The way out; mostly a command."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.remedy}"


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
    return _why(int(words[0]), int(words[1]))


def enter(private: Collection[str] = ()) -> None:
    """Move this process into new user, mount and network namespaces, as their root.

    `private` names entries of /run that are to be its own, beside those of `PRIVATE`.

    Raises NotPermitted where `refusal` says why, and then nothing has changed.
    """
    refused = refusal()
    if refused is not None:
        raise NotPermitted(f"cannot make a user namespace: {refused}")
    where = os.getcwd()
    with translated("enter a user namespace"):
        for step in _STEPS:
            step(private)
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
            owner = fcntl.ioctl(network, _NS_GET_USERNS)
            try:
                setns(owner, CLONE_NEWUSER)
            finally:
                os.close(owner)
            setns(network)
        finally:
            os.close(network)
        _mounts()
        _own_run(private)
    _back_to(where)


def _user(_: Collection[str] = ()) -> None:
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    # the only maps that need no privilege: one's own user and group, without changing groups
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(line)


def _mounts(_: Collection[str] = ()) -> None:
    unshare(CLONE_NEWNS)


def _network(_: Collection[str] = ()) -> None:
    unshare(CLONE_NEWNET)
    loopback_up()


def _own_run(private: Collection[str] = ()) -> None:
    """Mount a new /run, with the entries of the old one bound into it, but for private ones."""
    old = os.open(RUN, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        entries = [entry for entry in os.scandir(old) if entry.name not in {*PRIVATE, *private}]
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


_STEPS: Final[tuple[Callable[[Collection[str]], None], ...]] = (_user, _mounts, _network, _own_run)

_LIMITS: Final = {
    _user: "max_user_namespaces",
    _mounts: "max_mnt_namespaces",
    _network: "max_net_namespaces",
}
"""The limit that each step may reach (namespaces(7))."""


def _try(writer: int) -> None:
    """Try the steps of `enter` in a child process and report the first failure; never returns."""
    report = b"done"
    for number, step in enumerate(_STEPS):
        try:
            step(())
        except OSError as error:
            report = f"{number} {error.errno}".encode()
            break
        except BaseException:
            report = b""
            break
    os.write(writer, report)
    os._exit(0)


def _why(number: int, code: int) -> Refusal:
    """Explain the error number of a step."""
    step = _STEPS[number]
    if code == errno.ENOSPC and step in _LIMITS:
        limit = _LIMITS[step]
        is_off = _setting(f"user/{limit}") == "0"
        return Refusal(
            f"user.{limit} is {'0' if is_off else 'reached'}",
            f"sudo sysctl -w user.{limit}=15000",
        )
    if code == errno.EUSERS:
        return Refusal("user namespaces are nested too deep", "use one that is there already")
    if code in (errno.EINVAL, errno.ENOSYS) and step is _user:
        return Refusal("this kernel has no user namespaces (CONFIG_USER_NS)", "use one that has")
    for setting, value, remedy in _SWITCHES:
        if _setting(setting) == value:
            name = setting.replace("/", ".")
            return Refusal(f"{name} is {value}", f"sudo sysctl -w {name}={remedy}")
    if _is_filtered():
        return Refusal(
            "a seccomp filter forbids it, as in a container",
            "run that with --privileged, or with --security-opt seccomp=unconfined",
        )
    what = ("user namespace", "mount namespace", "network namespace", "mount on /run")[number]
    return Refusal(
        f"the kernel refuses a {what} ({os.strerror(code).lower()})",
        "look for a security module or a chroot that forbids it",
    )


_SWITCHES: Final = (
    # a patch of Debian's and Ubuntu's kernels
    ("kernel/unprivileged_userns_clone", "0", "1"),
    # Ubuntu 24.04, https://ubuntu.com/blog/ubuntu-23-10-restricted-unprivileged-user-namespaces
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
)
"""Settings that may forbid it: name, the value that forbids, the value that allows."""


def _setting(path: str) -> str | None:
    try:
        return Path("/proc/sys", path).read_text().strip()
    except OSError:
        return None


def _is_filtered() -> bool:
    status = Path("/proc/self/status").read_text()
    return status.partition("Seccomp:")[2].split()[:1] == ["2"]  # SECCOMP_MODE_FILTER


def _back_to(where: str) -> None:
    """Change to the same directory under the new mounts; to / if it is not there."""
    try:
        os.chdir(where)
    except OSError:
        os.chdir("/")
