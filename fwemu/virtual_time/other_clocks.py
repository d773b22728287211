"""Other firewalls that the same connections cross: their clocks stand still in a fast-forward."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from fwemu.client import Client
from fwemu.daemon.rundir import RunDirectory, firewalls
from fwemu.errors import FwemuError
from fwemu.virtual_time.programs import Ends
from netns.connections import SocketAddress

_PATIENCE_S: Final = 2.0
"""Another firewall that is not there for so long is not waited for."""


def crossing(own: RunDirectory, connections: Collection[Ends]) -> dict[str, list[Ends]]:
    """Those of the connections that another firewall knows as well, by its name.

    Asked are those that run in the same run directory: of others nobody can know.
    """
    found: dict[str, list[Ends]] = {}
    others = [about for about in firewalls(own.path.parent) if about.name != own.name]
    for about in others if connections else []:
        with suppress(FwemuError), Client(Path(about.control), _PATIENCE_S) as client:
            for session in client.sessions(protocol="tcp"):
                ends = frozenset(
                    SocketAddress(session[end], session[f"{end}_port"])
                    for end in ("source", "destination")
                )
                if ends in connections:
                    found.setdefault(about.name, []).append(ends)
    return found
