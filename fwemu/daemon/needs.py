"""The needs of fwemu on a machine, each in one sentence with the command that mends it.

Every command that meets a lack says the sentence that stands here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.errors import FwemuError, MissingError, PrivilegeError
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
    "this kernel or container does not allow network namespaces",
    "use a kernel with CONFIG_NET_NS, and in a container add --privileged",
    MissingError,
)
FAST_FORWARD: Final = Need(
    "fast-forward",
    "fast-forward cannot play the sockets of applications here",
    "use Linux 5.6 or later, and in a container add --privileged",
    MissingError,
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

_CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21}
"""Their numbers (linux/capability.h)."""


def require_proc() -> None:
    """Raise the error of PROC unless it is mounted."""
    if not os.path.exists("/proc/thread-self/status"):
        raise PROC.missing()


def missing_privileges() -> list[str]:
    """The missing parts of PRIVILEGES: `root`, or capabilities, as in a container."""
    if os.geteuid() != 0:
        return ["root"]
    require_proc()
    status = Path("/proc/thread-self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return [name for name, number in _CAPABILITIES.items() if not effective >> number & 1]


def require_privileges() -> None:
    """Raise the error of PRIVILEGES unless this process has them."""
    missing = missing_privileges()
    if missing == ["root"]:
        raise PRIVILEGES.missing(without_root())
    if missing:
        raise PRIVILEGES.missing(f"missing: {', '.join(missing)}")


def without_root() -> str:
    """The reason why an ordinary user needs root here, as a detail of PRIVILEGES."""
    from netns import userns

    if refused := userns.refusal("start it by `python -m fwemu.rootless -- COMMAND`"):
        return f"a user namespace would do, but {refused}"
    return "the network namespace belongs to no user namespace of yours"
