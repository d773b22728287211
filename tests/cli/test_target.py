"""Which firewall or lab a command means, and what it says where there is none or more than one."""

from __future__ import annotations

import pytest

from fwemu.daemon.rundir import About, RunDirectory
from fwemu.lab import Topology, register
from netns.procfs import start_time
from tests.kit.command import fwemu

ON_FIREWALLS = [
    "sessions",
    "events",
    "stats",
    "flush",
    "kill 1",
    "set",
    "set mode=acl",
    "failover",
    "reboot",
]
ON_LABS = ["exec client true", "shell client"]


def announced(base, name):
    """A firewall that seems to run: this process."""
    import os

    directory = RunDirectory(base, name)
    directory.make()
    pid = os.getpid()
    about = About(
        name=name,
        pid=pid,
        started=start_time(pid),
        netns="router",
        queue=0,
        control=str(directory.control),
        metrics=None,
        events=str(directory.events),
        device_log=str(directory.device_log),
        profile=None,
        mode="stateful",
    )
    directory.announce(about)
    return directory


@pytest.fixture(autouse=True)
def _clean(nothing):
    """What these tests write down is no firewall."""
    yield
    for path in nothing.iterdir():
        RunDirectory(nothing, path.name).remove()


@pytest.fixture(autouse=True)
def as_root(monkeypatch):
    """These tests need no privileges; what others hear is in test_doctor.py."""
    monkeypatch.setattr("fwemu.daemon.needs.is_privileged", lambda: True)


@pytest.mark.parametrize("words", ON_FIREWALLS)
def test_without_a_firewall_it_is_said_how_to_start_one(words):
    """The same sentence by every command."""
    done = fwemu(*words.split())

    assert (done.code, done.out, done.err) == (
        5, "", "fwemu: no firewall runs: `fwemu up` starts a lab\n"
    )  # fmt: skip


@pytest.mark.parametrize("words", ON_LABS)
def test_without_a_lab_it_is_said_how_to_make_one(words):
    """Stand-alone firewalls have no hosts."""
    done = fwemu(*words.split())

    assert (done.code, done.err) == (5, "fwemu: there is no lab: `fwemu up` makes one\n")


@pytest.mark.parametrize("words", ON_FIREWALLS)
def test_of_several_firewalls_one_has_to_be_named(nothing, words):
    """Guessing would flush the wrong one."""
    announced(nothing, "a")
    announced(nothing, "b")

    done = fwemu(*words.split())

    assert (done.code, done.err) == (
        2, "fwemu: there are several firewalls (a, b): say which with --name\n"
    )  # fmt: skip


@pytest.mark.parametrize("words", ON_LABS)
def test_of_several_labs_one_has_to_be_named(nothing, words):
    """The same for labs."""
    register.reserve(nothing, "a", Topology())
    register.reserve(nothing, "b", Topology())

    done = fwemu(*words.split())

    assert (done.code, done.err) == (
        2, "fwemu: there are several labs (a, b): say which with --name\n"
    )  # fmt: skip


@pytest.mark.parametrize("words", ON_FIREWALLS)
def test_a_wrong_name_is_told_the_right_ones(nothing, words):
    """Whoever mistypes a name sees it at once."""
    announced(nothing, "shop")

    done = fwemu(*words.split(), "--name", "shp")

    assert (done.code, done.err) == (5, "fwemu: there is no firewall 'shp' (there are: shop)\n")


@pytest.mark.parametrize("words", ON_FIREWALLS)
def test_one_that_does_not_answer_is_an_error_of_the_control_api(nothing, words):
    """Exit code 7, and where to look."""
    directory = announced(nothing, "shop")

    done = fwemu(*words.split())

    assert (done.code, done.err) == (
        7,
        f"fwemu: {directory.control}: no firewall answers there; `fwemu ls` shows those that run\n",
    )


def test_down_wants_a_name_where_there_are_several_labs(nothing):
    """Or --all."""
    register.reserve(nothing, "a", Topology())
    register.reserve(nothing, "b", Topology())

    done = fwemu("down")

    assert (done.code, done.err) == (
        2, "fwemu: several labs exist (a, b): name one, or say --all\n"
    )  # fmt: skip
