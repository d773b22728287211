"""`fwemu doctor`, and that every command says what it says where something is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fwemu.daemon import checks, needs
from netns import LinkError, create, remove
from tests.kit.command import NOBODY, fwemu, program
from tests.kit.labs import unique

NAMES = [check.name for check in checks.CHECKS]
NEED_ROOT = [
    "up", "down", "ls", "exec client true", "shell client", "daemon", "sessions", "events",
    "stats", "flush", "kill 1", "set mode=acl", "failover", "reboot",
]  # fmt: skip

WHY_NOT = (
    "a user namespace would do, but user.max_user_namespaces is 0: "
    "sudo sysctl -w user.max_user_namespaces=15000"
)

as_nobody = pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")


@pytest.mark.kernel
def test_all_is_well_here():
    """Each need was tried for real; a machine that runs these tests has them all."""
    done = fwemu("doctor")

    head, *lines = done.out.splitlines()
    assert done.code == 0
    assert head.split() == ["WHAT", "STATUS", "FOUND"]
    assert [line.partition("  ")[0] for line in lines] == NAMES
    assert all("  ok  " in line for line in lines)
    assert done.err.splitlines()[-1] == "nothing is missing: `fwemu demo` shows what it does"


@pytest.mark.kernel
def test_machines_get_the_same():
    """One object for each need."""
    findings = fwemu("doctor", "--json").json

    assert [finding["name"] for finding in findings] == NAMES
    assert {finding["status"] for finding in findings} == {"ok"}
    assert {finding["remedy"] for finding in findings} == {None}


IN_A_MOUNT_NAMESPACE = ("unshare", "--mount", "sh", "-c")


@pytest.mark.kernel
@pytest.mark.parametrize(
    "command", ["doctor", "demo", "run --client true", "up", "down", "ls", "stats", "daemon"]
)
def test_without_proc_it_says_so(command):
    """As in some chroots: one line, and no traceback."""
    before = (*IN_A_MOUNT_NAMESPACE, 'mount -t tmpfs tmpfs /proc && exec "$@"', "sh")
    done = program(*command.split(), before=before, env={"FWEMU_RUN_DIR": ""})

    assert done.code == 4
    assert "/proc is not mounted, and without it nothing can be looked up: mount -t proc" in (
        done.out + done.err
    )
    assert "Traceback" not in done.err


@pytest.mark.kernel
def test_settings_that_cannot_be_written_are_no_lack_of_veth_pairs():
    """What containers do to /proc/sys, and the option that undoes it."""
    read_only = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys"
    before = (*IN_A_MOUNT_NAMESPACE, f'{read_only} && exec "$@"', "sh")
    done = program("doctor", "--json", before=before)

    found = {finding["name"]: (finding["status"], finding["text"]) for finding in done.json}
    assert done.code == 4
    assert found["sysctls"][0] == "missing"
    assert found["sysctls"][1].startswith(needs.SYSCTLS.sentence)
    assert found["links"] == ("not checked", "needs sysctls")
    for words in ("demo", "run -- true", "scenario run --on queue handshake/closed_at_once"):
        command = program(*words.split(), before=before)
        assert command.code == 4, words
        assert f"fwemu: {needs.SYSCTLS.sentence} (" in command.err.splitlines()[-1], words


@pytest.mark.kernel
@as_nobody
def test_without_root_it_says_what_it_can():
    """And names what it could not look at."""
    done = program("doctor", "--json", before=NOBODY)

    found = {finding["name"]: (finding["status"], finding["text"]) for finding in done.json}
    assert done.code == 3
    assert found.pop("root") == ("missing", f"{needs.PRIVILEGES.sentence} ({WHY_NOT})")
    assert found.pop("library")[0] == "ok"
    assert found.pop("proc")[0] == "ok"
    assert set(found.values()) == {("not checked", "needs root")}


@pytest.fixture(scope="module")
def unprivileged() -> dict[str, list[Any]]:
    """How each command ends for a user without privileges; one process asks them all."""
    script = (
        "import json, sys; from tests.kit.command import fwemu; "
        "ends = {words: fwemu(*words.split()) for words in sys.argv[1:]}; "
        "print(json.dumps({words: [end.code, end.out, end.err] for words, end in ends.items()}))"
    )
    done = subprocess.run(
        [*NOBODY, sys.executable, "-c", script, *NEED_ROOT],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    ends: dict[str, list[Any]] = json.loads(done.stdout)
    return ends


@pytest.mark.kernel
@as_nobody
@pytest.mark.parametrize("words", NEED_ROOT)
def test_without_root_every_command_says_the_sentence_of_doctor(unprivileged, words):
    """With the same exit code, and nothing else."""
    assert unprivileged[words] == [3, "", f"fwemu: {needs.PRIVILEGES.sentence} ({WHY_NOT})\n"]


@pytest.mark.kernel
@as_nobody
def test_a_socket_of_root_is_closed_to_others(lab):
    """That it may not be asked does not mean that nobody is there."""
    done = program("sessions", "--control", lab.about.control, before=NOBODY)

    assert (done.code, done.err) == (3, f"fwemu: {needs.PRIVILEGES.sentence}\n")


@pytest.mark.kernel
@as_nobody
def test_root_without_the_capabilities_is_told_which_are_missing():
    """As in a container.  The daemon works on a network that is there: it makes none of its own."""
    stripped = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")

    done = program("daemon", before=stripped)

    why = "missing: CAP_NET_ADMIN; the network namespace belongs to no user namespace of yours"
    assert (done.code, done.out) == (3, "")
    assert done.err == f"fwemu: {needs.PRIVILEGES.sentence} ({why})\n"


@pytest.mark.kernel
def test_without_nft_and_iptables_up_says_the_sentence_of_doctor(nothing):
    """The daemon of the lab says it; it is heard once, and nothing of the lab stays."""
    bare = {"PATH": "/nonexistent"}

    doctor = program("doctor", "--json", env=bare)
    up = program("up", "--name", unique("cli"), env=bare)

    (hook,) = (finding for finding in doctor.json if finding["status"] != "ok")
    assert (doctor.code, up.code, up.out) == (4, 4, "")
    assert hook["text"].startswith(f"{needs.HOOK.sentence} (")
    assert (hook["name"], hook["remedy"]) == ("hook", needs.HOOK.remedy)
    assert up.err == f"making client, firewall and server ...\nfwemu: {hook['text']}\n"
    assert list(nothing.iterdir()) == []


@pytest.mark.kernel
@as_nobody
def test_missing_tools_are_seen_without_root():
    """The exit code is that of the first lack."""
    done = program("doctor", "--json", env={"PATH": "/nonexistent"}, before=NOBODY)

    found = {finding["name"]: finding["status"] for finding in done.json}
    assert done.code == 3
    assert found["hook"] == "missing"
    assert found["queue"] == "not checked"


@pytest.fixture
def no_veth(monkeypatch):
    """A kernel without veth pairs, as far as this process can tell."""

    def refuse(*arguments, **options):
        raise LinkError("cannot create the veth pair: Operation not supported")

    monkeypatch.setattr("netns.links.veth", refuse)
    monkeypatch.setattr(checks, "veth", refuse)


@pytest.mark.kernel
@pytest.mark.usefixtures("no_veth")
def test_what_builds_on_something_missing_is_not_checked():
    """One lack is reported once, in words that lead somewhere."""
    done = fwemu("doctor", "--json")

    found = {finding["name"]: (finding["status"], finding["text"]) for finding in done.json}
    assert done.code == 4
    assert found["links"] == (
        "missing",
        f"{needs.LINKS.sentence} (cannot create the veth pair: Operation not supported)",
    )
    assert found["ipv6"] == ("not checked", "needs links")
    assert found["hook"][0] == "ok"


@pytest.mark.kernel
@pytest.mark.usefixtures("no_veth")
def test_up_looks_for_the_lack_behind_a_refusal_of_the_kernel(nothing):
    """`Operation not supported` helps nobody."""
    doctor = fwemu("doctor", "--json")
    up = fwemu("up", "--name", unique("cli"))

    (links,) = (finding for finding in doctor.json if finding["status"] == "missing")
    assert (up.code, up.err.splitlines()[1:]) == (4, [f"fwemu: {links['text']}"])
    assert list(nothing.iterdir()) == []


@pytest.mark.kernel
def test_a_refusal_without_a_lack_behind_it_stays_what_it_is(nothing):
    """A namespace of that name, for one."""
    name = unique("cli")
    taken = create(f"fwemu-{name}-client")
    try:
        done = fwemu("up", "--name", name)
    finally:
        remove(taken.name)

    assert done.code == 5
    assert f"a network namespace named '{taken.name}' is there already" in done.err


@pytest.mark.kernel
@pytest.mark.parametrize(
    "words",
    [
        ["-m", "fwemu", "scenario", "run", "handshake/three_way", "--on", "kernel"],
        ["-m", "tests.parity", "--conversations", "1"],
    ],
    ids=["scenario", "parity"],
)
def test_without_the_tun_device_it_is_one_line(words):
    """Only the kernel's own connection tracking is asked through it, so nothing else misses it."""
    without = ["unshare", "--mount", "--propagation=private", "sh", "-c",
               'mkdir -p /dev/net; mount -t tmpfs none /dev/net; exec "$@"', "sh"]  # fmt: skip
    done = subprocess.run(
        [*without, sys.executable, *words], capture_output=True, text=True, timeout=120, check=False
    )
    doctor = subprocess.run(
        [*without, sys.executable, "-m", "fwemu", "doctor", "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    (tun,) = (json.loads(line) for line in doctor.stdout.splitlines() if '"name":"tun"' in line)
    assert done.returncode != 0
    assert needs.TUN.sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert (tun["status"], doctor.returncode) == ("not here", 0)
    assert needs.TUN.sentence in tun["text"]
