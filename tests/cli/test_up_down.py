"""`fwemu up` and `fwemu down`: a lab, whole or not at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fwemu.daemon.rundir import RunDirectory
from netns import exists
from tests.kit.command import fwemu, masked, program, start
from tests.kit.labs import PATIENCE, eventually, unique

pytestmark = pytest.mark.kernel


@pytest.fixture
def name():
    """A name that nobody else has."""
    return unique("cli")


def test_a_lab_comes_and_goes(nothing, name):
    """With what one needs to know to go on."""
    up = fwemu("up", "--name", name, "--profile", "cisco-asa", "--servers", "2")
    down = fwemu("down", name)

    assert (up.code, down.code) == (0, 0)
    assert masked(up.out, name).splitlines() == [
        "LAB is up, behaving like cisco-asa",
        "  client  198.18.N.10  2001:2:0:18NN::10  inside",
        "  server  198.19.N.10  2001:2:0:19NN::10  outside",
        "  server2  198.19.N.11  2001:2:0:19NN::11  outside",
        f"  control  {nothing}/LAB/control.sock",
        "  metrics  http://127.0.0.1:PORT/metrics",
    ]
    assert masked(up.err, name).splitlines() == [
        "making client, firewall and server ...",
        "next: fwemu shell -n LAB client | fwemu exec -n LAB server -- COMMAND | "
        "fwemu sessions -n LAB | fwemu down LAB",
    ]
    assert masked(down.out, name) == "LAB is gone\n"
    assert os.listdir(nothing) == []


def test_time_runs_faster_and_what_is_rounded_is_told(nothing, name):
    """On stderr for people, as data for machines; what is exact is told as well."""
    up = fwemu("up", "--name", name, "--time-scale", "60", "--json")
    fwemu("down", name)

    said = up.err.splitlines()
    assert "time passes 60 times faster:" in said
    assert "  tcp_keepalive_intvl: 75 s / 60 = 1.25 s, set to 1 s (-20 %)" in said
    assert "  not scaled: TIME_WAIT: 60 s, as 3600 s would be" in said
    assert len(said) == len(set(said))
    (lab,) = up.json
    assert lab["time_scale"] == lab["time_scale_report"]["time_scale"] == 60


def test_machines_learn_addresses_namespaces_and_sockets(nothing, name):
    """What a script needs to drive a lab."""
    (lab,) = fwemu("up", "--name", name, "--json").json
    (gone,) = fwemu("down", "-n", name, "--json").json

    assert lab["name"] == name
    assert lab["hosts"]["client"]["netns"] == f"fwemu-{name}-client"
    assert masked(lab["hosts"]["firewall"]["ipv4"]) == "198.18.N.1"
    assert Path(lab["control"]).name == "control.sock"
    assert Path(lab["device_log"]).name == "device.log"
    assert lab["metrics"].startswith("http://127.0.0.1:")
    assert gone == {"name": name, "removed": True}


def test_an_asymmetric_lab_has_two_firewalls_that_can_be_named(nothing, name):
    """What one says of the first it says of the second; both go with the lab."""
    up = fwemu("up", "--name", name, "--topology", "asymmetric")
    rows = fwemu("ls", "--json").json
    several = fwemu("sessions")
    named = [fwemu("sessions", "-n", each).out for each in (name, f"{name}-b")]
    inside = program("exec", "-n", name, "firewall-b", "--", "ip", "-o", "address").out
    not_alone = fwemu("down", f"{name}-b")
    down = fwemu("down", name)

    assert masked(up.out, name).splitlines() == [
        "LAB is up, behaving like a typical firewall",
        "  client  198.18.N.10  2001:2:0:18NN::10  inside",
        "  server  198.19.N.10  2001:2:0:19NN::10  outside",
        f"  control  {nothing}/LAB/control.sock",
        "  metrics  http://127.0.0.1:PORT/metrics",
        f"  control  {nothing}/LAB-b/control.sock of LAB-b, which servers send through",
        "  metrics  http://127.0.0.1:PORT/metrics of LAB-b, which servers send through",
    ]
    assert up.err.startswith("making client, two firewalls and server ...\n")
    assert [(row["name"], row["kind"], row["state"], row["netns"]) for row in rows] == [
        (name, "lab", "running", f"fwemu-{name}-firewall"),
        (f"{name}-b", "lab", "running", f"fwemu-{name}-firewall-b"),
    ]
    assert several.code == 2
    assert f"there are several firewalls ({name}, {name}-b)" in several.err
    assert named == ["0 sessions\n"] * 2
    assert "198.18.N.2/24" in masked(inside)
    assert (not_alone.code, not_alone.err) == (
        5,
        f"fwemu: '{name}-b' is the second firewall of a lab: `fwemu down {name}` removes both\n",
    )
    assert down.out == f"{name} is gone\n"
    assert os.listdir(nothing) == []
    assert not exists(f"fwemu-{name}-switch")


def test_machines_learn_of_both_firewalls(nothing, name):
    """Where to reach each."""
    (lab,) = fwemu("up", "--name", name, "--topology", "asymmetric", "--json").json
    fwemu("down", name)

    assert [each["name"] for each in lab["firewalls"]] == [name, f"{name}-b"]
    assert lab["firewalls"][0]["control"] == lab["control"]
    assert masked(lab["hosts"]["firewall-b"]["ipv4"]) == "198.18.N.2"


def test_down_ends_what_runs_inside_and_says_so(nothing, name):
    """A web server that was left behind is no reason to keep the lab."""
    assert fwemu("up", "--name", name).code == 0
    inside = start("exec", "server", "--", "cat", "/dev/zero")
    try:
        inside.stdout.close()  # `cat` waits for a reader, or ends by SIGPIPE
        done = fwemu("down")
        assert done.code == 0
        inside.wait(PATIENCE)
    finally:
        inside.kill()
        inside.communicate()


def test_a_name_that_is_taken_is_said_with_the_way_out(lab):
    """And the lab that has it is left alone."""
    done = fwemu("up", "--name", lab.name)

    assert (done.code, done.err.splitlines()[1:]) == (
        5,
        [
            f"fwemu: a lab called {lab.name!r} exists: `fwemu down {lab.name}` removes it, "
            "or choose another --name"
        ],
    )
    assert fwemu("ls", "--json").json[0]["state"] == "running"


def test_down_of_a_lab_that_is_not_there_names_those_that_are(nothing):
    """So does every command."""
    done = fwemu("down", "shop")

    assert (done.code, done.err) == (
        5, "fwemu: there is no lab 'shop' (there are: none): `fwemu up` makes one\n"
    )  # fmt: skip


def test_down_without_labs_is_no_error(nothing):
    """Nothing had to be done."""
    done = fwemu("down")

    assert (done.code, done.out, done.err) == (0, "", "there is no lab\n")


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("named", signal.SIGINT),
        ("namespace", signal.SIGTERM),
        ("daemon", signal.SIGHUP),
    ],
)
def test_an_interrupted_up_leaves_nothing(nothing, name, moment, number):
    """Whenever it comes; that the namespaces are gone is looked at after every test."""
    directory = RunDirectory(nothing, name)
    has_come = {
        "named": directory.path.exists,
        "namespace": lambda: exists(f"fwemu-{name}-firewall"),
        "daemon": directory.output.exists,
    }
    making = start("up", "--name", name)
    try:
        eventually(has_come[moment])
        making.send_signal(number)
        out, err = making.communicate(timeout=2 * PATIENCE)
    finally:
        making.kill()
        making.communicate()

    assert making.returncode == 128 + number
    assert out == ""
    assert [line for line in err.splitlines() if line] == [
        "making client, firewall and server ...",
        "removing what was made so far ...",
        "fwemu: interrupted; everything it had made is removed",
    ]
    assert os.listdir(nothing) == []
