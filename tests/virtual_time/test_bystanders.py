"""Applications that live through a fast-forward: they notice nothing of being played."""

import select
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from fwemu.lab import Lab
from fwemu.virtual_time import found_sockets
from netns import connections as kernel_connections
from netns.connections import Holder
from tests.kit.labs import Pair, as_new, connected, eventually, say, what_comes

pytestmark = pytest.mark.kernel

HOUR = "timeouts.tcp_established=1h"

ASKING = """
import socket, sys
tcp = socket.create_connection((sys.argv[1], int(sys.argv[2])))
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
"""
"""A program whose kernel asks every ten seconds."""

COUNTING = """
import os, select, signal
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)  # an octet for each signal, written by the handler itself
signal.signal(signal.SIGRTMIN, lambda *_: None)
end = []
signal.signal(signal.SIGTERM, lambda *_: end.append(1))
print("ready", flush=True)
count = 0
while not end:
    count += os.read(reader, 65536).count(bytes([signal.SIGRTMIN]))
print(count, flush=True)
"""

WAITING = """
import ctypes, errno, os, threading
libc = ctypes.CDLL(None, use_errno=True)  # Python itself waits on after EINTR

def epoll_wait():
    events = ctypes.create_string_buffer(12)
    return libc.epoll_wait(libc.epoll_create1(0), events, 1, 40_000_000)

def recv():
    near, far = socket.socketpair()
    hours = (40_000).to_bytes(8, "little") + bytes(8)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, hours)
    return libc.recv(near.fileno(), ctypes.create_string_buffer(1), 1, 0)

def wait(call):
    got = call()
    print(call.__name__, got, errno.errorcode.get(ctypes.get_errno()), flush=True)

for call in (epoll_wait, recv):
    threading.Thread(target=wait, args=(call,), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""

SENT = 4000


@contextmanager
def program(lab: Lab, code: str) -> Iterator[subprocess.Popen[str]]:
    """A program of the client's that holds a connection to the server, and has said `ready`."""
    listener = ExitStack()
    with listener, lab.server:
        server = listener.enter_context(socket.create_server((lab.server.ip, 0)))
        port = str(server.getsockname()[1])
        with lab.client:
            running = subprocess.Popen(
                [sys.executable, "-c", ASKING + code, lab.server.ip, port],
                stdout=subprocess.PIPE,
                text=True,
            )
        listener.enter_context(server.accept()[0])
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()
            running.wait()
            running.stdout.close()


def test_no_signal_is_lost(lab: Lab) -> None:
    """A SIGTERM or SIGCHLD that came at the wrong moment would be gone for good."""
    as_new(lab, HOUR)
    with program(lab, COUNTING) as counting, ThreadPoolExecutor() as pool:
        kill = f"os.kill({counting.pid}, {signal.SIGRTMIN:d}); time.sleep(0.0005)"
        send = f"import os, time\nfor _ in range({SENT}): {kill}"
        sending = pool.submit(subprocess.run, [sys.executable, "-c", send], check=True)
        asked = 0
        while not sending.done():
            asked += lab.fast_forward("10m")["probes"][0]["answered"]
        counting.terminate()
        assert counting.stdout is not None
        assert int(counting.stdout.readline()) == SENT
        assert asked > 100


def test_no_wait_is_interrupted(lab: Lab) -> None:
    """epoll_wait(2), and recv(2) with a timeout, end with EINTR after any stop, even SIGSTOP's.

    They wait for more than eleven hours; their clocks are moved on the way.
    """
    as_new(lab, HOUR)
    with program(lab, WAITING) as waiting:
        done = lab.fast_forward("8h")
        assert done["probes"][0]["answered"] >= 2870
        assert waiting.stdout is not None
        assert select.select([waiting.stdout], [], [], 0.1)[0] == []


@contextmanager
def under_way(lab: Lab, pair: Pair) -> Iterator[None]:
    """A fast-forward that would take long: a keepalive every ten seconds for a year."""
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
    pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(lab.fast_forward, "365d")
        try:
            eventually(lambda: (lab.firewall.passed() or 0) > 600, what="ten minutes")
            yield
        finally:
            lab.firewall.cancel_fast_forward()
        running.result()


def test_what_is_closed_meanwhile_is_closed(lab: Lab) -> None:
    """The peer sees the end at once, not when the time has passed."""
    as_new(lab, HOUR)
    with connected(lab) as asking, connected(lab) as closing:
        say(closing.client, closing.server)
        with under_way(lab, asking):
            closing.client.close()
            assert what_comes(closing.server, within=1.0) == "end"


def test_a_closed_descriptor_has_no_events(lab: Lab) -> None:
    """As long as anybody held the socket, epoll would go on to report it, and its owner spin."""
    as_new(lab, HOUR)
    with connected(lab) as asking, connected(lab) as closing, select.epoll() as epoll:
        epoll.register(closing.client, select.EPOLLIN | select.EPOLLRDHUP)
        with under_way(lab, asking):
            closing.client.close()
            closing.server.sendall(b"are you there?")
            assert epoll.poll(0.3) == []


def test_connections_may_come_and_go(lab: Lab) -> None:
    """A hundred at once, whose descriptor numbers are used again as soon as they are free."""
    as_new(lab, HOUR)
    server = lab.server.start([sys.executable, "-c", ANSWERING, lab.server.ip], port=7)
    crowd = lab.client.start([sys.executable, "-c", CROWD, lab.server.ip])
    try:
        eventually(lambda: len(list(lab.firewall.sessions())) > 100, what="a hundred sessions")
        for _ in range(3):
            done = lab.fast_forward("2m")
            assert done["advanced_s"] == 120
            assert done["connections_lost"] == []
            kept = [each for each in done["probes"] if each["sent"] == each["answered"] > 0]
            assert len(kept) >= 60
            whats = {each["what"] for each in done["not_played"]}
            assert whats <= {"a connection that is being opened"}
        assert crowd.is_running, crowd.last_words()
    finally:
        crowd.stop()
        server.stop()


ANSWERING = """
import asyncio, sys

async def answer(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
    writer.close()

async def main():
    server = await asyncio.start_server(answer, sys.argv[1], 7, backlog=1024)
    await server.serve_forever()

asyncio.run(main())
"""

CROWD = """
import asyncio, random, socket, sys

async def come_and_go():
    while True:
        reader, writer = await asyncio.open_connection(sys.argv[1], 7)
        keepalive(writer.get_extra_info("socket"))
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        await asyncio.sleep(random.random() / 10)
        writer.close()
        await writer.wait_closed()

def keepalive(tcp):
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)

async def main():
    kept = [await asyncio.open_connection(sys.argv[1], 7) for _ in range(60)]
    for _, writer in kept:
        keepalive(writer.get_extra_info("socket"))
    await asyncio.gather(*(come_and_go() for _ in range(40)))

asyncio.run(main())
"""


def test_a_server_can_be_started_anew_beside_its_old_connections(lab: Lab) -> None:
    """SO_REUSEADDR is what allows that, and probes must not take it away."""
    as_new(lab, HOUR)
    with connected(lab) as pair:
        pair.server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        pair.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 600)
        assert lab.fast_forward("11m")["probes"][0]["answered"] == 1
        with lab.server:
            socket.create_server(pair.server.getsockname()).close()


def test_a_socket_that_is_just_being_accepted_is_found(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there before it has a descriptor: whoever looks just then looks again."""
    as_new(lab, HOUR)
    looks = []

    def holders(inodes: Collection[int]) -> dict[int, list[Holder]]:
        looks.append(inodes)
        return {} if len(looks) == 1 else kernel_connections.holders(inodes)

    monkeypatch.setattr(found_sockets, "holders", holders)
    with connected(lab) as pair:
        host = found_sockets.Host("client", lab.client.namespace)
        there = found_sockets.find_sockets([host])
        host.close()
        ports = [each.connection.local.port for each in there.sockets]

        assert there.unreachable == []
        assert pair.client.getsockname()[1] in ports
    assert len(looks) == 2
