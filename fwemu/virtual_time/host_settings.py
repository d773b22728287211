"""The settings of a host that its TCP takes times from, scaled: `net.ipv4.tcp_*` of a namespace.

IPv6 follows the same ones.  Which of them exist depends on the kernel; what is missing, and what
is a constant of every kernel, is told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from fwemu.virtual_time import give_up
from fwemu.virtual_time.rounding import Scaled, nearest
from netns import Namespace
from netns.options import TCP_RTO_MAX_MS, TCP_RTO_MIN_US


class Time(NamedTuple):
    """A setting that is a time."""

    name: str
    unit: str
    least: int
    option: int | None = None
    """The option of a new socket that says what the kernel has made of it."""
    since: str = ""
    """The Linux that has brought it."""


TIMES: Final = (
    Time("tcp_keepalive_time", "s", 1),
    Time("tcp_keepalive_intvl", "s", 1),
    Time("tcp_fin_timeout", "s", 1),
    Time("tcp_rto_min_us", "us", 1, TCP_RTO_MIN_US, since="6.11"),
    Time("tcp_rto_max_ms", "ms", 1000, TCP_RTO_MAX_MS, since="6.15"),
    Time("tcp_tw_reuse_delay", "ms", 1, since="6.14"),
    Time("tcp_invalid_ratelimit", "ms", 1),
)
"""In the order in which they are scaled: what the counts stand for depends on `tcp_rto_max_ms`."""

COUNTS: Final = {
    "tcp_retries2": give_up.of_data,
    "tcp_orphan_retries": give_up.of_orphans,
    "tcp_syn_retries": give_up.of_openings,
    "tcp_synack_retries": give_up.of_openings,
}
"""Settings that are counts, and the time that each stands for."""

_LINEAR: Final = "tcp_syn_linear_timeouts"

CONSTANTS: Final = (
    ("first repetition of a SYN or SYN-ACK", 1.0),
    ("TIME_WAIT", 60.0),
    ("delayed acknowledgement, at most", 0.2),
)
"""Seconds that no setting changes: TCP_TIMEOUT_INIT, TCP_TIMEWAIT_LEN, TCP_DELACK_MAX."""


class HostSettings:
    """The TCP settings of one namespace: opened inside once, read and written from anywhere."""

    def __init__(self, host: str, namespace: Namespace) -> None:
        self.host = host
        self._files: dict[str, int] = namespace.run(_open_all)
        self._new = namespace.run(lambda: _defaults(_fresh()))
        self._namespace = namespace
        self._before: dict[str, int] = {}
        self._written: dict[str, int] = {}

    def close(self) -> None:
        """Let go of the files; the settings stay as they are."""
        while self._files:
            os.close(self._files.popitem()[1])

    def restore(self) -> None:
        """Set everything back to what it was at first."""
        for name, value in self._before.items():
            with suppress(OSError):  # the namespace is gone
                self[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def __getitem__(self, name: str) -> int:
        return int(os.pread(self._files[name], 64, 0))

    def __setitem__(self, name: str, value: int) -> None:
        os.pwrite(self._files[name], str(value).encode(), 0)

    @property
    def missing(self) -> list[Time]:
        """Times that this kernel has as constants."""
        return [each for each in TIMES if each.name not in self]

    def defaults(self) -> Mapping[int, int]:
        """The values of a new socket of this host, by option of IPPROTO_TCP."""
        return self._new

    def scale(self, scale: int) -> list[Scaled]:
        """Scale the settings that were not written here before; returns them.

        Counts are looked at anew only together with a change of themselves.
        """
        changed = [name for name in self._files if self[name] != self._written.get(name)]
        if not changed:
            return []
        before = {name: self[name] for name in changed}
        self._before = {**before, **self._before}
        done = [
            self._time(each, before[each.name], scale)
            for each in TIMES
            if before.get(each.name, 0) > 0  # 0 switches off
        ]
        done += [each for name in COUNTS if name in before for each in self._count(name, scale)]
        self._written.update({name: self[name] for name in changed})
        self._new = self._namespace.run(lambda: _defaults(_fresh()))
        return [each._replace(effect=self._effect(each)) for each in done]

    def _time(self, time: Time, before: int, scale: int) -> Scaled:
        wanted = nearest(before, scale, time.least)
        self[time.name] = wanted
        return Scaled(time.name, time.unit, before, scale, wanted, wanted)

    def _count(self, name: str, scale: int) -> Iterator[Scaled]:
        after, before = COUNTS[name], self[name]
        longest_before = self._before.get("tcp_rto_max_ms", give_up.LONGEST)
        longest = self["tcp_rto_max_ms"] if "tcp_rto_max_ms" in self._files else give_up.LONGEST
        asked = after(before, longest_before)
        if name == "tcp_syn_retries" and _LINEAR in self:
            asked = give_up.of_openings(before, longest_before, self[_LINEAR])
            self[_LINEAR] = 0
        wanted = give_up.nearest_count(asked / scale, lambda count: after(count, longest))
        self[name] = wanted
        acts = after(wanted, longest) / 1000
        yield Scaled(name, "s", asked / 1000, scale, wanted, acts, before)

    def _effect(self, scaled: Scaled) -> float:
        """What a new socket has of it; the kernel counts in ticks of its own."""
        options = {each.name: each.option for each in TIMES}
        option = options.get(scaled.name)
        return scaled.effect if option is None else self._new.get(option, scaled.effect)


def constants(scale: int, missing: list[Time]) -> list[dict[str, Any]]:
    """The constants that cannot be scaled, with their time at this scale."""
    rows: list[dict[str, Any]] = [
        {"what": what, "real_s": real, "virtual_s": real * scale} for what, real in CONSTANTS
    ]
    for each in missing:
        rows.append({"what": f"{each.name} (a setting since Linux {each.since})"})
    return [*rows, {"what": "timers inside the applications: set them so much shorter yourself"}]


def _open_all() -> dict[str, int]:
    files = {}
    for name in (*(each.name for each in TIMES), *COUNTS, _LINEAR):
        with suppress(FileNotFoundError):
            files[name] = os.open(f"/proc/sys/net/ipv4/{name}", os.O_RDWR | os.O_CLOEXEC)
    return files


def _fresh() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def _defaults(new: socket.socket) -> dict[int, int]:
    found = {}
    with new:
        for option in (
            socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT,
            TCP_RTO_MAX_MS, TCP_RTO_MIN_US,
        ):  # fmt: skip
            with suppress(OSError):  # a kernel that has it as a constant
                found[option] = new.getsockopt(socket.IPPROTO_TCP, option)
    return found
