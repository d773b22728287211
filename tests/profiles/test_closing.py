"""The end of a connection on real sockets, behind every profile: who has asked, closes and reads.

`shutdown(SHUT_WR)` and then a long answer is how many programs ask (rsync, git, HTTP without
keep-alive, `nc -N`).  No firewall whose timers allow it may cut that off, however segments of the
close cross each other.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import pytest

from fwemu.config import profiles
from fwemu.lab import Lab
from tests.kit.labs import PATIENCE, behave_like

pytestmark = pytest.mark.kernel

CONNECTIONS: Final = int(os.environ.get("FWEMU_CLOSING_CONNECTIONS", "20"))
"""Per profile.  200 is what shows a fault of one in a hundred; 20 is quick, and enough for the
fault that once was, one in ten."""

AT_ONCE: Final = 20
ANSWER: Final = bytes(range(250)) * 800
"""200,000 octets: many windows, so that ACKs, data and FINs cross."""


@contextmanager
def answering(lab: Lab) -> Iterator[int]:
    """A server that reads until its client has closed, answers, and closes; its port."""
    with lab.server:
        listener = socket.create_server(("0.0.0.0", 0), backlog=AT_ONCE)
    open_ones: set[socket.socket] = set()
    threads: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # it is the clients that tell how it ended
            while connection.recv(65536):
                pass
            connection.sendall(ANSWER)
        open_ones.discard(connection)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_ones.add(connection)
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        server.join()
        listener.close()
        for connection in list(open_ones):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE)


def fates(lab: Lab, port: int, connections: int) -> list[str]:
    """What became of each connection: `whole`, or what its client read and how that ended."""
    found: list[str] = []
    while len(found) < connections:
        found += asked_at_once(lab, port, min(AT_ONCE, connections - len(found)))
    return found


def asked_at_once(lab: Lab, port: int, number: int) -> list[str]:
    """So many clients that ask, close their side, and read to the end."""
    fate: dict[socket.socket, str] = {}
    with selectors.DefaultSelector() as waiting:
        for _ in range(number):
            with lab.client:
                client = socket.socket()
            client.settimeout(PATIENCE)
            client.connect((lab.server.ipv4, port))
            client.sendall(b"give me all")
            client.shutdown(socket.SHUT_WR)
            client.setblocking(False)
            waiting.register(client, selectors.EVENT_READ, [0])
        while waiting.get_map():
            ready = waiting.select(PATIENCE)
            if not ready:
                break
            for key, _ in ready:
                client = key.fileobj
                assert isinstance(client, socket.socket)
                try:
                    octets = client.recv(1 << 20)
                except OSError as error:
                    fate[client] = f"{key.data[0]} octets, {error.strerror}"
                else:
                    key.data[0] += len(octets)
                    if octets:
                        continue
                    whole = key.data[0] == len(ANSWER)
                    fate[client] = "whole" if whole else f"{key.data[0]} octets"
                waiting.unregister(client)
                client.close()
        for key in list(waiting.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            fate[key.fileobj] = f"{key.data[0]} octets, and nothing more"
            key.fileobj.close()
    return list(fate.values())


@pytest.mark.parametrize("name", [name for name in profiles.names() if name != "router-acl"])
def test_who_closes_its_side_and_reads_a_long_answer_gets_all_of_it(lab: Lab, name: str) -> None:
    """Neither a RST nor silence before the end, from any device."""
    behave_like(lab, name)
    with answering(lab) as port:
        assert set(fates(lab, port, CONNECTIONS)) == {"whole"}


def test_the_router_that_remembers_nothing_cuts_nothing_off(new_lab: Callable[..., Lab]) -> None:
    """Its rules are part of the profile, so it has a lab of its own."""
    lab = new_lab(profile="router-acl")
    with answering(lab) as port:
        assert set(fates(lab, port, CONNECTIONS)) == {"whole"}


def test_a_device_that_counts_by_flags_and_keeps_nothing_cuts_some_off(lab: Lab) -> None:
    """Else the test above could not fail: the way of Linux with the timers of an ASA."""
    behave_like(lab, "cisco-asa")
    lab.firewall.configure(["tcp.closing=by-flags"])
    with answering(lab) as port:
        for _ in range(200):  # one in ten on a busy machine, one in hundreds on an idle one
            if set(asked_at_once(lab, port, AT_ONCE)) != {"whole"}:
                return
    raise AssertionError("4,000 connections have ended well")
