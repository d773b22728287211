"""Starting a firewall in the background, and what it says when it does not get ready."""

import gc
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fwemu.daemon.rundir import RunDirectory
from fwemu.errors import FwemuError, NamespaceError
from fwemu.lab import Lab, launch
from netns.procfs import command_of, pids, stat_of
from tests.kit.labs import connected, say, unique

pytestmark = pytest.mark.kernel


def test_the_process_of_a_running_lab_is_not_forgotten(new_lab: Callable[..., Lab]) -> None:
    """A test suite that turns warnings into errors must not stumble over "still running"."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        new_lab()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_a_closed_lab_leaves_no_zombie_and_is_not_signalled_again(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session of a thousand tests would collect a thousand; and the id may pass to another."""
    with Lab(name=unique(), base=base) as lab:
        about = lab.about
    assert stat_of(about.pid) is None
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr(launch.os, "kill", lambda *what: signalled.append(what))
    launch.stop(about)
    assert signalled == []


def test_a_firewall_that_is_not_ready_in_time_is_ended(
    lab: Lab, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the message says where to read what it said."""
    directory = RunDirectory(base, unique("late"))
    directory.path.mkdir()
    monkeypatch.setattr(launch, "READY", 0.0)
    with pytest.raises(NamespaceError, match=r"is not ready after 0 s.*output\.log"):
        launch.launch(directory, lab.client.namespace.name, [])
    assert [pid for pid in pids() if directory.name in command_of(pid)] == []


def test_a_daemon_that_crashes_is_quoted(lab: Lab, base: Path) -> None:
    """The last lines of a traceback say more than an exit code."""
    directory = RunDirectory(base, unique())
    (directory.path / "events.jsonl").mkdir(parents=True)
    with pytest.raises(FwemuError, match="IsADirectoryError") as caught:
        launch.launch(directory, lab.client.namespace.name, [])
    assert caught.value.exit_code == 1


def test_what_a_firewall_says_when_it_cannot_start_is_raised_here(base: Path) -> None:
    """With the exit code of its kind, as `fwemu daemon` itself would have ended."""
    directory = RunDirectory(base, unique())
    directory.path.mkdir()
    with pytest.raises(FwemuError, match="no network namespace is named 'nowhere'") as caught:
        launch.launch(directory, "nowhere", [])
    assert caught.value.exit_code == NamespaceError.exit_code


def test_a_firewall_is_listed_as_the_command_that_would_start_it(lab: Lab) -> None:
    """Whoever looks for it with `ps` looks for the name of the lab."""
    words = command_of(lab.about.pid).split()
    assert words[1:6] == ["-m", "fwemu", "daemon", "--netns", lab.about.netns]
    assert lab.name in words


def test_whoever_ends_the_process_that_firewalls_come_from_ends_no_firewall(
    new_lab: Callable[..., Lab],
) -> None:
    """Somebody tidies up in `ps`: labs that stand go on, and the next one is made as ever."""
    lab = new_lab()
    fork_server = launch.prepare()
    fork_server.close()
    other = new_lab()
    assert launch.prepare() is not fork_server
    for each in (lab, other):
        with connected(each) as pair:
            say(pair.client, pair.server)


def test_a_firewall_has_the_environment_of_the_moment_it_was_started_in(
    new_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the one in which the first lab of the run was made."""
    new_lab()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FwemuError, match="is not installed"):
        new_lab()


def test_a_lab_can_be_made_from_a_directory_that_is_gone(
    new_lab: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that removes its directory must not take labs along."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with connected(new_lab()) as pair:
        say(pair.client, pair.server)
