"""Where stories are found: those that come with fwemu, by name or topic, and anybody's files."""

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
"""A directory a topic, a file a behaviour."""

SUFFIX: Final = ".story"


class Shelved(NamedTuple):
    """A story and the name it goes by: `close/half_close`, or its path if it is somebody's own."""

    name: str
    story: Story


def names() -> list[str]:
    """The names of the stories that come with fwemu."""
    return [_name(path) for path in _below(SHIPPED)]


def topics() -> list[str]:
    """Their topics."""
    return sorted({name.partition("/")[0] for name in names()})


def find(words: Iterable[str] = ()) -> list[Shelved]:
    """The stories that are meant by names, topics, files or directories; all of ours by no word.

    Each is there once.  Raises ConfigError, also for a story that cannot be read.
    """
    paths: dict[Path, str] = {}
    for word in words:
        paths |= _meant(word)
    if not paths:
        paths = {path: _name(path) for path in _below(SHIPPED)}
    return [Shelved(name, read(path)) for path, name in paths.items()]


def _meant(word: str) -> dict[Path, str]:
    """What one word means: ours before what lies about; `./close` is a directory in any case."""
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
