"""Labs in which real applications run, behind a firewall that forgets after an hour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fwemu.lab import Lab, Topology
from netns import sysctl
from tests.apps.kit import BEHAVIOURS, FEW, REPETITIONS
from tests.kit.labs import as_new, unique

HEAVY = Path(__file__).parent / "timers"
"""What `make apps` runs: it needs programs that `make test` does not."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """It is only for whoever names it."""
    asked = (Path(each.partition("::")[0]).absolute() for each in config.args)
    if collection_path == HEAVY and not any(each.is_relative_to(HEAVY) for each in asked):
        return True
    return None


@pytest.fixture(scope="module")
def module_lab(base: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One lab for all tests of a module, with its TOPOLOGY if it has one.

    Its kernels repeat data once and not fifteen times before they give a connection up: a
    silent death takes a second and not a quarter of an hour (`kit.FEW`).
    """
    topology = getattr(request.module, "TOPOLOGY", Topology())
    with Lab(name=unique(), base=base, topology=topology) as lab:
        for host in lab.hosts.values():
            sysctl(host.namespace, REPETITIONS, FEW)
        yield lab


@pytest.fixture(params=["silent", "resets"])
def behaviour(request: pytest.FixtureRequest, lab: Lab) -> str:
    """A firewall that forgets after an hour, and what it says to packets that it does not know."""
    as_new(lab, *BEHAVIOURS[request.param])
    return str(request.param)
