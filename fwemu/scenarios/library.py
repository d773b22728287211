"""Finds stories: the shipped ones by name or topic, and the user's files and directories."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.errors import ConfigError
from fwemu.scenarios.notation import read
from fwemu.scenarios.story import Story

SHIPPED: Final = Path(__file__).with_name("stories")
"""One directory for each topic, one file for each behaviour."""

SUFFIX: Final = ".story"


class NamedStory(NamedTuple):
    """A story with its name: `close/half_close`, or the path of a user's file."""

    name: str
    story: Story


def names() -> list[str]:
    """The names of the shipped stories."""
    return [_name(path) for path in _below(SHIPPED)]


def topics() -> list[str]:
    """The topics of the shipped stories."""
    return sorted({name.partition("/")[0] for name in names()})


def find(
    words: Iterable[str] = (), unreadable: list[ConfigError] | None = None
) -> list[NamedStory]:
    """The stories that names, topics, files or directories stand for, or all shipped ones.

    Each comes once.  Raises ConfigError, also for a story that cannot be read, unless there is a
    list of the `unreadable`: then the error goes there, and the others are found.
    """
    paths: dict[Path, str] = {}
    for word in words:
        paths |= _meant(word)
    if not paths:
        paths = {path: _name(path) for path in _below(SHIPPED)}
    found = []
    for path, name in paths.items():
        try:
            found.append(NamedStory(name, read(path)))
        except ConfigError as error:
            if unreadable is None:
                raise
            unreadable.append(error)
    return found


def _meant(word: str) -> dict[Path, str]:
    """Resolve one word: a shipped story comes before a file; `./close` is always a directory."""
    shipped = {path: _name(path) for path in _below(SHIPPED)}
    ours = {path: name for path, name in shipped.items() if word in (name, name.split("/")[0])}
    if ours:
        return ours
    path = Path(word)
    if path.is_dir():
        found = _below(path)
        if not found:
            raise ConfigError(f"{word}: no story is in there (their names end in {SUFFIX})")
        return {each: str(each) for each in found}
    if path.suffix == SUFFIX or (os.sep in word and path.exists()):
        return {path: word}
    alike = get_close_matches(word, [*shipped.values(), *topics()], n=1)
    hint = f"did you mean {alike[0]}?" if alike else "`fwemu scenario ls` lists them"
    raise ConfigError(f"{word}: no such story, topic, file or directory ({hint})")


def _below(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"*{SUFFIX}"))


def _name(path: Path) -> str:
    return path.relative_to(SHIPPED).with_suffix("").as_posix()
