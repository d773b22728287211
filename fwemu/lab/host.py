"""A host of a lab: a namespace with addresses, in which programs and sockets can live."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from fwemu.core.flow import Zone
from fwemu.errors import ConfigError
from fwemu.lab.plan import HostPlan
from netns import (
    Namespace,
    Network,
    Process,
    ProcessError,
    WaitTimeout,
    wait_for_listener,
)
from netns.namespace import Entered
from netns.process import Destination, Source

READY: Final = 30.0
"""Seconds that a server has to listen, on a slow machine; one that ends is noticed at once."""

BOTH_VERSIONS: Final = 0.5
"""Seconds until one that listens for IPv6 alone is believed to mean it."""


class Host:
    """A client or a server; in a `with` block, where new sockets of this thread belong."""

    def __init__(self, plan: HostPlan, namespace: Namespace, network: Network) -> None:
        self.name = plan.name
        self.zone: Zone = plan.zone
        self.ipv4 = plan.ipv4
        self.ipv6 = plan.ipv6
        self.namespace = namespace
        self._network = network
        self._entered: list[Entered] = []

    @property
    def ip(self) -> str:
        """The IPv4 address."""
        return self.ipv4

    def start(
        self,
        argv: Sequence[str],
        *,
        port: int | None = None,
        timeout: float | None = READY,
        env: Mapping[str, str] | None = None,
        stdin: Source = None,
        stdout: Destination = None,
        stderr: Destination = None,
    ) -> Process:
        """A program on this host; it ends with the lab.  What its streams may be: `netns.process`.

        With `port` this returns when something listens there.  Raises ProcessError with the end of
        its output if it ends before, or WaitTimeout after `timeout` seconds (None: never).
        """
        if isinstance(argv, str):
            raise ConfigError(
                f"start({argv!r}): give a list of words, as in start({shlex.split(argv)!r}), "
                f"or a shell's: start(['sh', '-c', {argv!r}])"
            )
        process = self._network.spawn(
            self.namespace, argv, env=env, stdin=stdin, stdout=stdout, stderr=stderr
        )
        if port is not None:
            wait_for_listener(self.namespace, port, timeout=timeout, process=process)
            # Who listens on both IP versions begins with one of them, and that may be the other.
            with suppress(WaitTimeout, ProcessError):
                wait_for_listener(
                    self.namespace, port, host=self.ipv4, timeout=BOTH_VERSIONS, process=process
                )
        return process

    def __enter__(self) -> Host:
        entered = self.namespace.enter()
        entered.__enter__()
        self._entered.append(entered)
        return self

    def __exit__(self, *exception: object) -> None:
        self._entered.pop().__exit__(*exception)
