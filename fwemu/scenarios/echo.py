"""An echo server: `python -m fwemu.scenarios.echo PORT [--keepalive SECONDS]`.

With --keepalive the server asks whoever has been quiet for that long whether they are still there
(SO_KEEPALIVE, TCP_KEEPIDLE).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while request := await reader.read(4096):
        writer.write(request)
        await writer.drain()
    writer.close()


async def _serve(port: int, keepalive: int | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        if keepalive is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepalive)
        with contextlib.suppress(ConnectionError, TimeoutError):  # reset, or forgotten
            await _answer(reader, writer)

    server = await asyncio.start_server(answer, None, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # to be ended by Ctrl-C is no mistake of anybody's
    parser = argparse.ArgumentParser(description="An echo server.")
    parser.add_argument("port", type=int)
    parser.add_argument("--keepalive", type=int, metavar="SECONDS")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.port, arguments.keepalive))
