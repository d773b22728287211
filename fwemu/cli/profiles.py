"""`fwemu profiles`: the devices that a firewall can behave like, with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fwemu.cli.group import Group, example
from fwemu.cli.options import as_json
from fwemu.cli.output import emit, table
from fwemu.cli.words import complete_profiles

if TYPE_CHECKING:
    from fwemu.config import Duration, Profile


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


@dataclass(frozen=True)
class Told:
    """A profile together with what it inherits, and what both mean for an application."""

    own: Profile
    settings: dict[str, tuple[Any, str]]
    """Value and source, or `unverified`, of each dotted key."""
    sources: list[dict[str, str]]
    established: Duration
    expiry: str
    unknown: dict[str, str]

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
    from fwemu.config.documentation import leaves

    lineage = profiles.lineage(name)
    settings: dict[str, tuple[Any, str]] = {}
    sources: dict[str, dict[str, str]] = {}
    for profile in lineage:
        for key, value in leaves(profile.settings):
            settings[key] = value, profile.evidence.get(key, profiles.UNVERIFIED)
        for word, source in profile.sources.items():
            sources[word] = {"id": word, "title": source.title, "address": source.address}
    config = load(profile=name)
    return Told(
        lineage[-1],
        settings,
        list(sources.values()),
        config.timeouts.tcp_established,
        config.expiry.action.value,
        {"inside": config.unknown.inside.value, "outside": config.unknown.outside.value},
    )
