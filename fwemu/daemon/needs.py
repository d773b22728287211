"""The needs of fwemu on a machine, each in one sentence with the command that mends it.

Every command that meets a lack says the sentence that stands here.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from fwemu.errors import FwemuError, MissingError, PrivilegeError
from netns import permissions, userns
from netns.namespace import DIRECTORY
from netns.tun import WAY_OUT


class Need(NamedTuple):
    """Something that has to be there."""

    name: str
    lack: str
    """What is wrong when it is not there."""
    remedy: str
    """What to do then."""
    error: type[FwemuError]

    @property
    def sentence(self) -> str:
        """The lack and the way out, in one line."""
        return f"{self.lack}: {self.remedy}"

    def missing(self, detail: str = "") -> FwemuError:
        """The error to raise where it is missing."""
        return self.error(f"{self.sentence}{f' ({detail})' if detail else ''}")


PRIVILEGES: Final = Need(
    "root",
    "this needs root (CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN)",
    "run it with sudo, or in a container that has these capabilities",
    PrivilegeError,
)
NAMESPACES: Final = Need(
    "namespaces",
    "this kernel has no network namespaces",
    "use a kernel with CONFIG_NET_NS",
    MissingError,
)
FAST_FORWARD: Final = Need(
    "fast-forward",
    "fast-forward cannot play the sockets of applications here",
    "use Linux 5.6 or later, and in a container add --cap-add SYS_PTRACE",
    MissingError,
)
OTHER_USERS: Final = Need(
    "other-users",
    "fast-forward cannot look into programs that run as other users",
    "in a container add --cap-add SYS_PTRACE",
    PrivilegeError,
)
PROC: Final = Need(
    "proc",
    "/proc is not mounted, and without it nothing can be looked up",
    "mount -t proc proc /proc",
    MissingError,
)
SYSCTLS: Final = Need(
    "sysctls",
    "/proc/sys is read-only, and the hosts of a lab have settings of their own",
    "in a container add --security-opt unmask=/proc/sys (podman) or "
    "--security-opt systempaths=unconfined (docker)",
    MissingError,
)
LINKS: Final = Need(
    "links",
    "this kernel has no veth pairs (CONFIG_VETH)",
    "modprobe veth",
    MissingError,
)
NFQUEUE: Final = Need(
    "nfqueue",
    "this kernel has no NFQUEUE (CONFIG_NETFILTER_NETLINK_QUEUE)",
    "modprobe nfnetlink_queue",
    MissingError,
)
HOOK: Final = Need(
    "hook",
    "neither nft nor iptables can send packets to a queue here",
    "apt-get install nftables iptables, on a kernel with CONFIG_NFT_QUEUE or "
    "CONFIG_NETFILTER_XT_TARGET_NFQUEUE",
    MissingError,
)
LIBRARY: Final = Need(
    "library",
    "the Python package NetfilterQueue does not load",
    "apt-get install libnetfilter-queue1 (to build it: libnetfilter-queue-dev, python3-dev, gcc)",
    MissingError,
)
IPV6: Final = Need(
    "ipv6",
    "IPv6 is switched off",
    "sysctl -w net.ipv6.conf.all.disable_ipv6=0, or boot without ipv6.disable=1",
    MissingError,
)

TUN: Final = Need(
    "tun",
    "this machine has no TUN device (/dev/net/tun), through which the kernel's own connection "
    "tracking is asked",
    WAY_OUT,
    MissingError,
)

_CAPABILITIES: Final = ("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN")


def require_proc() -> None:
    """Raise the error of PROC unless it is mounted."""
    if not os.path.exists("/proc/thread-self/status"):
        raise PROC.missing()


def missing_privileges() -> list[str]:
    """What this process lacks of PRIVILEGES over the network in which it is, whoever it is.

    Capabilities, as for ordinary users and in containers.
    """
    require_proc()
    missing = permissions.missing(_CAPABILITIES)
    if not missing and not permissions.reach("net"):
        return ["power over this network namespace, which another user namespace owns"]
    return missing


def is_privileged() -> bool:
    """True for those who can make labs where they are; all others need a user namespace."""
    return not (missing_privileges() or _missing_places())


def require_privileges() -> None:
    """Raise the error of PRIVILEGES unless this process has them."""
    if missing_privileges():
        raise PRIVILEGES.missing(without_root())


def without_root() -> str:
    """What is missing here, and why there is no way without, as a detail of PRIVILEGES."""
    missing = [*missing_privileges(), *_missing_places()]
    if missing[: len(_CAPABILITIES)] == [*_CAPABILITIES]:
        missing = []  # the sentence names them
    refused = userns.refusal("start it by `python -m fwemu.rootless -- COMMAND`")
    if refused:
        reason = f"a user namespace would do, but {refused}"
    else:
        reason = "the network namespace belongs to no user namespace of yours"
    return f"missing: {', '.join(missing)}; {reason}" if missing else reason


def _missing_places() -> list[str]:
    """Where root lacks a place for what labs make, as in a container or somebody's namespace."""
    if not permissions.reach("mnt"):
        return ["power over these mounts, which another user namespace owns"]
    place = DIRECTORY if os.path.isdir(DIRECTORY) else userns.RUN
    if not os.access(place, os.W_OK, effective_ids=True):
        return [f"leave to write to {place}"]
    return []
