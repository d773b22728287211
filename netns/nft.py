"""nftables rules of a namespace: load them, list them, hear of changes."""

from __future__ import annotations

import socket
from typing import Final

from netns.errors import translated
from netns.namespace import Namespace
from netns.tools import run_tool

_NETLINK_NETFILTER: Final = 12  # include/uapi/linux/netlink.h
_SOL_NETLINK: Final = 270
_NETLINK_ADD_MEMBERSHIP: Final = 1
_NFNLGRP_NFTABLES: Final = 7  # include/uapi/linux/netfilter/nfnetlink.h


def load(ns: Namespace, rules: str) -> None:
    """Carry out a file of nft commands; nft makes one transaction of it: all or nothing.

    Raises ToolMissing or ToolFailed.
    """
    run_tool(ns, ["nft", "-f", "-"], rules)


def changes(ns: Namespace) -> socket.socket:
    """A socket that becomes readable whenever somebody changes nftables rules there.

    Those of iptables-nft are among them, those of iptables-legacy are not.  What it reads are
    netlink messages; OSError (ENOBUFS) says that some were lost.
    """

    def opened() -> socket.socket:
        with translated(f"listen for changes of rules in namespace {ns.name!r}"):
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
            try:
                netlink.bind((0, 0))
                netlink.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)
            except BaseException:
                netlink.close()
                raise
            return netlink

    return ns.run(opened)
