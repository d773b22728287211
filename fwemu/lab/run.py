"""A lab for the length of one command: servers, then the client, then what the firewall saw."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fwemu.errors import FwemuError, RunError, shell_exit_code
from fwemu.lab.faults import (
    Found,
    Statistics,
    found,
    has_seen_packets,
    settled_statistics,
)
from fwemu.lab.host import Host
from fwemu.lab.lab import Lab
from fwemu.lab.relay import Relay
from fwemu.lab.trust import not_to_be_trusted
from fwemu.lab.variables import environment, filled_in
from netns import Process, ProcessError, listeners, pids_in

POLL: Final = 0.02
"""Seconds between two looks at the servers."""

LAST_WORDS: Final = 0.5
"""Seconds in which the last output of a program that has ended must have come."""


class Port(NamedTuple):
    """A port that must listen before the client starts."""

    number: int
    protocol: str
    """tcp or udp."""

    def __str__(self) -> str:
        return f"{self.protocol} port {self.number}"


@dataclass(frozen=True)
class Order:
    """The options of a run."""

    client: Sequence[str]
    servers: Sequence[Sequence[str]] = ()
    ports: Sequence[Port] = ()
    ready_within: float = 30.0
    """Seconds until something has to listen on all ports."""
    client_within: float = float("inf")
    """Seconds that the client may take."""
    fail_on: Sequence[str] = ()
    """Names of `faults.FAULTS`."""
    client_out: int | None = 1
    """Descriptor for the client's stdout; everything else that anybody writes goes to stderr."""
    has_prefixes: bool = False
    """Does every line begin with the name of who wrote it?"""


@dataclass
class Ended:
    """The end of a program."""

    command: Sequence[str]
    exit_code: int | None = None
    """As shells have it; None for a server that went on until the lab was removed."""


@dataclass
class Outcome:
    """The result of a run, as far as it went."""

    client: Ended
    servers: list[Ended]
    seconds: float = 0.0
    """How long the client took."""
    faults: list[Found] = field(default_factory=list)
    statistics: list[Statistics] = field(default_factory=list)
    """The counters of each firewall at the end; empty if it was not reached."""
    not_to_be_trusted: list[dict[str, Any]] = field(default_factory=list)
    """Sessions of which a fast-forward of the client's could not tell what would become of them."""

    @property
    def crossed(self) -> bool:
        """True if the firewall has seen any packet."""
        return has_seen_packets(self.statistics)


class Run:
    """A run.  `play` it in a lab that is up; `drain` when the lab is gone."""

    def __init__(self, order: Order, say: Callable[[str], None]) -> None:
        self.outcome = Outcome(Ended(order.client), [Ended(each) for each in order.servers])
        self._order = order
        self._say = say
        self._servers: list[tuple[str, Process, list[Relay]]] = []
        self._relays: list[Relay] = []

    def play(self, lab: Lab) -> Outcome:
        """Start the servers, wait for their ports, run the client, ask the firewall.

        Raises RunError if a server cannot start or fails, or the client cannot start or end.
        """
        variables = environment(lab.plan, lab.about)
        for number, words in enumerate(self._order.servers, start=1):
            name = "server" if number == 1 else f"server {number}"
            process, relays = self._start(lab.server, name, words, variables)
            self._servers.append((name, process, relays))
        self._await_ports(lab.server)
        started = time.monotonic()
        try:
            client, _ = self._start(lab.client, "client", self._order.client, variables)
            self._await_client(client, started)
        finally:
            self.outcome.seconds = time.monotonic() - started
        self._note_servers()
        self.outcome.statistics = settled_statistics(lab.firewalls)
        self.outcome.not_to_be_trusted = [
            row
            for firewall in lab.firewalls
            for event in firewall.events()
            if event["event"] == "time_moved"
            for row in not_to_be_trusted(event)
        ]
        self.outcome.faults = found(self._order.fail_on, lab.firewalls, self.outcome.statistics)
        return self.outcome

    def drain(self, timeout: float = 10.0) -> None:
        """Everything that was written has been passed on: to be called when all have ended."""
        deadline = time.monotonic() + timeout
        for relay in self._relays:
            relay.join(max(0.0, deadline - time.monotonic()))

    def _start(
        self, host: Host, name: str, words: Sequence[str], variables: Mapping[str, str]
    ) -> tuple[Process, list[Relay]]:
        is_client = name == "client"
        words = filled_in(words, variables)
        prefix = f"{name} | " if self._order.has_prefixes else ""
        out = self._order.client_out if is_client else 2
        with ExitStack() as starting:
            relays = [starting.enter_context(Relay(to, prefix)) for to in (out or 2, 2)]
            self._relays += relays
            try:
                process = host.start(
                    words,
                    env={**os.environ, **variables, "FWEMU_HOST": host.name},
                    stdin=0 if is_client else None,
                    stdout=relays[0].writer,
                    stderr=relays[1].writer,
                )
            except ProcessError as error:
                raise _not_started(name, words[0], error, is_client) from error
        return process, relays

    def _await_ports(self, host: Host) -> None:
        if not self._order.ports:
            return
        wanted = " and ".join(map(str, self._order.ports))
        self._say(f"waiting for {wanted} ...")
        deadline = time.monotonic() + self._order.ready_within
        while missing := _not_listened_on(host, self._order.ports):
            self._check_servers()
            if self._servers and not self._is_anybody_there(host):
                name, process, relays = self._servers[-1]
                raise RunError(
                    f"{name}: ended ({_how(process)}) before anything listened on "
                    f"{missing[0]}{_last_words(relays)}"
                )
            if time.monotonic() > deadline:
                raise RunError(
                    f"nothing listens on {missing[0]} of the server host after "
                    f"{self._order.ready_within:g} s (--ready-timeout; a server must listen on "
                    f"{host.ipv4} or on all addresses)"
                )
            time.sleep(POLL)

    def _is_anybody_there(self, host: Host) -> bool:
        """True while a server runs, or something that it left in the background."""
        if any(process.is_running for _, process, _ in self._servers):
            return True
        return bool(pids_in(host.namespace) or not _not_listened_on(host, self._order.ports))

    def _check_servers(self) -> None:
        """A server that has failed ends the run; one that has ended well may have done its work,
        or gone into the background."""
        self._note_servers()
        for ended, (name, process, relays) in zip(
            self.outcome.servers, self._servers, strict=False
        ):
            if ended.exit_code:
                raise RunError(f"{name}: failed ({_how(process)}){_last_words(relays)}")

    def _note_servers(self) -> None:
        for ended, (_, process, _) in zip(self.outcome.servers, self._servers, strict=False):
            if ended.exit_code is None and not process.is_running:
                ended.exit_code = _as_shells_say(process)

    def _await_client(self, client: Process, started: float) -> None:
        limit = self._order.client_within
        while not client.ends_within(POLL):
            self._check_servers()
            if time.monotonic() - started > limit:
                raise RunError(f"client: still runs after {limit:g} s, and is ended (--timeout)")
        self.outcome.client.exit_code = _as_shells_say(client)


def _not_listened_on(host: Host, ports: Sequence[Port]) -> list[Port]:
    """Those on which nothing listens that can be reached at the host's addresses."""
    there = {
        protocol: listeners(host.namespace, protocol)
        for protocol in {port.protocol for port in ports}
    }
    return [
        port
        for port in ports
        if not any(
            each.port == port.number and (each.accepts(host.ipv4) or each.accepts(host.ipv6))
            for each in there[port.protocol]
        )
    ]


def _as_shells_say(process: Process) -> int:
    code = process.wait(0)
    return 128 - code if code < 0 else code


def _how(process: Process) -> str:
    code = process.wait(0)
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(relays: Sequence[Relay]) -> str:
    for relay in relays:
        relay.join(LAST_WORDS)
    said = next((line for relay in reversed(relays) if (line := relay.last_line())), "")
    return f"; it said: {said}" if said else "; it said nothing"


def _not_started(name: str, program: str, error: ProcessError, is_client: bool) -> FwemuError:
    cause = error.__cause__
    why = (cause.strerror or "").lower() if isinstance(cause, OSError) else str(error)
    problem = RunError(f"{name}: cannot run {program!r}: {why}")
    if is_client:
        problem.exit_code = shell_exit_code(cause)
    return problem
