"""A client, a firewall's namespace and a server without a firewall, and the program to add one."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fwemu.client import Client
from fwemu.daemon.rundir import RunDirectory
from netns import Namespace, Network, Process, add_route, sysctl
from netns.procfs import command_of, pids
from tests.kit.labs import PATIENCE, eventually, unique

SOUND = ("-m", "fwemu")
BROKEN = (
    "-c",
    "import sys\n"
    "from fwemu.cli.main import main\n"
    "from fwemu.core.firewall import Firewall\n"
    "Firewall.handle = lambda *packet: 1 / 0\n"
    "sys.exit(main(sys.argv[1:]))",
)
"""A program whose engine has an error."""

TELLING = (
    "-c",
    "import sys\n"
    "from fwemu.cli.main import main\n"
    "from fwemu.daemon import hooks, readers\n"
    "def telling(kind, name, text):\n"
    "    original = getattr(kind, name)\n"
    "    def method(self):\n"
    "        original(self)\n"
    "        print('told:', text, file=sys.stderr, flush=True)\n"
    "    setattr(kind, name, method)\n"
    "for kind in readers.READERS[readers.QueueReader.AUTO]:\n"
    "    telling(kind, 'close', 'queue closed')\n"
    "for kind in hooks.KINDS:\n"
    "    telling(kind, 'remove', 'hook removed')\n"
    "sys.exit(main(sys.argv[1:]))",
)
"""A program that tells in which order it ends."""

SLOW_LOOKS = (
    "-c",
    "import sys, time\n"
    "from fwemu.cli.main import main\n"
    "from fwemu.daemon import hook_watch, hooks\n"
    "hook_watch._DISARM_S = 0.2\n"
    "def slow(kind):\n"
    "    is_in_place = kind.is_in_place\n"
    "    def method(self):\n"
    "        time.sleep(1.0)\n"
    "        return is_in_place(self)\n"
    "    kind.is_in_place = method\n"
    "for kind in hooks.KINDS:\n"
    "    slow(kind)\n"
    "sys.exit(main(sys.argv[1:]))",
)
"""A program that takes long to see whether its hook is in place."""


@dataclass
class End:
    """The attributes of a host that the helpers of `kit` use."""

    namespace: Namespace
    ipv4: str
    ipv6: str


class Ground:
    """Three namespaces in a row; the one in the middle forwards everything."""

    def __init__(self, network: Network, base: Path) -> None:
        self.network = network
        self.base = base
        name = unique("ground")
        self.firewall = network.namespace(f"{name}-firewall")
        self.client = End(network.namespace(f"{name}-client"), "10.0.1.10", "fd00:1::10")
        self.server = End(network.namespace(f"{name}-server"), "10.0.2.10", "fd00:2::10")
        for number, (interface, end) in enumerate(
            (("inside", self.client), ("outside", self.server)), start=1
        ):
            network.link(
                self.firewall,
                interface,
                end.namespace,
                "eth0",
                a_addresses=[f"10.0.{number}.1/24", f"fd00:{number}::1/64"],
                b_addresses=[f"{end.ipv4}/24", f"{end.ipv6}/64"],
            )
            add_route(end.namespace, "default", f"10.0.{number}.1")
            add_route(end.namespace, "default", f"fd00:{number}::1")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            sysctl(self.firewall, key, 1)

    def start(
        self,
        *arguments: str,
        name: str = "",
        ready: bool = True,
        program: tuple[str, ...] = SOUND,
    ) -> Daemon:
        """`fwemu daemon` here; returns when it is ready, unless it is not expected to be.

        `program` is another one than fwemu itself, which takes the same arguments.
        """
        daemon = Daemon(self, name or unique("daemon"), arguments, program)
        if ready:
            daemon.wait_until_ready()
        return daemon


class Daemon:
    """A running `fwemu daemon`; ends with the ground."""

    def __init__(
        self, ground: Ground, name: str, arguments: tuple[str, ...], program: tuple[str, ...]
    ) -> None:
        self.name = name
        self.directory = RunDirectory(ground.base, name)
        argv = [sys.executable, *program, "daemon", "--netns", ground.firewall.name]
        argv += ["--name", name, "--run-dir", str(ground.base), *arguments]
        self.process: Process = ground.network.spawn(Namespace.current(), argv)

    def wait_until_ready(self) -> None:
        """Until it says so."""
        eventually(
            lambda: "ready" in self.process.output() or not self.process.is_running,
            what=f"{self.name}: ready",
        )
        assert self.process.is_running, self.process.errors()

    @property
    def said(self) -> str:
        """All that it has said for people."""
        return self.process.errors()

    def ends(self) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(PATIENCE)

    def client(self) -> Client:
        """A client of its control API; close it."""
        return Client(self.directory.control)

    def family(self) -> list[int]:
        """Ids of the daemon and its control process, as long as they live."""
        found = []
        for pid in pids():
            with suppress(OSError):
                if self.name in command_of(pid):
                    found.append(pid)
        return found

    @property
    def control_process(self) -> int:
        """The process that serves HTTP."""
        (child,) = (pid for pid in self.family() if pid != self.process.pid)
        return child
