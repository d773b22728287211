"""Every setting as data, read off the schema: for messages, docs and short keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, get_args

from pydantic.fields import FieldInfo

from fwemu.config.accepts import Accepts, one_of
from fwemu.config.schema import Config, Section


@dataclass(frozen=True)
class Setting:
    """A key of the configuration."""

    path: tuple[str, ...]
    """Its place; `[]` stands for the tables of a list, as in `("rules", "[]", "action")`."""
    sentence: str
    accepts: str
    default: object
    """As TOML spells it, None for no value."""
    is_required: bool
    is_live: bool
    """Can it change while the firewall runs?"""

    @property
    def key(self) -> str:
        """`timeouts.tcp_established`, `rules[].action`."""
        return dotted(self.path)


def dotted(path: tuple[str | int, ...]) -> str:
    """`timeouts.icmp`, `rules[2].to`: the place of a setting as people read it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part == "[]":
            text += part
        else:
            text += f".{part}" if text else part
    return text


@cache
def settings() -> tuple[Setting, ...]:
    """Every setting in the order of the schema, those of rules and flushes included."""
    return tuple(_settings(Config, (), Config().model_dump(mode="json", by_alias=True)))


def find(path: tuple[str | int, ...]) -> Setting | None:
    """The setting at a place; a number in the path stands for a table of a list."""
    general = tuple("[]" if isinstance(part, int) else part for part in path)
    return next((setting for setting in settings() if setting.path == general), None)


def names_at(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys of the table at a place; nothing if there is no table."""
    section: type[Section] | None = Config
    for part in path:
        if section is None or isinstance(part, int):
            continue
        field = _field(section, part)
        section = None if field is None else section_of(field.annotation)
    return () if section is None else tuple(_alias(*item) for item in section.model_fields.items())


def field_at(path: tuple[str | int, ...]) -> FieldInfo | None:
    """The field of the schema at a place."""
    section: type[Section] | None = Config
    field: FieldInfo | None = None
    for part in path:
        if isinstance(part, int):
            continue
        field = None if section is None else _field(section, part)
        section = None if field is None else section_of(field.annotation)
    return field


def section_of(annotation: Any) -> type[Section] | None:
    """The table that an annotation speaks of: itself, or that of each item of a list."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


def words_of(annotation: Any) -> tuple[str, ...]:
    """The words that an annotation chooses from; nothing if it is no choice."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(choice.value) for choice in annotation)
    return next((words for part in get_args(annotation) if (words := words_of(part))), ())


def accepts(field: FieldInfo) -> str:
    """The accepted values of a field in words: `1 to 10000000`, `open or closed`."""
    described = [*field.metadata, *_metadata_of(field.annotation)]
    for item in described:
        if isinstance(item, Accepts):
            return item.text
    if words := words_of(field.annotation):
        is_list = any(part is Ellipsis for part in get_args(field.annotation))
        return f"a list of {one_of(words, 'and')}" if is_list else one_of(words)
    low, high = (
        next((getattr(item, name) for item in described if hasattr(item, name)), None)
        for name in ("ge", "le")
    )
    if low is not None:
        return f"{low} to {high}"
    if field.annotation is bool:
        return "true or false"
    longest = next((item.max_length for item in described if hasattr(item, "max_length")), None)
    return f"text of up to {longest} characters" if longest else "text"


def _settings(
    section: type[Section], above: tuple[str, ...], defaults: dict[str, Any] | None
) -> Iterator[Setting]:
    for name, field in section.model_fields.items():
        path = (*above, _alias(name, field))
        default = None if defaults is None else defaults[path[-1]]
        below = section_of(field.annotation)
        if below is not None and isinstance(default, dict):
            yield from _settings(below, path, default)
            continue
        if defaults is None and not field.is_required():
            default = _plain_default(section, name)
        extra = field.json_schema_extra
        yield Setting(
            path,
            field.description or "",
            "a list of tables" if below is not None else accepts(field),
            default,
            field.is_required(),
            not isinstance(extra, dict) or extra.get("live", True) is True,
        )
        if below is not None:
            yield from _settings(below, (*path, "[]"), None)


def _plain_default(section: type[Section], name: str) -> object:
    """The default of one field as it would be written, without a whole valid section."""
    blank = section.model_construct()
    alias = _alias(name, section.model_fields[name])
    return blank.model_dump(mode="json", by_alias=True, include={name}).get(alias)


def _field(section: type[Section], key: str) -> FieldInfo | None:
    for name, field in section.model_fields.items():
        if key == _alias(name, field):
            return field
    return None


def _alias(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _metadata_of(annotation: Any) -> Iterator[Any]:
    """The annotations inside an optional type or a list."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _metadata_of(part)


def leaves(settings: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The settings of a profile by dotted key; each table of a list is one of them."""
    for key, value in settings.items():
        path = (*above, key)
        if isinstance(value, dict):
            yield from leaves(value, path)
        elif names_at(path):
            yield from ((dotted((*path, i)), item) for i, item in enumerate(value))
        else:
            yield dotted(path), value
