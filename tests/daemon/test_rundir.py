"""Run directories: who runs here, who ran here, and who is somebody else by now."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fwemu.daemon import rundir
from fwemu.daemon.rundir import (
    About,
    RunDirectory,
    abandoned,
    announced,
    default_base,
    firewalls,
)
from fwemu.errors import NamespaceError, PrivilegeError
from fwemu.lab import Topology, register
from netns.procfs import PinnedProcess, start_time, words_of
from tests.kit.labs import eventually


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
        assert PinnedProcess.of(process.pid, started or 1) is None
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
    left = {path.name for path in directory.path.iterdir()}
    assert left == {"firewall.json", "starting.json"}


def test_where_a_dead_firewall_has_left_its_hook_stays_known_until_the_next_one_runs(
    tmp_path: Path,
) -> None:
    """A start that fails must not make anybody forget it: `fwemu down` has to find it."""
    directory = RunDirectory(tmp_path, "shop")
    directory.make()
    directory.announce(dead())
    directory.make()
    directory.withdraw(keep_log=False)  # the start has failed
    assert directory.about() is not None
    assert [about.name for about in announced(tmp_path)] == ["shop"]
    directory.announce(ME)
    directory.withdraw(keep_log=False)
    assert not directory.path.exists()


def test_a_lab_that_was_taken_down_meanwhile_gets_no_firewall(tmp_path: Path) -> None:
    """Nobody would find it: it ends, whether it comes a little before or after."""
    directory = RunDirectory(tmp_path, "shop", is_lab=True)
    with pytest.raises(NamespaceError, match="'shop' was taken down"):
        directory.make()
    directory.path.mkdir()
    directory.make()
    directory.remove()
    with pytest.raises(NamespaceError, match="'shop' was taken down"):
        directory.announce(ME)
    assert list(tmp_path.iterdir()) == []


# -- who may say what --------------------------------------------------------------------------


def others(path: Path) -> Path:
    """Gives it to somebody else."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, 4242, 4242)
    return path


READERS = {
    "firewalls": firewalls,
    "announced": announced,
    "labs": register.entries,
    "a new lab": lambda base: register.reserve(base, None, Topology()),
    "a new firewall": lambda base: RunDirectory(base, "shop").make(),
}


@pytest.mark.kernel
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_root_follows_no_run_directory_of_somebody_else(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    """Whoever writes `firewall.json` chooses the process that `fwemu down` ends."""
    base = others(tmp_path / "run")
    with pytest.raises(PrivilegeError, match=f"{base} belongs to user 4242: set FWEMU_RUN_DIR"):
        read(base)
    assert list(base.iterdir()) == []
    below = others(tmp_path / "theirs") / "run"
    below.mkdir()
    with pytest.raises(PrivilegeError, match="theirs belongs to user 4242"):
        read(below)


@pytest.mark.kernel
def test_a_link_that_somebody_else_can_turn_is_not_followed(tmp_path: Path) -> None:
    """It leads to a directory of ours now, and to another by the time that it is read."""
    mine = tmp_path / "mine"
    mine.mkdir()
    link = tmp_path / "run"
    link.symlink_to(mine)
    assert firewalls(link) == []
    os.chown(link, 4242, 4242, follow_symlinks=False)
    with pytest.raises(PrivilegeError, match="belongs to user 4242"):
        firewalls(link)


@pytest.mark.parametrize(("mode", "is_trusted"), [(0o755, True), (0o777, False), (0o1777, False)])
def test_a_directory_that_everybody_can_write_is_not_trusted(
    tmp_path: Path, mode: int, is_trusted: bool
) -> None:
    """Above it there may be one as /tmp is: there nobody can rename what is not theirs."""
    base = tmp_path / "run"
    base.mkdir()
    base.chmod(mode)
    if is_trusted:
        assert firewalls(base) == []
    else:
        with pytest.raises(PrivilegeError, match=f"can be written by others: chmod go-w {base}"):
            firewalls(base)
    below = base / "below"
    below.mkdir(mode=0o755)
    if mode & stat.S_ISVTX or is_trusted:
        assert firewalls(below) == []
    else:
        with pytest.raises(PrivilegeError, match=f"{base} can be written by others"):
            firewalls(below)


def test_a_process_is_ended_only_if_it_is_that_firewall() -> None:
    """Start time, owner and command: an announcement alone proves nothing."""
    process = subprocess.Popen(["sleep", "60"])
    try:
        eventually(lambda: words_of(process.pid))  # it has become that program
        forged = about(process.pid, start_time(process.pid))
        assert forged.is_alive
        with pytest.raises(NamespaceError, match=r"not the firewall 'shop'.*\(sleep 60\)"):
            forged.process()
        assert replace(forged, started=forged.started + 1).process() is None
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert forged.process() is None


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
    monkeypatch.setattr(rundir, "is_privileged", lambda: True)
    assert default_base() == Path("/run/fwemu")
    monkeypatch.setattr(rundir, "is_privileged", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert default_base() == Path("/run/user/1000/fwemu")


def test_who_is_killed_before_it_has_announced_anything_can_be_found(tmp_path: Path) -> None:
    """It has said who it is before there was anything else, and then where its hook will be."""
    code = (
        "import os, sys; from pathlib import Path;"
        "from fwemu.daemon.rundir import RunDirectory;"
        "directory = RunDirectory(Path(sys.argv[1]), 'shop'); directory.make();"
        "print('made', flush=True); sys.stdin.readline();"
        "directory.prepare(directory._nobody_yet().__class__(**{"
        "**directory._nobody_yet().__dict__, 'netns': 'elsewhere', 'queue': 7}));"
        "print('prepared', flush=True); sys.stdin.readline()"
    )
    for steps, netns in ((1, ""), (2, "elsewhere")):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as starting:  # fmt: skip
            assert starting.stdin is not None
            assert starting.stdout is not None
            for _ in range(steps):
                assert abandoned(tmp_path) == []
                starting.stdout.readline()
                if steps == 2:
                    starting.stdin.write("\n")
                    starting.stdin.flush()
            starting.kill()
        (left,) = abandoned(tmp_path)
        assert (left.name, left.pid, left.netns) == ("shop", starting.pid, netns)
        assert announced(tmp_path) == []
        RunDirectory(tmp_path, left.name).remove()
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_abandoned_who_runs_or_has_announced_itself(tmp_path: Path) -> None:
    """Another start, or an end, leaves nothing of the beginning."""
    directory = RunDirectory(tmp_path, "shop")
    directory.make()
    assert abandoned(tmp_path) == []
    directory.announce(replace(ME, name="shop"))
    assert directory.about() is not None
    assert not (directory.path / "starting.json").exists()
    directory.withdraw(keep_log=False)
    assert not directory.path.exists()
