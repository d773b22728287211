"""`fwemu profiles`: the devices that a firewall can behave like, with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from fwemu.cli.group import Group, example
from fwemu.cli.options import as_json
from fwemu.cli.output import emit, say, table
from fwemu.cli.words import complete_profiles
from fwemu.errors import ConfigError

if TYPE_CHECKING:
    from fwemu.config import Config, Duration, Profile


DEFAULT: Final = "default"
"""Stands for the source of a setting that a profile leaves alone."""


@click.group(cls=Group, epilog=example("fwemu profiles show cisco-asa"))
def command() -> None:
    """Show the devices it can behave like, with their sources."""


@command.command("ls", epilog=example("fwemu profiles ls"))
@as_json
def list_profiles(as_json: bool) -> None:
    """List the profiles."""
    from fwemu.config import profiles

    known = [_told(name) for name in profiles.names()]
    if as_json:
        for profile in known:
            emit(profile.record)
        return
    head = ["NAME", "CLASS", "ESTABLISHED", "EXPIRY", "INSIDE", "OUTSIDE", "UNVERIFIED"]
    table(head, [profile.cells for profile in known])


@command.command("show", epilog=example("fwemu profiles show cisco-asa"))
@click.argument("name", shell_complete=complete_profiles)
@as_json
def show_profile(name: str, as_json: bool) -> None:
    """Show a profile (or a .toml file of yours): its settings, and who says so."""
    from fwemu.config import toml

    profile = _told(name)
    own = profile.own
    if as_json:
        settings = [
            {"key": key, "value": value, "source": source}
            for key, (value, source) in profile.settings.items()
        ]
        emit({**profile.record, "settings": settings, "notes": list(own.notes)})
        return
    print(f"{own.name}: {own.title} ({own.device_class})")
    if own.summary:
        print(f"{own.summary}")
    print()
    rows = [(key, toml.value(value), source) for key, (value, source) in profile.settings.items()]
    table(["SETTING", "VALUE", "SOURCE"], rows)
    for head, lines in (
        ("Notes", list(own.notes)),
        ("Sources", [f"{s['id']}: {s['title']}, {s['address']}" for s in profile.sources]),
    ):
        if lines:
            print(f"\n{head}:")
            for line in lines:
                print(f"  - {line}")


@command.command("compare", epilog=example("fwemu profiles compare cisco-asa palo-alto"))
@click.argument(
    "names", nargs=-1, required=True, metavar="A B...", shell_complete=complete_profiles
)
@click.option("--all", "everything", is_flag=True, help="What does not differ, too.")
@as_json
def compare_profiles(names: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Lay profiles side by side: what differs.

    A path that ends in .toml is a profile of yours.  A value that no public document
    states is marked, and so is one that a profile leaves at fwemu's own default.
    """
    from fwemu.config import catalogue
    from fwemu.config.profiles import UNVERIFIED

    if len(names) < 2:
        raise click.UsageError("there is nothing to compare with (name two profiles or more)")
    known = [_told(name) for name in names]
    effective = [profile.effective for profile in known]
    rows = []
    keys = [setting.key for setting in catalogue.settings() if "[]" not in setting.path]
    for key in (key for key in keys if key != "profile"):
        values = [settings[key] for settings in effective]
        if not everything and all(value == values[0] for value in values):
            continue
        sources = [profile.source(key) for profile in known]
        if as_json:
            emit(
                {
                    "key": key,
                    "values": dict(zip(names, values, strict=True)),
                    "sources": dict(zip(names, sources, strict=True)),
                }
            )
        marks = [f" ({word})" if word in (UNVERIFIED, DEFAULT) else "" for word in sources]
        texts = [_in_short(value) for value in values]
        rows.append([key, *(text + mark for text, mark in zip(texts, marks, strict=True))])
    if not as_json:
        table(["SETTING", *names], rows)


@command.command("check", epilog=example("fwemu profiles check ours.toml"))
@click.argument("file", shell_complete=complete_profiles)
@as_json
def check_profile(file: str, as_json: bool) -> int:
    """Say everything that is wrong with a profile of your own.

    Beyond errors: evidence and sources that do not fit together, and settings without effect.
    """
    from fwemu.config.review import review

    problems = review(file)
    if as_json:
        emit({"file": file, "problems": list(problems)})
        return ConfigError.exit_code if problems else 0
    if problems:
        raise ConfigError(*problems)
    say(f"{file}: nothing is wrong (`fwemu up --profile {file}` uses it)")
    return 0


def _in_short(value: Any) -> str:
    """A value in a table: rules by their names."""
    from fwemu.config import toml

    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(item.get("name") or item["action"] for item in value)
    return "none" if value is None or value == [] else toml.value(value)


@dataclass(frozen=True)
class Told:
    """A profile together with what it inherits, and what both mean for an application."""

    own: Profile
    settings: dict[str, tuple[Any, str]]
    """Value and source, or `unverified`, of each dotted key."""
    sources: list[dict[str, str]]
    config: Config

    @property
    def established(self) -> Duration:
        """The idle timeout of an open TCP connection."""
        return self.config.timeouts.tcp_established

    @property
    def expiry(self) -> str:
        """The action at expiry."""
        return self.config.expiry.action.value

    @property
    def unknown(self) -> dict[str, str]:
        """The answer to an unknown packet, by zone."""
        return {zone: getattr(self.config.unknown, zone).value for zone in ("inside", "outside")}

    @property
    def effective(self) -> dict[str, Any]:
        """The value of every setting, defaults included; rules as a whole."""
        from fwemu.config import catalogue, to_settings

        tables = to_settings(self.config)
        found: dict[str, Any] = {}
        for setting in catalogue.settings():
            if "[]" not in setting.path:
                value: Any = tables
                for key in setting.path:
                    value = value.get(key) if isinstance(value, dict) else None
                found[setting.key] = value
        return found

    def source(self, key: str) -> str:
        """The evidence for a setting: a source, `unverified`, or `default`."""
        from fwemu.config.profiles import UNVERIFIED

        stated = [word for name, (_, word) in self.settings.items() if _is_part(name, key)]
        if not stated:
            return DEFAULT
        return UNVERIFIED if UNVERIFIED in stated else ", ".join(dict.fromkeys(stated))

    @property
    def unverified(self) -> list[str]:
        """The settings that no public document states."""
        from fwemu.config.profiles import UNVERIFIED

        return [key for key, (_, source) in self.settings.items() if source == UNVERIFIED]

    @property
    def record(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.own.name,
            "title": self.own.title,
            "class": self.own.device_class,
            "summary": self.own.summary,
            "tcp_established_s": None if self.established.is_never else self.established.seconds,
            "expiry": self.expiry,
            "unknown": self.unknown,
            "sources": self.sources,
            "unverified": self.unverified,
        }

    @property
    def cells(self) -> list[object]:
        """For people."""
        return [
            self.own.name,
            self.own.device_class,
            str(self.established),
            self.expiry,
            self.unknown["inside"],
            self.unknown["outside"],
            f"{len(self.unverified)} of {len(self.settings)}",
        ]


def _told(name: str) -> Told:
    from fwemu.config import load, profiles
    from fwemu.config.catalogue import leaves

    lineage = profiles.lineage(name)
    settings: dict[str, tuple[Any, str]] = {}
    sources: dict[str, dict[str, str]] = {}
    for profile in lineage:
        for key, value in leaves(profile.settings):
            settings[key] = value, profile.evidence.get(key, profiles.UNVERIFIED)
        for word, source in profile.sources.items():
            sources[word] = {"id": word, "title": source.title, "address": source.address}
    return Told(
        lineage[-1],
        settings,
        list(sources.values()),
        load(profile=name),
    )


def _is_part(name: str, key: str) -> bool:
    """True if a key is part of another, as `rules[0]` of `rules`."""
    return name == key or name.startswith(f"{key}[")
