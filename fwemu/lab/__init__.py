"""A lab: client, firewall and server, each in a network namespace, ready for real applications.

from fwemu.lab import Lab

with Lab(profile="cisco-asa", settings=["timeouts.tcp_established=5s"]) as lab:
    web = lab.server.start(["python3", "-m", "http.server", "80"], port=80)
    with lab.client:                      # sockets made here belong to the client's host
        connection = socket.create_connection((lab.server.ip, 80))
    print(list(lab.firewall.sessions()))
"""

from fwemu.lab.host import Host
from fwemu.lab.lab import Lab
from fwemu.lab.plan import Topology

__all__ = ["Host", "Lab", "Topology"]
