"""`python -m tests.storm [--labs N] [--seed S]`: nothing is left of N labs that were killed.

Each round makes something (a kind of `VICTIMS`), kills one or two of its processes at a random
moment by a random signal, takes down what is left by `fwemu down --all`, and looks: processes,
namespaces, rules of the machine, run directories, sysctls of hosts have to be as before.  Before a
firewall that fails `closed` a client tries all the time: nothing may pass, whoever is killed.

Run it as root, best in a world of its own (`unshare -mnpf --mount-proc`).  A seed gives the same
rounds, but not the same scheduling: what a round found is printed with its number.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.storm.rounds import VICTIMS, Round, undisturbed
from tests.storm.traces import Traces

PROGRESS_S = 5.0
"""Between two lines that say how far it is."""

SHOWN = 10
"""Things found in a round that are printed."""

MEASURED = 21
"""After so many rounds it is measured anew what a lab takes."""


def main() -> int:
    """0 if nothing was left."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--labs", type=int, default=200, metavar="N", help="rounds (200)")
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="of the rounds")
    parser.add_argument("--only", choices=sorted(VICTIMS), action="append", help="kinds of rounds")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    kinds = options.only or sorted(VICTIMS)
    print(f"storm: {options.labs} rounds, seed {seed}", flush=True)
    found: list[str] = []
    counts: dict[str, int] = {}
    began = said = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fwemu-storm-") as place:
        Path(place).chmod(0o755)
        traces = Traces()
        for number in range(options.labs):
            if number % MEASURED == 0:  # moments follow how busy the machine is
                up_s = undisturbed(Path(place) / "run")
            chance = random.Random(f"{seed}-{number}")
            kind = kinds[number % len(kinds)]
            each = Round(kind, chance, Path(place) / str(number), up_s)
            problems = [*each.play(), *traces.new(Path(place))]
            counts[kind] = counts.get(kind, 0) + 1
            found += problems
            if problems:
                print(f"FOUND after round {number} ({each}):", flush=True)
            for problem in problems[:SHOWN]:
                print(f"      {problem}", flush=True)
            if len(problems) > SHOWN:
                print(f"      and {len(problems) - SHOWN} more", flush=True)
            if problems:
                traces = Traces()  # the same is not found again in every round to come
            if time.monotonic() - said > PROGRESS_S:
                said = time.monotonic()
                print(f"{number + 1} of {options.labs}, {len(found)} found", flush=True)
    seconds = time.monotonic() - began
    rounds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    print(f"storm: {options.labs} rounds in {seconds:.0f} s ({rounds}), seed {seed}: ", end="")
    print(f"{len(found)} things found" if found else "nothing was left")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
