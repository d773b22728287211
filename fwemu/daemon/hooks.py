"""The kernel rules that send forwarded packets to the queue, and take them away again.

Kernels differ.  Where nft knows `queue`, the rules are a table of our own; elsewhere they are
iptables rules in `mangle`, before any filter rules of the namespace and without bypassing them.
Both carry the queue's number, so that what a killed daemon has left can be told and removed: also
where another tool has made it than the one that works by now.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from fwemu.daemon.needs import HOOK
from netns import Namespace, ToolFailed, ToolMissing, find_tool, nft, run_tool


class Hooks(Protocol):
    """A way to put packets into a queue.  Everything here raises ToolMissing or ToolFailed."""

    @property
    def tool(self) -> str:
        """The tool that makes the rules: nft, iptables-nft, iptables-legacy."""

    def install(self) -> None:
        """Queue all forwarded packets, IPv4 and IPv6.

        What an earlier daemon has left is replaced, and no packet passes unseen meanwhile.
        """

    def remove(self) -> None:
        """Take the rules away; no error if there are none."""

    def is_in_place(self) -> bool:
        """True if all rules are there; others may have removed them (`nft flush ruleset`)."""


def install(namespace: Namespace, queue: int, *, fail_open: bool) -> Hooks:
    """Queue all packets forwarded in a namespace, by whichever tool works there.

    What an earlier daemon on this queue has left is removed: the queue must be ours by now.  With
    `fail_open` packets pass while nobody listens; else they are dropped then.  Raises MissingError
    with the way out, and then has changed nothing.
    """
    tried = []
    for kind in KINDS:
        hook = kind(namespace, queue, fail_open)
        try:
            hook.install()
        except (ToolMissing, ToolFailed) as error:
            tried.append(str(error))
            continue
        _remove_others(namespace, queue, hook)
        return hook
    raise HOOK.missing("; ".join(tried))


def of_tool(tool: str, namespace: Namespace, queue: int, fail_open: bool) -> Hooks:
    """The hook that `install` has made, by its `tool`."""
    if tool == NftHooks.tool:
        return NftHooks(namespace, queue, fail_open)
    return IptablesHooks(namespace, queue, fail_open, tool.removeprefix("iptables-"))


def remove_leftover(namespace: Namespace, queue: int) -> None:
    """Remove the rules of a killed daemon for this queue, whichever tool made them.

    Nobody may listen on the queue.
    """
    _remove_others(namespace, queue, None)


def _remove_others(namespace: Namespace, queue: int, ours: Hooks | None) -> None:
    for other in _all(namespace, queue):
        if ours is None or other.tool != ours.tool:
            with contextlib.suppress(ToolMissing, ToolFailed):  # it has left nothing
                other.remove()


def _all(namespace: Namespace, queue: int) -> Iterator[NftHooks | IptablesHooks]:
    """Every tool that may have made rules here; `iptables` is one of its two variants."""
    yield NftHooks(namespace, queue, False)
    yield from (IptablesHooks(namespace, queue, False, variant) for variant in ("nft", "legacy"))


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
        nft.load(
            self._namespace,
            f"""
            {self._removal}
            table {self._table} {{
                chain forward {{
                    type filter hook forward priority mangle; policy accept;
                    {self._statement}
                }}
            }}
            """,
        )

    def remove(self) -> None:
        nft.load(self._namespace, self._removal)

    def is_in_place(self) -> bool:
        try:
            rules = run_tool(self._namespace, ["nft", "list", "table", *self._table.split()])
        except ToolFailed:
            tables = run_tool(self._namespace, ["nft", "list", "tables", "inet"])
            if f"table {self._table}" in tables.splitlines():
                raise
            return False
        word = self._statement.split()[0]
        return any(line.split()[:1] == [word] for line in rules.splitlines())


class IptablesHooks:
    """A rule in `mangle FORWARD` for each IP version, recognised by its comment.

    Without a `variant` it is whichever the machine calls iptables, and that is found out.
    """

    def __init__(
        self, namespace: Namespace, queue: int, fail_open: bool, variant: str | None = None
    ) -> None:
        self._namespace = namespace
        self._comment = f"fwemu-queue-{queue}"
        self._target = ["-j", "NFQUEUE", "--queue-num", str(queue)]
        if fail_open:
            self._target.append("--queue-bypass")
        self._usual = _usual_variant(find_tool("iptables"))
        self._variant = variant or self._usual

    @property
    def tool(self) -> str:
        """`iptables-nft` or `iptables-legacy`."""
        return f"iptables-{self._variant}"

    def install(self) -> None:
        rule = ["-m", "comment", "--comment", self._comment, *self._target]
        try:
            for command in _FAMILIES:
                leftovers = self._ours(command)
                self._change(command, ["-I", "FORWARD", "1", *rule])
                self._delete(command, leftovers)
        except (ToolMissing, ToolFailed):
            with contextlib.suppress(ToolMissing, ToolFailed):  # what fails now has failed before
                self.remove()
            raise

    def remove(self) -> None:
        for command, family in _FAMILIES.items():
            ours = self._ours(command)
            self._delete(command, ours)
            if ours and self._variant == "nft":
                self._remove_empty_table(family)

    def is_in_place(self) -> bool:
        return all(self._ours(command) for command in _FAMILIES)

    def _ours(self, command: str) -> list[list[str]]:
        """The rules with our comment, as `iptables-save` spells them."""
        if self._variant == "legacy" and not self._has_legacy_table(command):
            return []
        saved = run_tool(self._namespace, [f"{self._name(command)}-save", "-t", "mangle"])
        rules = [line.split() for line in saved.splitlines()]
        return [rule for rule in rules if self._comment in rule]

    def _name(self, command: str) -> str:
        """The name of the command of this variant on this machine."""
        name = f"{command}-{self._variant}"
        is_usual = self._variant == self._usual and find_tool(name) is None
        return command if is_usual else name

    def _has_legacy_table(self, command: str) -> bool:
        """The kernel makes the table when it is first asked for; not by us, only to look."""
        with self._namespace.enter():
            try:
                tables = Path("/proc/thread-self/net", _LEGACY_TABLES[command]).read_text()
            except FileNotFoundError:
                return False
        return "mangle" in tables.split()

    def _delete(self, command: str, rules: list[list[str]]) -> None:
        for rule in rules:
            self._change(command, ["-D", *rule[1:]])

    def _change(self, command: str, change: list[str]) -> None:
        run_tool(self._namespace, [self._name(command), "-w", "-t", "mangle", *change])

    def _remove_empty_table(self, family: str) -> None:
        """iptables-nft makes the table with the first rule and never removes it; we do."""
        try:
            listing = run_tool(self._namespace, ["nft", "list", "table", family, "mangle"])
        except (ToolMissing, ToolFailed):
            return
        content = [line.strip() for line in listing.splitlines() if not line.startswith("#")]
        if all(_EMPTY_TABLE.fullmatch(line) for line in content):
            run_tool(self._namespace, ["nft", "delete", "table", family, "mangle"])


@functools.cache
def _usual_variant(iptables: str | None) -> str:
    """What `iptables` is here; its version says so since 1.8, and before it was always legacy."""
    if iptables is None:
        return "nft"  # whoever uses it is told that it is missing
    try:
        is_nft = "nf_tables" in run_tool(Namespace.current(), ["iptables", "-V"])
    except (ToolMissing, ToolFailed):
        return "nft"
    return "nft" if is_nft else "legacy"


LEGACY: Final = "iptables-legacy"
"""The tool of whose changes nobody is told."""

KINDS: Final[tuple[type[NftHooks] | type[IptablesHooks], ...]] = (NftHooks, IptablesHooks)
"""In the order in which they are tried."""

_FAMILIES: Final = {"iptables": "ip", "ip6tables": "ip6"}
"""Commands, and what nft calls their tables' families."""

_LEGACY_TABLES: Final = {"iptables": "ip_tables_names", "ip6tables": "ip6_tables_names"}
"""Where the kernel lists the tables of iptables-legacy that a namespace has."""

_EMPTY_TABLE: Final = re.compile(
    r"|table ip6? mangle \{|chain FORWARD \{|type filter hook forward .*; policy accept;|\}"
)
"""The lines of a table that does nothing: a policy of drop would do something."""
