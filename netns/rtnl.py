"""The one place that talks to pyroute2: a route netlink socket of the calling thread's namespace.

Three things about pyroute2 0.9, all met here:

- its synchronous `IPRoute` runs an event loop of its own, so it raises "This event loop is
  already running" in a thread whose asyncio loop runs.  All uses go through `Namespace.run`,
  whose thread has no loop;
- `IPRoute(netns=...)` forks a child to make the socket, which costs 10 ms and is unsafe in a
  program with threads.  A plain `IPRoute()` in a thread that is inside needs none of it;
- importing it takes 0.2 s, so it happens on first use and not with `import netns`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from netns.errors import LinkError, translated
from netns.namespace import Namespace

T = TypeVar("T")

DUMP_ATTEMPTS = 10  # a listing is torn when someone changes interfaces meanwhile; try again


def with_route_socket(namespace: Namespace, action: str, work: Callable[[Any], T]) -> T:
    """Call `work(iproute)` inside the namespace; the result.

    Raises LinkError or NotPermitted, "cannot `action` in namespace ...".
    """

    def inside() -> T:
        with route_socket(f"{action} in namespace {namespace.name!r}") as iproute:
            return work(iproute)

    return namespace.run(inside)


def listed(namespace: Namespace, action: str, work: Callable[[Any], T]) -> T:
    """As `with_route_socket`; repeated if the kernel reports an inconsistent listing."""
    from pyroute2.netlink.exceptions import NetlinkDumpInterrupted

    def untorn(iproute: Any) -> T:
        for _ in range(DUMP_ATTEMPTS - 1):
            try:
                return work(iproute)
            except NetlinkDumpInterrupted:
                continue
        return work(iproute)

    return with_route_socket(namespace, action, untorn)


def refusal(ask: Callable[[], object]) -> int:
    """The error number if the kernel refuses the request within, else 0."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        ask()
    except NetlinkError as error:
        return int(error.code)
    return 0


@contextmanager
def route_socket(action: str) -> Iterator[Any]:
    """A `pyroute2.IPRoute` in the calling thread's namespace; its errors become ours.

    Raises LinkError or NotPermitted, with the kernel's own explanation where it gives one.
    """
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkDumpInterrupted, NetlinkError

    with translated(action, LinkError):
        try:
            # groups=0: no subscription to events, which would fill the socket's buffer.
            with IPRoute(groups=0, ext_ack=True) as iproute:
                yield iproute
        except NetlinkDumpInterrupted:
            raise OSError(errno.EAGAIN, "the interfaces kept changing meanwhile") from None
        except NetlinkError as error:
            raise OSError(error.code, error.args[1]) from error
