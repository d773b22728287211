"""docs/guides/profiles.md: its files pass, its commands answer as printed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from fwemu.config import catalogue, profiles
from fwemu.daemon.rundir import RUN_DIR
from tests.kit.command import fwemu
from tests.kit.labs import unique

ROOT: Final = Path(__file__).resolve().parents[2]
GUIDE: Final = (ROOT / "docs" / "guides" / "profiles.md").read_text(encoding="utf-8")


class Step(NamedTuple):
    """A command of the guide, and the lines that it prints."""

    words: list[str]
    printed: list[str]


def steps() -> Iterator[Step]:
    """The commands, in the order of the guide."""
    for block in re.findall(r"```console\n(.*?)```", GUIDE, flags=re.DOTALL):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *printed = command.splitlines()
            yield Step(shlex.split(line), printed)


PRINTS: Final = [step for step in steps() if step.printed]
DOES: Final = [step for step in steps() if not step.printed]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the guide, which say their names in the sentence above them."""
    found = re.findall(r"`(\w+\.toml)`:\n\n```toml\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert [name for name, _ in found] == ["branch.toml", "draft.toml"]
    for name, text in found:
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_one_of_ours() -> None:
    """And none of them stands outside a block that a test runs."""
    assert {step.words[0] for step in steps()} == {"fwemu"}
    assert len(PRINTS) + len(DOES) == GUIDE.count("\n$ ")


@pytest.mark.parametrize("step", PRINTS, ids=lambda step: " ".join(step.words))
def test_a_command_answers_as_printed(folder: Path, step: Step) -> None:
    """To the letter, but for the folder."""
    done = fwemu(*step.words[1:])
    said = (done.out + done.err).replace(f"{folder}/", ".../")
    printed = [re.sub(r"(?<=\S) {2,}", "  ", line) for line in step.printed]
    assert [re.sub(r"(?<=\S) {2,}", "  ", line) for line in said.splitlines()] == printed
    assert done.code == (2 if "draft.toml" in step.words else 0)


@pytest.mark.kernel
def test_the_commands_that_print_no_answer_work(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lab with the profile of the guide, under another name than a reader's."""
    monkeypatch.setenv(RUN_DIR, str(tmp_path_factory.mktemp("run")))
    name = unique("guide")
    done = []
    try:
        for step in DOES:
            done.append(fwemu(*(name if word == "branch" else word for word in step.words[1:])))
    finally:
        left = fwemu("down", "--all")
    assert [each.code for each in done] == [0, 0, 0], done
    assert name not in left.out, "the guide takes down what it has made"


def test_every_setting_and_profile_it_names_exists() -> None:
    """A table of keys is copied without thinking."""
    keys = {setting.key for setting in catalogue.settings()}
    tables = {key.partition(".")[0] for key in keys if "." in key}
    named = {
        match
        for code in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL))
        for match in re.findall(r"\b([a-z]+\.[a-z_]+[a-z])\b", code)
        if match.partition(".")[0] in tables - {"tcp", "table"}
    }
    assert named - keys == set()
    cells = re.findall(r"^\|.*\| (.*) \|$", GUIDE, flags=re.MULTILINE)
    short = {word for cell in cells for word in re.findall(r"`([a-z]+_[a-z_]+[a-z])`", cell)}
    last = {key.rpartition(".")[2] for key in keys}
    assert short - last == set()
    for name in re.findall(r'inherits = "([a-z0-9-]+)"', GUIDE):
        assert name in profiles.names()
