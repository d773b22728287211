"""What the tab key offers."""

from __future__ import annotations

import pytest
from click.shell_completion import BashComplete

from fwemu.cli.completion import VARIABLE
from fwemu.cli.main import cli
from fwemu.config import profiles
from fwemu.lab import Topology, register
from tests.kit.command import fwemu, program


def offered(line: str) -> list[str]:
    """What a shell would offer at the end of this line."""
    *words, start = line.split(" ")[1:]
    complete = BashComplete(cli, {}, "fwemu", VARIABLE)
    return [item.value for item in complete.get_completions(words, start)]


@pytest.fixture
def labs(nothing):
    """Two labs on paper."""
    entries = [
        register.reserve(nothing, name, Topology(1, servers))
        for name, servers in (("shop", 1), ("bank", 2))
    ]
    yield entries
    for entry in entries:
        entry.directory.remove()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fwemu se", ["sessions", "set"]),
        ("fwemu profiles s", ["show"]),
        ("fwemu profiles c", ["check", "compare"]),
        ("fwemu profiles compare palo", ["palo-alto"]),
        ("fwemu sessions --pro", ["--protocol"]),
        ("fwemu sessions --protocol icm", ["icmp", "icmpv6"]),
        ("fwemu sessions --state est", ["ESTABLISHED"]),
        ("fwemu kill --notify reset-b", ["reset-both"]),
        ("fwemu up --topology a", ["asymmetric"]),
        ("fwemu failover --state s", ["synchronised"]),
        ("fwemu set --flush standby.", ["standby.state=", "standby.lag="]),
        ("fwemu up --profile cisco-a", ["cisco-asa", "cisco-asa-dcd"]),
        (
            "fwemu up --set expiry.",
            ["expiry.action=", "expiry.sequence=", "expiry.retry_interval=", "expiry.max_retries="],
        ),
        ("fwemu up --set daemon.queue_", ["daemon.queue_length="]),
        ("fwemu set timeouts.udp_u", ["timeouts.udp_unreplied="]),
        ("fwemu set daemon.queue_", []),
        ("fwemu completion z", ["zsh"]),
        ("fwemu scenario r", ["run"]),
        ("fwemu scenario show handshake/fas", ["handshake/fast_open"]),
        ("fwemu scenario run --on q", ["queue"]),
    ],
)
def test_words_are_completed(line, words):
    """Settings that cannot change any more are not offered by `set`."""
    assert offered(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fwemu down s", ["shop"]),
        ("fwemu exec -n ", ["bank", "shop"]),
        ("fwemu exec se", ["server", "server2"]),
        ("fwemu exec -n shop se", ["server"]),
        ("fwemu shell --name bank f", ["firewall"]),
        ("fwemu sessions -n ", []),
    ],
)
def test_labs_and_hosts_are_completed(labs, line, words):
    """Only firewalls that run can be asked for sessions."""
    assert offered(line) == words


def test_the_shell_is_answered():
    """The way that its script goes."""
    asked = {VARIABLE: "bash_complete", "COMP_WORDS": "fwemu do", "COMP_CWORD": "1"}

    assert program(env=asked).out == "plain,down\nplain,doctor\n"


def test_every_profile_is_offered():
    """To `show` as well."""
    assert offered("fwemu profiles show ") == list(profiles.names())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_for_the_shell_that_is_named(shell):
    """It calls fwemu back by the variable of click."""
    done = fwemu("completion", shell)

    assert done.code == 0
    assert f"_FWEMU_COMPLETE={shell}_complete" in done.out
    assert done.err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_program_that_is_not_on_the_path_is_asked_by_its_path(monkeypatch, tmp_path, shell):
    """Completion of `.venv/bin/fwemu` would else be silence in zsh and fish."""
    path = tmp_path / "a venv" / "fwemu"
    monkeypatch.setattr("sys.argv", [str(path)])
    monkeypatch.setenv("PATH", str(tmp_path))

    script = fwemu("completion", shell).out

    if shell == "bash":
        assert "_FWEMU_COMPLETE=bash_complete $1" in script
    else:
        assert f" '{path}')" in script
        assert " fwemu)" not in script
        assert "$+commands" not in script


def test_the_script_is_for_the_shell_of_the_user(monkeypatch):
    """One word less to type."""
    monkeypatch.setenv("SHELL", "/usr/bin/fish")

    assert fwemu("completion") == fwemu("completion", "fish")


@pytest.mark.parametrize("shell", ["/bin/sh", ""])
def test_a_shell_that_has_no_completion_is_said_so(monkeypatch, shell):
    """With the way out."""
    monkeypatch.setenv("SHELL", shell)

    done = fwemu("completion")

    assert (done.code, done.err) == (
        2, "fwemu: $SHELL is none of bash, zsh, fish: write fwemu completion bash\n"
    )  # fmt: skip
