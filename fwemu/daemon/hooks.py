"""The kernel rules that send forwarded packets to the queue, and take them away again.

Kernels differ.  Where nft knows `queue`, the rules are a table of our own; elsewhere they are
iptables rules in `mangle`, before any filter rules of the namespace and without bypassing them.
Both carry the queue's number, so that what a killed daemon has left can be told and removed.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from typing import Protocol

from fwemu.daemon.needs import HOOK
from fwemu.errors import MissingError, NamespaceError
from netns import Namespace

_SECONDS: float = 10.0
"""No rule command takes longer, even on a busy machine."""


class Hooks(Protocol):
    """A way to put packets into a queue."""

    tool: str

    def install(self) -> None:
        """Queue all forwarded packets, IPv4 and IPv6."""

    def remove(self) -> None:
        """Take the rules away; no error if there are none."""


def install(namespace: Namespace, queue: int, *, fail_open: bool) -> Hooks:
    """Queue all packets forwarded in a namespace, by whichever tool works there.

    What an earlier daemon on this queue has left is removed first.  With `fail_open` packets pass
    while nobody listens; else they are dropped then.  Raises MissingError with the way out.
    """
    tried = []
    for kind in (NftHooks, IptablesHooks):
        hooks = kind(namespace, queue, fail_open)
        try:
            hooks.remove()
            hooks.install()
        except MissingError as error:
            tried.append(str(error))
        else:
            return hooks
    raise HOOK.missing("; ".join(tried))


def remove_leftovers(namespace: Namespace, queue: int) -> None:
    """Remove the rules that a killed daemon has left for this queue."""
    for kind in (NftHooks, IptablesHooks):
        try:
            kind(namespace, queue, fail_open=False).remove()
        except MissingError:
            continue  # a tool that is not there has left nothing


class NftHooks:
    """A table of our own, in the family that is both IPv4 and IPv6."""

    tool = "nft"

    def __init__(self, namespace: Namespace, queue: int, fail_open: bool) -> None:
        self._namespace = namespace
        self._table = f"inet fwemu_queue_{queue}"
        self._statement = f"queue flags bypass to {queue}" if fail_open else f"queue to {queue}"

    def install(self) -> None:
        _run(
            self._namespace,
            ["nft", "-f", "-"],
            f"""
            table {self._table} {{
                chain forward {{
                    type filter hook forward priority mangle; policy accept;
                    {self._statement}
                }}
            }}
            """,
        )

    def remove(self) -> None:
        # declared first, so that deleting it never fails
        _run(
            self._namespace,
            ["nft", "-f", "-"],
            f"table {self._table} {{}}\ndelete table {self._table}\n",
        )


class IptablesHooks:
    """One rule in `mangle FORWARD` for each IP version, told by its comment."""

    tool = "iptables"

    def __init__(self, namespace: Namespace, queue: int, fail_open: bool) -> None:
        self._namespace = namespace
        self._comment = f"fwemu-queue-{queue}"
        self._target = ["-j", "NFQUEUE", "--queue-num", str(queue)]
        if fail_open:
            self._target.append("--queue-bypass")

    def install(self) -> None:
        for command in ("iptables", "ip6tables"):
            rule = ["-m", "comment", "--comment", self._comment, *self._target]
            _run(self._namespace, [command, "-w", "-t", "mangle", "-I", "FORWARD", "1", *rule])

    def remove(self) -> None:
        for command, family in (("iptables", "ip"), ("ip6tables", "ip6")):
            saved = _run(self._namespace, [f"{command}-save", "-t", "mangle"])
            ours = [line for line in saved.splitlines() if self._comment in line.split()]
            for line in ours:
                rule = ["-D", *line.split()[1:]]
                _run(self._namespace, [command, "-w", "-t", "mangle", *rule])
            if ours:
                self._remove_empty_table(family)

    def _remove_empty_table(self, family: str) -> None:
        """iptables-nft makes the table with the first rule and never removes it; we do."""
        try:
            listing = _run(self._namespace, ["nft", "list", "table", family, "mangle"])
        except MissingError:
            return  # legacy iptables: its tables are part of the kernel
        content = [line.strip() for line in listing.splitlines() if not line.startswith("#")]
        frame = ("table ", "chain FORWARD {", "type filter hook forward", "}")
        if all(line.startswith(frame) for line in content if line):
            _run(self._namespace, ["nft", "delete", "table", family, "mangle"])


def _run(namespace: Namespace, command: Sequence[str], text: str | None = None) -> str:
    """The command's output; it runs in the namespace."""
    if shutil.which(command[0]) is None:
        raise MissingError(f"{command[0]} is not installed")
    try:
        with namespace.enter():
            done = subprocess.run(
                command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
    except subprocess.TimeoutExpired as error:
        raise NamespaceError(f"{namespace.name}: {command[0]} hangs") from error
    if done.returncode != 0:
        problem = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[0]
        raise MissingError(f"{command[0]}: {problem}")
    return done.stdout
