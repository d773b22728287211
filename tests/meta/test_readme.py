"""The README tells the truth: what it prints can be run, what it names is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fwemu.daemon.rundir import RUN_DIR
from tests.kit.command import masked

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def code(language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.kernel
def test_the_python_example_runs_as_printed(tmp_path):
    """It is the first thing that a reader copies."""
    _, example, _ = code("python")  # the last one is run by test_wheel.py
    script = tmp_path / "example.py"
    script.write_text(example)

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert "reset by the firewall, not by the server: expired" in done.stdout


CLIENT = """
import socket, sys, pytest

class Client:
    def __init__(self, connection):
        self.connection = connection

    def ping(self):
        self.connection.sendall(b"pong")
        return self.connection.recv(100).decode()

@pytest.fixture
def client(lab, request):
    lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", "7"], port=7)
    with lab.client:
        connection = socket.create_connection((lab.server.ip, 7), timeout=10)
    with connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, request.param)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1800)
        yield Client(connection)

def pytest_generate_tests(metafunc):
    metafunc.parametrize("client", [0, 1], ids=["default", "keepalive"], indirect=True)

@pytest.fixture
def fwemu_profile():
    return "cisco-asa"
"""
"""What somebody has who writes the test of three lines: a client, with keepalive and without."""


@pytest.mark.kernel
def test_the_test_of_three_lines_finds_what_it_is_for(tmp_path):
    """It passes for a client with keepalive, and for no other."""
    (tmp_path / "conftest.py").write_text(CLIENT)
    (tmp_path / "test_it.py").write_text(code("python")[0])

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rpf", "-p", "no:cacheprovider", "--fwemu-require",
         "--rootdir", tmp_path, "-c", os.devnull, tmp_path],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "PASSED test_it.py::test_my_client_survives_a_quiet_hour[keepalive]" in done.stdout


def pasted(block: str) -> subprocess.CompletedProcess[str]:
    """A block, pasted into a shell as it is printed; its output and its errors in one."""
    here = str(Path(sys.executable).parent)  # as .venv/bin, if that is elsewhere
    return subprocess.run(
        ["bash", "-c", block],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{here}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def own_run_directory(tmp_path, monkeypatch):
    """A reader has no other lab; here other tests may have some at the same time."""
    base = tmp_path / "run"
    base.mkdir()
    monkeypatch.setenv(RUN_DIR, str(base))


def settled(text: str) -> list[str]:
    """Without what differs from run to run, and in any order: several programs write at once."""
    text = re.sub(r"pid \d+", "pid PID", masked(text))
    return sorted(re.sub(r"in [\d.]+ s\b", "in SECONDS", text).splitlines())


@pytest.mark.kernel
@pytest.mark.usefixtures("own_run_directory")
def test_the_tour_shows_what_is_printed_beside_it():
    """One connection that dies and one that lives: the point of it all, in two commands."""
    tour, _ = code("sh")
    dies, lives = re.findall(r"```\n(making client, .*?)```", README, flags=re.DOTALL)

    done = pasted(tour)

    assert settled(done.stdout) == settled(dies + lives)


@pytest.mark.kernel
@pytest.mark.usefixtures("own_run_directory")
def test_the_standing_lab_can_be_pasted():
    """Nothing in it waits for anybody, and nothing of it stays."""
    tour, lab = code("sh")
    path, *_ = tour.splitlines()

    done = pasted(f"set -e\n{path}\n{lab}")

    assert done.returncode == 0, done.stdout
    text = masked(done.stdout)
    assert "is up, behaving like cisco-asa" in text
    assert "the server is 198.19.N.10\n" in text
    assert 'unknown.inside: "reset" -> "drop"\n' in text
    assert 'mode: "stateful" -> "acl"\n' in text
    assert "is gone\n" in text


def test_every_link_leads_somewhere():
    """A dead link is a promise that was not kept."""
    targets = re.findall(r"\]\(([^)#]+)\)", README)

    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_command_it_names_exists():
    """Commands get renamed; readers do not know."""
    from fwemu.cli.main import COMMANDS

    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    inline = "\n".join(re.findall(r"`[^`]+`", prose))
    named = set(re.findall(r"(?:^|[/ `])fwemu ([a-z-]+)", inline))
    named |= {
        match
        for block in re.findall(r"```(?:sh)?\n(.*?)```", README, flags=re.DOTALL)
        for match in re.findall(r"fwemu ([a-z-]+)", block)
    }

    assert named - set(COMMANDS) == set()
    assert "demo" not in named or "demo" in COMMANDS


def test_the_makefile_has_the_two_commands():
    """One that shows the product, one that passes the tests."""
    makefile = (ROOT / "Makefile").read_text()

    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_a_fresh_machine_is_tried_with_the_two_commands_of_the_readme():
    """Found by the README's own lines, so that another block above them changes nothing."""
    listed = subprocess.run(
        [ROOT / "scripts" / "fresh-machine", "--list"], capture_output=True, text=True, timeout=10
    )

    assert listed.stdout.splitlines() == ["make demo", "make test"], listed.stderr


def test_ci_runs_the_test_command_of_the_readme():
    """And nothing cleverer."""
    assert "make test" in (ROOT / ".ci" / "run").read_text()
