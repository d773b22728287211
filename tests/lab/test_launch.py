"""Starting a firewall in the background, and what it says when it does not get ready."""

import gc
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fwemu.daemon.rundir import RunDirectory
from fwemu.lab import Lab, launch
from tests.lab.kit import unique

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
    assert not Path(f"/proc/{about.pid}").exists()
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr(launch.os, "kill", lambda *what: signalled.append(what))
    launch.stop(about)
    assert signalled == []


def test_a_firewall_that_is_not_ready_in_time_is_ended(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the message says where to read what it said."""
    directory = RunDirectory(base, unique())
    directory.path.mkdir()
    started = []
    popen = launch.subprocess.Popen

    def sleeps(command: list[str], **options: object) -> object:
        started.append(popen(["sleep", "60"], **options))
        return started[-1]

    monkeypatch.setattr(launch.subprocess, "Popen", sleeps)
    monkeypatch.setattr(launch, "READY", 0.1)
    with pytest.raises(Exception, match=r"is not ready after 0\.1 s.*output\.log"):
        launch.launch(directory, "nowhere", [])
    assert started[0].returncode is not None


def test_a_daemon_that_crashes_is_quoted(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last lines of a traceback say more than an exit code."""
    directory = RunDirectory(base, unique())
    directory.path.mkdir()
    popen = launch.subprocess.Popen

    def crashes(command: list[str], **options: object) -> object:
        return popen(["sh", "-c", "echo one; echo two >&2; exit 9"], **options)

    monkeypatch.setattr(launch.subprocess, "Popen", crashes)
    with pytest.raises(Exception, match="one\ntwo") as caught:
        launch.launch(directory, "nowhere", [])
    assert caught.value.exit_code == 1
