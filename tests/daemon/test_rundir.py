"""Run directories: who runs here, who ran here, and who is somebody else by now."""

import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fwemu.daemon.rundir import (
    About,
    RunDirectory,
    default_base,
    firewalls,
    start_time,
    wait_for_end,
)
from fwemu.errors import NamespaceError


def about(pid: int, started: int | None, name: str = "shop") -> About:
    return About(
        name, pid, started or 0, "fw", 0, "/x.sock", None, "/x.jsonl", "/x", None, "stateful"
    )


ME = about(os.getpid(), start_time(os.getpid()))


def dead() -> About:
    """A process that has ended."""
    process = subprocess.Popen(["true"])
    started = start_time(process.pid)
    process.wait()
    return about(process.pid, started)


def test_a_process_is_told_from_a_later_one_with_the_same_id() -> None:
    """Process ids are given out again; signals must not reach the wrong one."""
    assert ME.is_alive
    assert not replace(ME, started=ME.started + 1).is_alive
    assert not dead().is_alive


def test_a_zombie_has_ended() -> None:
    """Its parent may take as long as it likes to notice."""
    process = subprocess.Popen(["true"])
    try:
        started = start_time(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) is None
        assert wait_for_end(process.pid, started or 1, timeout=0)
    finally:
        process.wait()


def test_a_name_may_contain_anything(tmp_path: Path) -> None:
    """/proc/PID/stat has the program's name in it, brackets and spaces included."""
    program = tmp_path / "a) b (c"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    try:
        assert start_time(process.pid) is not None
    finally:
        process.kill()
        process.wait()


def test_what_is_announced_can_be_read_and_withdrawn(tmp_path: Path) -> None:
    """By others, at any moment: there is never half of it."""
    directory = RunDirectory(tmp_path / "run", "shop")
    assert directory.about() is None
    directory.make()
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    assert directory.about() is None
    directory.announce(ME)
    assert directory.about() == ME
    assert firewalls(tmp_path / "run") == [ME]
    directory.withdraw(keep_log=False)
    assert directory.about() is None
    assert not directory.path.exists()


def test_a_log_that_somebody_asked_for_stays(tmp_path: Path) -> None:
    """With the directory that it is in."""
    directory = RunDirectory(tmp_path, "shop")
    directory.make()
    directory.events.write_text("")
    directory.device_log.write_text("")
    directory.announce(ME)
    directory.withdraw(keep_log=True)
    assert {path.name for path in directory.path.iterdir()} == {"events.jsonl", "device.log"}


def test_what_a_dead_firewall_left_is_cleared(tmp_path: Path) -> None:
    """The next one under that name begins with an empty log."""
    directory = RunDirectory(tmp_path, "shop")
    directory.make()
    directory.announce(dead())
    for log in (directory.events, directory.device_log):
        log.write_text("old")
        log.with_name(log.name + ".1").write_text("older")
    directory.control.write_text("")
    assert firewalls(tmp_path) == []
    directory.make()
    assert list(directory.path.iterdir()) == []


def test_the_name_of_a_living_firewall_is_refused(tmp_path: Path) -> None:
    """Nothing of it is touched."""
    process = subprocess.Popen(["sleep", "60"])
    try:
        directory = RunDirectory(tmp_path, "shop")
        directory.make()
        directory.announce(about(process.pid, start_time(process.pid)))
        with pytest.raises(NamespaceError, match=f"running already .process {process.pid}."):
            directory.make()
        assert directory.about() is not None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "shop"}', '"shop"'])
def test_a_damaged_announcement_is_none(tmp_path: Path, text: str) -> None:
    """One broken directory must not hide the others."""
    directory = RunDirectory(tmp_path, "shop")
    directory.make()
    (directory.path / "firewall.json").write_text(text)
    assert directory.about() is None
    other = RunDirectory(tmp_path, "other")
    other.make()
    other.announce(ME)
    assert firewalls(tmp_path) == [ME]


def test_where_nobody_has_been_no_firewall_runs(tmp_path: Path) -> None:
    """Nor where there is a file in place of a directory."""
    assert firewalls(tmp_path / "nowhere") == []
    (tmp_path / "file").write_text("")
    assert firewalls(tmp_path) == []


def test_every_user_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's is where everybody looks first."""
    monkeypatch.delenv("FWEMU_RUN_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_base() == Path("/run/fwemu")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert default_base() == Path("/run/user/1000/fwemu")
