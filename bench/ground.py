"""The hosts on which everything is measured: one lab, whose firewall steps aside when told to.

The daemon's engine keeps running; what changes between two visits is only what hooks into
forwarding.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Final

from bench.peer import COMMAND
from bench.visits import Values
from fwemu.cli.output import say
from fwemu.daemon import hooks
from fwemu.errors import MissingError
from fwemu.lab import Lab
from netns import Namespace, NetnsError, nft
from netns.procfs import pids, stat_of

KERNEL: Final = "kernel"
"""Plain forwarding: no hook at all."""

FWEMU: Final = "fwemu"
CONNTRACK: Final = "nf_conntrack"

_TABLE: Final = "inet bench"
_RULES: Final = f"""
table {_TABLE} {{
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "inside" ct state new accept
    }}
}}
"""
"""What fwemu does by default, in the kernel."""


class Ground:
    """A lab; fwemu's hook is in place at first."""

    def __init__(self, *settings: str) -> None:
        self.lab = Lab(settings=settings)
        self._under: str | None = None

    def __enter__(self) -> Ground:
        self.lab.up()
        self._namespace = Namespace.named(self.lab.firewall_host["netns"])
        # installed anew, which replaces the daemon's own, to have it in hand
        self._under = FWEMU
        self._hook = self._install()
        return self

    def __exit__(self, *exception: object) -> None:
        self._have_watched(True)
        self.lab.close()

    def put_under(self, subject: str) -> None:
        """From now on forwarding is done by this subject, and by no other."""
        if subject == self._under:
            return
        if self._under == FWEMU:
            self._have_watched(False)
            self._hook.remove()
        elif self._hook.is_in_place():
            raise RuntimeError(f"fwemu's hook was there as well while {self._under} was measured")
        if self._under == CONNTRACK:
            self._nft(f"delete table {_TABLE}")
        self._under = subject
        if subject == FWEMU:
            self._hook = self._install()
            self._have_watched(True)
        elif subject == CONNTRACK:
            self._nft(_RULES)

    @cached_property
    def subjects(self) -> list[str]:
        """Whom this machine can compare with plain forwarding."""
        try:
            self.put_under(CONNTRACK)
        except MissingError as error:
            say(f"bench: without {CONNTRACK}: {error}")
            self._under = KERNEL
            return [FWEMU]
        return [FWEMU, CONNTRACK]

    @contextmanager
    def peer(self, role: str, *ports: int) -> Iterator[None]:
        """A `bench.peer` on the server, listening on these ports."""
        arguments = [*COMMAND, role, *map(str, ports)]
        process = self.lab.server.start(arguments, port=ports[0])
        try:
            yield
        finally:
            process.stop()

    def packets(self) -> Values:
        """What fwemu has decided so far, and what the kernel could not queue for it.

        Nothing while it steps aside.
        """
        if self._under != FWEMU:
            return dict.fromkeys(("packets", "octets", "lost"), 0.0)
        told = self.lab.firewall.statistics()
        return {
            "packets": sum(sum(by_reason.values()) for by_reason in told["packets"].values()),
            "octets": sum(sum(by_reason.values()) for by_reason in told["bytes"].values()),
            "lost": told["queue"]["lost_queue_full"] + told["queue"]["lost_buffer_full"],
        }

    def _have_watched(self, is_watched: bool) -> None:
        """The daemon's control process puts a hook back that somebody has taken away."""
        daemon = self.lab.about.pid
        for pid in pids():
            if (stat := stat_of(pid)) is not None and stat.parent == daemon:
                os.kill(pid, signal.SIGCONT if is_watched else signal.SIGSTOP)

    def _install(self) -> hooks.Hooks:
        return hooks.install(self._namespace, self.lab.about.queue, fail_open=False)

    def _nft(self, rules: str) -> None:
        try:
            nft.load(self._namespace, rules)
        except NetnsError as error:
            raise MissingError(f"nft cannot do connection tracking here ({error})") from error
