"""Checks the machine for real, in scratch namespaces that are gone afterwards.

What is missing is said in the sentences of `needs.py`.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fwemu.daemon import needs
from fwemu.daemon.needs import Need
from fwemu.errors import FwemuError, NamespaceError, PrivilegeError
from netns import (
    DeviceMissing,
    Namespace,
    NetnsError,
    Network,
    NotPermitted,
    add_address,
    configure,
    find_tool,
    sysctl,
    userns,
    veth,
)
from netns.connections import Holder, borrow
from netns.errors import NEEDS_ROOT, number_of
from netns.options import TCP_REPAIR
from netns.permissions import Refusal, confinement, limit_reached, missing

QUEUE: Final = 0
"""The number does not matter: queues belong to their namespace, and nobody else is in ours."""


class Status(Enum):
    """The outcome of a check."""

    OK = "ok"
    MISSING = "missing"
    UNCHECKED = "not checked"
    SPARED = "not here"
    """Missing, but only what is asked for rarely needs it."""


@dataclass(frozen=True)
class Finding:
    """The result of a check."""

    name: str
    need: Need
    status: Status
    text: str
    """What works, what is missing and the way out, or why it was not checked."""

    @property
    def error(self) -> FwemuError:
        """What a command raises that meets this lack."""
        return self.need.error(self.text)


class Scratch:
    """Two namespaces to try things in; they go with their network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.near: Namespace
        self.far: Namespace

    def make(self) -> None:
        """Make them."""
        self.near, self.far = (
            self._network.namespace(f"fwemu-doctor-{os.getpid()}-{side}")
            for side in ("near", "far")
        )


@dataclass(frozen=True)
class Check:
    """A check of the machine."""

    name: str
    need: Need
    attempt: Callable[[Scratch], str]
    """Says what works; raises FwemuError, NetnsError or OSError if it does not."""
    after: tuple[str, ...] = ()
    """Checks without which this one cannot be tried."""
    glance: Callable[[], None] = lambda: None
    """Where it cannot be tried: raises FwemuError if it is missing for certain."""
    only_for: str = ""
    """What alone needs it, if not everything does."""
    says: Collection[int] = ()
    """Refusals (EPERM and the like) by which the kernel says that the need is not met; all others
    say that somebody forbids it."""


def examine() -> Generator[Finding, None, None]:
    """Try everything, in an order in which each builds on those before."""
    with Network() as network:
        scratch = Scratch(network)
        blocked: dict[str, str] = {}  # by check: which one it fails by
        for check in CHECKS:
            cause = next((blocked[name] for name in check.after if name in blocked), None)
            finding = _try(check, scratch, cause)
            if finding.status in (Status.MISSING, Status.UNCHECKED):
                blocked[check.name] = cause or check.name
            yield finding


@contextmanager
def explaining() -> Iterator[None]:
    """Errors of `netns` within become the lack that lies behind them, in the words of `doctor`.

    They stay what they are if there is none.
    """
    try:
        yield
    except (NamespaceError, PrivilegeError, NetnsError) as error:
        if not isinstance(error, NetnsError) and not isinstance(error.__cause__, NetnsError):
            raise
        with closing(examine()) as findings:  # what it tried things in goes at once
            lacks = (found.error for found in findings if found.status is Status.MISSING)
            lack = next(lacks, None)
        if lack is None:
            raise
        raise lack from error


def _try(check: Check, scratch: Scratch, cause: str | None) -> Finding:
    """What the check finds, or if there is a `cause` why it cannot be tried, what is certain."""
    try:
        if cause is None:
            return Finding(check.name, check.need, Status.OK, check.attempt(scratch))
        check.glance()
        return Finding(check.name, check.need, Status.UNCHECKED, f"needs {cause}")
    except (FwemuError, NetnsError, OSError) as error:
        need, text = _behind(check, error), str(error)
        if need is not check.need and (code := number_of(error)):
            # whoever has come here is root: the usual way out is none
            text = text.replace(NEEDS_ROOT, os.strerror(code).lower())
        if not text.startswith(need.sentence):
            text = str(need.missing(text))
        if check.only_for:
            text = f"only {check.only_for} need it; {text}"
            return Finding(check.name, need, Status.SPARED, text)
        return Finding(check.name, need, Status.MISSING, text)


def _behind(check: Check, error: Exception) -> Need:
    """What is really missing: that of the check, or what forbids it to try."""
    code = number_of(error)
    if str(error).startswith(check.need.sentence) or code is None or code in check.says:
        return check.need
    if isinstance(error, NotPermitted) and NEEDS_ROOT not in str(error):  # it knows the way out
        lack, _, remedy = str(error).rpartition(": ")
        return Need(check.name, lack, remedy, PrivilegeError)
    refusal = confinement(code)
    if refusal is None and code == errno.ENOSPC:
        refusal = limit_reached("max_net_namespaces")
    if refusal is None and code in (errno.EPERM, errno.EACCES):
        refusal = _UNKNOWN
    if refusal is None:
        return check.need
    return Need(check.name, refusal.reason, refusal.remedy, PrivilegeError)


_UNKNOWN: Final = Refusal(
    "the kernel refuses it to somebody who has the capabilities",
    "look for a security module that forbids it",
)


def _root(scratch: Scratch) -> str:
    if not needs.is_privileged():
        raise needs.PRIVILEGES.missing(needs.without_root())
    whose = " of a user namespace" if userns.is_inside() else ""
    return f"root{whose}, with the capabilities it needs"


def _library(scratch: Scratch) -> str:
    from importlib.metadata import version

    import fwemu.daemon.queue  # noqa: F401 - raises if the library does not load

    return f"NetfilterQueue {version('NetfilterQueue')}"


def _namespaces(scratch: Scratch) -> str:
    scratch.make()
    return "made two"


def _proc(scratch: Scratch) -> str:
    needs.require_proc()
    return "is mounted"


def _sysctls(scratch: Scratch) -> str:
    sysctl(scratch.near, "net.ipv4.ip_forward", 1)
    return "may be set in them"


def _links(scratch: Scratch) -> str:
    veth(scratch.near, "eth0", scratch.far, "eth0")
    configure(scratch.near, "eth0", addresses=["192.0.2.1/24"])
    return "joined them by a veth pair"


def _ipv6(scratch: Scratch) -> str:
    add_address(scratch.near, "eth0", "2001:db8::1/64")
    return "gave it an IPv6 address"


def _nfqueue(scratch: Scratch) -> str:
    from fwemu.config.schema import QueueReader
    from fwemu.daemon.readers import open_queue

    with scratch.near.enter():
        queue = open_queue(QueueReader.AUTO, QUEUE, lambda packet: packet.accept(), length=8)
    queue.close()
    return "bound a queue that takes packets whole (GSO)"


def _hook(scratch: Scratch) -> str:
    from fwemu.daemon import hooks

    hook = hooks.install(scratch.near, QUEUE, fail_open=False)
    hook.remove()
    return f"{hook.tool} sends packets to it"


def _hook_tools() -> None:
    if not any(find_tool(tool) for tool in ("nft", "iptables")):
        raise needs.HOOK.missing("neither is installed")


def _raw_sockets(scratch: Scratch) -> str:
    from fwemu.daemon.inject import Injector

    with scratch.near.enter():
        Injector().close()
    return "opened them, for RST and ICMP"


def _tun(scratch: Scratch) -> str:
    from netns.tun import Tun

    try:
        Tun(scratch.near, "tun0").close()
    except DeviceMissing as error:
        raise needs.TUN.missing() from error
    return "made a TUN device, to ask the kernel's own connection tracking"


def _fast_forward(scratch: Scratch) -> str:
    tcp = scratch.near.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    with tcp, _stranger_with(tcp) as pid:
        try:
            borrowed = borrow(Holder(pid, tcp.fileno()))
        except PermissionError as error:
            if lacks := missing(["CAP_SYS_PTRACE"]):
                raise needs.FAST_FORWARD.missing(f"missing: {', '.join(lacks)}") from error
            raise
        with borrowed:
            borrowed.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
    return "borrowed a socket, and may have its kernel send from it"


@contextmanager
def _stranger_with(tcp: socket.socket) -> Iterator[int]:
    """A process that holds a socket and is no child of ours; its process id.

    A filter of containers, or Yama (kernel.yama.ptrace_scope), may make a difference there.
    """
    program = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _STRANGER],
        pass_fds=[tcp.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with program:
        assert program.stdout is not None
        if program.wait() != 0:
            raise OSError(errno.EAGAIN, "no process can be started")
        yield int(program.stdout.readline())


_STRANGER: Final = """
import os
if os.fork() == 0:
    os.write(1, b"%d\\n" % os.getpid())
    os.read(0, 1)
"""


def _other_users(scratch: Scratch) -> str:
    if missing(["CAP_SYS_PTRACE"]):
        raise needs.OTHER_USERS.missing("missing: CAP_SYS_PTRACE")
    return "fast-forward may look into their programs"


CHECKS: Final = (
    Check("proc", needs.PROC, _proc),
    Check("root", needs.PRIVILEGES, _root, ("proc",)),
    Check("library", needs.LIBRARY, _library),
    Check("namespaces", needs.NAMESPACES, _namespaces, ("root",)),
    Check("sysctls", needs.SYSCTLS, _sysctls, ("namespaces",)),
    Check("links", needs.LINKS, _links, ("sysctls",)),
    Check("ipv6", needs.IPV6, _ipv6, ("links",), says=(errno.EACCES, errno.EPERM)),
    Check("queue", needs.NFQUEUE, _nfqueue, ("namespaces", "library")),
    Check("hook", needs.HOOK, _hook, ("namespaces",), _hook_tools),
    Check("raw sockets", needs.PRIVILEGES, _raw_sockets, ("namespaces",)),
    Check("fast-forward", needs.FAST_FORWARD, _fast_forward, ("namespaces",)),
    Check(
        "other users",
        needs.OTHER_USERS,
        _other_users,
        ("root",),
        only_for="programs that give up root, as nginx and PostgreSQL do,",
    ),
    Check(
        "tun",
        needs.TUN,
        _tun,
        ("namespaces",),
        only_for="`fwemu scenario run --on kernel` and `make parity`",
    ),
)
"""The first two need no root."""
