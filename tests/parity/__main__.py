"""`python -m tests.parity`: random conversations before the engine and before nf_conntrack."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from random import Random, SystemRandom

import click

from fwemu.cli.output import table
from fwemu.core.policy import Policy
from fwemu.errors import FwemuError
from fwemu.scenarios.kernel_backend import KernelBackend
from netns import NetnsError
from tests.parity.conversations import CONVERSATIONS
from tests.parity.duel import VARIANTS, Duel, Parted, Variant

SHOWN = 3
"""Unexplained differences that are told in full."""


@dataclass
class Result:
    """What came of the conversations of one variant."""

    conversations: int = 0
    packets: int = 0
    """Compared: verdict and state after each."""
    marked: int = 0
    """Of these, packets compared where the kernel and the engine had learned different things."""
    timers: int = 0
    """Remaining times compared."""
    explained: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Sum up."""
        self.conversations += other.conversations
        self.packets += other.packets
        self.marked += other.marked
        self.timers += other.timers
        self.explained.update(other.explained)
        self.unexplained += other.unexplained


def hold(kernel: KernelBackend, variant: Variant, policy: Policy, seed: int, number: int) -> Result:
    """One conversation, the same one for the same seed and number."""
    chance = Random(f"{seed} {variant.name} {number}")
    (converse,) = chance.choices(list(CONVERSATIONS), list(CONVERSATIONS.values()))
    duel = Duel(kernel, policy, chance)
    unexplained = []
    try:
        converse(duel, chance)
    except Parted as parted:
        if parted.kind is None:
            title = f"{variant.name} {number} (seed {seed}, {converse.__name__})"
            unexplained.append("\n".join([title, *duel.lines]))
    return Result(1, duel.packets, duel.marked, duel.timers_compared, duel.explained, unexplained)


def compare(
    variant: Variant,
    seed: int,
    conversations: int,
    *,
    policy: Policy | None = None,
    is_shown: bool = False,
) -> Result:
    """So many conversations before a kernel of their own; `policy` is that of the variant."""
    kernel = KernelBackend(loose=variant.loose, liberal=variant.liberal)
    policy, result = policy or variant.policy(), Result()
    try:
        for number in range(conversations):
            result.add(hold(kernel, variant, policy, seed, number))
            if is_shown and number % 20 == 0:
                print(f"\r{variant.name}: {number} of {conversations} ", end="", file=sys.stderr)
    finally:
        kernel.close()
        if is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return result


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=int, help="The seed of the run; a random one, which is printed.")
@click.option("--conversations", default=4000, show_default=True, help="Over all variants.")
@click.option(
    "--variant",
    "wanted",
    multiple=True,
    type=click.Choice([variant.name for variant in VARIANTS]),
    help="Only this one.",
)
@click.option("--only", type=int, help="Only the conversation with this number, told in full.")
def cli(seed: int | None, conversations: int, wanted: tuple[str, ...], only: int | None) -> None:
    """Does the engine decide as the kernel does?  Exits with 1 if a difference is unexplained."""
    seed = SystemRandom().randrange(10**6) if seed is None else seed
    variants = [variant for variant in VARIANTS if not wanted or variant.name in wanted]
    if only is not None:
        tell(variants, seed, only)
        return
    results = {}
    for variant in variants:
        results[variant.name] = compare(
            variant, seed, conversations // len(variants), is_shown=sys.stderr.isatty()
        )
    report(results, seed)


def tell(variants: list[Variant], seed: int, number: int) -> None:
    """One conversation, packet by packet."""
    for variant in variants:
        kernel = KernelBackend(loose=variant.loose, liberal=variant.liberal)
        try:
            chance = Random(f"{seed} {variant.name} {number}")
            (converse,) = chance.choices(list(CONVERSATIONS), list(CONVERSATIONS.values()))
            duel = Duel(kernel, variant.policy(), chance)
            end = "both agree to the end"
            try:
                converse(duel, chance)
            except Parted as parted:
                end = f"differs: {parted.kind or 'unexplained'}"
            print("\n".join([f"{variant.name} {number}", *duel.lines, end]))
        finally:
            kernel.close()


def report(results: dict[str, Result], seed: int) -> None:
    """The numbers, and every difference that has no explanation."""
    total = Result()
    for result in results.values():
        total.add(result)
    results = {**results, "all": total}
    table(
        ["", "conversations", "packets", "after a mark", "timers", "explained", "unexplained"],
        [
            [
                name,
                f"{result.conversations}",
                f"{result.packets}",
                f"{result.marked}",
                f"{result.timers}",
                f"{result.explained.total()}",
                f"{len(result.unexplained)}",
            ]
            for name, result in results.items()
        ],
    )
    table(
        ["difference explained", *results],
        [
            [word, *(f"{result.explained[word]}" for result in results.values())]
            for word in sorted(total.explained)
        ],
    )
    print(f"seed {seed}")
    for story in total.unexplained[:SHOWN]:
        print(f"\nunexplained: {story}")
    if total.unexplained:
        sys.exit(1)


if __name__ == "__main__":
    try:
        cli()
    except (FwemuError, NetnsError) as error:
        sys.exit(f"parity: {error}")
