"""A client that tries all the time, and a server that counts what got through."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from tests.kit.ground import Ground
from tests.kit.labs import datagrams

BETWEEN_S = 0.0005


class Knocking:
    """Datagrams from the client to the server while the block lasts."""

    def __init__(self, ground: Ground) -> None:
        self._sender, self._receiver = datagrams(ground.client), datagrams(ground.server)
        self._receiver.setblocking(False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._knock)
        self.tries = 0
        """Datagrams sent."""

    def through(self) -> int:
        """Datagrams that have come to the server since the last time."""
        count = 0
        with suppress(BlockingIOError):
            while True:
                self._receiver.recv(16)
                count += 1
        return count

    def _knock(self) -> None:
        target = self._receiver.getsockname()
        while not self._stop.is_set():
            with suppress(OSError):
                self._sender.sendto(b"knock", target)
                self.tries += 1
            time.sleep(BETWEEN_S)

    def __enter__(self) -> Knocking:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sender.close()
        self._receiver.close()
