"""`fwemu ls`: what runs, what is dead, and what to do about it."""

from __future__ import annotations

import os
import signal

import pytest

from fwemu.cli import ls
from fwemu.lab import Topology, register
from tests.kit.command import fwemu, masked
from tests.kit.labs import connected, eventually, unique

HEAD = "NAME  KIND  STATE  PROFILE  MODE  NAMESPACE  SESSIONS  UP"


@pytest.mark.kernel
def test_a_lab_is_a_line(lab):
    """How full its table is, as it says itself."""
    with connected(lab):
        text = fwemu("ls").out
        (record,) = fwemu("ls", "--json").json

    head, line = masked(text, lab).splitlines()
    assert head == HEAD
    assert line.startswith("LAB  lab  running  none  stateful  fwemu-LAB-firewall  1/65536  ")
    assert record["state"] == "running"
    assert record["sessions"] == 1
    assert record["capacity"] == 65536
    assert record["hosts"]["server"] == {
        "ipv4": lab.server.ipv4,
        "ipv6": lab.server.ipv6,
        "netns": f"fwemu-{lab.name}-server",
        "zone": "outside",
    }
    assert record["way_out"] is None
    assert (record["events"], record["device_log"]) == (lab.about.events, lab.about.device_log)


@pytest.mark.kernel
def test_where_nothing_runs_it_is_said_how_to_change_that(nothing):
    """An answer without lines, and a comment."""
    done = fwemu("ls")

    assert (done.code, done.out, done.err) == (0, "", "nothing runs: `fwemu up` makes a lab\n")


@pytest.mark.kernel
def test_a_lab_whose_firewall_is_dead_or_stuck_is_shown_with_the_way_out(nothing, monkeypatch):
    """A stuck one shall not hide the others for half a minute."""
    monkeypatch.setattr(ls, "PATIENCE", 0.2)
    name = unique("cli")
    assert fwemu("up", "--name", name).code == 0
    (about,) = fwemu("ls", "--json").json
    os.kill(about["pid"], signal.SIGSTOP)
    stuck = fwemu("ls")
    os.kill(about["pid"], signal.SIGKILL)
    eventually(lambda: fwemu("ls", "--json").json[0]["state"] == "dead")
    dead = fwemu("ls")

    assert masked(stuck.out, name).splitlines()[1] == (
        "LAB  lab  not answering  none  stateful  fwemu-LAB-firewall  -  -"
    )
    assert masked(stuck.err, name) == (
        "LAB: process PID does not answer: `fwemu down LAB` removes the lab\n"
    )
    assert masked(dead.out, name).splitlines()[1] == (
        "LAB  lab  dead  none  stateful  fwemu-LAB-firewall  -  -"
    )
    assert masked(dead.err, name) == (
        "LAB: its firewall is dead, and nothing passes (daemon.fail = closed): "
        "`fwemu down LAB` removes the lab\n"
    )
    assert fwemu("down", name).code == 0
    assert fwemu("ls").out == ""


@pytest.mark.kernel
def test_a_lab_that_is_being_made_is_no_dead_one(nothing):
    """Whoever makes it is still at work."""
    entry = register.reserve(nothing, unique("cli"), Topology())

    (record,) = fwemu("ls", "--json").json

    assert record["state"] == "being made"
    entry.directory.remove()


@pytest.mark.kernel
def test_what_a_killed_maker_has_left_is_dead(nothing):
    """A directory without a firewall, of a process that has gone."""
    entry = register.reserve(nothing, unique("cli"), Topology())
    file = entry.directory.path / "lab.json"
    file.write_text(file.read_text().replace(str(os.getpid()), str(2**22 + 1)))

    (record,) = fwemu("ls", "--json").json
    assert record["state"] == "dead"

    assert fwemu("down", "--all").code == 0
    assert fwemu("ls").out == ""
