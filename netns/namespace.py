"""Named network namespaces: make, find, enter and remove them.

Names live in /var/run/netns as `ip netns` keeps them, so `ip netns exec NAME ...` works on what
is made here and the other way round.  Unlike `ip netns exec`, entering changes nothing but the
network: no mount namespace, no other /sys, no /etc/netns/NAME/resolv.conf.

A namespace belongs to a *thread*.  `Namespace.enter` moves the calling thread, `Namespace.run`
borrows a new thread for one call; the rest of the process stays where it is.

Interfaces and processes inside are in `links.py` and `process.py`.
"""

from __future__ import annotations

import difflib
import errno
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from netns.descriptor import HeldDescriptor
from netns.errors import (
    NEEDS_ROOT,
    NamespaceExists,
    NetnsError,
    NoSuchNamespace,
    NotPermitted,
    explained,
    translated,
)
from netns.lock import locked
from netns.procfs import pids
from netns.syscalls import (
    MS_BIND,
    MS_REC,
    MS_SHARED,
    mount,
    setns,
    unmount,
    unshare_network,
)
from netns.worker import Worker

T = TypeVar("T")

DIRECTORY: Final = "/var/run/netns"  # NETNS_RUN_DIR of iproute2
OF_THIS_THREAD: Final = "/proc/thread-self/ns/net"

_SIOCSIFFLAGS: Final = 0x8914  # include/uapi/linux/sockios.h
_IFF_UP: Final = 1


@dataclass(frozen=True)
class Namespace:
    """A network namespace; get one from `create`, `named`, `at`, `of_pid` or `current`."""

    name: str
    """Its name in /var/run/netns, or a description such as "process 42"."""

    path: str
    """A file that stands for it, for anything that takes such a path."""

    _held: HeldDescriptor | None = field(default=None, repr=False, compare=False)

    @classmethod
    def named(cls, name: str) -> Namespace:
        """The namespace that `ip netns list` shows under this name.

        Raises NoSuchNamespace, which names those that read alike.
        """
        namespace = cls(name, _path_of(name))
        if not os.path.lexists(namespace.path):
            there = names()
            alike = difflib.get_close_matches(name, there, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(alike)}?" if alike else _what_there_is(there)
            raise NoSuchNamespace(f"no network namespace is named {name!r}; {hint}")
        return namespace

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Namespace:
        """The namespace behind a path such as /proc/42/ns/net; raises NoSuchNamespace."""
        namespace = cls(os.fspath(path), os.fspath(path))
        namespace.identity  # noqa: B018 - raises when there is no namespace behind it
        return namespace

    @classmethod
    def of_pid(cls, pid: int) -> Namespace:
        """The namespace of a process's main thread, even after that process is gone.

        An open descriptor keeps it alive as long as the returned object.  Raises
        NoSuchNamespace when there is no such process.
        """
        return cls._hold(f"process {pid}", f"/proc/{pid}/ns/net")

    @classmethod
    def current(cls) -> Namespace:
        """The namespace of the calling thread; stays that one when the thread moves on."""
        return cls._hold("this thread", OF_THIS_THREAD)

    @classmethod
    def find(cls, inode: int) -> Namespace | None:
        """The namespace with this inode number, by its name or by a process in it; None if gone.

        The kernel gives such numbers out again: whoever uses this has to know it by more.
        """
        for identity, name in _names_by_identity().items():
            if identity[1] == inode:
                return cls.named(name)
        for path in (OF_THIS_THREAD, *(f"/proc/{pid}/ns/net" for pid in pids())):
            with suppress(OSError, NetnsError):  # it has ended, or is somebody else's
                if os.stat(path).st_ino == inode:
                    found = cls._hold(path, path)
                    if found.identity[1] == inode:
                        return found
        return None

    @classmethod
    def _hold(cls, described: str, path: str) -> Namespace:
        held = HeldDescriptor(_open(path, described))
        name = _names_by_identity().get(_identity(held.descriptor), described)
        return cls(name, f"/proc/{os.getpid()}/fd/{held.descriptor}", held)

    def held(self) -> Namespace:
        """Pin the namespace: it lives as long as the returned object, even without its name."""
        held = HeldDescriptor(self.open())
        return Namespace(self.name, f"/proc/{os.getpid()}/fd/{held.descriptor}", held)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode: equal for the same namespace however it was reached."""
        descriptor = self.open()
        try:
            return _identity(descriptor)
        finally:
            os.close(descriptor)

    def open(self) -> int:
        """A descriptor of it for setns(2) or netlink; the caller closes it.

        Raises NoSuchNamespace when it has been removed.
        """
        return _open(self.path, self.name)

    def enter(self) -> Entered:
        """Move the calling thread in for the length of a `with` block, then back.

        Sockets made within belong to the namespace for good, wherever they are used later.
        Processes and threads started within inherit it; threads that run already (an executor's
        for instance) do not.  An event loop that runs inside the block is inside as well, but do
        not `await` within such a block in a coroutine: other tasks would run inside meanwhile.
        Blocks nest, and end well whatever is raised within.
        """
        return Entered(self)

    def run(self, work: Callable[[], T]) -> T:
        """Call `work()` inside, in its own thread; the result or exception is passed on.

        The calling thread waits but does not move, so this is safe under a running event loop.
        A Ctrl-C meanwhile lets `work` finish first, so that nothing is left half done: keep it
        short.
        """

        def inside() -> T:
            descriptor = self.open()
            try:
                _move_to(descriptor, self.name)
            finally:
                os.close(descriptor)
            return work()

        # The thread ends inside and never has to come back.
        return Worker(inside, f"in netns {self.name}").run()

    def __str__(self) -> str:
        return self.name


class Entered:
    """The `with` block of `Namespace.enter`."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._before = -1
        self._thread = 0

    def __enter__(self) -> Namespace:
        if self._before >= 0:
            raise RuntimeError("this block is already entered; call enter() once for each `with`")
        target = self._namespace.open()
        try:
            self._before = os.open(OF_THIS_THREAD, os.O_RDONLY | os.O_CLOEXEC)
            self._thread = threading.get_ident()
            try:
                _move_to(target, self._namespace.name)
            except BaseException:
                self._leave()
                raise
        finally:
            os.close(target)
        return self._namespace

    def __exit__(self, *exception: object) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError("a namespace must be left by the thread that entered it")
        self._leave()

    def _leave(self) -> None:
        before, self._before = self._before, -1
        try:
            _move_to(before, "from which this thread came")
        finally:
            os.close(before)


class Creation:
    """A namespace in the making, which can be undone at any moment, Ctrl-C included.

    Register `undo` first, then call `run`: no moment is left in which the namespace exists and
    nobody knows that it must go.
    """

    def __init__(self, name: str) -> None:
        self.namespace = Namespace(name, _path_of(name))
        self.identity: tuple[int, int] | None = None
        """Of the namespace made; None before and when making it failed."""
        self._has_name = False
        # The thread that unshares ends inside the new namespace and never has to come back.
        self._worker = Worker(self._work, f"create netns {name}")

    def run(self) -> Namespace:
        """Make it; see `create` for the errors."""
        self._worker.run()
        return self.namespace

    def undo(self) -> None:
        """Remove the namespace that this object made, if it still exists, and no other."""
        if self.is_standing() or self._is_half_made():
            remove(self.namespace.name, missing_ok=True)
        self._has_name = False

    def is_standing(self) -> bool:
        """True if the name still belongs to the namespace that this object made."""
        self._worker.settle()
        try:
            return self._has_name and self.namespace.identity == self.identity
        except NoSuchNamespace:
            return False

    def _is_half_made(self) -> bool:
        """True if the name was created, but the namespace failed afterwards."""
        return self._has_name and self.identity is None

    def _work(self) -> None:
        name, path = self.namespace.name, self.namespace.path
        with translated(f"create the network namespace {name!r}"):
            _prepare_directory()
            self._claim()
            unshare_network()
            loopback_up()
            mount(OF_THIS_THREAD, path, MS_BIND)
            self.identity = _identity_at(OF_THIS_THREAD)

    def _claim(self) -> None:
        name, path = self.namespace.name, self.namespace.path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0)
        except FileExistsError:
            raise NamespaceExists(
                f"a network namespace named {name!r} is there already; "
                f"choose another name (`ip netns pids {name}` shows who lives in it)"
            ) from None
        self._has_name = True
        os.close(descriptor)


def create(name: str) -> Namespace:
    """A new namespace under that name, its loopback interface up and nothing else in it.

    It outlives this process; `remove` ends it.  Any number of processes may create at once.
    Raises NamespaceExists, NotPermitted, or NetnsError when the kernel refuses.
    """
    creation = Creation(name)
    try:
        return creation.run()
    except BaseException:
        creation.undo()
        raise


def remove(name: str, *, missing_ok: bool = False) -> None:
    """Take the name away; the namespace ends with the last process or socket inside.

    The name can be used again at once.  Interfaces vanish a little later, when the kernel gets
    to it.  Raises NoSuchNamespace unless `missing_ok`.
    """
    path = _path_of(name)
    with translated(f"remove the network namespace {name!r}"):
        while _unmounted(path):  # once, or more often if several were mounted on one another
            pass
        try:
            os.unlink(path)
        except FileNotFoundError:
            if not missing_ok:
                raise NoSuchNamespace(
                    f"no network namespace is named {name!r}; {_what_there_is(names())}"
                ) from None


def exists(name: str) -> bool:
    """True if a namespace of this name exists."""
    return os.path.lexists(_path_of(name))


def names() -> list[str]:
    """The names of all namespaces, sorted, as `ip netns list` shows them."""
    try:
        return sorted(os.listdir(DIRECTORY))
    except FileNotFoundError:
        return []


def _path_of(name: str) -> str:
    if not name or "/" in name or "\0" in name or name in (".", "..") or len(name) > 255:
        raise ValueError(f"{name!r} cannot name a network namespace: 1 to 255 characters, no '/'")
    return f"{DIRECTORY}/{name}"


def _what_there_is(there: list[str]) -> str:
    return f"there are: {', '.join(there)}" if there else "there is none"


def _open(path: str, name: str) -> int:
    """A descriptor of the namespace; raises NoSuchNamespace, NotPermitted or NetnsError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise NoSuchNamespace(
            f"the network namespace {name!r} is gone: there is no {path}"
        ) from None
    except PermissionError as error:
        if os.geteuid() == 0 and path.startswith(DIRECTORY):
            raise _not_a_namespace(path) from error
        raise NotPermitted(f"cannot open the network namespace {name!r}: {NEEDS_ROOT}") from error
    if os.fstat(descriptor).st_dev != os.stat(OF_THIS_THREAD).st_dev:
        os.close(descriptor)
        raise _not_a_namespace(path)
    return descriptor


def _not_a_namespace(path: str) -> NetnsError:
    # The empty file that was to become a mount point: its maker was killed, or works right now.
    hint = ""
    if path.startswith(DIRECTORY):
        hint = f"; if nobody is creating it now, remove it with `ip netns del {Path(path).name}`"
    return NoSuchNamespace(f"{path} is not a network namespace{hint}")


def _move_to(descriptor: int, name: str) -> None:
    try:
        setns(descriptor)
    except OSError as error:
        raise explained(error, f"enter the network namespace {name!r}") from error


def _prepare_directory() -> None:
    """Make /var/run/netns a shared mount, as `ip netns add` does and under the same lock.

    Shared, so that a name made or removed here appears and vanishes in the mount namespaces of
    other programs too.
    """
    os.makedirs(DIRECTORY, mode=0o755, exist_ok=True)
    with locked(DIRECTORY):
        try:
            mount("", DIRECTORY, MS_SHARED | MS_REC)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: it is no mount point yet
                raise
            mount(DIRECTORY, DIRECTORY, MS_BIND | MS_REC)
            mount("", DIRECTORY, MS_SHARED | MS_REC)


def loopback_up() -> None:
    """Bring up `lo` where this thread is: a host without 127.0.0.1 surprises everybody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _unmounted(path: str) -> bool:
    try:
        unmount(path)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):  # no mount there (any more)
            return False
        raise
    return True


def _names_by_identity() -> dict[tuple[int, int], str]:
    found = {}
    for name in names():
        with suppress(OSError):  # removed since we looked
            found[_identity_at(f"{DIRECTORY}/{name}")] = name
    return found


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _identity_at(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
