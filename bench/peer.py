"""What answers on the server: `python bench/peer.py ROLE PORT`.  Imports nothing of fwemu."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

COMMAND: Final = (sys.executable, str(Path(__file__).resolve()))

BUFFER: Final = 1 << 20


def echo(connection: socket.socket) -> None:
    """Send back whatever comes."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(4096):
        connection.sendall(data)


def count(connection: socket.socket) -> None:
    """Swallow everything, and say at the end how many octets it was."""
    buffer = bytearray(BUFFER)
    total = 0
    while octets := connection.recv_into(buffer):
        total += octets
    connection.sendall(total.to_bytes(8, "big"))


def hang_up(connection: socket.socket) -> None:
    """Wait until the other end closes."""
    connection.recv(1)


ROLES: Final[dict[str, Callable[[socket.socket], None]]] = {
    "echo": echo,
    "count": count,
    "hang-up": hang_up,
}


def serve(role: str, port: int) -> None:
    """Serve one connection after the other."""
    with socket.create_server(("", port), backlog=4096) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                ROLES[role](connection)


if __name__ == "__main__":
    # several ports: each visit of a benchmark gets addresses that no TIME_WAIT holds
    first, *others = (int(argument) for argument in sys.argv[2:])
    for port in others:
        threading.Thread(target=serve, args=(sys.argv[1], port), daemon=True).start()
    serve(sys.argv[1], first)
