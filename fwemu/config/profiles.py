"""Profiles: the settings of known devices, each number with its source.

A profile is a TOML file: `[about]`, `[sources]` and `[evidence]` tell what it is and where its
settings come from, `inherits` names another profile below it, and the rest are ordinary settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from fwemu.config import toml
from fwemu.config.accepts import one_of, shown, suggestion
from fwemu.config.schema import Section
from fwemu.errors import ConfigError

UNVERIFIED: Final = "unverified"
"""Stands for the source of a setting that no public document states."""


class About(Section):
    """The `[about]` table of a profile."""

    title: str = Field(default="", description="The device.")
    class_: Literal["router", "firewall", "load-balancer", "nat", "host", ""] = Field(
        default="", alias="class", description="What kind of device it is."
    )
    summary: str = Field(default="", description="What an application notices of it.")
    notes: tuple[str, ...] = Field(default=(), description="Where emulator and device differ.")


@dataclass(frozen=True)
class Source:
    """A public document."""

    title: str
    address: str


@dataclass(frozen=True)
class Profile:
    """A profile as in its file, without inherited settings."""

    name: str
    """As settings name it: a plain name, or the absolute path of the file."""
    path: Path
    title: str
    device_class: str
    summary: str
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    sources: Mapping[str, Source]
    evidence: Mapping[str, str]
    """Source id or `unverified` for each dotted key."""
    inherits: str | None


def directory() -> Path:
    """The directory of the shipped profiles: inside the wheel, or `config/` of a checkout."""
    installed = Path(__file__).parent / "shipped"
    shipped = installed if installed.is_dir() else Path(__file__).parents[2] / "config"
    return shipped / "profiles"


def names() -> tuple[str, ...]:
    """The names of the shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in directory().glob("*.toml")))


def get(name: str, beside: Path | None = None) -> Profile:
    """The profile of this name, or in this .toml file (relative to `beside`, if that is given).

    Raises ConfigError if it is not there or is no profile.
    """
    if name.endswith(".toml"):
        path = Path(beside or ".", name).expanduser().absolute()
        return _read(str(path), path)
    if name not in names():
        meant = suggestion(name, names())
        hint = f"did you mean {meant}? " if meant else ""
        raise ConfigError(
            f"profile: {shown(name)} is unknown ({hint}`fwemu profiles ls` shows them all)"
        )
    return _read(name, directory() / f"{name}.toml")


def lineage(name: str, beside: Path | None = None) -> tuple[Profile, ...]:
    """The profile and those it inherits from, the most basic one first."""
    chain = [get(name, beside)]
    while chain[-1].inherits is not None:
        last = chain[-1]
        above = _inherited(last)
        if any(above.path == profile.path for profile in chain):
            circle = " -> ".join([*(profile.path.stem for profile in chain), above.path.stem])
            raise ConfigError(f"{place(chain[0])}: inherits: goes in a circle ({circle})")
        chain.append(above)
    return tuple(reversed(chain))


def place(profile: Profile) -> str:
    """The name of a profile in messages."""
    return str(profile.path) if profile.name.endswith(".toml") else f"profile {profile.name}"


def _inherited(profile: Profile) -> Profile:
    assert profile.inherits is not None
    try:
        return get(profile.inherits, profile.path.parent)
    except ConfigError as error:
        problems = (problem.removeprefix("profile: ") for problem in error.problems)
        raise ConfigError(*(f"{place(profile)}: inherits: {text}" for text in problems)) from None


@dataclass(frozen=True)
class Parts:
    """Read the file of a profile as TOML, without checking it."""

    settings: dict[str, Any]
    about: Any
    sources: Any
    evidence: Any
    inherits: Any


def parts(path: Path) -> Parts:
    """The parts of a file.  Raises ConfigError if it is not there or is no TOML."""
    tables = toml.read(path)
    about, sources, evidence, inherits = (
        tables.pop(key, default)
        for key, default in (("about", {}), ("sources", {}), ("evidence", {}), ("inherits", None))
    )
    return Parts(tables, about, sources, evidence, inherits)


def _read(name: str, path: Path) -> Profile:
    read = parts(path)
    where = str(path) if name.endswith(".toml") else f"profile {name}"
    problems = [f"{where}: {fault}" for fault in faults(read)]
    if problems:
        raise ConfigError(*problems)
    told = About.model_validate(read.about)
    return Profile(
        name,
        path,
        told.title,
        told.class_,
        told.summary,
        told.notes,
        read.settings,
        {key: _source(text) for key, text in read.sources.items()},
        read.evidence,
        read.inherits,
    )


def faults(read: Parts) -> Iterator[str]:
    """The problems in the parts of a profile that are not settings."""
    if "profile" in read.settings:
        yield 'profile: a profile does not name another (write inherits = "...")'
    if read.inherits is not None and not isinstance(read.inherits, str):
        yield f"inherits: {shown(read.inherits)} is not the name of a profile (put it in quotes)"
    for key, table in (("sources", read.sources), ("evidence", read.evidence)):
        if not isinstance(table, dict):
            yield f"{key}: {shown(table)} is not a table (write [{key}], its keys below it)"
        else:
            for entry, text in table.items():
                if isinstance(text, dict):
                    key_of = ".".join([entry, *map(str, text)][:2])
                    yield f'{key}.{entry}: is a table (put the whole key in quotes: "{key_of}")'
                elif not isinstance(text, str):
                    yield f"{key}.{entry}: {shown(text)} is not text (put it in quotes)"
    try:
        About.model_validate(read.about)
    except ValidationError as error:
        known = [field.alias or name for name, field in About.model_fields.items()]
        for detail in error.errors():
            key = ".".join(str(part) for part in ("about", *detail["loc"]))
            if detail["type"] == "extra_forbidden":
                yield f"{key}: unknown setting (there are {one_of(known, 'and')})"
            elif detail["type"] == "literal_error":
                yield (
                    f"{key}: {shown(detail['input'])} is not"
                    " router, firewall, load-balancer, nat or host"
                )
            else:
                problem = f"{shown(detail['input'])} does not fit here"
                yield f"{key}: {problem} (see the shipped profiles)"


def _source(text: str) -> Source:
    title, _, address = text.rpartition(", ")
    return Source(title or text, address if title else "")
