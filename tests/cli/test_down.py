"""`fwemu down`: what killed firewalls have left, and what is none of its business."""

from __future__ import annotations

import os
import signal

import pytest

from fwemu.daemon.rundir import RUN_DIR, RunDirectory
from netns import Namespace, names, spawn
from tests.kit.command import fwemu, program
from tests.kit.ground import Ground
from tests.kit.labs import eventually, hooks_of, unique

pytestmark = pytest.mark.kernel


def killed(ground: Ground, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """The name of a killed firewall without a lab, in the run directory that commands see."""
    monkeypatch.setenv(RUN_DIR, str(ground.base))
    daemon = ground.start(*arguments)
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.ends()
    eventually(lambda: daemon.family() == [], what="the end of its control process")
    assert hooks_of(ground.firewall)
    return daemon.name


@pytest.mark.parametrize("words", [["--all"], [], ["NAME"]], ids=["all", "only one", "name"])
def test_what_a_killed_daemon_has_left_goes(ground, monkeypatch, words):
    """Its hook, which lets nothing pass, and its run directory: both are shown before."""
    name = killed(ground, monkeypatch)
    shown = fwemu("ls")
    done = fwemu("down", *[name if word == "NAME" else word for word in words])

    assert f"{name}: its firewall is dead, and nothing passes (daemon.fail = closed)" in shown.err
    assert f"`fwemu down {name}` removes what it has left" in shown.err
    assert (done.code, done.out) == (0, f"{name} is gone\n")
    assert not hooks_of(ground.firewall)
    assert os.listdir(ground.base) == []


def test_it_is_found_by_its_namespace_where_that_had_no_name(ground, monkeypatch):
    """`--netns /proc/PID/ns/net`, or the namespace in which it was started itself."""
    holder = ground.network.spawn(ground.firewall, ["sleep", "600"])
    name = killed(ground, monkeypatch, "--netns", f"/proc/{holder.pid}/ns/net")
    about = RunDirectory(ground.base, name).about()

    assert about.netns.startswith("/proc/")
    assert fwemu("down", name).code == 0
    assert not hooks_of(ground.firewall)


def test_a_firewall_without_a_lab_that_runs_is_left_alone_and_named(ground, monkeypatch):
    """Somebody has started it in the foreground, and ends it there."""
    monkeypatch.setenv(RUN_DIR, str(ground.base))
    daemon = ground.start()
    by_all, by_name = fwemu("down", "--all"), fwemu("down", daemon.name)

    way_out = f"end it with Ctrl-C where it runs, or with `kill {daemon.process.pid}`"
    assert (by_all.code, by_all.out) == (0, "")
    assert f"{daemon.name}: a firewall without a lab: {way_out}; left alone\n" in by_all.err
    assert by_name.code == 5
    assert way_out in by_name.err
    assert daemon.process.is_running


def test_two_run_directories_never_choose_the_same_name(nothing, tmp_path):
    """Names of namespaces belong to the machine: the second lab would not come up."""
    other = str(tmp_path / "other")
    first = fwemu("up", "--json")
    try:
        second = program("up", "--json", env={RUN_DIR: other})
        assert (first.code, second.code) == (0, 0), second.err
        assert first.json[0]["name"] != second.json[0]["name"]
        third = program("up", "--name", first.json[0]["name"], env={RUN_DIR: other})
        assert third.code == 5
        assert third.err.splitlines()[-1].endswith("choose another --name")
        assert "del" not in third.err
    finally:
        assert program("down", "--all", env={RUN_DIR: other}).code == 0
        assert fwemu("down", "--all").code == 0


def test_a_forged_announcement_ends_nobody(nothing, tmp_path):
    """Root, too, follows only what root has written."""
    base = tmp_path / "theirs"
    base.mkdir()
    os.chown(base, 4242, 4242)
    for words in (["down", "--all"], ["ls"], ["stats"], ["sessions"], ["up"]):
        done = program(*words, env={RUN_DIR: str(base)})
        assert done.code == 3, words
        assert done.err.splitlines()[-1] == (
            f"fwemu: {base} belongs to user 4242: set FWEMU_RUN_DIR to a directory of your own"
        )
    assert os.listdir(base) == []


def test_what_a_process_is_called_does_not_reach_the_terminal(nothing):
    """Its arguments may be anything, also what clears the screen."""
    name = unique("cli")
    assert fwemu("up", "--name", name).code == 0
    server = Namespace.named(f"fwemu-{name}-server")
    with spawn(server, ["sh", "-c", "sleep 600; :", "\x1b[2J\x9b2J\u202e"]):
        done = fwemu("down", name)
    assert "ended process" in done.err
    assert all(character == "\n" or character.isprintable() for character in done.err)
    assert r"\x1b[2J" in done.err
    assert not [each for each in names() if name in each]
