"""A lab: client, firewall and server, each in a network namespace, ready for real applications.

    from fwemu.lab import Lab

    with Lab(profile="cisco-asa", settings=["timeouts.tcp_established=5s"]) as lab:
        web = lab.server.start(["python3", "-m", "http.server", "80"], port=80)
        with lab.client:                  # sockets made here belong to the client's host
            connection = socket.create_connection((lab.server.ip, 80))
        print(list(lab.firewall.sessions()))

These names are loaded when they are used: a command that only looks a lab up need not wait for
what building one needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwemu.lab.host import Host
    from fwemu.lab.lab import Lab
    from fwemu.lab.plan import Layout, Topology

__all__ = ["Host", "Lab", "Layout", "Topology"]

_HOME = {
    "Host": "fwemu.lab.host",
    "Lab": "fwemu.lab.lab",
    "Layout": "fwemu.lab.plan",
    "Topology": "fwemu.lab.plan",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
