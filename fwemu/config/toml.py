"""TOML files in and out: reading with messages that name the line, and writing a configuration."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from fwemu.config.accepts import LONGEST_SHOWN, shown
from fwemu.errors import ConfigError

_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_BARE_VALUE: Final = re.compile(r"""\s*([\w.-]+)\s*=\s*([^\s"'\[{#][^"'\[{#]*?)\s*(#.*)?$""")
LARGEST: Final = 1_000_000
"""Octets of a file: a configuration has some thousands, and /dev/zero has no end."""

DEEPEST: Final = 32
"""Tables and lists within each other: no setting has more than four."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def read(path: Path) -> dict[str, Any]:
    """The tables of a file, or a ConfigError that names it."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file (check the path)") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory (name the .toml file in it)") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: cannot be read: {reason} (check its permissions)") from None
    if len(data) > LARGEST:
        raise ConfigError(f"{path}: is larger than 1 MB (name the .toml file of a configuration)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line}: is not UTF-8 (save the file as UTF-8)") from None
    try:
        tables = parse(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {_explain(error, text)}") from None
    except BeyondLimitsError as error:
        raise ConfigError(f"{path}: {error}") from None
    return tables


class BeyondLimitsError(Exception):
    """Something is larger than a configuration needs, and than this program takes."""


def parse(text: str) -> dict[str, Any]:
    """The tables of a text.  Raises TOMLDecodeError or BeyondLimitsError, and nothing else."""
    tables: dict[str, Any] = _within_limits(tomllib.loads, text)
    return tables


def parse_json(text: str) -> Any:
    """A value as JSON spells it.  Raises JSONDecodeError or BeyondLimitsError, and nothing else."""
    return _within_limits(json.loads, text)


def _within_limits(read: Callable[[str], Any], text: str) -> Any:
    too_deep = BeyondLimitsError(f"nests too deep ({DEEPEST} levels at most)")
    too_large = BeyondLimitsError("has a number that is too large (64 bits at most)")
    try:
        tables = read(text)
    except RecursionError:
        raise too_deep from None
    except (tomllib.TOMLDecodeError, json.JSONDecodeError):
        raise
    except ValueError:  # Python reads 4300 digits at most
        raise too_large from None
    level = [tables]
    for _ in range(DEEPEST):
        if any(isinstance(item, int) and abs(item) >> 63 for item in level):
            raise too_large
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return tables
    raise too_deep


def _inside(item: object) -> Iterable[object]:
    if isinstance(item, Mapping):
        return item.values()
    return item if isinstance(item, list) else ()


def write(settings: Mapping[str, Any]) -> str:
    """Settings as the text of a file: values first, then tables, then lists of tables."""
    lines: list[str] = []
    _write(settings, (), lines)
    return "\n".join(lines).strip() + "\n" if lines else ""


def value(item: object) -> str:
    """A value in TOML."""
    if isinstance(item, bool | str):
        return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(item, list | tuple):
        return f"[{', '.join(value(entry) for entry in item)}]"
    if isinstance(item, Mapping):
        pairs = ", ".join(f"{_key(key)} = {value(entry)}" for key, entry in item.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    assert isinstance(item, int | float), item
    return repr(item)


def _write(table: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    below = {key: item for key, item in table.items() if _is_table(item) or _is_tables(item)}
    lines += [f"{_key(key)} = {value(item)}" for key, item in table.items() if key not in below]
    for key, item in below.items():
        name = ".".join(_key(part) for part in (*path, key))
        for entry in item if isinstance(item, list | tuple) else [item]:
            lines += ["", f"[[{name}]]" if _is_tables(item) else f"[{name}]"]
            _write(entry, (*path, key), lines)


def _is_table(item: object) -> bool:
    return isinstance(item, Mapping)


def _is_tables(item: object) -> bool:
    return isinstance(item, list | tuple) and bool(item) and all(_is_table(entry) for entry in item)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else value(key)


def _explain(error: tomllib.TOMLDecodeError, text: str) -> str:
    """A message in one line: place, problem, and the way out if it can be guessed."""
    message = str(error)
    position = _POSITION.search(message)
    if position:
        message = message[: position.start()]
    lines = text.split("\n")  # as tomllib counts them
    if lines[-1] == "" and len(lines) > 1:
        lines.pop()
    number = int(position[1]) if position and position[1] else len(lines)
    line = lines[min(number, len(lines)) - 1]
    bare = _BARE_VALUE.fullmatch(line) if line.isprintable() else None
    if bare and len(line) <= 2 * LONGEST_SHOWN:
        key, word = bare[1], bare[2]
        return f"line {number}: {word} needs quotes (write {key} = {value(word)})"
    return (
        f"line {number}: not valid TOML: {message[:1].lower()}{message[1:]}"
        f" (the line reads {shown(line.strip())})"
    )
