"""`fwemu exec` and `fwemu shell`: programs on the hosts of a lab."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from tests.kit.command import PROGRAM, fwemu, program, start
from tests.kit.labs import PATIENCE, eventually

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("host", ["client", "server", "firewall"])
def test_a_command_runs_on_the_host_that_is_named(lab, host):
    """Its network is that host's."""
    done = program("exec", host, "--", "ip", "netns", "identify")

    assert done.out == f"fwemu-{lab.name}-{host}\n"


def test_input_output_and_exit_code_are_those_of_the_command(lab):
    """So that it can stand anywhere in a script."""
    done = program("exec", "client", "--", "sh", "-c", "cat; echo no >&2; exit 42", stdin="in\n")

    assert (done.code, done.out, done.err) == (42, "in\n", "no\n")


def test_the_dashes_may_be_left_out(lab):
    """Options after the command are the command's, whatever they are called."""
    assert program("exec", "-n", lab.name, "server", "echo", "-n", "--name", "x").out == "--name x"


def test_a_command_is_told_where_everybody_is(lab):
    """In its environment, and in its words: the shell that it was typed in knows no such names."""
    script = "import os, sys; print(os.environ['FWEMU_' + sys.argv[1]], sys.argv[2])"
    names = {
        "SERVER_IP": lab.server.ipv4, "SERVER_IPV6": lab.server.ipv6, "CLIENT_IP": lab.client.ipv4,
        "CLIENT_IPV6": lab.client.ipv6, "LAB": lab.name, "HOST": "server",
        "CONTROL": lab.about.control,
    }  # fmt: skip
    for name, value in names.items():
        words = [sys.executable, "-c", script, name, f"http://$FWEMU_{name}/"]
        assert program("exec", "server", "--", *words).out == f"{value} http://{value}/\n"


def test_a_signal_reaches_the_command(lab):
    """There is no process in between that would have to pass it on."""
    script = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); "
        "print('on', flush=True); signal.pause()"
    )
    running = start("exec", "server", "--", sys.executable, "-c", script)
    try:
        assert running.stdout.readline() == "on\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 9
    finally:
        running.kill()
        running.communicate()


def test_broken_pipes_end_the_command_as_in_any_shell(lab):
    """Python ignores SIGPIPE; what it starts shall not."""
    done = subprocess.run(
        f"{' '.join(PROGRAM)} exec client -- yes | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == (f"y\n{128 + signal.SIGPIPE}\n", "")


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("sever", " (did you mean server?)"),
        ("client2", " (did you mean client?)"),
        ("db", " (there are: client, server, firewall)"),
    ],
)
def test_an_unknown_host_is_told_which_there_are(lab, host, hint):
    """Before anything runs."""
    done = fwemu("exec", host, "--", "true")

    assert (done.code, done.err) == (5, f"fwemu: lab {lab.name} has no host {host!r}{hint}\n")
    assert fwemu("shell", host).err == done.err


@pytest.mark.parametrize(
    ("command", "code", "why"),
    [("no-such-program", 127, "no such file or directory"), ("/etc", 126, "permission denied")],
)
def test_a_command_that_cannot_run_has_the_exit_code_of_shells(lab, command, code, why):
    """127 and 126 are understood everywhere."""
    done = fwemu("exec", "client", "--", command)

    assert (done.code, done.err) == (code, f"fwemu: client: cannot run {command!r}: {why}\n")


def test_this_process_stays_where_it_was(lab):
    """Even if the command cannot run."""
    before = os.readlink("/proc/thread-self/ns/net")

    fwemu("exec", "client", "--", "no-such-program")

    assert os.readlink("/proc/thread-self/ns/net") == before


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_prompt_says_where_the_shell_is(lab, shell, tmp_path):
    """Of five terminals one has to know which is the server."""
    (tmp_path / ".bashrc").write_text("PS1='mine$ '\n")
    terminal, inner = pty.openpty()
    running = subprocess.Popen(
        [*PROGRAM, "shell", "server"],
        env={**os.environ, "SHELL": shell, "HOME": str(tmp_path), "TERM": "dumb"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    text = ""

    def read_until(pattern: str) -> bool:
        nonlocal text
        text += os.read(terminal, 4096).decode()
        return re.search(pattern, text) is not None

    try:
        prompt = re.escape(f"({lab.name} server) ") + (r"mine\$ " if "bash" in shell else "# ")
        eventually(lambda: read_until(prompt), what="the prompt")
        os.write(terminal, b"echo $FWEMU_LAB-$FWEMU_HOST $(ip netns identify); exit 3\n")
        eventually(lambda: read_until(rf"{lab.name}-server fwemu-{lab.name}-server\r\n"))
        assert running.wait(PATIENCE) == 3
    finally:
        running.kill()
        running.wait()
        os.close(terminal)


def test_a_shell_without_a_terminal_reads_a_script(lab):
    """As any shell does."""
    done = program("shell", "client", env={"SHELL": "/bin/bash"}, stdin="hostname -I; exit 4\n")

    assert done.code == 4
    assert done.out.split() == [lab.client.ipv4, lab.client.ipv6]
    assert done.err == ""
