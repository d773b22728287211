"""What the tests of applications share: the firewalls, the hour, and the lines of the guide."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from fwemu.config import catalogue, profiles, toml
from fwemu.lab import Lab
from tests.kit.labs import as_new

HOUR: Final = "timeouts.tcp_established=1h"

BEHAVIOURS: Final = {
    "silent": (HOUR,),
    "resets": (HOUR, "unknown.inside=reset", "unknown.outside=reset"),
    "tells": (HOUR, "expiry.action=reset-both"),
}
"""What the firewall does after an hour: nothing at all; a RST for whoever speaks next; or a RST
to both ends at that very moment."""

REPETITIONS: Final = "net.ipv4.tcp_retries2"
"""How often a kernel repeats data that nobody acknowledges."""
FEW: Final = 1
"""So often in these labs."""

GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "recipes.md"

SNIPPETS: Final = dict(
    re.findall(r"^```\w+ (\S+)\n(.*?)^```$", GUIDE.read_text(), flags=re.DOTALL | re.MULTILINE)
)
"""The lines to copy in the guide, by the word that stands after the language."""


def snippet(name: str) -> str:
    """A configuration in the guide."""
    return SNIPPETS[name]


def run_snippet(name: str, **names: Any) -> Any:
    """What the Python code in the guide makes, with these names known to it."""
    before = set(names)
    exec(compile(snippet(name), f"{GUIDE.name}: {name}", "exec"), names)
    (made,) = (names[each] for each in names if each not in before | {"__builtins__"})
    return made


def behave_as(lab: Lab, profile: str) -> None:
    """Make the shared firewall one that is as if new and behaves as that device does."""
    settings = []
    for each in profiles.lineage(profile):
        for section, values in each.settings.items():
            for key, value in values.items():
                setting = catalogue.find((section, key))
                assert setting is not None
                assert setting.is_live
                settings.append(f"{setting.key}={toml.value(value)}")
    as_new(lab, *settings)


def let_pass(lab: Lab, by: str = "1h 10s") -> dict[str, Any]:
    """Let this time pass in a moment; a little more than the hour that the firewall remembers."""
    return lab.fast_forward(by)


def probes(done: dict[str, Any], port: int, host: str = "") -> tuple[int, int]:
    """How often the ends of the connection with this port asked, and how often they were answered.

    With `host`, only those of that host.
    """
    asked = [
        each
        for each in done["probes"]
        if any(each[end].endswith(f":{port}") for end in ("local", "remote"))
        and each["host"].endswith(host)
    ]
    return sum(each["sent"] for each in asked), sum(each["answered"] for each in asked)


def ended(done: dict[str, Any], port: int) -> list[str]:
    """Why the sessions of the client's port ended."""
    return [
        each["reason"]
        for each in done["sessions_ended"]
        if port in (each["source_port"], each["destination_port"])
    ]
