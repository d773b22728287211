"""Loads a configuration from files and flags: flag > file > profile > default.

Everything is merged as plain tables first and checked once, so that a message can name the file or
flag that each value came from.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from fwemu.config import catalogue, profiles, toml
from fwemu.config.accepts import is_showable, key_shown, one_of, shown
from fwemu.config.problems import problems
from fwemu.config.schema import Config
from fwemu.errors import ConfigError

Keys = tuple[str | int, ...]


class Kind(Enum):
    """The kinds of origin of a value, the strongest first."""

    FLAG = "flag"
    FILE = "file"
    PROFILE = "profile"
    DEFAULT = "default"


@dataclass(frozen=True)
class Origin:
    """The origin of the value of a setting."""

    kind: Kind
    place: str = ""
    """`--set`, the path of the file, `profile cisco-asa`; empty for a default."""

    def __str__(self) -> str:
        return self.place or self.kind.value

    def locate(self, key: str) -> str:
        """The place and the key, as a message begins."""
        key = key_shown(key)
        if self.kind is Kind.FLAG:
            return f"{self.place} {key}".strip()
        return f"{self.place}: {key}" if self.place else key


_MOST_PROBLEMS: Final = 20
"""Of one configuration that are told."""

DEFAULT: Final = Origin(Kind.DEFAULT)
SET: Final = Origin(Kind.FLAG, "--set")
PROFILE_OPTION: Final = Origin(Kind.FLAG, "--profile")
_RUNNING: Final = Origin(Kind.FLAG)


@dataclass(frozen=True)
class Resolved:
    """A configuration together with where each of its values comes from."""

    config: Config
    origins: Mapping[str, Origin]
    """By dotted key, in the order of the schema; `rules` and `flush` as wholes."""


def load(
    path: Path | None = None, profile: str | None = None, settings: Iterable[str] = ()
) -> Config:
    """The configuration of a file, a profile and `key=value` settings, each optional.

    Raises ConfigError, with one line for each problem.
    """
    return resolve(path, profile, settings).config


def resolve(
    path: Path | None = None, profile: str | None = None, settings: Iterable[str] = ()
) -> Resolved:
    """Load a configuration as `load` does; also the origin of every value."""
    file = {} if path is None else toml.read(path)
    flags = [_assignment(text, SET) for text in settings]
    name, named_by = _base(flags, profile, file, path)
    merged = _Merged()
    if isinstance(name, str):
        beside = path.parent if path and named_by.kind is Kind.FILE else None
        chain = _lineage(name, beside, named_by)
        for each in chain:
            merged.add(each.settings, Origin(Kind.PROFILE, profiles.place(each)))
        name = chain[-1].name
    merged.add(file, Origin(Kind.FILE, str(path)))
    for keys, value in flags:
        merged.set(keys, value, SET)
    if named_by is not DEFAULT:
        merged.set(("profile",), name, named_by)
    config = merged.check()
    origins = {
        setting.key: merged.origin(setting.path)
        for setting in catalogue.settings()
        if "[]" not in setting.path
    }
    return Resolved(config, origins)


def apply(config: Config, settings: Iterable[str]) -> Config:
    """A running firewall's configuration with other `key=value` settings.

    Raises ConfigError, also for a setting that cannot change while a firewall runs.
    """
    merged = _Merged()
    merged.add(to_settings(config), DEFAULT)
    stuck = []
    for text in settings:
        keys, value = _assignment(text, _RUNNING)
        for leaf, _ in _leaves(value, keys):
            setting = catalogue.find(leaf)
            if setting is not None and not setting.is_live:
                stuck.append(
                    f"{setting.key}: cannot change while the firewall runs"
                    " (start it again with the new value)"
                )
        merged.set(keys, value, _RUNNING)
    if stuck:
        raise ConfigError(*stuck)
    return merged.check()


def to_settings(config: Config) -> dict[str, Any]:
    """All settings as plain values, as `to_toml` and the API use them."""
    return config.model_dump(mode="json", by_alias=True, exclude_none=True)


def to_toml(config: Config) -> str:
    """The text of a file that loads as the same configuration."""
    return toml.write(to_settings(config))


class _Merged:
    """Merged tables, with the origin of each value."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}
        self._origins: dict[Keys, Origin] = {}

    def add(self, settings: Mapping[str, Any], origin: Origin) -> None:
        self.set((), dict(settings), origin)

    def set(self, keys: tuple[str, ...], value: Any, origin: Origin) -> None:
        """Merge tables key by key; any other value replaces the one before."""
        for leaf, item in _leaves(value, keys):
            if not leaf:
                continue
            table = self._tree
            for key in leaf[:-1]:
                below = table.get(key)
                if not isinstance(below, dict):
                    below = table[key] = {}
                table = below
            if item == {} and isinstance(table.get(leaf[-1]), dict):
                continue
            table[leaf[-1]] = item
            self._origins[leaf] = origin

    def origin(self, keys: Keys) -> Origin:
        """The origin of the value at these keys, or of the table or list around it."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self._origins:
                return self._origins[keys[:length]]
        return next((o for k, o in self._origins.items() if k[: len(keys)] == keys), DEFAULT)

    def check(self) -> Config:
        try:
            return Config.model_validate(self._tree)
        except ValidationError as error:
            lines = [
                f"{self.origin(keys).locate(catalogue.dotted(keys))}: {text}"
                for keys, text in problems(error)
            ]
            if len(lines) > _MOST_PROBLEMS:
                lines[_MOST_PROBLEMS:] = [f"and {len(lines) - _MOST_PROBLEMS} problems more"]
            raise ConfigError(*lines) from None


def _leaves(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*keys, key))
    else:
        yield keys, value


def _base(
    flags: list[tuple[tuple[str, ...], Any]],
    profile: str | None,
    file: Mapping[str, Any],
    path: Path | None,
) -> tuple[Any, Origin]:
    """The name of the base profile, and its origin."""
    for keys, value in reversed(flags):
        if keys == ("profile",):
            return value, SET
    if profile is not None:
        return profile, PROFILE_OPTION
    if "profile" in file:
        return file["profile"], Origin(Kind.FILE, str(path))
    return None, DEFAULT


def _lineage(name: str, beside: Path | None, named_by: Origin) -> tuple[profiles.Profile, ...]:
    try:
        return profiles.lineage(name, beside)
    except ConfigError as error:
        place = named_by.place if named_by is PROFILE_OPTION else named_by.locate("profile")
        lines = (
            f"{place}: {problem.removeprefix('profile: ')}"
            if problem.startswith("profile: ")
            else problem
            for problem in error.problems
        )
        raise ConfigError(*lines) from None


def _assignment(text: str, origin: Origin) -> tuple[tuple[str, ...], Any]:
    """`key=value`: the keys, full or short, and the value as TOML or JSON, or else as text."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not _is_text(text):
        raise ConfigError(f"{origin.locate(key)}: is not text (write it in UTF-8)")
    if not equals or not key:
        example = key if key and is_showable(key) else "timeouts.tcp_established"
        raise ConfigError(f"{origin.locate(text)}: not a setting (write {example}=VALUE)")
    if "[" in key:
        whole = key_shown(key.partition("[")[0])
        raise ConfigError(
            f"{origin.locate(key)}: {whole} can only be set as a whole (write {whole}=[{{...}}])"
        )
    return _full(key, origin), _value(key, value.strip(), origin)


def _full(key: str, origin: Origin) -> tuple[str, ...]:
    """The keys of a setting; the last one is enough if no other setting ends like it."""
    keys = tuple(part.strip() for part in key.split("."))
    if len(keys) > 1 or key in catalogue.names_at(()):
        return keys
    meant = [
        setting
        for setting in catalogue.settings()
        if "[]" not in setting.path and setting.path[-1] == key
    ]
    if len(meant) > 1:
        which = one_of(setting.key for setting in meant)
        raise ConfigError(f"{origin.locate(key)}: is not clear (write {which})")
    return meant[0].path if meant else keys


def _value(key: str, text: str, origin: Origin) -> Any:
    try:
        try:
            tables = toml.parse(f"value = {text}")
            if len(tables) == 1:
                return tables["value"]
        except tomllib.TOMLDecodeError:
            pass
        value = toml.parse_json(text)
    except toml.BeyondLimitsError as error:
        raise ConfigError(f"{origin.locate(key)}: {error}") from None
    except json.JSONDecodeError:
        if text[:1] in ("[", "{", '"', "'"):
            raise ConfigError(
                f"{origin.locate(key)}: {shown(text)} is neither TOML nor JSON"
                ' (write ["a", "b"] or {key = "value"})'
            ) from None
        return text
    if not _is_text(json.dumps(value, ensure_ascii=False)):
        raise ConfigError(f"{origin.locate(key)}: is not text (\\ud800 to \\udfff are none)")
    return value


def _is_text(text: str) -> bool:
    """Can it be written down?  JSON and octets of a command line can carry half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
