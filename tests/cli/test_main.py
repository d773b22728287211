"""Help, mistakes on the command line, and how long it takes to say them."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from fwemu.cli.main import COMMANDS, cli
from fwemu.errors import EXIT_CODES
from tests.kit.command import fwemu, program

HEAVY = {"fastapi", "httpx", "netfilterqueue", "pydantic", "pyroute2", "rich", "scapy", "uvicorn"}


def paths() -> list[list[str]]:
    """The words of every command, those of groups included."""
    found = []
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        found.append([name])
        if isinstance(command, click.Group):
            found += [[name, below] for below in command.list_commands(context)]
    return found


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, id=" ".join(words)) for words in paths()],
)
def test_help_ends_with_an_example(words):
    """Most people read nothing else."""
    done = fwemu(*words, "--help")

    assert done.code == 0
    assert done.err == ""
    last = done.out.rstrip().splitlines()[-1]
    assert last.startswith("  ")
    assert f"fwemu {words[0]}" in last


def test_help_is_the_same_without_arguments():
    """Whoever types `fwemu` wants to know what it can do."""
    assert fwemu() == fwemu("--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_each_in_a_whole_sentence(name):
    """A sentence that ends in dots says half of it."""
    lines = [line for line in fwemu("--help").out.splitlines() if line.startswith(f"  {name} ")]

    assert len(lines) == 1
    assert lines[0].endswith(".")
    assert not lines[0].endswith("..")


def test_help_lists_the_exit_codes():
    """They are part of the interface."""
    text = fwemu("--help").out

    for row in EXIT_CODES:
        assert f"  {row.code:<4} {row.meaning}\n" in text
    assert "  130  interrupted by Ctrl-C\n" in text


def test_help_loads_nothing_heavy():
    """Completion calls fwemu at every press of the tab key."""
    script = "from fwemu.cli.main import main; main(['--help']); import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert HEAVY & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("sesions", "no such command 'sesions' (did you mean sessions?); see `fwemu --help`"),
        ("dem", "no such command 'dem' (did you mean demo?); see `fwemu --help`"),
        ("xyzzy", "no such command 'xyzzy'; see `fwemu --help`"),
        (
            "profiles sow",
            "profiles: no such command 'sow' (did you mean show?); see `fwemu profiles --help`",
        ),
        (
            "up --profil x",
            "up: no such option --profil (did you mean --profile?); see `fwemu up --help`",
        ),
        (
            "sessions --prot tcp",
            "sessions: no such option --prot (did you mean --protocol?); "
            "see `fwemu sessions --help`",
        ),
        ("up --name", "option '--name' requires an argument; see `fwemu --help`"),
        ("exec", "exec: missing argument 'HOST'; see `fwemu exec --help`"),
        ("exec client", "exec: missing argument '[--] COMMAND...'; see `fwemu exec --help`"),
        ("exec client --", "exec: missing argument COMMAND; see `fwemu exec --help`"),
        (
            "exec client -n lab1 true",
            "exec: -n after HOST: write options before HOST; see `fwemu exec --help`",
        ),
        (
            "up --clients many",
            "up: invalid value for '--clients': 'many' is not a valid integer; "
            "see `fwemu up --help`",
        ),
        ("up --clients 0", "clients: 0 is not from 1 to 200"),
        (
            "up --name Shop",
            "--name 'Shop': letters, digits and inner hyphens, at most 32, as in shop-test",
        ),
        (
            "sessions --state ESTABLISH",
            "--state ESTABLISH: no such state (did you mean ESTABLISHED?)",
        ),
        (
            "sessions --protocol sctp",
            "--protocol sctp: give icmp, tcp, udp, icmpv6 or a number up to 255",
        ),
        (
            "kill --host server",
            "--host server: not an IP address (write one as in 198.19.1.10 or 2001:2:0:1901::10)",
        ),
        (
            "kill",
            "kill: say which sessions: their numbers, or --protocol, --state, --host, --port, "
            "or --share; see `fwemu kill --help`",
        ),
        (
            "kill 3 --share 10%",
            "kill: give numbers, or what sessions have in common, or --share: one of these; "
            "see `fwemu kill --help`",
        ),
        (
            "kill --share 200%",
            "kill: invalid value for '--share': '200%' is not a share: write 10% or 0.1; "
            "see `fwemu kill --help`",
        ),
        (
            "daemon --metrics 9100",
            "--metrics '9100': write HOST:PORT, as in 127.0.0.1:9100",
        ),
        (
            "profiles show cisco-asb",
            "profile: 'cisco-asb' is unknown (did you mean cisco-asa? "
            "`fwemu profiles ls` shows them all)",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out(words, line):
    """And exit code 2, whichever command it is."""
    done = fwemu(*words.split())

    assert (done.code, done.out, done.err) == (2, "", f"fwemu: {line}\n")


def test_every_problem_of_a_file_is_a_line(tmp_path):
    """So that they can all be mended at once."""
    file = tmp_path / "shop.toml"
    file.write_text('[table]\nwhen_ful = "evict-lru"\n[timeouts]\nicmp = "soon"\n')

    done = fwemu("up", "--config", str(file))

    assert done.code == 2
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert f"fwemu: {file}: table.when_ful: unknown setting (did you mean when_full?)" in lines
    assert all(line.startswith(f"fwemu: {file}: ") for line in lines)


def test_a_reader_that_has_seen_enough_is_no_error():
    """As in `fwemu profiles ls | head -1`."""
    done = subprocess.run(
        f"{sys.executable} -m fwemu profiles show cisco-asa | true; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_mistake_steers_no_terminal():
    """An escape in an unknown key is shown as one; one that is no UTF-8 as well."""
    for key, shown in (("\x1b[2Jkey=5", r"\x1b[2Jkey"), ("\udcff=5", r"\udcff")):
        done = fwemu("up", "--set", key)

        assert done.code == 2
        assert done.err.startswith("fwemu: --set")
        assert shown in done.err
        assert "\x1b" not in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["up"], "interrupted; everything it had made is removed"),
        (["events", "--json"], "interrupted"),
    ],
)
def test_an_interrupted_command_says_what_is_so(monkeypatch, words, sentence):
    """One that only looks has made nothing."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("fwemu.cli.main.Commands.invoke", interrupted)

    done = fwemu(*words)

    assert (done.code, done.err.splitlines()[-1]) == (130, f"fwemu: {sentence}")


def test_ctrl_c_at_the_very_end_shows_no_traceback():
    """Impatient people press it twice; the second one meets Python on its way out."""
    script = (
        "import signal, sys, os, atexit; sys.argv = ['fwemu', '--version']; "
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT)); "
        "from fwemu.cli.main import entry_point; entry_point()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_said():
    """Reports of errors begin with it."""
    from fwemu import __version__

    assert program("--version").out == f"fwemu, version {__version__}\n"
