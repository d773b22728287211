"""Network namespaces, links, addresses and the processes inside them.

A client and a server joined by a cable, in thirty milliseconds, as root:

    import socket
    from netns import Network, wait_for_listener

    with Network() as network:
        client, server = network.namespace("demo-client"), network.namespace("demo-server")
        network.link(client, "eth0", server, "eth0",
                     a_addresses=["10.0.0.1/24"], b_addresses=["10.0.0.2/24"])
        web = network.spawn(server, ["python3", "-m", "http.server", "80"])
        wait_for_listener(server, 80, process=web)
        with client.enter():
            socket.create_connection(("10.0.0.2", 80)).close()

Nothing of it is left afterwards.  The layers can be used alone: `create` and `remove`
(`namespace.py`), interfaces and routes (`links.py`), networks out of reach
(`unreachable.py`), programs (`process.py`).
"""

from netns.addresses import host_port
from netns.errors import (
    CleanupError,
    DeviceMissing,
    LinkError,
    NamespaceExists,
    NetnsError,
    NoSuchNamespace,
    NotPermitted,
    ProcessError,
    ToolFailed,
    ToolMissing,
    WaitTimeout,
)
from netns.links import (
    Interface,
    add_address,
    add_route,
    attach,
    bridge,
    configure,
    default_route_interfaces,
    delete_link,
    down,
    interfaces,
    settle,
    sysctl,
    up,
    veth,
)
from netns.listeners import Listener, listeners, wait_for_listener
from netns.namespace import Namespace, create, exists, names, remove
from netns.neighbours import add_neighbour, hardware_address
from netns.network import Network
from netns.process import Process, spawn
from netns.sweep import pids_in, stop_all_in
from netns.tools import find_tool, run_tool
from netns.unreachable import (
    IPNetwork,
    choosing_networks,
    known_networks,
    make_unreachable,
    undo_unreachable,
)

__all__ = [
    "CleanupError",
    "DeviceMissing",
    "IPNetwork",
    "Interface",
    "LinkError",
    "Listener",
    "Namespace",
    "NamespaceExists",
    "NetnsError",
    "Network",
    "NoSuchNamespace",
    "NotPermitted",
    "Process",
    "ProcessError",
    "ToolFailed",
    "ToolMissing",
    "WaitTimeout",
    "add_address",
    "add_neighbour",
    "add_route",
    "attach",
    "bridge",
    "choosing_networks",
    "configure",
    "create",
    "default_route_interfaces",
    "delete_link",
    "down",
    "exists",
    "find_tool",
    "hardware_address",
    "host_port",
    "interfaces",
    "known_networks",
    "listeners",
    "make_unreachable",
    "names",
    "pids_in",
    "remove",
    "run_tool",
    "settle",
    "spawn",
    "stop_all_in",
    "sysctl",
    "undo_unreachable",
    "up",
    "veth",
    "wait_for_listener",
]
