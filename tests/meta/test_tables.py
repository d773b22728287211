"""Tables that belong to a list of words have a row for each word.

A table here is any dictionary of a module whose keys are members of an enumeration, or kinds of
effect.  A new member without its row is a KeyError on the first packet that needs it; here it is a
test that names the table.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

import fwemu
import reference
from fwemu.core.effects import Effect
from fwemu.core.reasons import Reason, Verdict
from fwemu.core.tcp_table import STAYS
from fwemu.daemon.formats.device import UNLOGGED

ROOT = Path(__file__).resolve().parents[2]

EFFECTS = frozenset(get_args(Effect))

NOT_DROPPED = {each.name for each in Reason if each.verdict is not Verdict.DROP}
FLAGS = {"SYN", "SYN_ACK", "FIN", "ACK", "RST"}

LEFT_OUT: dict[str, set[str]] = {
    # its states are those without sequence numbers; tests/core/test_datagram_table.py has the rest
    "fwemu.core.datagram_table.KINDS": {
        "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
        "CLOSE", "SYN_SENT2", "TCP_DISCARD", "UDP_DISCARD", "OTHER_DISCARD",
    },
    # a packet that is allowed is not refused, and one without an answer makes no packet
    "fwemu.core.refusals._BY_RULE": {"ALLOW"},
    "fwemu.core.refusals._KINDS": {"NOTHING"},
    # segments that flags alone can tell are in TRANSITIONS, and some leave the state as it is
    "fwemu.core.tcp_table.BY_NUMBERS": FLAGS | {segment.name for segment in STAYS},
    "reference.states._NUMBERS": FLAGS,
    # packets of either end restart the timer
    "fwemu.core.timers._ENDS_OF": {"EITHER", "EACH"},
    # no session is taken from the peer or given to it by these
    "fwemu.core.standby._UNDO": {
        "PacketRefused", "PacketReleased", "KeepaliveSeen", "PacketInjected", "SessionAnswered",
    },
    # these kinds have no sessions of their own, or a table of their own
    "reference.states._KINDS": {"TCP", "ERROR", "FRAGMENT"},
    # the state in which the firewall waits for something that has a word of its own in this log
    "fwemu.daemon.formats.cisco_asa._WAITING": {
        "NONE", "UDP_UNREPLIED", "UDP_REPLIED", "ICMP", "OTHER", "TCP_DISCARD", "UDP_DISCARD",
        "OTHER_DISCARD",
    },
    # these ends are told by more than their reason, or not at all
    "fwemu.daemon.formats.cisco_asa._REASONS": {
        "EXPIRED", "CLOSED_BY_RST", "FAILED_OVER", "REBOOTED",
    },
    "fwemu.daemon.formats.fortigate._ACTIONS": {"CLOSED_BY_RST", "FAILED_OVER", "REBOOTED"},
    "fwemu.daemon.formats.juniper_srx._REASONS": {"CLOSED_BY_RST", "FAILED_OVER", "REBOOTED"},
    "fwemu.daemon.formats.pan_os._REASONS": {"CLOSED_BY_RST", "FAILED_OVER", "REBOOTED"},
    # reasons that no device logs have a list of their own
    **{
        f"fwemu.daemon.formats.{device}.REFUSALS": NOT_DROPPED | {each.name for each in UNLOGGED}
        for device in ("cisco_asa", "fortigate", "juniper_srx", "pan_os")
    },
}  # fmt: skip
"""Words that a table leaves out on purpose.  A new word is on no such list."""


def modules() -> Iterator[ModuleType]:
    """Every module of the product and of its reference, but those that run when imported."""
    for package in (fwemu, reference):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def words(table: Any) -> set[str] | None:
    """The words that the table could have a row for; None if it is no table of words."""
    if not isinstance(table, dict) or not table:
        return None
    if all(isinstance(key, type) and key in EFFECTS for key in table):
        return {each.__name__ for each in EFFECTS}
    kind = type(next(iter(table)))
    if issubclass(kind, enum.Enum) and all(type(key) is kind for key in table):
        return {each.name for each in kind}
    return None


def tables() -> Iterator[tuple[str, dict[Any, Any], set[str]]]:
    """Each table with its name, where it is made, and the words that it could have."""
    for module in modules():
        source = Path(str(module.__file__)).read_text()
        for name, value in vars(module).items():
            could_have = words(value)
            if could_have and re.search(rf"^{name}\b.* =", source, re.MULTILINE):
                yield f"{module.__name__}.{name}", value, could_have


TABLES = {name: (table, could_have) for name, table, could_have in tables()}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_has_a_row_for_every_word(name: str) -> None:
    """Or says which words it leaves out."""
    table, could_have = TABLES[name]
    has = {key.__name__ if isinstance(key, type) else key.name for key in table}

    assert could_have - has == LEFT_OUT.get(name, set())


def test_the_tables_are_found() -> None:
    """A search that finds nothing would pass."""
    assert TABLES.keys() >= LEFT_OUT.keys()
    assert TABLES.keys() >= {
        "fwemu.core.endings.RESETS",
        "fwemu.core.eviction.EVICTIONS",
        "fwemu.core.reasons.WHY",
        "fwemu.daemon.records.RECORDS",
        "fwemu.daemon.tally.COUNTED",
    }


@pytest.mark.parametrize(
    ("pattern", "home", "instead"),
    [
        (r"\{?\(?\b(TCP, UDP|UDP, TCP)\b[)}]", "fwemu/core/flow.py", "PROTOCOLS_WITH_PORTS"),
        (r"(?i)\b0xf{8}\b", "fwemu/core/seq.py", "seq.MASK"),
    ],
)
def test_a_list_or_a_number_with_a_name_is_written_once(
    pattern: str, home: str, instead: str
) -> None:
    """The second place is the one that is forgotten."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()} (use {instead})"
        for folder in ("core", "config", "daemon")
        for path in sorted((ROOT / "fwemu" / folder).rglob("*.py"))
        if path != ROOT / home
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line)
    ]

    assert found == []
