"""Servers with and without a timer of their own, for a fast-forward that plays neither."""

from __future__ import annotations

from fwemu.waits.threads import waits_of
from netns import Process

PORT = 8765

SILENT = f"""
import socket
listener = socket.create_server(("", {PORT}))
held = []
while True:
    held.append(listener.accept()[0])
"""

BEATS = f"""
import asyncio

async def serve(reader, writer):
    while True:
        try:
            await asyncio.wait_for(reader.read(1), 20)
        except TimeoutError:
            writer.write(b"beat")

async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", {PORT})
    await server.serve_forever()

asyncio.run(main())
"""


def beats(server: Process) -> bool:
    """Does its event loop wait for the next beat of a connection that it has accepted?"""
    return any(
        wait.timeout is not None and len(wait.sockets) > 1 and 10e9 < wait.timeout < 21e9
        for wait in waits_of(server.pid)
    )
