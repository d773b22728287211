"""The documents: every page is in the index, and every word of a setting is in the glossary."""

from __future__ import annotations

import re
import subprocess
from enum import Enum
from pathlib import Path

import pytest

from fwemu.config import schema
from fwemu.core.reasons import Answer, Verdict
from fwemu.daemon.fast_forward import StopOn
from fwemu.lab.plan import Layout
from fwemu.scenarios.backends import BACKENDS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text()

OF_THEIR_OWN = {schema.LogEvent, schema.DeviceLogFormat, schema.Zone}
"""Explained elsewhere: events and devices on the settings page, zones above the values."""

CHOICES: list[type[Enum]] = [
    *(
        found
        for found in vars(schema).values()
        if isinstance(found, type)
        and issubclass(found, Enum)
        and found not in {Enum, *OF_THEIR_OWN}
    ),
    Layout,
    StopOn,
]
"""Every enumeration of the settings, and those of commands."""


def test_every_page_is_in_the_index():
    """What is not linked is not read."""
    linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", (DOCS / "README.md").read_text()))
    pages = {
        str(path.relative_to(DOCS))
        for path in DOCS.rglob("*.md")
        if path != DOCS / "README.md" and (path.parent.name != "decisions" or path.stem == "README")
    }

    assert pages == {link for link in linked if not link.startswith("../")}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_every_link_of_a_page_leads_somewhere(page):
    """A page that was moved is to be found again."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.__name__)
def test_every_value_of_a_choice_is_explained(choice):
    """In a row of its own kind: `none` of one setting is not `none` of another."""
    rows = [
        set(re.findall(r"`([^`]+)`", row)) for row in re.findall(r"^\| (.*?) \|", GLOSSARY, re.M)
    ]
    values = {member.value for member in choice}

    assert values in rows


@pytest.mark.parametrize(
    "word",
    [
        *(verdict.word for verdict in Verdict),
        *(answer.word for answer in Answer),
        *BACKENDS,
        "session", "assured", "unknown packet", "picked up", "played", "lab", "hook", "sink",
        "effect", "keepalive", "probe", "fast-forward", "time scale", "original, reply",
        "inside, outside", "expire", "evict", "flush", "close", "tracker", "conversation",
    ],
)  # fmt: skip
def test_a_word_of_the_code_is_in_the_glossary(word):
    """The words that a newcomer meets first."""
    assert re.search(rf"(^\| |[`, ]){re.escape(word)}[`, |]", GLOSSARY, re.MULTILINE)


def test_no_word_is_explained_twice():
    """Two explanations are two meanings."""
    words = re.findall(
        r"^\| ([a-zA-Z][\w ,-]*) \|", GLOSSARY.split("## Values of settings")[0], re.M
    )

    assert sorted(set(words) - {"word"}) == sorted(word for word in words if word != "word")


def test_documents_that_the_code_names_are_there():
    """A comment that says "see" is to lead somewhere."""
    listing = subprocess.run(
        ["git", "ls-files", "*.py", "Makefile", "scripts", ".ci"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    named = {
        (name, page)
        for name in listing.stdout.split()
        for page in re.findall(
            r"\bdocs/(?:decisions|guides|reference)/[\w.-]+\.md", (ROOT / name).read_text()
        )
    }

    assert len(named) > 20
    assert [(name, page) for name, page in sorted(named) if not (ROOT / page).exists()] == []


def test_every_target_of_the_makefile_is_in_contributing_and_no_other():
    """From what one wants to the command for it."""
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make (\w+)", (ROOT / "CONTRIBUTING.md").read_text()))

    assert named == targets


def test_containers_are_tried_with_the_options_of_the_guide():
    """Each row of its table is one, with what all of them need."""
    listed = subprocess.run(
        [ROOT / "scripts" / "containers", "--list"], capture_output=True, text=True, timeout=10
    )
    guide = (ROOT / "docs" / "guides" / "rootless.md").read_text()

    kinds = listed.stdout.splitlines()
    assert len(kinds) == 3, listed.stderr
    for kind in kinds:
        start, unmask, *options = kind.split()
        assert (start, unmask) == ("--security-opt", "unmask=/proc/sys")
        assert options
        assert all(option in guide for option in options)
