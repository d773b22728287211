"""Ten thousand connections, one process a side.

    python crowd.py server HOST,HOST... PORT
    python crowd.py client HOST,HOST... PORT COUNT

The server echoes.  The client opens as many connections as it is told, to each host in turn, and
checks an echo on each.  Then it follows commands on its input, one a line, each answered by a line:

    echo        send something new on every connection and check what comes back
    close       close them all
"""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
import sys

PENDING = 256
"""Connections that are being opened, or checked, at a time."""


async def serve(hosts: list[str], port: int) -> None:
    """Echo until the end."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, hosts, port, backlog=4096)
    await server.serve_forever()


class Connection(asyncio.Protocol):
    """One connection of the client, and what it waits for."""

    def __init__(self) -> None:
        self.awaited: asyncio.Future[bytes] | None = None
        self.lost = False
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if len(self.received) >= 8 and self.awaited is not None and not self.awaited.done():
            self.awaited.set_result(self.received)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.awaited is not None and not self.awaited.done():
            self.awaited.set_exception(error or ConnectionError("closed"))

    async def echo(self, number: int) -> None:
        """This number there and back."""
        text = struct.pack("!Q", number)
        self.received = b""
        self.awaited = asyncio.get_running_loop().create_future()
        self.transport.write(text)
        assert await self.awaited == text


async def crowd(hosts: list[str], port: int, many: int) -> None:
    """Open them, and do as told."""
    loop = asyncio.get_running_loop()
    pending = asyncio.Semaphore(PENDING)
    connections: list[Connection] = []

    async def begin(number: int) -> None:
        async with pending:
            host = hosts[number % len(hosts)]
            _, connection = await loop.create_connection(Connection, host, port)
            connections.append(connection)
            await connection.echo(number)

    async def again(connection: Connection, number: int) -> None:
        async with pending:
            await connection.echo(number)

    def lost() -> int:
        return sum(connection.lost for connection in connections)

    await asyncio.gather(*(begin(number) for number in range(many)))
    print(f"open {len(connections)} lost {lost()}", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line == "echo\n":
            numbered = enumerate(connections, start=many)
            await asyncio.gather(*(again(each, number) for number, each in numbered))
            print(f"echoed {len(connections)} lost {lost()}", flush=True)
        elif line == "close\n":
            for connection in connections:
                end = connection.transport.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.transport.abort()
            await asyncio.sleep(0)
            print("closed", flush=True)


def main() -> None:
    """As the command line says."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    role, words, port, *more = sys.argv[1:]
    hosts = words.split(",")
    if role == "server":
        asyncio.run(serve(hosts, int(port)))
    else:
        asyncio.run(crowd(hosts, int(port), int(more[0])))


if __name__ == "__main__":
    main()
