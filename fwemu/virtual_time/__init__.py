"""Time that is not the kernels' own: an hour in a moment, or an hour that runs faster.

`fast_forward.py` lets time pass at once, and `playback.py` plays event by event what would have
happened meanwhile, on the sockets that `found_sockets.py` has found in the hosts; `outcome.py` is
what came of it, and `other_clocks.py` knows which firewalls should have taken part.  At a time
scale `host_settings.py` scales the settings of a host, `scaled_sockets.py` what its sockets have
set for themselves, `give_up.py` knows what the kernel makes of a count, and `rounding.py` what
whole numbers cost.

A daemon moves its own clock and knows nothing of hosts.  What it wants of them it has written down
(`fwemu.daemon.fast_forward`, `fwemu.daemon.pace`), and `of` makes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fwemu.daemon.fast_forward import FastForwarder, FastForwarderFactory
from fwemu.daemon.pace import Pace
from fwemu.daemon.requests import EngineClient
from fwemu.daemon.rundir import RunDirectory


class VirtualTime(NamedTuple):
    """The parts that a daemon needs so that the hosts around it follow its clock."""

    fast_forwarder: FastForwarderFactory
    pace: Pace | None
    """None at a scale of 1."""


def of(hosts: Mapping[str, str], scale: int, directory: RunDirectory | None = None) -> VirtualTime:
    """For these hosts (namespaces by what people call them), at this many seconds in a real one.

    `directory` is that of the firewall if there may be others on the way from host to host.
    """
    from fwemu.virtual_time.scaled_sockets import HostPace

    pace = HostPace(hosts, scale) if scale > 1 else None

    def fast_forwarder(engine: EngineClient) -> FastForwarder:
        from fwemu.virtual_time.fast_forward import HostFastForwarder

        return HostFastForwarder(engine, hosts, pace, directory)

    return VirtualTime(fast_forwarder, pace)
