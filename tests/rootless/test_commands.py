"""Every command does for an ordinary user what it does for root, in a user namespace."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from fwemu.rootless import SENTENCE
from tests.kit.labs import eventually

pytestmark = pytest.mark.kernel


def test_doctor_finds_all_that_is_needed(user):
    """It tries in a user namespace what labs will do in one."""
    done = user.fwemu("doctor", "--json")

    assert (done.code, {finding["status"] for finding in done.json}) == (0, {"ok"}), done
    (root,) = (finding for finding in done.json if finding["name"] == "root")
    assert root["text"] == "root of a user namespace, with the capabilities it needs"
    assert f"fwemu: {SENTENCE}" in done.err.splitlines()


def test_the_demo_tells_the_same_as_for_root(user):
    """Four firewalls, RSTs, retransmissions and keepalive probes: real packets."""
    done = user.fwemu("demo", "--json")

    assert done.code == 0, done.err
    assert [story["outcome"] for story in done.json] == [
        "survived",
        "timed-out",
        "reset",
        "survived",
    ]
    assert done.err.splitlines().count(f"fwemu: {SENTENCE}") == 1


def test_time_runs_faster_for_anybody(user):
    """The settings of the hosts belong to namespaces that are the user's own."""
    up = user.fwemu("up", "--time-scale", "60", "--json")
    assert up.code == 0, up.err
    try:
        setting = "net.ipv4.tcp_keepalive_time"
        read = user.fwemu("exec", "client", "--", "cat", f"/proc/sys/{setting.replace('.', '/')}")
    finally:
        user.fwemu("down", "--all")
    assert read.out == "120\n"
    assert "  tcp_keepalive_intvl: 75 s / 60 = 1.25 s, set to 1 s (-20 %)" in up.err.splitlines()


def test_a_lab_stands_over_several_commands(user):
    """Each is a process of its own, and finds the namespace that the first has made."""
    up = user.fwemu("up", "--json")
    assert up.code == 0, up.err
    (lab,) = up.json
    host = lab["hosts"]["client"]["ipv4"]
    try:
        ls, exec_ = user.fwemu("ls", "--json"), user.fwemu("exec", "client", "--", "ip", "-br", "a")
        stats, set_ = user.fwemu("stats", "--json"), user.fwemu("set", "mode=acl")
        second = user.fwemu("up", "--json")
    finally:
        down = user.fwemu("down", "--all")

    assert [row["state"] for row in ls.json] == ["running"]
    assert host in exec_.out
    assert [done.code for done in (ls, exec_, stats, set_, second, down)] == [0] * 6
    assert exec_.err == ""  # only who makes the namespace says so
    assert second.err.count(SENTENCE) == 0
    assert down.out.split() == ["lab1", "is", "gone", "lab2", "is", "gone"]
    # where anything that the user runs finds it, without privileges
    assert lab["control"] == f"/run/user/{user.uid}/fwemu/lab1/control.sock"
    eventually(lambda: os.listdir(user.base) == [], what="the end of the keeper's record")


def test_what_runs_in_a_lab_ends_with_it(user):
    """A server that was started by `exec`, and left running."""
    assert user.fwemu("up").code == 0
    sleep = user.start(sys.executable, "-m", "fwemu", "exec", "server", "--", "sleep", "1000")
    eventually(lambda: "sleep 1000 " in user.processes().values(), what="sleep")

    down = user.fwemu("down")

    assert "ended process" in down.err
    assert sleep.wait(10) == -signal.SIGTERM
    sleep.communicate()


def test_a_lab_is_found_though_its_keeper_was_killed(user):
    """A firewall is inside as well, and brings a command there."""
    assert user.fwemu("up").code == 0
    (keeper,) = (pid for pid, words in user.processes().items() if "keeper.py" in words)
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: keeper not in user.processes())

    inside = user.fwemu("exec", "client", "--", "true")
    down = user.fwemu("down")

    assert (inside.code, down.code, down.out) == (0, 0, "lab1 is gone\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_a_command_nothing_of_it_is_left(user, number):
    """Ctrl-C cleans up; and after a SIGKILL, which nobody can, the keeper does."""
    demo = user.start(sys.executable, "-m", "fwemu", "demo", "--json")
    eventually(lambda: sum("fwemu daemon" in each for each in user.processes().values()) >= 4)

    demo.send_signal(number)

    demo.communicate(timeout=30)
    assert demo.returncode in {130, 143, -signal.SIGKILL}
    eventually(lambda: user.processes() == {}, what="the end of all processes")


def test_a_lab_for_the_length_of_one_command(user):
    """Server and client are programs of the user, and the exit code is the client's."""
    done = user.fwemu(
        *("run", "--server", f"{sys.executable} -m fwemu.scenarios.echo 7", "--server-port", "7"),
        *("--", sys.executable, "-c", _ASKS),
    )

    assert (done.code, done.out) == (7, "b'hello'\n"), done.err


_ASKS = """
import os, socket, sys
with socket.create_connection((os.environ["FWEMU_SERVER_IP"], 7), timeout=10) as connection:
    connection.sendall(b"hello")
    print(connection.recv(100))
sys.exit(7)
"""


def test_stories_are_told_on_the_wire(user):
    """Through a real queue, and to the kernel's own connection tracking."""
    queue = user.fwemu("scenario", "run", "--on", "queue", "handshake/closed_at_once")
    kernel = user.fwemu("scenario", "run", "--on", "kernel", "handshake/closed_at_once")

    assert (queue.code, kernel.code) == (0, 0), (queue, kernel)


def test_without_labs_it_says_so(user):
    """And makes no namespace to find that out."""
    for words in (["ls"], ["sessions"], ["exec", "client", "true"]):
        done = user.fwemu(*words)
        assert "runs: `fwemu up`" in done.err or "there is no lab" in done.err
        assert SENTENCE not in done.err
    assert not user.base.exists() or os.listdir(user.base) == []


def test_a_firewall_joins_a_namespace_that_the_user_has_built(user):
    """As a container engine without root builds them; others may not be touched."""
    foreign = user.fwemu("daemon", "--netns", "/proc/self/ns/net")
    with user.start("unshare", "-Ur", "unshare", "-n", "sh", "-c", _BUILDS) as built:
        try:
            assert built.stdout is not None
            assert built.stdout.readline() == "built\n"
            inside = f"nsenter --preserve-credentials -t {built.pid} -U -n nft list ruleset".split()
            words = f"daemon --name mine --netns /proc/{built.pid}/ns/net"
            zones = "--inside inside --outside outside"
            command = f"{words} {zones}".split()
            with user.start(sys.executable, "-m", "fwemu", *command) as firewall:
                try:
                    assert firewall.stdout is not None
                    assert firewall.stdout.readline() == "ready\n"
                    stats, rules = user.fwemu("stats", "--name", "mine"), user.run(*inside)
                finally:
                    firewall.terminate()
                _, said = firewall.communicate(timeout=20)
            after = user.run(*inside)
        finally:
            built.kill()

    assert (stats.code, firewall.returncode) == (0, 0), said
    assert is_hook(rules.out)
    assert (after.code, is_hook(after.out)) == (0, False)
    assert said.startswith("fwemu: not root: working in the user namespace to which /proc/")
    assert (foreign.code, foreign.out) == (3, "")
    assert "/proc/self/ns/net belongs to no user namespace of yours" in foreign.err


def is_hook(rules: str) -> bool:
    """Are there rules that queue packets, by nft or by iptables-nft?"""
    return "queue" in rules


def test_down_removes_the_hook_of_a_killed_firewall_there(user):
    """It lets nothing pass: the container would be cut off until its end."""
    with user.start("unshare", "-Ur", "unshare", "-n", "sh", "-c", _BUILDS) as built:
        try:
            assert built.stdout is not None
            assert built.stdout.readline() == "built\n"
            inside = f"nsenter --preserve-credentials -t {built.pid} -U -n nft list ruleset".split()
            command = f"daemon --name mine --netns /proc/{built.pid}/ns/net".split()
            with user.start(sys.executable, "-m", "fwemu", *command) as firewall:
                assert firewall.stdout is not None
                assert firewall.stdout.readline() == "ready\n"
                firewall.kill()
                firewall.communicate(timeout=20)
            before, shown = user.run(*inside), user.fwemu("ls")
            done = user.fwemu("down", "mine")
            after = user.run(*inside)
        finally:
            built.kill()

    assert is_hook(before.out)
    assert "mine: its firewall is dead, and nothing passes" in shown.err
    assert (done.code, done.out) == (0, "mine is gone\n"), done.err
    assert (after.code, is_hook(after.out)) == (0, False)
    eventually(lambda: not user.processes(), what="the end of the keeper")
    assert os.listdir(user.base) == []


_BUILDS = """
ip link add inside type veth peer name x
ip link add outside type veth peer name y
ip address add 10.0.0.1/24 dev inside
ip link set inside up
ip link set outside up
echo built
exec sleep 1000
"""


def test_root_of_somebody_elses_making_gets_a_namespace_of_its_own(user):
    """`unshare -Urn` leaves /run to the machine's root.  Whoever made that one reaches both."""
    up = user.run("unshare", "-Urnm", sys.executable, "-m", "fwemu", "up", "--json")
    down = user.fwemu("down")

    assert up.code == 0, up.err
    assert f"fwemu: {SENTENCE}" in up.err.splitlines()
    assert (down.code, down.out) == (0, "lab1 is gone\n"), down.err


def test_labs_that_cannot_be_reached_from_a_namespace_are_left_alone(user):
    """That of a sibling is closed, although it belongs to the same user."""
    assert user.fwemu("up").code == 0
    elsewhere = user.run("unshare", "-Urnm", sys.executable, "-m", "fwemu", "down")
    down = user.fwemu("down")

    assert (elsewhere.code, elsewhere.out) == (3, "")
    assert "which cannot be joined from here: set FWEMU_RUN_DIR to another" in elsewhere.err
    assert (down.code, down.out) == (0, "lab1 is gone\n"), down.err


def test_a_run_directory_of_somebody_else_is_not_used(user):
    """In /tmp anybody may have made it, to be asked instead of us."""
    theirs = user.home / "theirs"
    theirs.mkdir()

    done = user.fwemu("up", FWEMU_RUN_DIR=str(theirs))
    unreachable = user.fwemu("up", FWEMU_RUN_DIR=str(theirs / "below"))

    way_out = "set FWEMU_RUN_DIR to a directory of your own"
    assert (done.code, done.out) == (unreachable.code, unreachable.out) == (3, "")
    assert done.err == f"fwemu: {theirs} belongs to user 0: {way_out}\n"
    assert unreachable.err == f"fwemu: {theirs}/below: permission denied: {way_out}\n"
