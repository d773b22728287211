"""A fuzz case: a policy and steps, as text that people can read and edit.

    # Any number of lines that say what is interesting here.
    policy pick-up
    0 inside 45000028...
    3600000000000 tick
    0 set small

Each line is a step: the nanoseconds that pass before it, a word, and an argument.  `inside` and
`outside` are packets that come from there, as hexadecimal octets.  The other words are `ACTIONS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.core.flow import Zone
from tests.fuzz.policies import POLICIES

ZONES: Final = {zone.word: zone for zone in Zone}

ACTIONS: Final = {
    "tick": ("",),
    "flush": ("",),
    "drop-held": ("",),
    "kill": ("silent", "reset-both"),
    "set": tuple(POLICIES),
    "fail-over": ("none", "synchronised"),
    "reboot": ("0", "10000000000"),
}
"""What happens to a firewall besides packets, and the arguments that each can have."""


class Step(NamedTuple):
    """One thing that happens, `pause` nanoseconds after the one before."""

    pause: int
    word: str
    argument: str = ""
    packet: bytes = b""

    def __str__(self) -> str:
        told = self.packet.hex() if self.word in ZONES else self.argument
        return f"{self.pause} {self.word} {told}".rstrip()


@dataclass(frozen=True)
class Case:
    """Steps under a policy; `why` says what they are about."""

    policy: str
    steps: tuple[Step, ...]
    why: str = ""

    def __str__(self) -> str:
        comments = [f"# {line}".rstrip() for line in self.why.splitlines()]
        return "\n".join([*comments, f"policy {self.policy}", *map(str, self.steps)]) + "\n"


def read(path: Path) -> Case:
    """The case in a file; a ValueError names the file, the line and what is wrong with it."""
    why: list[str] = []
    policy = ""
    steps = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#"):
            why.append(line[1:].strip())
        elif line.startswith("policy "):
            policy = line.removeprefix("policy ")
        elif line.strip():
            try:
                steps.append(_step(line))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
    if policy not in POLICIES:
        raise ValueError(f"{path}: no policy {policy!r} (there are {', '.join(POLICIES)})")
    return Case(policy, tuple(steps), "\n".join(why))


def _step(line: str) -> Step:
    pause, word, argument = (*line.split(), "")[:3]
    if word in ZONES:
        return Step(int(pause), word, packet=bytes.fromhex(argument))
    if argument not in ACTIONS.get(word, ()):
        raise ValueError(f"no step {word} {argument}".rstrip())
    return Step(int(pause), word, argument)
