"""A lab's addresses are nobody else's, and nobody outside the lab can send to them."""

from __future__ import annotations

import errno
import http.client
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from fwemu.errors import NamespaceError
from fwemu.lab import Lab, register
from fwemu.lab.lab import remove
from fwemu.lab.plan import networks_of
from netns import (
    IPNetwork,
    Namespace,
    known_networks,
    make_unreachable,
    undo_unreachable,
)
from tests.kit.labs import unique

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def nothing_kept(machine: Namespace) -> Iterator[None]:
    """The machine reaches everything again after the test."""
    yield
    assert kept(machine) == []


def kept(machine: Namespace) -> list[IPNetwork]:
    """What of the addresses of labs the machine cannot reach."""
    return [each for each in known_networks(machine) if each.is_private and not each.is_loopback]


def test_who_forgets_to_be_on_the_client_s_host_is_told_at_once(
    machine: Namespace, tmp_path: Path
) -> None:
    """An HTTP client that connects lazily, after the `with lab.client` block, went out by the
    machine's default route, and the test passed."""
    with Lab(name=unique(), base=tmp_path) as lab:
        with lab.client:
            connection = http.client.HTTPConnection(lab.server.ip, timeout=5)
        with pytest.raises(OSError, match=r".") as caught:
            connection.request("GET", "/")
        assert caught.value.errno == errno.ENETUNREACH


def test_each_lab_keeps_its_own_networks_and_no_others(machine: Namespace, tmp_path: Path) -> None:
    """As long as it stands: what goes with the first stays with the second."""
    with Lab(name=unique(), base=tmp_path) as first:
        with Lab(name=unique(), base=tmp_path) as second:
            both = {*networks_of(1), *networks_of(2)}
            assert set(kept(machine)) == both
            assert first.client.ipv4 == "198.18.1.10"
            assert second.server.ipv6 == "2001:2:0:1902::10"
        assert set(kept(machine)) == set(networks_of(1))
    assert kept(machine) == []


def test_labs_of_two_run_directories_have_different_addresses(
    machine: Namespace, tmp_path: Path
) -> None:
    """They do not know of each other, but both ask the machine."""
    for name in "ab":
        (tmp_path / name).mkdir()
    with (
        Lab(name=unique(), base=tmp_path / "a") as one,
        Lab(name=unique(), base=tmp_path / "b") as other,
    ):
        assert one.client.ipv4 == "198.18.1.10"
        assert other.client.ipv4 == "198.18.2.10"


def test_addresses_that_the_machine_uses_itself_are_left_to_it(
    machine: Namespace, tmp_path: Path
) -> None:
    """Somebody who tests routers may have these networks on a real cable."""
    taken = networks_of(1)[2:3]
    make_unreachable(machine, taken)
    try:
        with Lab(name=unique(), base=tmp_path) as lab:
            assert lab.client.ipv4 == "198.18.2.10"
    finally:
        undo_unreachable(machine, taken)


def test_a_machine_that_uses_all_of_them_has_no_lab(
    machine: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told where to look."""
    monkeypatch.setattr("fwemu.lab.register.LAB_NUMBERS", [1])
    taken = networks_of(1)[:1]
    make_unreachable(machine, taken)
    try:
        with pytest.raises(NamespaceError, match=r"no addresses are free .*`ip rule`"):
            Lab(name=unique(), base=tmp_path).up()
    finally:
        undo_unreachable(machine, taken)
    assert list(tmp_path.iterdir()) == []


MAKER = """
    import os, signal, sys
    from pathlib import Path
    from fwemu.lab import Lab
    from fwemu.lab import lab as module

    if sys.argv[3] == "early":
        module.launch.prepare = lambda: os.kill(os.getpid(), signal.SIGKILL)
    with Lab(name=sys.argv[1], base=Path(sys.argv[2])):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("where", ["here", "on a host"])
def test_what_a_killed_lab_has_kept_is_given_back_when_it_is_taken_down(
    machine: Namespace, tmp_path: Path, when: str, where: str
) -> None:
    """Also by somebody whose shell is on one of its hosts, in whose network there is no rule."""
    name = unique()
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MAKER), name, str(tmp_path), when], check=False
    )
    entry = register.entry(tmp_path, name)
    assert set(kept(machine)) == set(entry.plan.networks)
    if (when, where) == ("late", "on a host"):
        with Namespace.named(entry.plan.hosts[0].namespace).enter():
            remove(entry, print)
    else:
        remove(entry, print)
    assert kept(machine) == []
    assert not os.listdir(tmp_path)


FORGETFUL = """
    import sys
    from pathlib import Path
    from fwemu.lab import Lab
    lab = Lab(name=sys.argv[1], base=Path(sys.argv[2])).up()
"""


def test_a_program_that_forgets_its_lab_leaves_nothing_of_it(
    machine: Namespace, tmp_path: Path
) -> None:
    """A lab that is nobody's any more when Python ends gives its addresses back, too."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORGETFUL), unique(), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert kept(machine) == []
    assert not os.listdir(tmp_path)
