"""The records of decisions: complete, in the index, and of the same mind as the code."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from fwemu.core import endings, expiry, standby
from fwemu.core.fragments import FragmentLimits
from fwemu.daemon import operations, queue
from fwemu.lab.plan import LAB_NUMBERS
from fwemu.virtual_time import scaled_sockets
from tests.parity.differences import DIFFERENCES, TIMERS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ("Status:", "Guard:", "Last checked:", "**Situation.**", "**Choice.**", "**Given up.**",
         "**Wrong if**")  # fmt: skip

each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)


def text_of(number: str) -> str:
    """The record with this number, its lines joined."""
    (path,) = FOLDER.glob(f"{number}-*.md")
    return " ".join(path.read_text().split())


@each_record
def test_a_record_has_every_part(record):
    """docs/decisions/README.md has the form: why, what it costs, and what would show it wrong."""
    text = record.read_text()

    assert [part for part in PARTS if part not in text] == []


@each_record
def test_a_record_says_when_it_was_compared_with_the_code(record):
    """A record that nobody has looked at since may be about another program."""
    checked = re.search(r"^Last checked: (\d{4}-\d\d-\d\d)", record.read_text(), re.MULTILINE)

    assert checked is not None
    assert date(2026, 1, 1) <= date.fromisoformat(checked[1])


@each_record
def test_what_a_record_names_is_there(record):
    """Guards and modules by their paths; other records by links."""
    text = record.read_text()
    paths = re.findall(r"`((?:fwemu|netns|tests|bench|docs|config|reference)/[\w./-]+)`", text)
    links = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", text)

    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [link for link in links if not (FOLDER / link).exists()] == []
    assert re.search(r"Guard: ", text)


def test_the_index_has_every_record_with_its_title():
    """And in the order of their numbers."""
    rows = re.findall(
        r"^\| \[(\d{4})\]\(([\w.-]+)\) \| (.*) \|$",
        (FOLDER / "README.md").read_text(),
        re.MULTILINE,
    )
    wanted = [
        (path.name[:4], path.name, path.read_text().splitlines()[0].removeprefix("# ")[5:])
        for path in RECORDS
    ]

    assert rows == wanted


FIGURES = [
    ("0003", f"at most {operations.PAGE} sessions at a time"),
    ("0004", f"looks at no more than {endings.SWEEP} sessions at a time"),
    ("0004", f"twice the table plus {expiry._SLACK} entries"),
    ("0005", f"copies {queue.COPIED_OCTETS} octets"),
    ("0008", f"from {LAB_NUMBERS[0]} to {LAB_NUMBERS[-1]}"),
    ("0011", f"{standby.IN_FLIGHT} changes"),
    ("0012", f"`fragments.timeout` ({FragmentLimits().timeout // 10**9} s"),
    ("0012", f"`fragments.per_datagram` ({FragmentLimits().per_datagram}"),
    ("0012", f"`fragments.held` ({FragmentLimits().held}"),
    ("0012", f"{FragmentLimits().datagrams:,} datagrams"),
    ("0014", f"{endings.SWEEP} sessions a tick"),
    ("0017", {0.1: "looked at ten times a second"}[scaled_sockets.INTERVAL]),
]
"""What records say of numbers that stand in the code."""


@pytest.mark.parametrize(("number", "phrase"), FIGURES, ids=lambda each: each[:40])
def test_a_number_in_a_record_is_that_of_the_code(number, phrase):
    """Numbers are what goes stale first."""
    assert phrase in text_of(number)


def test_the_record_of_parity_lists_the_differences_of_the_code():
    """Every kind that is explained there has its reason here, and no other."""
    record = (FOLDER / "0010-parity.md").read_text()
    listed = set()
    for kinds in re.findall(r"^\| (`.*?) \|", record, re.MULTILINE):
        words = re.findall(r"`([^`]+)`", kinds)
        is_timer = words[0].startswith("timer: ")
        listed |= {f"timer: {word.removeprefix('timer: ')}" if is_timer else word for word in words}
    differences = (*DIFFERENCES, *TIMERS)

    assert listed == {difference.word for difference in differences}
