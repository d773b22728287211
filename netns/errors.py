"""Errors a person can act on: each is one line with the place, the problem and the way out.

    NetnsError
    ├── NoSuchNamespace    the name, path or process is not there
    ├── NamespaceExists    the name is taken
    ├── NotPermitted       root (CAP_SYS_ADMIN, CAP_NET_ADMIN) is missing
    ├── LinkError          an interface, address, route or sysctl was refused
    │   └── DeviceMissing  the machine has no such device, as /dev/net/tun
    ├── ToolMissing        a tool of the system, as nft, is not installed
    ├── ToolFailed         such a tool refused what it was told, or hangs
    ├── ProcessError       a program could not start, died early or would not die
    │   └── WaitTimeout    something awaited did not happen in time
    └── CleanupError       something would not go away; `errors` holds each reason

Operating system errors become these in `translated`, netlink errors on the way there in
`rtnl.py`.  Wrong types and other mistakes of the calling code stay what they are (ValueError).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final


class NetnsError(Exception):
    """Base class; `str(error)` is one line to show without a traceback."""


class NoSuchNamespace(NetnsError):  # noqa: N818 - the name says the error; "Error" adds nothing
    """The namespace is not there (any more)."""


class NamespaceExists(NetnsError):  # noqa: N818 - as NoSuchNamespace
    """The name is taken, perhaps by a leftover of a killed process."""


class NotPermitted(NetnsError):  # noqa: N818 - as NoSuchNamespace
    """The kernel wants a capability that this process does not have."""


class LinkError(NetnsError):
    """An interface, address, route or sysctl was refused."""


class DeviceMissing(LinkError):  # noqa: N818
    """The machine has no such device."""


class ToolMissing(NetnsError):  # noqa: N818 - as NoSuchNamespace
    """A tool of the system is not installed."""


class ToolFailed(NetnsError):  # noqa: N818 - as NoSuchNamespace
    """A tool of the system failed; the text is the first line of its message."""


class ProcessError(NetnsError):
    """A program could not be started, died too early, or would not die."""


class WaitTimeout(ProcessError):  # noqa: N818 - as NoSuchNamespace
    """An awaited event did not happen within the time given."""


class CleanupError(NetnsError):
    """Parts could not be removed; all the others were removed."""

    def __init__(self, errors: Sequence[BaseException]) -> None:
        self.errors = tuple(errors)
        """Every failure, in the order in which it happened."""
        super().__init__("cleaning up: " + "; ".join(str(error) for error in self.errors))


NEEDS_ROOT: Final = "it needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN); run it with sudo"

# What usually lies behind an error number here, and what to do about it.
WAY_OUT: Final[dict[int, str]] = {
    errno.EEXIST: "it is there already; remove it first or choose another name",
    errno.ENODEV: "no such interface",
    errno.ENETUNREACH: "the gateway is not on any network of this namespace; add the address "
    "and bring the interface up first",
    errno.EHOSTUNREACH: "the gateway is not on any network of this namespace; add the address "
    "and bring the interface up first",
    errno.ENETDOWN: "the interface is down; bring it up first",
    errno.EOPNOTSUPP: "this kernel lacks it; look for a missing module (veth, bridge, ipv6)",
    errno.EAFNOSUPPORT: "this kernel lacks the address family; is IPv6 disabled?",
    errno.ENOEXEC: "not a program for this machine, or a script without a #! line",
    errno.EMFILE: "too many open files; raise `ulimit -n`",
    errno.ENOSPC: "a kernel limit is reached; see /proc/sys/user/max_net_namespaces",
}


@contextmanager
def translated(action: str, kind: type[NetnsError] = NetnsError) -> Iterator[None]:
    """Turn an OSError within into a `kind` that says "cannot `action`: why; way out".

    EPERM and EACCES become NotPermitted whatever the kind.
    """
    try:
        yield
    except OSError as error:
        raise explained(error, action, kind) from error


def number_of(error: BaseException) -> int | None:
    """The error number of the operating system that lies behind an error; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause.errno
        cause = cause.__cause__
    return None


def explained(error: OSError, action: str, kind: type[NetnsError] = NetnsError) -> NetnsError:
    """The error to raise instead of this one; see `translated`."""
    code = error.errno or 0
    if code in (errno.EPERM, errno.EACCES):
        return NotPermitted(f"cannot {action}: {NEEDS_ROOT}")
    problem = (error.strerror or os.strerror(code)).strip().rstrip(".")
    way_out = WAY_OUT.get(code)
    return kind(f"cannot {action}: {problem}" + (f" ({way_out})" if way_out else ""))
