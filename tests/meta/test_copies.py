"""Options take the words that there are, derived from their enumerations or written again.

Commands begin quickly because they do not import what they are about.  So a few lists of words
stand twice, and here they are held together.
"""

from __future__ import annotations

import click
import pytest

from fwemu.cli import failover, fast_forward, kill, options, run, scenario
from fwemu.core.choices import AtExpiry, PeerState
from fwemu.daemon.fast_forward import StopOn
from fwemu.lab.faults import FAULTS
from fwemu.lab.plan import Layout
from fwemu.scenarios.backends import BACKENDS


def choices(command: click.Command, option: str) -> list[str]:
    """The words that an option of a command takes."""
    (found,) = (each for each in command.params if option in each.opts)
    assert isinstance(found.type, click.Choice)
    return list(found.type.choices)


@click.command()
@options.topology
def with_topology(layout: str) -> None:
    """A command with this option, which several have."""


@pytest.mark.parametrize(
    ("command", "option", "words"),
    [
        (fast_forward.command, "--stop-on", [each.value for each in StopOn]),
        (failover.command, "--state", [each.value for each in PeerState]),
        (kill.command, "--notify", [each.value for each in AtExpiry if each is not AtExpiry.PROBE]),
        (with_topology, "--topology", [each.value for each in Layout]),
        (scenario.run_stories, "--on", list(BACKENDS)),
        (run.command, "--fail-on", list(FAULTS)),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_an_option_takes_the_words_that_there_are(
    command: click.Command, option: str, words: list[str]
) -> None:
    """One more would be refused by the firewall, one less could not be asked for."""
    assert choices(command, option) == words
