"""The kernel rules that send forwarded packets to the queue, and take them away again.

Kernels differ.  Where nft knows `queue`, the rules are a table of our own; elsewhere they are
iptables rules in `mangle`, before any filter rules of the namespace and without bypassing them.
Both carry the queue's number, so that what a killed daemon has left can be told and removed.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Sequence
from typing import Final, Protocol

from fwemu.daemon.needs import HOOK, find_tool
from fwemu.errors import MissingError, NamespaceError
from netns import Namespace

_SECONDS: Final = 10.0
"""No rule command takes longer, even on a busy machine."""


class Hooks(Protocol):
    """A way to put packets into a queue."""

    tool: str

    def install(self) -> None:
        """Queue all forwarded packets, IPv4 and IPv6.

        What an earlier daemon has left is replaced, and no packet passes unseen meanwhile.
        """

    def remove(self) -> None:
        """Take the rules away; no error if there are none."""


def install(namespace: Namespace, queue: int, *, fail_open: bool) -> Hooks:
    """Queue all packets forwarded in a namespace, by whichever tool works there.

    What an earlier daemon on this queue has left is removed: the queue must be ours by now.  With
    `fail_open` packets pass while nobody listens; else they are dropped then.  Raises MissingError
    with the way out, and then has changed nothing.
    """
    tried = []
    for kind in KINDS:
        hooks = kind(namespace, queue, fail_open)
        try:
            hooks.install()
        except MissingError as error:
            tried.append(str(error))
            continue
        for other in KINDS:
            if other is not kind:
                with contextlib.suppress(MissingError):  # a tool that is not there has left nothing
                    other(namespace, queue, fail_open).remove()
        return hooks
    raise HOOK.missing("; ".join(tried))


class NftHooks:
    """A table of our own, in the family that is both IPv4 and IPv6."""

    tool = "nft"

    def __init__(self, namespace: Namespace, queue: int, fail_open: bool) -> None:
        self._namespace = namespace
        self._table = f"inet fwemu_queue_{queue}"
        self._statement = f"queue flags bypass to {queue}" if fail_open else f"queue to {queue}"
        # declared first, so that deleting it never fails
        self._removal = f"table {self._table} {{}}\ndelete table {self._table}\n"

    def install(self) -> None:
        # nft makes one transaction of a file: the old table goes when the new one comes
        self._nft(
            f"""
            {self._removal}
            table {self._table} {{
                chain forward {{
                    type filter hook forward priority mangle; policy accept;
                    {self._statement}
                }}
            }}
            """
        )

    def remove(self) -> None:
        self._nft(self._removal)

    def _nft(self, text: str) -> None:
        _run(self._namespace, ["nft", "-f", "-"], text)


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
        rule = ["-m", "comment", "--comment", self._comment, *self._target]
        try:
            for command in _FAMILIES:
                leftovers = self._ours(command)
                self._change(command, ["-I", "FORWARD", "1", *rule])
                self._delete(command, leftovers)
        except MissingError:
            with contextlib.suppress(MissingError):  # what fails now has failed before
                self.remove()
            raise

    def remove(self) -> None:
        for command, family in _FAMILIES.items():
            ours = self._ours(command)
            self._delete(command, ours)
            if ours:
                self._remove_empty_table(family)

    def _ours(self, command: str) -> list[list[str]]:
        """The rules with our comment, as `iptables-save` spells them."""
        saved = _run(self._namespace, [f"{command}-save", "-t", "mangle"])
        rules = [line.split() for line in saved.splitlines()]
        return [rule for rule in rules if self._comment in rule]

    def _delete(self, command: str, rules: list[list[str]]) -> None:
        for rule in rules:
            self._change(command, ["-D", *rule[1:]])

    def _change(self, command: str, change: list[str]) -> None:
        _run(self._namespace, [command, "-w", "-t", "mangle", *change])

    def _remove_empty_table(self, family: str) -> None:
        """iptables-nft makes the table with the first rule and never removes it; we do."""
        try:
            listing = _run(self._namespace, ["nft", "list", "table", family, "mangle"])
        except MissingError:
            return  # legacy iptables: its tables are part of the kernel
        content = [line.strip() for line in listing.splitlines() if not line.startswith("#")]
        if all(_EMPTY_TABLE.fullmatch(line) for line in content):
            _run(self._namespace, ["nft", "delete", "table", family, "mangle"])


KINDS: Final[tuple[type[NftHooks] | type[IptablesHooks], ...]] = (NftHooks, IptablesHooks)
"""In the order in which they are tried."""

_FAMILIES: Final = {"iptables": "ip", "ip6tables": "ip6"}
"""Commands, and what nft calls their tables' families."""

_EMPTY_TABLE: Final = re.compile(
    r"|table ip6? mangle \{|chain FORWARD \{|type filter hook forward .*; policy accept;|\}"
)
"""The lines of a table that does nothing: a policy of drop would do something."""


def _run(namespace: Namespace, command: Sequence[str], text: str | None = None) -> str:
    """The command's output; it runs in the namespace."""
    tool = find_tool(command[0])
    if tool is None:
        raise MissingError(f"{command[0]} is not installed")
    try:
        with namespace.enter():
            done = subprocess.run(
                [tool, *command[1:]],
                input=text,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise NamespaceError(f"{namespace.name}: {command[0]} hangs") from error
    if done.returncode != 0:
        problem = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[0]
        raise MissingError(f"{command[0]}: {problem}")
    return done.stdout
