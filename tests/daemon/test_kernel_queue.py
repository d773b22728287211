"""The queue by itself, as either reader takes its packets."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from fwemu.config.schema import QueueReader
from fwemu.core.flow import UDP
from fwemu.daemon import hooks
from fwemu.daemon.inject import Injector
from fwemu.daemon.netlink_queue import AT_ONCE
from fwemu.daemon.queue import Pause, StatusFile
from fwemu.daemon.readers import READERS, AnyQueue
from fwemu.errors import QueueError
from netns import Network, run_tool
from tests.kit.ground import Ground
from tests.kit.labs import datagrams, eventually, unique
from tests.kit.wire import address, ip, udp

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.parametrize("reader", READERS[QueueReader.AUTO]),
]

Reader = type[AnyQueue]


def nobody(packet: object) -> None:
    raise AssertionError("a packet")


def test_a_queue_belongs_to_the_namespace_it_was_opened_in(reader: Reader) -> None:
    """The same number is free in another, and the thread may leave."""
    with Network() as network:
        first, second = network.namespace(unique("queue")), network.namespace(unique("queue"))
        queues = []
        for namespace in (first, second):
            with namespace.enter():
                queues.append(reader(7, nobody, length=10))
        try:
            assert [queue.status().owner > 0 for queue in queues] == [True, True]
            for other in READERS[QueueReader.AUTO]:
                with first.enter(), pytest.raises(QueueError, match="queue 7 is in use"):
                    other(7, nobody, length=10)
        finally:
            for queue in queues:
                queue.close()
        with first.enter():
            status = StatusFile()
        assert status.read(7) is None
        status.close()


def test_an_empty_queue_is_drained_at_once(reader: Reader) -> None:
    """The loop is never held up by it."""
    with Network() as network, network.namespace(unique("queue")).enter():
        queue = reader(7, nobody, length=10)
        queue.drain()
        assert queue.status()[1:] == (0, 0, 0)
        queue.close()


def test_descriptors_are_given_back(reader: Reader, ground: Ground) -> None:
    """A test session makes thousands of them."""

    def one() -> None:
        with ground.firewall.enter():
            queue, injector = reader(9, nobody, length=10), Injector()
        queue.close()
        injector.close()

    one()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        one()
    assert len(os.listdir("/proc/self/fd")) == before


# -- packets --------------------------------------------------------------------------------------

NUMBER = 9


class Hooked:
    """A hooked queue that does with each packet what it is told, and the server behind it."""

    def __init__(self, ground: Ground, reader: Reader, version: int) -> None:
        self.decide: Callable[[Any], None] = lambda packet: packet.accept()
        self.heads: list[tuple[int, bytes]] = []
        """Where each packet came in, and what was to be seen of it."""
        self._ground, self._version = ground, version
        with ground.firewall.enter():
            self.queue = reader(NUMBER, self._on_packet, length=1000)
            self.injector = Injector()

    def _on_packet(self, packet: Any) -> None:
        self.heads.append((packet.indev, packet.get_payload()))
        self.decide(packet)

    def send(self, *texts: bytes) -> None:
        """The client says something; it has come to the queue."""
        address = {4: self._ground.server.ipv4, 6: self._ground.server.ipv6}[self._version]
        before = self.queue.status().waiting
        with (
            self._ground.client.namespace.enter(),
            socket.socket(FAMILIES[self._version], socket.SOCK_DGRAM) as client,
        ):
            for text in texts:
                client.sendto(text, (address, self.port))
        eventually(lambda: self.queue.status().waiting == before + len(texts), what="all of them")

    def heard(self) -> list[bytes]:
        """What has come to the server until now."""
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self._server.recv(2000))
        return found

    def __enter__(self) -> Hooked:
        with ExitStack() as undo:
            undo.callback(self.injector.close)
            self._server = undo.enter_context(datagrams(self._ground.server, self._version))
            self._server.setblocking(False)
            self.port = self._server.getsockname()[1]
            hook = hooks.install(self._ground.firewall, NUMBER, fail_open=False)
            undo.callback(hook.remove)
            undo.callback(self.queue.close)  # first: the kernel warns of hooks with packets
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._undo.close()


FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
MANY = [b"%d" % number for number in range(3 * AT_ONCE + 5)]


@pytest.mark.parametrize("version", [4, 6])
def test_packets_come_in_order_with_their_head_and_where_they_came_in(
    reader: Reader, ground: Ground, version: int
) -> None:
    """More of them than one system call takes; who is accepted goes on, who is not does not."""
    with Hooked(ground, reader, version) as hooked, ground.firewall.enter():
        inside = socket.if_nametoindex("inside")
        hooked.decide = lambda packet: (
            packet.drop() if b"3" in packet.get_payload()[-4:] else packet.accept()
        )
        hooked.send(*MANY)
        hooked.queue.drain()

        assert [indev for indev, _ in hooked.heads] == [inside] * len(MANY)
        assert [head[28 if version == 4 else 48 :] for _, head in hooked.heads] == MANY
        assert hooked.heard() == [text for text in MANY if b"3" not in text]
        assert hooked.queue.status().waiting == 0


def test_of_a_long_packet_the_head_is_enough(reader: Reader, ground: Ground) -> None:
    """The kernel keeps the whole of it."""
    with Hooked(ground, reader, 4) as hooked:
        hooked.send(bytes(1400))
        hooked.queue.drain()

        assert [len(head) for _, head in hooked.heads] == [128]
        assert [len(text) for text in hooked.heard()] == [1400]


def test_a_super_packet_comes_whole(reader: Reader, ground: Ground) -> None:
    """Ten datagrams that one call has sent are one packet of the queue, and ten for the server."""
    with Hooked(ground, reader, 4) as hooked:
        with ground.client.namespace.enter(), socket.socket(type=socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 100)
            client.sendto(bytes(1000), (ground.server.ipv4, hooked.port))
        eventually(lambda: hooked.queue.status().waiting, what="a packet")
        hooked.queue.drain()

        assert len(hooked.heads) == 1
        assert [len(text) for text in hooked.heard()] == [100] * 10


UDP_SEGMENT = 103  # include/uapi/linux/udp.h


def test_a_packet_of_our_own_comes_after_those_that_were_accepted_before(
    reader: Reader, ground: Ground
) -> None:
    """An answer of the firewall must not overtake the packet that it follows."""
    with Hooked(ground, reader, 4) as hooked:

        def decide(packet: Any) -> None:
            packet.accept()
            if packet.get_payload().endswith(b"2"):
                hooked.queue.flush()
                source = address("10.0.1.10"), address(ground.server.ipv4)
                own = ip(*source, UDP, udp(4000, hooked.port, b"own"))
                assert hooked.injector.send(own)

        hooked.decide = decide
        hooked.send(b"1", b"2", b"3")
        hooked.queue.drain()

        assert hooked.heard() == [b"1", b"2", b"own", b"3"]


def test_a_pause_ends_the_turn_and_loses_nothing(reader: Reader, ground: Ground) -> None:
    """What was taken with it may be decided first; the rest waits for the next turn."""
    with Hooked(ground, reader, 4) as hooked:

        def decide(packet: Any) -> None:
            packet.accept()
            raise Pause

        hooked.decide = decide
        hooked.send(*MANY)
        hooked.queue.drain()
        decided = len(hooked.heads)
        assert 1 <= decided <= AT_ONCE
        assert hooked.heard() == MANY[:decided]
        while hooked.queue.status().waiting:
            hooked.queue.drain()
        assert hooked.heard() == MANY[decided:]


def test_a_verdict_may_be_given_later(reader: Reader, ground: Ground) -> None:
    """As for a fragment that waits: at once then, and for that packet alone."""
    with Hooked(ground, reader, 4) as hooked:
        held: list[Any] = []
        hooked.decide = held.append
        hooked.send(b"1", b"2", b"3")
        hooked.queue.drain()
        assert hooked.heard() == []

        held[1].accept()
        assert hooked.heard() == [b"2"]
        held[0].drop()
        held[2].accept()
        assert hooked.heard() == [b"3"]
        assert hooked.queue.status().waiting == 0


def test_an_error_in_the_middle_takes_no_verdict_back(reader: Reader, ground: Ground) -> None:
    """Whoever ends by it has let pass what it had accepted."""
    with Hooked(ground, reader, 4) as hooked:

        def decide(packet: Any) -> None:
            if packet.get_payload().endswith(b"2"):
                raise ZeroDivisionError
            packet.accept()

        hooked.decide = decide
        hooked.send(b"1", b"2", b"3")
        with pytest.raises(ZeroDivisionError):
            hooked.queue.drain()

        assert hooked.heard() == [b"1"]


def test_a_packet_that_was_made_here_came_in_nowhere(reader: Reader, ground: Ground) -> None:
    """A hook of somebody else may send such a one."""
    with Hooked(ground, reader, 4) as hooked, ground.firewall.enter():
        rule = ["OUTPUT", "-p", "udp", "-j", "NFQUEUE", "--queue-num", str(NUMBER)]
        run_tool(ground.firewall, ["iptables", "-w", "-I", *rule])
        try:
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                sender.sendto(b"here", (ground.server.ipv4, hooked.port))
            eventually(lambda: hooked.queue.status().waiting, what="a packet")
            hooked.queue.drain()
        finally:
            run_tool(ground.firewall, ["iptables", "-w", "-D", *rule])

        assert [(indev, head[28:]) for indev, head in hooked.heads] == [(0, b"here")]
        assert hooked.heard() == [b"here"]
