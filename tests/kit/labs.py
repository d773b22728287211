"""Helpers of tests on the real kernel: labs, connections through them, packets on their cables.

Every lab is named after this process and lives in a run directory of its own, so that tests run
beside each other and beside whatever else uses the machine.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from fwemu.config import catalogue, load, to_settings, toml
from fwemu.lab import Host, Lab
from netns import Namespace, find_tool, nft, run_tool
from netns.options import TCP_REPAIR

T = TypeVar("T")

PATIENCE: Final = float(os.environ.get("FWEMU_TEST_PATIENCE", "60"))
"""Seconds until something awaited counts as missing, on a busy machine; more on an emulated one."""

SOON: Final = 0.2
"""Seconds in which a packet would have crossed the lab if there were one."""

_numbers = itertools.count()


def unique(word: str = "t") -> str:
    """A name that no other test, worker or run has."""
    return f"{word}{os.getpid()}-{next(_numbers)}"


def eventually(look: Callable[[], T], *, within: float = PATIENCE, what: str = "") -> T:
    """The first true answer of `look`; AssertionError with the last answer if there is none."""
    deadline = time.monotonic() + within
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} did not happen in {within:g} s; last: {answer!r}")
        time.sleep(0.005)


def children_of(pid: int) -> list[int]:
    """The ids of a process's children, of whichever thread."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has ended since
            found += map(int, (task / "children").read_text().split())
    return found


# -- labs ---------------------------------------------------------------------------------------

BASELINE: Final = tuple(
    f"{setting.key}={toml.value(setting.default)}"
    for setting in catalogue.settings()
    if setting.is_live and setting.default is not None and "[]" not in setting.path
)
"""Every setting that can change while a firewall runs, at its default."""


def as_new(lab: Lab, *settings: str) -> None:
    """Empty the table of a shared lab, put all its settings back, and then set these."""
    eventually(lambda: lab.firewall.statistics()["queue"]["waiting"] == 0, what="an empty queue")
    lab.firewall.configure([*BASELINE, *settings])
    lab.firewall.flush()


def behave_like(lab: Lab, name: str) -> None:
    """Give the lab every setting of a profile that can change while it runs."""
    tables = to_settings(load(profile=name))
    wanted = []
    for setting in catalogue.settings():
        if setting.is_live and "[]" not in setting.path:
            value = tables
            for key in setting.path:
                value = value.get(key)
                if value is None:
                    break
            else:
                wanted.append(f"{setting.key}={toml.value(value)}")
    lab.firewall.configure(wanted)


def address(host: Host, version: int) -> str:
    """The host's address of that IP version."""
    return host.ipv4 if version == 4 else host.ipv6


def family(version: int) -> socket.AddressFamily:
    """The address family of that IP version."""
    return socket.AF_INET if version == 4 else socket.AF_INET6


# -- conversations ------------------------------------------------------------------------------


@dataclass
class Pair:
    """A TCP connection through the firewall, both ends in this process."""

    client: socket.socket
    server: socket.socket
    version: int

    @property
    def port(self) -> int:
        """The client's port: what tells this connection from the others."""
        return int(self.client.getsockname()[1])

    def close(self) -> None:
        """Close both ends at once, with RSTs: nothing lingers in the next test."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def connected(
    lab: Lab,
    version: int = 4,
    *,
    client: Host | None = None,
    server: Host | None = None,
    port: int = 0,
) -> Pair:
    """A connection from the client to the server (or between hosts of your choice)."""
    client, server = client or lab.client, server or lab.server
    with listening(server, version, port) as listener:
        with client.namespace.enter():
            near = socket.socket(family(version), socket.SOCK_STREAM)
        near.settimeout(PATIENCE)
        try:
            near.connect(listener.getsockname()[:2])
            far, _ = listener.accept()
        except BaseException:
            near.close()
            raise
    for end in (near, far):
        end.settimeout(PATIENCE)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Pair(near, far, version)


def listening(host: Host, version: int = 4, port: int = 0) -> socket.socket:
    """A listening socket of the host."""
    with host.namespace.enter():
        return socket.create_server(
            (address(host, version), port), family=family(version), backlog=1024
        )


def datagrams(host: Host, version: int = 4, port: int = 0) -> socket.socket:
    """A bound UDP socket of the host."""
    with host.namespace.enter():
        bound = socket.socket(family(version), socket.SOCK_DGRAM)
    bound.bind((address(host, version), port))
    bound.settimeout(PATIENCE)
    return bound


def say(sender: socket.socket, receiver: socket.socket, text: bytes = b"hello") -> None:
    """The text goes from one end to the other, whole."""
    sender.sendall(text)
    assert receive(receiver, len(text)) == text


def receive(receiver: socket.socket, size: int) -> bytes:
    """Receive that many octets, or fewer if the other end closes."""
    data = b""
    while len(data) < size and (part := receiver.recv(size - len(data))):
        data += part
    return data


def what_comes(end: socket.socket, *, within: float = PATIENCE) -> str:
    """The next event at an end: the name of an errno, `end` for a FIN, `data`, or `nothing`."""
    end.settimeout(within)
    try:
        return "data" if end.recv(1) else "end"
    except OSError as error:
        return word(error)
    finally:
        end.settimeout(PATIENCE)


def word(error: OSError) -> str:
    """`ECONNRESET` and so on; `nothing` where it was only our own patience that ran out."""
    return "nothing" if error.errno is None else errno.errorcode[error.errno]


def vanish(end: socket.socket) -> None:
    """Close an end without a word to the other one, as a power failure does (TCP_REPAIR)."""
    end.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    end.close()


@contextmanager
def deaf(host: Host) -> Iterator[None]:
    """Nothing that is sent to this host arrives while the block lasts."""
    chain = "chain in { type filter hook input priority -300; policy drop; };"
    nft.load(host.namespace, f"table inet deaf {{ {chain} }}")
    try:
        yield
    finally:
        nft.load(host.namespace, "delete table inet deaf")


# -- who heard what -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """An IP packet on the cable of a host."""

    outgoing: bool
    version: int
    protocol: int
    source: str
    destination: str
    more: tuple[int, ...]
    """TCP: source port, destination port, flags.  ICMP: type, code."""
    ttl: int
    """Time to live, or hop limit."""
    numbers: tuple[int, int] = (0, 0)
    """TCP: sequence and acknowledgement number."""
    length: int = 0
    """TCP: octets of data."""
    at: int = 0
    """Real time in nanoseconds, from the kernel."""

    @property
    def is_rst(self) -> bool:
        """True for a TCP RST."""
        return self.protocol == socket.IPPROTO_TCP and bool(self.more[2] & 4)

    @property
    def is_housekeeping(self) -> bool:
        """True for what an IPv6 host sends by itself, about routers, neighbours and groups."""
        is_hop_by_hop = self.version == 6 and self.protocol == 0  # as group reports are
        return is_hop_by_hop or (self.protocol == 58 and self.more[0] >= 130)

    @property
    def is_icmp(self) -> bool:
        """True for ICMP of either version."""
        return self.protocol in (1, 58)


class Wire:
    """Capture the packets on the cable of a host while the block lasts, without housekeeping."""

    def __init__(self, host: Host) -> None:
        with host.namespace.enter():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self._socket.bind(("eth0", 3))  # ETH_P_ALL
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._frames: list[Frame] = []

    @property
    def frames(self) -> list[Frame]:
        """The packets seen until now."""
        with suppress(BlockingIOError):
            while True:
                data, ((_, _, stamp),), _, origin = self._socket.recvmsg(256, 64)
                seconds, nanoseconds = struct.unpack("=qq", stamp)
                at = seconds * 10**9 + nanoseconds
                frame = _frame(data, origin[2] == socket.PACKET_OUTGOING, at)
                if frame is not None and not frame.is_housekeeping:
                    self._frames.append(frame)
        return list(self._frames)

    def sent_rsts(self) -> list[Frame]:
        """The RSTs that this host itself has sent."""
        return [frame for frame in self.frames if frame.is_rst and frame.outgoing]

    def heard_rsts(self) -> list[Frame]:
        """The RSTs that came to this host."""
        return [frame for frame in self.frames if frame.is_rst and not frame.outgoing]

    def heard_errors(self) -> list[Frame]:
        """The ICMP packets that came to this host."""
        return [frame for frame in self.frames if frame.is_icmp and not frame.outgoing]

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()


_SO_TIMESTAMPNS: Final = 35  # include/uapi/asm-generic/socket.h, with 64 bits of time


def _frame(data: bytes, outgoing: bool, at: int) -> Frame | None:
    version = data[0] >> 4
    if version == 4:
        size, protocol, ttl = (data[0] & 15) * 4, data[9], data[8]
        source, destination = data[12:16], data[16:20]
    elif version == 6:
        size, protocol, ttl = 40, data[6], data[7]
        source, destination = data[8:24], data[24:40]
    else:
        return None
    body = data[size:]
    whole = int.from_bytes(data[2:4]) if version == 4 else 40 + int.from_bytes(data[4:6])
    numbers, length = (0, 0), 0
    more: tuple[int, ...] = ()
    if protocol == socket.IPPROTO_TCP and len(body) >= 14:
        more = (*struct.unpack("!HH", body[:4]), body[13])
        numbers = struct.unpack("!II", body[4:12])
        length = whole - size - (body[12] >> 4) * 4
    elif protocol in (1, 58) and len(body) >= 2:
        more = tuple(body[:2])
    words = (socket.inet_ntop(family(version), part) for part in (source, destination))
    return Frame(outgoing, version, protocol, *words, more, ttl, numbers, length, at)


def resets_sent_by_kernel(host: Host) -> int:
    """The number of RSTs that this host has sent (TcpOutRsts; both IP versions)."""
    with host.namespace.enter():
        lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("OutRsts")])


@dataclass
class Log:
    """The firewall log from the moment this was made."""

    lab: Lab
    after: int = field(init=False)

    def __post_init__(self) -> None:
        self.lab.firewall.statistics()  # whatever has happened by now is in the log then
        with open(self.lab.about.events, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4096))
            self.after = json.loads(file.read().splitlines()[-1])["number"]

    def __call__(self, event: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """The events of a kind with these values."""
        return [
            found
            for found in self.lab.firewall.events(after=self.after)
            if (event is None or found["event"] == event)
            and all(found.get(name) == value for name, value in fields.items())
        ]


def count(record: Any, *keys: str) -> int:
    """A counter of `statistics()`, by its path; one that is not there yet is zero."""
    for key in keys:
        record = record.get(key, {})
    return int(record or 0)


def dropped(lab: Lab) -> dict[str, int]:
    """Packets dropped until now, by reason."""
    return dict(lab.firewall.statistics()["packets"]["drop"])


# -- firewalls without a lab --------------------------------------------------------------------


RULE_TOOLS: Final = (
    ("nft", ("nft", "list", "ruleset")),
    *(
        (f"{command}{variant}", (f"{command}{variant}-save",))
        for command in ("iptables", "ip6tables")
        for variant in ("-nft", "-legacy", "")
    ),
)
"""Whoever may know of a rule, and the command that lists what it knows."""


def rules_of(namespace: Namespace) -> dict[str, str]:
    """All packet filter rules of a namespace, by the tool that lists them; no counters."""
    rules = {}
    for tool, command in RULE_TOOLS:
        if find_tool(command[0]) is None:
            continue
        lines = run_tool(namespace, command).splitlines()
        text = "\n".join(line for line in lines if not line.startswith("#"))
        rules[tool] = re.sub(r"\[\d+:\d+\]|packets \d+ bytes \d+", "", text)
    return rules


def hooks_of(namespace: Namespace) -> list[str]:
    """Every rule there that sends packets to a queue, however it was made: `tool: rule`.

    What iptables-nft has made is listed by nft as well, in other words: a hook counts once, as
    the tool shows it that was asked first.
    """
    there = rules_of(namespace)
    variants = {tool for tool in there if tool.endswith(("-nft", "-legacy"))}
    found = [
        f"{tool}: {line.strip()}"
        for tool, text in there.items()
        if tool in (variants or {"iptables", "ip6tables"})
        for line in text.splitlines()
        if "NFQUEUE" in line
    ]
    table = ""
    for line in there["nft"].splitlines():
        table = line if line.startswith("table ") else table
        if "queue " in line and "fwemu_queue" in table and not line.startswith("table "):
            found.append(f"nft: {line.strip()}")
    return found
