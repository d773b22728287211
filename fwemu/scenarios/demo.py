"""The demo: one connection goes quiet and is then used again, behind four firewalls at once.

The same client and server stand behind a router ACL, behind a stateful firewall that drops what
it has forgotten, behind one that resets it, and behind the first one again but with keepalives.
Everything is real except the wait: an idle timeout of seconds stands for an hour.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fwemu.core.flow import TCP
from fwemu.daemon.records import Record
from fwemu.errors import NamespaceError
from fwemu.lab import Lab
from fwemu.scenarios import segments
from netns import sysctl

PORT: Final = 7007
"""Above 1023: no capability is needed to listen there."""
IDLE_TIMEOUT: Final = 2.0
"""Seconds after which the firewalls forget; devices have an hour here, clouds minutes."""

QUIET: Final = 2.6
"""Seconds that nobody says anything."""

CONNECT: Final = 30.0
"""Seconds that a connection to a server that listens may take, on a slow machine."""

KEEPALIVE: Final = 1
"""Seconds of quiet after which a socket with SO_KEEPALIVE asks (TCP_KEEPIDLE)."""

RETRIES: Final = 2
"""tcp_retries2 of the clients: how often the kernel repeats a request before it gives up."""

FORGED_PORT: Final = 22
"""The client's port at which the forged ACK is aimed."""

PATIENCE: Final = 10.0
"""Seconds until a packet that neither arrives nor is dropped counts as lost, on a busy machine."""

_RETRANSMITS: Final = 2  # offset of tcpi_retransmits in struct tcp_info (linux/tcp.h)


@dataclass(frozen=True)
class Lane:
    """One column of the demo: a firewall, and the client behind it."""

    name: str
    title: str
    mode: str
    settings: tuple[str, ...]
    keepalive: bool = False
    profile: str | None = None


_FORGETFUL: Final = f"timeouts.tcp_established={IDLE_TIMEOUT}s"

LANES: Final = (
    Lane("router-acl", "Router ACL", "acl", (), profile="router-acl"),
    Lane("stateful-drop", "Firewall that drops", "stateful", (_FORGETFUL, "unknown.inside=drop")),
    Lane(
        "stateful-reset", "Firewall that resets", "stateful", (_FORGETFUL, "unknown.inside=reset")
    ),
    Lane(
        "stateful-drop-keepalive",
        "Drops, but keepalive on",
        "stateful",
        (_FORGETFUL, "unknown.inside=drop"),
        keepalive=True,
    ),
)


@dataclass
class LaneRun:
    """The events of one lane so far; its own thread writes them, the display reads them."""

    lane: Lane
    steps: list[tuple[float, str]] = field(default_factory=list)
    """Seconds since the lanes started together, and what happened."""
    outcome: str | None = None
    """`survived`, `timed-out` or `reset`; None while it goes on."""
    error: str | None = None
    """The errno that the client's application got, by name."""
    detected_after: float | None = None
    """Seconds from the second request until the application knew that the connection is dead."""
    retransmissions: int = 0
    keepalives: int = 0
    """Probes that crossed the firewall."""
    resets_by_firewall: int = 0
    resets_by_server: int = 0
    forged_ack: str | None = None
    """What became of an ACK from the outside that belongs to no connection: `passed`, `dropped`."""

    @property
    def reset_by(self) -> str | None:
        """The sender of the RST, `firewall` or `server`, by the counters; None without a RST."""
        if self.outcome != "reset":
            return None
        return "firewall" if self.resets_by_server == 0 and self.resets_by_firewall else "server"

    @property
    def record(self) -> Record:
        """The result of the lane, as `fwemu demo --json` prints it."""
        return {
            "lane": self.lane.name,
            "mode": self.lane.mode,
            "outcome": self.outcome,
            "error": self.error,
            "detected_after_s": (
                None if self.detected_after is None else round(self.detected_after, 3)
            ),
            "retransmissions": self.retransmissions,
            "keepalive_probes": self.keepalives,
            "reset_by": self.reset_by,
            "resets_sent_by_firewall": self.resets_by_firewall,
            "resets_sent_by_server": self.resets_by_server,
            "forged_ack": self.forged_ack,
            "idle_timeout_s": IDLE_TIMEOUT if self.lane.mode == "stateful" else None,
            "quiet_s": QUIET,
        }


class Interrupted(Exception):  # noqa: N818 - somebody pressed Ctrl-C
    """Somebody ended the demo before a lane was done."""


def make_lab(lane: Lane, ready_within: float | None) -> Lab:
    """The lab of a lane, with its server running.

    Raises netns.WaitTimeout if that takes longer than so many seconds (None: any time).
    """
    lab = Lab(
        name=f"demo-{os.getpid()}-{lane.name.removeprefix('stateful-')}",
        profile=lane.profile,
        settings=lane.settings,
        metrics=False,
    )
    lab.up()
    try:
        sysctl(lab.client.namespace, "net.ipv4.tcp_retries2", RETRIES)
        echo = [sys.executable, "-m", "fwemu.scenarios.echo", str(PORT)]
        lab.server.start(echo, port=PORT, timeout=ready_within)
    except BaseException:
        lab.close()
        raise
    return lab


def run_lane(run: LaneRun, lab: Lab, started: float, stop: threading.Event) -> None:
    """Connect, be quiet, use the connection again, in the calling thread.

    Raises Interrupted when `stop` is set.
    """

    def tell(text: str) -> None:
        run.steps.append((time.monotonic() - started, text))

    with lab.client:
        connection = socket.create_connection((lab.server.ip, PORT), timeout=CONNECT)
    with connection:
        if run.lane.keepalive:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE)
        connection.sendall(b"first request")
        connection.recv(100)
        tell("first request answered")
        tell(f"quiet for {QUIET:g} s ...")
        if stop.wait(QUIET):
            raise Interrupted
        if run.lane.mode == "stateful":
            remembered = any(lab.firewall.sessions(protocol="tcp"))
            tell(f"the firewall {'remembers' if remembered else 'has forgotten'}")
        asked = time.monotonic()
        try:
            connection.sendall(b"second request")
            tell("second request sent")
            _await_answer(run, connection, tell, stop)
        except OSError as error:
            run.detected_after = time.monotonic() - asked
            run.error = errno.errorcode.get(error.errno or 0, str(error))
            outcome = "reset" if error.errno == errno.ECONNRESET else "timed-out"
            tell(f"{run.error} after {run.detected_after:.2f} s")
        else:
            outcome = "survived"
            tell(f"answered after {1000 * (time.monotonic() - asked):.1f} ms")
    statistics = lab.firewall.statistics()
    run.keepalives = sum(statistics["keepalive_probes"].values())
    run.resets_by_firewall = sum(statistics["packets_injected"].get("reset", {}).values())
    run.resets_by_server = lab.server.namespace.run(_resets_sent)
    run.forged_ack = _forge_ack(lab)
    tell(f"a forged ACK from outside {run.forged_ack}")
    run.outcome = outcome


def _await_answer(
    run: LaneRun, connection: socket.socket, tell: Callable[[str], None], stop: threading.Event
) -> None:
    """Wait for the answer without a timeout; count the kernel's retransmissions."""
    while not select.select([connection], [], [], 0.02)[0]:
        if stop.is_set():
            raise Interrupted
        repeated = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[_RETRANSMITS]
        if repeated > run.retransmissions:
            run.retransmissions = repeated
            tell(f"retransmission {repeated}")
    connection.recv(100)


def _forge_ack(lab: Lab) -> str:
    """Send the client an ACK from the server's host that no connection has; does it arrive?"""
    source, destination = (segments.address(host.ipv4) for host in (lab.server, lab.client))
    ack = segments.tcp(80, FORGED_PORT, "A", seq=1, ack=1)
    packet = segments.with_checksums(segments.ip(source, destination, TCP, ack))
    before = _refused(lab)
    with lab.client:
        ears = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    with lab.server:
        mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with ears, mouth:
        mouth.sendto(packet, (lab.client.ipv4, 0))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if select.select([ears], [], [], 0.02)[0]:
                if ears.recv(100)[20:] == packet[20:]:
                    return "passed"
            elif _refused(lab) > before:
                return "dropped"
    raise NamespaceError("the firewall did not decide about a packet in time")


def _refused(lab: Lab) -> int:
    return sum(lab.firewall.statistics()["packets"]["drop"].values())


def _resets_sent() -> int:
    """RSTs that this namespace's kernel has sent (OutRsts of /proc/net/snmp)."""
    with open("/proc/thread-self/net/snmp") as file:
        names, values = (line.split()[1:] for line in file if line.startswith("Tcp:"))
    return int(values[names.index("OutRsts")])


_MINUTES: Final = "15 minutes 24 seconds"
"""924.6 s: what Linux's default tcp_retries2 = 15 comes to (kernel docs, ip-sysctl)."""


def explain(run: LaneRun) -> str:
    """Explain the result of a lane in plain words."""
    wait = f"{run.detected_after:.1f} s" if run.detected_after is not None else "-"
    return {
        "router-acl": (
            "A router keeps no connections: it looks at each packet alone, so there was nothing "
            "to forget. For the same reason it takes whatever looks like an answer: a forged ACK "
            f"from the outside to the client's port {FORGED_PORT} {run.forged_ack}."
        ),
        "stateful-drop": (
            f"The firewall forgot the connection after {IDLE_TIMEOUT:g} s and says nothing. The "
            f"kernel repeated the request {run.retransmissions} times; the application learned "
            f"of it {wait} later, because tcp_retries2 is {RETRIES} here. With Linux's default of "
            f"15 that takes {_MINUTES}. The forged ACK was {run.forged_ack} here."
        ),
        "stateful-reset": (
            "Forgotten as well, but the firewall answered the request with a RST in the server's "
            f"name. The server's kernel sent {run.resets_by_server} RSTs, the firewall "
            f"{run.resets_by_firewall}; the server still thinks that it is connected."
        ),
        "stateful-drop-keepalive": (
            f"The same firewall as in lane 2. The socket has SO_KEEPALIVE with TCP_KEEPIDLE = "
            f"{KEEPALIVE} s, below the timeout: {run.keepalives} probes crossed the firewall, "
            "and each restarted its timer."
        ),
    }[run.lane.name]
