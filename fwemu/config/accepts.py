"""The accepted values of a setting in words, for error messages, docs and the example."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

LONGEST_SHOWN: Final = 60
"""Characters of a value that an error message shows at the most."""


@dataclass(frozen=True)
class Accepts:
    """An annotation that describes the values of a type, where pydantic cannot."""

    text: str


def one_of(words: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    *others, final = words
    return f"{', '.join(others)} {last} {final}" if others else final


def suggestion(word: str, known: Collection[str]) -> str | None:
    """The known word nearest to a misspelt one."""
    if len(word) > LONGEST_SHOWN:  # comparing takes the square of its length
        return None
    for candidate in known:
        if word in candidate.replace("_", "-").split("-"):  # `asa` for `cisco-asa`
            return candidate
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def shown(value: object) -> str:
    """A value as an error message shows it: text in quotes, the rest as TOML spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 4]}...{text[-1]}"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        text = f"[{', '.join(shown(item) for item in value)}]"
        return text if len(text) <= LONGEST_SHOWN else "a list"
    return str(value)


def key_shown(key: str) -> str:
    """A key, or a value in its place, as an error message shows it."""
    return key if is_showable(key) else shown(key)


def is_showable(text: str) -> bool:
    """True if a message may show the text as it is: short, and without control characters."""
    return text.isprintable() and len(text) <= LONGEST_SHOWN
