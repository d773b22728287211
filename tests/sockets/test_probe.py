"""Probes from real kernels, and saying so where they cannot be had."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fwemu.sockets import probe
from fwemu.sockets.tcp_info import Info
from netns import Namespace, Network

pytestmark = pytest.mark.kernel


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with nothing but its loopback."""
    with Network() as network:
        yield network.namespace(f"fwemu-probe-{os.getpid()}")


def test_a_probe_is_answered_and_nobody_notices(host: Namespace) -> None:
    """One segment comes in; the application has nothing to read."""
    with host.enter():
        listener = socket.create_server(("127.0.0.1", 0))
        near = socket.create_connection(listener.getsockname())
    far, _ = listener.accept()
    with listener, near, far:
        near.sendall(b"x")
        assert far.recv(1) == b"x"
        before = Info.of(near)
        probe.send_probe(near)
        assert Info.of(near).received == before.received + 1
        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(1)


def test_where_probes_can_be_sent_there_is_no_problem(host: Namespace) -> None:
    """Root may."""
    assert probe.problem_in(host) is None


def test_without_the_capability_the_problem_is_said() -> None:
    """Before any time has passed."""
    code = (
        "import os; from fwemu.sockets import probe\n"
        "class Here:\n"
        "    name = 'here'\n"
        "    def run(self, work): return work()\n"
        "os.setresuid(65534, 65534, 65534); print(probe.problem_in(Here()))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "TCP_REPAIR needs CAP_NET_ADMIN" in done.stdout, done.stderr
