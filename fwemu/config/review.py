"""Checks a profile that a user writes: settings, sources, and settings without effect.

`load` refuses what cannot be; this also finds what would only mislead a reader: a number without
its source, a source that nothing cites, a setting that another one makes idle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from fwemu.config import catalogue, profiles
from fwemu.config.accepts import one_of, shown, suggestion
from fwemu.config.catalogue import leaves
from fwemu.config.load import load
from fwemu.config.problems import problems as problems_of
from fwemu.config.profiles import UNVERIFIED, Parts
from fwemu.config.schema import Config
from fwemu.core.choices import AtExpiry, Mode, OnUnknown, Trust, UnderPressure
from fwemu.core.tcp_window import WindowCheck
from fwemu.errors import ConfigError


def review(name: str) -> tuple[str, ...]:
    """Every problem of a profile (its name, or the path of its file), each with place and way out.

    Nothing if it is as the shipped ones are.
    """
    try:
        is_file = name.endswith(".toml")
        path = Path(name).expanduser().absolute() if is_file else profiles.get(name).path
        read = profiles.parts(path)
    except ConfigError as error:
        return error.problems
    found = [f"{path}: {fault}" for fault in profiles.faults(read)]
    if found:
        found += [f"{path}: {problem}" for problem in _alone(read.settings)]
        return tuple(found)
    try:
        config = load(profile=str(path))
    except ConfigError as error:
        found = [problem.removeprefix("--profile: ") for problem in error.problems]
        own = [problem for problem in found if problem.startswith(f"{path}: ")]
        if all(problem.startswith(f"{path}: inherits: ") for problem in own):  # not its settings
            found += [f"{path}: {problem}" for problem in _alone(read.settings)]
    else:
        found = [f"{path}: {problem}" for problem in _without_effect(read.settings, config)]
    return (*found, *(f"{path}: {problem}" for problem in _papers(read)))


def _alone(settings: dict[str, Any]) -> Iterator[str]:
    """The problems in settings alone, where the inherited profile is not known."""
    try:
        Config.model_validate(settings)
    except ValidationError as error:
        yield from (
            f"{catalogue.dotted(keys)}: {text}"
            for keys, text in problems_of(error)
            if keys != ("profile",)
        )


# -- sources --------------------------------------------------------------------------------------


def _papers(read: Parts) -> Iterator[str]:
    """The problems in what a profile says about itself."""
    for key in ("title", "class", "summary"):
        if not read.about.get(key):
            yield f"about.{key}: missing (the shipped profiles show what it is for)"
    settings = [key for key, _ in leaves(read.settings)]
    for key, word in read.evidence.items():
        if key not in settings:
            meant = suggestion(key, settings)
            hint = f"did you mean {meant}?" if meant else "set it, or leave this out"
            yield f"evidence.{key}: names no setting of this file ({hint})"
        if word != UNVERIFIED and word not in read.sources:
            known = one_of([*map(repr, read.sources), repr(UNVERIFIED)])
            yield f"evidence.{key}: {shown(word)} is no source of this file (write {known})"
    for key in settings:
        if key not in read.evidence:
            yield (
                f"{key}: has no evidence"
                f' (write "{key}" = "{UNVERIFIED}", or the name of a source, in [evidence])'
            )
    notes = read.about.get("notes", ())
    cited = {word for note in notes for word in marks(note)}
    for word in sorted(cited - read.sources.keys()):
        yield f"about.notes: [{word}] is no source of this file (add it to [sources])"
    for word, text in read.sources.items():
        if word not in cited | set(read.evidence.values()):
            yield f"sources.{word}: is never used (cite it in [evidence] or as [{word}] in a note)"
        if not re.search(r", \S+$", text):
            yield f'sources.{word}: has no address (write "title, https://...")'


def marks(note: str) -> set[str]:
    """The sources that a note cites as `[word]`; what stands in backquotes is no mark."""
    return set(re.findall(r"(?<!\[)\[([a-z0-9-]+)\](?!\])", re.sub(r"`[^`]*`", "", note)))


# -- what has no effect ---------------------------------------------------------------------------


class Idle(NamedTuple):
    """Warnings about settings without effect, or with another one than expected."""

    keys: tuple[str, ...]
    """The settings; a name that ends in `.` stands for a whole table."""
    holds: Callable[[Config], bool]
    why: str
    way_out: str


def _picks_up(config: Config) -> bool:
    answers = (config.unknown.inside, config.unknown.outside, *(r.unknown for r in config.rules))
    return OnUnknown.PICK_UP in answers


def _expires_with(config: Config, *actions: AtExpiry) -> bool:
    return any(action in actions for action in (config.expiry.action, *_of_rules(config)))


def _of_rules(config: Config) -> tuple[AtExpiry | None, ...]:
    return tuple(rule.expiry for rule in config.rules)


_RESETS: Final = (AtExpiry.RESET_BOTH, AtExpiry.RESET_ORIGINAL, AtExpiry.RESET_REPLY)
_PRESSURE: Final = {
    "start": (UnderPressure.SCALE, UnderPressure.ACCELERATE, UnderPressure.EARLY_AGEOUT),
    "stop": (UnderPressure.SCALE, UnderPressure.EARLY_AGEOUT),
    "factor": (UnderPressure.ACCELERATE,),
    "early_ageout": (UnderPressure.EARLY_AGEOUT,),
}
"""The policies that look at a setting of `[pressure]`."""


def _is_unread(name: str) -> Callable[[Config], bool]:
    return lambda config: config.pressure.policy not in _PRESSURE[name]


IDLE: Final[tuple[Idle, ...]] = (
    Idle(
        ("timeouts.", "tcp.", "refresh.", "pressure.", "expiry.", "unknown.", "table."),
        lambda config: config.mode is Mode.ACL,
        'has no effect in mode = "acl", which has no sessions',
        "leave it out",
    ),
    Idle(
        ("acl.",),
        lambda config: config.mode is not Mode.ACL,
        'has no effect in mode = "stateful", which knows what is an answer',
        "leave it out",
    ),
    Idle(
        ("expiry.retry_interval", "expiry.max_retries"),
        lambda config: not _expires_with(config, AtExpiry.PROBE),
        "has no effect, because nothing is probed",
        'set expiry.action = "probe", or leave it out',
    ),
    Idle(
        ("expiry.sequence",),
        lambda config: not _expires_with(config, *_RESETS),
        "has no effect, because nobody gets a RST at expiry",
        'set expiry.action = "reset-both", for one, or leave it out',
    ),
    Idle(
        ("unknown.trust", "timeouts.tcp_picked_up"),
        lambda config: not _picks_up(config),
        "has no effect, because nothing is picked up",
        'set unknown.inside = "pick-up", for one, or leave it out',
    ),
    Idle(
        ("timeouts.tcp_picked_up",),
        lambda config: _picks_up(config) and config.unknown.trust is Trust.AT_ONCE,
        "has no effect, because what is picked up is trusted at once",
        'set unknown.trust = "answered" or "never", or leave it out',
    ),
    Idle(
        ("unknown.trust",),
        lambda config: (
            config.unknown.trust is not Trust.AT_ONCE and config.timeouts.tcp_picked_up.is_never
        ),
        "has no timer for what is not trusted yet",
        "set timeouts.tcp_picked_up",
    ),
    Idle(
        ("tcp.max_retransmissions",),
        lambda config: config.timeouts.tcp_retransmitted.is_never,
        "has no effect without a timer",
        "set timeouts.tcp_retransmitted, or leave it out",
    ),
    Idle(
        ("timeouts.tcp_rst_unverified",),
        lambda config: config.tcp.window is WindowCheck.OFF,
        'has no effect with tcp.window = "off", which believes any RST',
        "leave one of them out",
    ),
    *(
        Idle(
            (f"pressure.{name}",),
            _is_unread(name),
            "has no effect with this pressure.policy",
            f"set pressure.policy = {one_of(repr(p.value) for p in policies)}, or leave it out",
        )
        for name, policies in _PRESSURE.items()
    ),
    Idle(
        ("pressure.stop",),
        lambda config: (
            config.pressure.policy is UnderPressure.EARLY_AGEOUT
            and config.pressure.stop > config.pressure.start
        ),
        "is above pressure.start, where early ageing begins, and so counts as that",
        "set it to pressure.start or below",
    ),
)
"""What `review` looks for beyond errors; the first that fits a setting is told."""


def _without_effect(settings: dict[str, Any], config: Config) -> Iterator[str]:
    for key, _ in leaves(settings):
        for idle in IDLE:
            of_table = any(name.endswith(".") and key.startswith(name) for name in idle.keys)
            if (of_table or key in idle.keys) and idle.holds(config):
                yield f"{key}: {idle.why} ({idle.way_out})"
                break
