"""Labs that fail while they are made, or whose maker is killed: nothing stays."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fwemu.lab.lab
import netns.network
from fwemu.errors import FwemuError, NamespaceError
from fwemu.lab import Lab, Layout, Topology, launch, register
from fwemu.lab.lab import remove
from netns import NetnsError, exists, names
from netns.namespace import Creation
from netns.procfs import command_of, pids, start_time
from tests.kit.labs import eventually, unique

pytestmark = pytest.mark.kernel

PIECES = [
    (register, "reserve"),
    (Creation, "run"),
    (fwemu.lab.lab, "sysctl"),
    (fwemu.lab.lab, "add_route"),
    (fwemu.lab.lab, "configure"),
    (netns.network.links, "veth"),
    (netns.network.links, "configure"),
    (netns.network.links, "settle"),
    (netns.network.links, "bridge"),
    (netns.network.links, "attach"),
    (launch, "launch"),
]
"""All that is called to make a lab."""

STEPS = 35
"""How often one of them is called for the lab below; a test keeps this true."""


@pytest.fixture
def name() -> Iterator[str]:
    """A lab's name, of which nothing may be left afterwards."""
    mine = unique("fail")
    yield mine
    # the control process of a firewall that was killed ends a moment after it
    eventually(lambda: what_is_left(mine) == [], what=f"the end of {mine}")


def what_is_left(name: str) -> list[str]:
    """Namespaces and processes that carry the name of a lab."""
    found = [f"namespace {each}" for each in names() if each.startswith(f"fwemu-{name}-")]
    for pid in pids():
        try:
            command = command_of(pid)
        except OSError:
            continue
        if name in command and pid != os.getpid():
            found.append(f"process {pid} ({command})")
    return found


class Interrupting:
    """Counts the calls of all pieces, and raises before or after one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.at = -1
        self.error: BaseException = RuntimeError()
        self.after = False
        for owner, function in PIECES:
            monkeypatch.setattr(owner, function, self._wrapped(getattr(owner, function)))

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            is_it = self.calls == self.at
            if is_it and not self.after:
                raise self.error
            result = function(*arguments, **options)
            if is_it:
                raise self.error
            return result

        return call


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Interrupting:
    return Interrupting(monkeypatch)


def big_lab(name: str, base: Path) -> Lab:
    """With every kind of piece: two clients behind a switch, one server."""
    return Lab(name=name, base=base, topology=Topology(clients=2))


def pair_lab(name: str, base: Path) -> Lab:
    """Two firewalls and the switch between them."""
    return Lab(name=name, base=base, topology=Topology(layout=Layout.ASYMMETRIC))


def test_after_a_failure_the_same_name_works_in_a_known_number_of_steps(
    name: str, tmp_path: Path, interrupting: Interrupting
) -> None:
    """Nothing is in the way; and the tests below do not miss the last steps."""
    interrupting.at, interrupting.error = 20, NetnsError("out of cables")
    with pytest.raises(NamespaceError, match="out of cables"), big_lab(name, tmp_path):
        pass
    interrupting.calls, interrupting.at = 0, -1
    with big_lab(name, tmp_path) as lab:
        assert lab.about.is_alive
    assert interrupting.calls == STEPS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "error",
    [NetnsError("out of cables"), KeyboardInterrupt()],
    ids=["error", "ctrl-c"],
)
def test_a_failure_at_any_step_leaves_nothing(
    name: str,
    tmp_path: Path,
    interrupting: Interrupting,
    error: BaseException,
    after: bool,
) -> None:
    """Before or after each of them: no namespace, cable, directory or process, and the error."""
    interrupting.error = error
    interrupting.after = after
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else Exception
    for interrupting.at in range(1, STEPS + 1):
        interrupting.calls = 0
        with pytest.raises(expected), big_lab(name, tmp_path):
            pytest.fail("it was made")
        assert interrupting.calls >= interrupting.at
        assert what_is_left(name) == []
        left = list(tmp_path.iterdir())
        if after and interrupting.at == 1:  # written down, but `up` has never learnt of it
            (entry,) = register.entries(tmp_path)
            remove(entry, print)
            left = list(tmp_path.iterdir())
        assert left == []


def test_a_failure_at_any_step_leaves_nothing_of_a_pair(
    name: str, tmp_path: Path, interrupting: Interrupting
) -> None:
    """The second firewall may not start, and the first one must go with it."""
    with pair_lab(name, tmp_path) as lab:
        assert all(about.is_alive for about in lab.abouts)
    steps = interrupting.calls
    interrupting.error = NetnsError("out of cables")
    for interrupting.at in range(1, steps + 1):
        interrupting.calls = 0
        with pytest.raises(Exception, match="out of cables"), pair_lab(name, tmp_path):
            pytest.fail("it was made")
        assert interrupting.calls >= interrupting.at
        assert what_is_left(name) == []
        assert list(tmp_path.iterdir()) == []
    assert steps > STEPS


def test_a_firewall_that_dies_at_once_is_quoted_and_its_lab_removed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the daemon itself finds wrong is the lab's error."""
    before = fwemu.lab.lab._arguments

    def misled(*arguments: Any) -> list[str]:
        return [*before(*arguments), "--inside", "nonsense0"]

    monkeypatch.setattr(fwemu.lab.lab, "_arguments", misled)
    with (
        pytest.raises(FwemuError, match="no interface 'nonsense0'") as caught,
        Lab(name=name, base=tmp_path),
    ):
        pass
    assert caught.value.exit_code == NamespaceError.exit_code
    assert list(tmp_path.iterdir()) == []


def test_a_firewall_that_is_killed_does_not_keep_its_lab_from_ending(
    name: str, tmp_path: Path
) -> None:
    """The rest goes as usual."""
    with Lab(name=name, base=tmp_path) as lab:
        os.kill(lab.about.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


# -- makers that are killed ---------------------------------------------------------------------

MAKER = """
    import sys, time
    from pathlib import Path
    from fwemu.lab import Lab, launch

    name, base, hang = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if hang == "early":
        launch.launch = lambda *_: (print("ready", flush=True), time.sleep(60))
    with Lab(name=name, base=base) as lab:
        lab.server.start(["sleep", "1000"])
        print("ready", flush=True)
        time.sleep(60)
"""


def maker(name: str, base: Path, hang: str) -> subprocess.Popen[str]:
    """Another process that has a lab; returns when it is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MAKER), name, str(base), hang],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("hang", ["early", "late"])
def test_a_lab_whose_maker_was_killed_can_be_taken_down(
    name: str, tmp_path: Path, hang: str
) -> None:
    """Half made or whole: the run directory knows all that there can be of it."""
    with maker(name, tmp_path, hang) as process:
        process.kill()
    assert what_is_left(name) != []
    entry = register.entry(tmp_path, name)
    assert start_time(entry.maker[0]) != entry.maker[1]
    assert entry.has_firewall == (hang == "late")
    said: list[str] = []
    remove(entry, said.append)
    assert what_is_left(name) == []
    assert list(tmp_path.iterdir()) == []
    if hang == "late":
        (line,) = said
        assert line.endswith(f"(sleep 1000) in fwemu-{name}-server")
    remove(entry, said.append)  # once more does no harm


def test_ctrl_c_takes_a_lab_down(name: str, tmp_path: Path) -> None:
    """A real signal, in another process."""
    with maker(name, tmp_path, "late") as process:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert what_is_left(name) == []
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_the_middle_of_making_leaves_nothing(name: str, tmp_path: Path) -> None:
    """Whatever it was doing when the first namespace was there."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MAKER), name, str(tmp_path), "late"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        eventually(lambda: exists(f"fwemu-{name}-firewall"), what="the first namespace")
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert what_is_left(name) == []
    assert list(tmp_path.iterdir()) == []


def test_a_lab_that_is_kept_stays_until_it_is_taken_down(name: str, tmp_path: Path) -> None:
    """`fwemu up` makes it and ends; `fwemu down` knows it by its name."""
    lab = Lab(name=name, base=tmp_path).up()
    lab.keep()
    lab.close()
    assert lab.about.is_alive
    entry = register.entry(tmp_path, name)
    assert entry.has_firewall
    remove(entry, print)
    assert list(tmp_path.iterdir()) == []
