"""Claims a host's time for one firewall; a second one that would move it is refused.

Two firewalls at a time scale would divide its sysctls twice, and a fast-forward of one plays the
sockets of its hosts, but moves no clock of the other.  The claim is an abstract unix socket: such
names belong to a network namespace, and are gone with whoever holds them, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from fwemu.errors import NamespaceError
from netns import Namespace, NetnsError

_NAME: Final = "fwemu-time"

_DYING_S: Final = 3.0
"""How long the control process of a firewall that was killed may take to end."""


@contextlib.contextmanager
def claimed(hosts: Mapping[str, str], owner: str) -> Iterator[None]:
    """While the block lasts the time of these hosts belongs to the firewall called `owner`.

    `hosts` are the names of namespaces by what people call them; one that is not there yet is not
    claimed.  Raises NamespaceError with the name of the firewall that another one belongs to.
    """
    with ExitStack() as undo:
        for host, netns in hosts.items():
            try:
                namespace = Namespace.named(netns)
            except (NetnsError, ValueError):
                continue
            deadline = time.monotonic() + _DYING_S
            while (claim := namespace.run(lambda: _claim(owner))) is None:
                if time.monotonic() > deadline:
                    other = namespace.run(_owner)
                    raise NamespaceError(
                        f"--host {host}={netns}: its time belongs to the firewall {other!r}, and "
                        "two clocks would divide it twice: start this one without --host "
                        f"(its clock then stands still while {other!r} fast-forwards)"
                    )
                time.sleep(0.02)
            undo.enter_context(claim)
        yield


def _claim(owner: str) -> ExitStack | None:
    """The claim on the namespace of this thread; None if it is taken."""
    with ExitStack() as undo:
        for name in (_NAME, f"{_NAME}/{owner}"):
            claim = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            try:
                claim.bind(f"\0{name}")
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return None
                raise
        return undo.pop_all()


def _owner() -> str:
    """The holder of the claim on the namespace of this thread."""
    for line in Path("/proc/thread-self/net/unix").read_text().splitlines():
        _, _, name = line.partition(f"@{_NAME}/")
        if name:
            return name
    return "another one"
