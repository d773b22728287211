"""The echo server of the examples."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kit.labs import eventually


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server at a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fwemu.scenarios.echo", str(port), *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server, port
        finally:
            server.kill()


def connected(port: int) -> socket.socket | None:
    """A connection to it, when it is ready."""
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=10)
    except ConnectionRefusedError:
        return None


def test_ctrl_c_ends_it_without_a_traceback() -> None:
    """Nor does one whose connection was reset leave one."""
    with serving() as (server, port):
        first = eventually(lambda: connected(port), what="the server")
        first.sendall(b"hello")
        assert first.recv(100) == b"hello"
        first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        first.close()  # by a RST
        second = eventually(lambda: connected(port))
        second.sendall(b"hello")
        assert second.recv(100) == b"hello"
        second.close()
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=20)

    assert (server.returncode, said) == (-signal.SIGINT, "")
