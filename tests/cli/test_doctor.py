"""`fwemu doctor`, and that every command says what it says where something is missing."""

from __future__ import annotations

import shutil

import pytest

from fwemu.daemon import checks, needs
from netns import LinkError
from tests.cli.command import NOBODY, fwemu, program
from tests.lab.kit import unique

NAMES = [check.name for check in checks.CHECKS]
NEED_ROOT = [
    "up", "down", "ls", "exec client true", "shell client", "daemon", "sessions", "events",
    "stats", "flush", "kill 1", "set mode=acl",
]  # fmt: skip

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


@pytest.mark.kernel
@as_nobody
def test_without_root_it_says_what_it_can():
    """And names what it could not look at."""
    done = program("doctor", "--json", before=NOBODY)

    found = {finding["name"]: (finding["status"], finding["text"]) for finding in done.json}
    assert done.code == 3
    assert found.pop("root") == ("missing", needs.PRIVILEGES.sentence)
    assert found.pop("library")[0] == "ok"
    assert set(found.values()) == {("not checked", "needs root")}


@pytest.mark.kernel
@as_nobody
@pytest.mark.parametrize("words", NEED_ROOT)
def test_without_root_every_command_says_the_sentence_of_doctor(words):
    """With the same exit code, and nothing else."""
    done = program(*words.split(), before=NOBODY)

    assert (done.code, done.out) == (3, "")
    assert done.err == f"fwemu: {needs.PRIVILEGES.sentence}\n"


@pytest.mark.kernel
@as_nobody
def test_a_socket_of_root_is_closed_to_others(lab):
    """That it may not be asked does not mean that nobody is there."""
    done = program("sessions", "--control", lab.about.control, before=NOBODY)

    assert (done.code, done.err) == (3, f"fwemu: {needs.PRIVILEGES.sentence}\n")


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
@pytest.mark.parametrize("words", ["up", "daemon"])
def test_root_without_the_capabilities_is_told_which_are_missing(words):
    """As in a container."""
    stripped = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")

    doctor = program("doctor", "--json", before=stripped)
    done = program(words, before=stripped)

    sentence = f"{needs.PRIVILEGES.sentence} (missing: CAP_NET_ADMIN)"
    assert (doctor.code, done.code) == (3, 3)
    assert doctor.json[0]["text"] == sentence
    assert done.err == f"fwemu: {sentence}\n"


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
    setpriv = shutil.which("setpriv")

    done = program("doctor", "--json", env={"PATH": "/nonexistent"}, before=(setpriv, *NOBODY[1:]))

    found = {finding["name"]: finding["status"] for finding in done.json}
    assert done.code == 3
    assert found["hook"] == "missing"
    assert found["queue"] == "not checked"


@pytest.mark.kernel
def test_what_builds_on_something_missing_is_not_checked(monkeypatch):
    """One lack is reported once, in words that lead somewhere."""

    def no_veth(*arguments, **options):
        raise LinkError("cannot create the veth pair: Operation not supported")

    monkeypatch.setattr(checks, "veth", no_veth)

    done = fwemu("doctor", "--json")

    found = {finding["name"]: (finding["status"], finding["text"]) for finding in done.json}
    assert done.code == 4
    assert found["links"] == (
        "missing",
        f"{needs.LINKS.sentence} (cannot create the veth pair: Operation not supported)",
    )
    assert found["ipv6"] == ("not checked", "needs links")
    assert found["hook"][0] == "ok"
