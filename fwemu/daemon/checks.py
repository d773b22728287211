"""Checks the machine for real, in scratch namespaces that are gone afterwards.

What is missing is said in the sentences of `needs.py`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fwemu.daemon import needs
from fwemu.daemon.needs import Need
from fwemu.errors import FwemuError
from netns import (
    DeviceMissing,
    Namespace,
    NetnsError,
    Network,
    add_address,
    configure,
    find_tool,
    sysctl,
    userns,
    veth,
)
from netns.connections import Holder, borrow
from netns.options import TCP_REPAIR

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


def examine() -> Iterator[Finding]:
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


def explained(error: FwemuError) -> FwemuError:
    """The lack that lies behind an error of `netns`, in the words of `doctor`; else that error."""
    if not isinstance(error.__cause__, NetnsError):
        return error
    lacks = (finding.error for finding in examine() if finding.status is Status.MISSING)
    return next(lacks, error)


def _try(check: Check, scratch: Scratch, cause: str | None) -> Finding:
    """What the check finds, or if there is a `cause` why it cannot be tried, what is certain."""
    try:
        if cause is None:
            return Finding(check.name, check.need, Status.OK, check.attempt(scratch))
        check.glance()
        return Finding(check.name, check.need, Status.UNCHECKED, f"needs {cause}")
    except (FwemuError, NetnsError, OSError) as error:
        text = str(error)
        if not text.startswith(check.need.sentence):
            text = str(check.need.missing(text))
        if check.only_for:
            text = f"only {check.only_for} need it; {text}"
            return Finding(check.name, check.need, Status.SPARED, text)
        return Finding(check.name, check.need, Status.MISSING, text)


def _root(scratch: Scratch) -> str:
    needs.require_privileges()
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
    from fwemu.daemon.queue import PacketQueue

    with scratch.near.enter():
        queue = PacketQueue(QUEUE, lambda packet: packet.accept(), length=8)
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
    with tcp, borrow(Holder(os.getpid(), tcp.fileno())) as borrowed:
        borrowed.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
    return "borrowed a socket, and may have its kernel send from it"


CHECKS: Final = (
    Check("proc", needs.PROC, _proc),
    Check("root", needs.PRIVILEGES, _root, ("proc",)),
    Check("library", needs.LIBRARY, _library),
    Check("namespaces", needs.NAMESPACES, _namespaces, ("root",)),
    Check("sysctls", needs.SYSCTLS, _sysctls, ("namespaces",)),
    Check("links", needs.LINKS, _links, ("sysctls",)),
    Check("ipv6", needs.IPV6, _ipv6, ("links",)),
    Check("queue", needs.NFQUEUE, _nfqueue, ("namespaces", "library")),
    Check("hook", needs.HOOK, _hook, ("namespaces",), _hook_tools),
    Check("raw sockets", needs.PRIVILEGES, _raw_sockets, ("namespaces",)),
    Check("fast-forward", needs.FAST_FORWARD, _fast_forward, ("namespaces",)),
    Check(
        "tun",
        needs.TUN,
        _tun,
        ("namespaces",),
        only_for="`fwemu scenario run --on kernel` and `make parity`",
    ),
)
"""The first two need no root."""
