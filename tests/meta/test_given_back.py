"""The suite notices a lab that keeps its addresses when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwemu.lab import Lab
from fwemu.lab.plan import LAB_NUMBERS, networks_of
from netns import Namespace, make_unreachable, undo_unreachable
from tests.kit.given_back import GivenBack
from tests.kit.labs import unique

pytestmark = pytest.mark.kernel

LAST = LAB_NUMBERS[-1]
"""The lab that comes last: other tests have labs at the same time, which begin with the first."""


def test_addresses_that_no_lab_has_are_told_with_the_test_that_left_them(
    machine: Namespace,
) -> None:
    """One rule of the four is enough, and it counts until it is gone."""
    given_back = GivenBack()
    assert given_back.look("the first") == {}
    make_unreachable(machine, networks_of(LAST)[3:])
    assert given_back.look("the second") == {LAST: "the second"}
    assert given_back.look("the third") == {LAST: "the second"}
    undo_unreachable(machine, networks_of(LAST))
    assert given_back.look("the fourth") == {}


def test_what_was_there_before_is_somebody_else_s_until_it_is_gone(machine: Namespace) -> None:
    """Whoever kept these addresses, it was no test of this run."""
    make_unreachable(machine, networks_of(LAST))
    given_back = GivenBack()
    assert given_back.look("the first") == {}
    undo_unreachable(machine, networks_of(LAST))
    given_back.look("the second")
    make_unreachable(machine, networks_of(LAST))
    assert given_back.look("the third") == {LAST: "the third"}


def test_a_lab_that_stands_keeps_its_addresses(machine: Namespace, tmp_path: Path) -> None:
    """Those of a module stand from test to test."""
    given_back = GivenBack()
    with Lab(name=unique(), base=tmp_path):
        assert given_back.look("the first") == {}
    assert given_back.look("the second") == {}
