"""Root is who has the capabilities: without them user 0 is like others, as in a container."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from fwemu.daemon import needs
from fwemu.rootless import SENTENCE
from tests.kit.command import program
from tests.kit.labs import unique
from tests.kit.user import ROOT, OrdinaryUser, PowerlessRoot

pytestmark = pytest.mark.kernel

PYTHON = (sys.executable, "-c")


def test_doctor_finds_a_user_namespace_for_root_without_capabilities(powerless_root):
    """That is all that a container has to allow."""
    done = powerless_root.fwemu("doctor", "--json")

    assert (done.code, {finding["status"] for finding in done.json}) == (0, {"ok"}), done
    assert f"fwemu: {SENTENCE}" in done.err.splitlines()


def test_all_commands_agree_on_where_its_labs_are(powerless_root):
    """They are its own, beside those of a root that has everything."""
    up = powerless_root.fwemu("up", "--json")
    assert up.code == 0, up.err
    (lab,) = up.json
    try:
        ls = powerless_root.fwemu("ls", "--json")
        inside = powerless_root.fwemu(
            "exec", "client", "--", "sh", "-c", "id -u; cat /proc/net/dev"
        )
        stats = powerless_root.fwemu("stats", "--json")
    finally:
        down = powerless_root.fwemu("down")

    assert lab["control"] == "/run/user/0/fwemu/lab1/control.sock"
    assert [row["name"] for row in ls.json] == ["lab1"]
    assert inside.out.startswith("0\n")
    assert "eth0" in inside.out
    assert (stats.code, down.out) == (0, "lab1 is gone\n")


def test_programs_go_along_as_those_of_any_user(powerless_root):
    """`with Lab()` by itself, and whatever is started by `python -m fwemu.rootless`."""
    script = dedent(
        """
        from fwemu.lab import Lab
        with Lab() as lab:
            print(lab.name, list(lab.firewall.sessions()))
        """
    )
    alone = powerless_root.python(script)
    led = powerless_root.run(sys.executable, "-m", "fwemu.rootless", "--", *PYTHON, script)

    assert (alone.code, alone.err) == (0, f"fwemu: {SENTENCE}\n")
    assert (led.code, led.err) == (0, f"fwemu: {SENTENCE}\n")
    assert alone.out == led.out


def test_a_run_is_one_command_for_it_too(powerless_root):
    """Server and client are programs in the container."""
    done = powerless_root.fwemu(
        *("run", "--server", f"{sys.executable} -m fwemu.scenarios.echo 80", "--server-port", "80"),
        *("--", *PYTHON, _CONNECTS),
    )

    assert (done.code, done.out) == (7, ""), done.err


_CONNECTS = """
import os, socket, sys
socket.create_connection((os.environ["FWEMU_SERVER_IP"], 80), timeout=10).close()
sys.exit(7)
"""


def test_tests_without_a_lab_are_told_how_to_get_one(powerless_root):
    """The plugin would not take a whole session away from the network without being asked."""
    (powerless_root.home / "test_it.py").write_text("def test_it(lab): ...\n")
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]

    plain = powerless_root.run(*pytest_, COLUMNS="400")

    assert "this needs root, or a user namespace of its own for the whole run" in plain.out
    assert f"{sys.executable} -m fwemu.rootless -- {sys.executable} -m pytest" in plain.out


def test_labs_of_a_root_that_has_everything_are_not_taken_for_its_own(powerless_root, tmp_path):
    """Their namespaces are elsewhere: `down` would forget them and leave them standing."""
    place = {"FWEMU_RUN_DIR": str(tmp_path)}
    up = program("up", "--name", unique("whole"), env=place)
    assert up.code == 0, up.err
    try:
        asks = powerless_root.fwemu("ls", "--json", **place)
        ends = powerless_root.fwemu("down", **place)
    finally:
        down = program("down", env=place)

    assert [row["state"] for row in asks.json] == ["running"]
    assert (ends.code, ends.out) == (3, "")
    assert f"the labs in {tmp_path} were made with them" in ends.err
    assert down.out.endswith(" is gone\n")


WITHOUT_SETFCAP = (
    "a user namespace would do, but root without CAP_SETFCAP gets none (since Linux 5.12): in a "
    "container be an ordinary user (--user 1000), or add --cap-add SETFCAP"
)


def test_root_that_has_nothing_at_all_is_told_what_it_lacks(tmp_path):
    """`--cap-drop ALL`: who maps user 0 has to have CAP_SETFCAP outside (user_namespaces(7))."""
    root = PowerlessRoot(tmp_path)
    said = f"fwemu: {needs.PRIVILEGES.sentence} ({WITHOUT_SETFCAP})\n"

    for command in ("up", "demo", "run -- true", "ls", "down", "exec client true"):
        done = root.fwemu(*command.split())
        assert (done.code, done.out, done.err) == (3, "", said), command
    doctor = root.fwemu("doctor", "--json")
    (row,) = (finding for finding in doctor.json if finding["status"] == "missing")
    assert (doctor.code, row["name"], f"fwemu: {row['text']}\n") == (3, "root", said)


def filtered(*names: str) -> tuple[str, ...]:
    """In front of a command: a filter as containers have one forbids these system calls."""
    return (sys.executable, str(ROOT / "tests/kit/filtered.py"), ",".join(names))


@pytest.mark.parametrize(
    ("before", "name"),
    [
        (filtered("unshare"), "namespaces"),
        (filtered("mount"), "namespaces"),
        # neither is a user namespace to be had
        ((*filtered("unshare"), "setpriv", "--bounding-set=-all,+setfcap"), "root"),
        ((*filtered("mount"), "setpriv", "--bounding-set=-all,+setfcap"), "root"),
    ],
)
def test_a_filter_of_system_calls_is_named(before, name):
    """The capabilities are there, or a user namespace would do: it is not the kernel that lacks."""
    doctor, up = program("doctor", "--json", before=before), program("up", before=before)

    (row,) = (finding for finding in doctor.json if finding["status"] == "missing")
    assert (doctor.code, up.code, up.out) == (3, 3, "")
    assert row["name"] == name
    assert "a seccomp filter forbids it, as in a container: run that with --sec" in row["text"]
    said = row["text"].partition("-doctor-")[0]  # what it tried things in has another name
    assert f"fwemu: {said}" in up.err


IN_A_USER_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "--net", "sh", "-c")


def test_a_limit_that_is_reached_is_named_with_the_command_that_lifts_it():
    """It is not the kernel that has no network namespaces."""
    script = (
        "mount -t tmpfs tmpfs /run; echo 0 >/proc/sys/user/max_net_namespaces; "
        'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'
    )
    doctor = program("doctor", "--json", before=(*IN_A_USER_NAMESPACE, script, "sh"))

    rows = {finding["name"]: (finding["status"], finding["text"]) for finding in doctor.json}
    assert rows["root"] == ("ok", "root of a user namespace, with the capabilities it needs")
    assert rows["namespaces"][0] == "missing"
    assert rows["namespaces"][1].startswith(
        "user.max_net_namespaces is 0: sudo sysctl -w user.max_net_namespaces=15000 ("
    )


@pytest.mark.parametrize(
    ("words", "script", "lack"),
    [
        ("--mount --net", "mount -t tmpfs -o ro tmpfs /run", "leave to write to /run"),
        ("--net", "", "power over these mounts, which another user namespace owns"),
        ("--mount", "mount -t tmpfs tmpfs /run", "power over this network namespace, which another "
         "user namespace owns"),
    ],
)  # fmt: skip
def test_a_root_whose_capabilities_do_not_reach_is_told_where(words, script, lack):
    """They count in a user namespace, and not in what was made outside of it."""
    shell = f'{script or "true"}; echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'
    before = ("unshare", "--user", "--map-root-user", *words.split(), "sh", "-c", shell, "sh")
    done = program("up", before=before)

    assert (done.code, done.out) == (3, "")
    assert f"(missing: {lack}; a user namespace would do, but user.max_user_namespaces is 0" in (
        done.err
    )


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (filtered("pidfd_getfd"), "a seccomp filter forbids it, as in a container: run that with "),
        (
            (*filtered("pidfd_getfd"), "setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-all"),
            f"{needs.FAST_FORWARD.sentence} (missing: CAP_SYS_PTRACE)",
        ),
    ],
)
def test_what_forbids_a_fast_forward_is_named(before, said):
    """Docker's filter lets those borrow sockets who have CAP_SYS_PTRACE."""
    doctor = program("doctor", "--json", before=before)

    (row,) = (finding for finding in doctor.json if finding["status"] == "missing")
    assert row["name"] == "fast-forward"
    assert row["text"].startswith(said)


def test_a_device_that_only_its_owner_may_open_is_no_missing_device(tmp_path):
    """As `--device /dev/net/tun` makes it in a container: its mode is what is wrong."""
    doctor = OrdinaryUser(tmp_path, tun_mode=0o600).fwemu("doctor", "--json")

    (row,) = (finding for finding in doctor.json if finding["status"] != "ok")
    assert (doctor.code, row["name"], row["status"]) == (0, "tun", "not here")
    assert row["text"].endswith(
        " need it; cannot open /dev/net/tun, which only its owner may: sudo chmod 666 /dev/net/tun"
    )


def test_programs_of_other_users_want_a_capability_of_their_own(tmp_path):
    """What the table of containers calls SYS_PTRACE: fast-forward borrows their sockets."""
    without = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-all")
    doctor = program("doctor", "--json", before=without)

    (row,) = (finding for finding in doctor.json if finding["status"] != "ok")
    assert (doctor.code, row["name"], row["status"]) == (0, "other users", "not here")
    assert needs.OTHER_USERS.sentence in row["text"]
