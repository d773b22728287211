"""`fwemu run`: a lab for the length of one command."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fwemu.daemon.rundir import firewalls
from fwemu.lab.variables import filled_in
from netns import Namespace, exists, pids_in
from netns.procfs import stat_of
from tests.kit.command import PROGRAM, Done, fwemu, masked, program, start
from tests.kit.labs import PATIENCE, eventually, unique

ECHO = f"{shlex.quote(sys.executable)} -m fwemu.scenarios.echo 7"
"""A server."""

TALK = """
import os, socket, sys
with socket.create_connection((os.environ["FWEMU_SERVER_IP"], 7), timeout=10) as connection:
    for word in sys.argv[1:]:
        connection.sendall(word.encode())
        print(connection.recv(100).decode(), flush=True)
"""
"""Its client."""


def python(script: str, *words: str) -> list[str]:
    """A client's command line."""
    return ["--", sys.executable, "-c", script, *words]


@pytest.fixture
def ran(nothing: Path):
    """Runs it under a name of its own; nothing of that lab may be left."""
    name = unique("run")

    def run(*words: str, env: dict[str, str] | None = None, stdin: str = "") -> Done:
        return program("run", "--name", name, *words, env=env, stdin=stdin)

    yield run
    gone(nothing, name)


def gone(base: Path, name: str) -> None:
    """No namespace, no firewall, no file."""
    left = [host for host in ("client", "firewall", "server") if exists(f"fwemu-{name}-{host}")]
    assert (left, os.listdir(base)) == ([], [])


@pytest.mark.kernel
def test_the_client_reaches_the_server_through_the_firewall(ran):
    """What it says on stdout is all that stands there, so that it can be piped on."""
    done = ran("--server", ECHO, "--server-port", "7", *python(TALK, "hello"))

    assert (done.code, done.out) == (0, "hello\n")
    assert done.err.splitlines() == [
        "making client, firewall and server ...",
        "waiting for tcp port 7 ...",
    ]


@pytest.mark.kernel
def test_the_exit_code_is_the_clients_and_so_is_the_input(ran):
    """For scripts and CI."""
    assert ran("--client", "sh -c 'read word; exit $word'", stdin="42\n").code == 42
    assert ran("--client", "sh -c 'kill -9 $$'").code == 128 + 9


@pytest.mark.kernel
def test_who_says_what_can_be_told_apart(ran):
    """Each line behind its writer's name; the last one too if it does not end."""
    done = ran(
        "--prefix", "--server", "sh -c 'echo ready; echo odd >&2; exec sleep 60'",
        "--client", r"printf one\\ntwo",
    )  # fmt: skip

    assert done.out == "client | one\nclient | two\n"
    assert {"server | ready", "server | odd"} <= set(done.err.splitlines())


@pytest.mark.kernel
def test_on_a_terminal_lines_have_names_by_themselves(nothing):
    """There the output of all goes to one place."""
    name = unique("run")
    terminal, inner = pty.openpty()
    words = [*PROGRAM, "run", "--name", name, "--allow-untraversed", "--client", "echo hello"]
    with subprocess.Popen(words, stdin=inner, stdout=inner, stderr=subprocess.DEVNULL) as running:
        os.close(inner)
        text = os.read(terminal, 100)
        assert running.wait(PATIENCE) == 0
    os.close(terminal)

    assert text == b"client | hello\r\n"


@pytest.mark.kernel
def test_programs_are_told_where_everybody_is(ran):
    """By variables, which are filled in where a command names them; nothing else is expanded."""
    names = ["LAB", "HOST", "CLIENT_IP", "CLIENT_IPV6", "SERVER_IP", "SERVER_IPV6", "CONTROL"]
    script = "import os, sys; print(*(os.environ['FWEMU_' + each] for each in sys.argv[1:]))"
    told = ran(*python(script, *names)).out.split()
    words = ran("--client", "echo $FWEMU_SERVER_IP ${FWEMU_HOST} $HOME `id` *").out

    lab, host, client, client6, server, server6, control = told
    assert host == "client"
    assert control.endswith(f"/{lab}/control.sock")
    assert masked(f"{client} {server}") == "198.18.N.10 198.19.N.10"
    assert masked(f"{client6} {server6}") == "2001:2:0:18NN::10 2001:2:0:19NN::10"
    assert masked(words) == "198.19.N.10 ${FWEMU_HOST} $HOME `id` *\n"


@pytest.mark.kernel
def test_a_client_can_steer_its_firewall(ran):
    """The control socket is reached from inside; `fwemu` itself finds the lab there too."""
    fast_forward = [*PROGRAM, "fast-forward", "2h", "--json"]
    script = f"""{TALK}
    import json, subprocess
    connection.settimeout(0.5)
    done = json.loads(subprocess.run({fast_forward!r}, stdout=subprocess.PIPE, check=True).stdout)
    print([ended["reason"] for ended in done["sessions_ended"]])
    connection.sendall(b"still there?")
    try:
        print(connection.recv(100))
    except TimeoutError:
        print("silence")
"""
    done = ran(
        "--set", "timeouts.tcp_established=1h", "--server", ECHO, "--server-port", "7",
        "--fail-on", "unknown-packet", "--fail-on", "evicted", "--json", *python(script, "a"),
    )  # fmt: skip
    (record,) = done.json

    assert "['expired']\nsilence\n" in done.err
    assert done.code == record["exit_code"] == 10
    assert record["client"]["exit_code"] == 0
    unknown, evicted = record["fail_on"]
    assert unknown["times"] >= 1
    assert (unknown["first"]["event"], unknown["first"]["destination_port"]) == ("denied", 7)
    assert evicted == {"name": "evicted", "times": 0, "first": None}
    assert record["statistics"][0]["sessions_ended"] == {"tcp": {"expired": 1}}
    assert "--fail-on unknown-packet: a packet came that belonged to no session" in record["error"]
    assert f"fwemu: {record['error']}" in done.err


@pytest.mark.kernel
def test_the_api_is_there_for_who_drives_the_run_from_outside(ran):
    """At a loopback port of the machine, which no host of the lab has; they are told it anyway."""
    assert ran("--api", "127.0.0.1:0", "--client", "echo $FWEMU_API").out.startswith(
        "http://127.0.0.1:"
    )


# -- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.kernel
def test_what_must_not_happen_fails_a_content_client_only(ran):
    """A client that failed has an exit code of its own, which says more; the rest is a comment."""
    script = (
        "import os, socket, sys; there = os.environ['FWEMU_SERVER_IP'], 53; "
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', there); "
        "sys.exit(int(sys.argv[1]))"
    )
    rule = ["--set", 'rules=[{action="deny", proto="udp"}]', "--fail-on", "dropped"]
    content, failed = (ran(*rule, *python(script, code)) for code in ("0", "3"))

    assert (content.code, failed.code) == (10, 3)
    for done in (content, failed):
        line = done.err.splitlines()[-1].removeprefix("fwemu: ")
        happened = "the firewall dropped, reset or rejected a packet (once); the first: "
        assert line.startswith(f"--fail-on dropped: {happened}")
        assert line.endswith(":53 denied")


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (
            ["--server", "sh -c 'echo no configuration >&2; exit 4'", "--server-port", "7"],
            9,
            "server: failed (exit code 4); it said: no configuration",
        ),
        (
            ["--server", "true", "--server-port", "53/udp"],
            9,
            "server: ended (exit code 0) before anything listened on udp port 53; it said nothing",
        ),
        (
            ["--server", "sleep 60", "--server-port", "7", "--ready-timeout", "100ms"],
            9,
            "nothing listens on tcp port 7 of the server host after 0.1 s (--ready-timeout; "
            "a server must listen on",
        ),
        (["--server", "no-such-server"], 9, "server: cannot run 'no-such-server': no such file"),
    ],
)
def test_without_its_server_the_client_does_not_start(ran, tmp_path, words, code, line):
    """At once, and with what the server said last."""
    done = ran(*words, "--client", f"touch {tmp_path}/started")

    assert done.code == code
    assert done.err.splitlines()[-1].startswith(f"fwemu: {line}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.kernel
def test_a_server_that_dies_ends_the_client(ran):
    """Whatever the client would have made of that is not what was to be tested."""
    done = ran(
        "--server", ECHO, "--server", "sh -c 'sleep 0.2; exit 5'", "--client", "sleep 60"
    )  # fmt: skip

    assert (done.code, done.err.splitlines()[-1]) == (
        9, "fwemu: server 2: failed (exit code 5); it said nothing"
    )  # fmt: skip


@pytest.mark.kernel
def test_a_server_that_has_done_its_work_or_went_into_the_background_may_end(ran):
    """What it left behind listens; it goes with the lab."""
    daemon = f"sh -c '{ECHO} >/dev/null 2>&1 & sleep 0.1'"
    done = ran("--server", daemon, "--server-port", "7", *python(TALK, "hello"))

    assert (done.code, done.out) == (0, "hello\n")


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("client", "code", "why"),
    [("no-such-client", 127, "no such file or directory"), ("/etc", 126, "permission denied")],
)
def test_a_client_that_cannot_start_has_the_exit_code_of_shells(ran, client, code, why):
    """As for `fwemu exec`."""
    done = ran("--client", client)

    assert done.code == code
    assert done.err.splitlines()[-1] == f"fwemu: client: cannot run {client!r}: {why}"


@pytest.mark.kernel
def test_a_client_that_hangs_is_ended(ran, tmp_path):
    """A pipeline must not wait for ever; CI sees why."""
    file = tmp_path / "result.xml"
    done = ran(
        "--timeout", "100ms", "--junit", str(file), "--fail-on", "reset", "--client", "sleep 60"
    )  # fmt: skip

    line = "client: still runs after 0.1 s, and is ended (--timeout)"
    assert (done.code, done.err.splitlines()[-1]) == (9, f"fwemu: {line}")
    client, reset = ElementTree.parse(file).iter("error")
    assert (client.get("message"), reset.get("message")) == (line, "not judged")


@pytest.mark.kernel
def test_junit_has_a_case_for_the_client_and_one_for_each_fault(ran, tmp_path):
    """So that a CI server shows which of them it was."""
    file = tmp_path / "result.xml"
    done = ran(
        "--junit", str(file), "--fail-on", "dropped", "--fail-on", "evicted", "--client", "false"
    )  # fmt: skip

    cases = list(ElementTree.parse(file).iter("testcase"))
    assert done.code == 1
    assert [case.get("name") for case in cases] == ["client: false", "not dropped", "not evicted"]
    assert [[each.get("message") for each in case] for case in cases] == [["exit code 1"], [], []]


@pytest.mark.kernel
def test_a_client_that_goes_around_the_firewall_has_shown_nothing(ran, tmp_path):
    """The commonest mistake is localhost; what the client made of that is no result."""
    file = tmp_path / "result.xml"
    around = ["--junit", str(file), "--client", "true"]
    done = ran(*around)
    (case,) = ElementTree.parse(file).iter("failure")
    allowed = ran("--allow-untraversed", *around)
    failed = ran("--client", "false")

    sentence = "nothing crossed the firewall: the client must connect to $FWEMU_SERVER_IP"
    assert done.code == 11
    assert done.err.splitlines()[-1].startswith(f"fwemu: {sentence}")
    assert case.get("message").startswith(sentence)
    assert (allowed.code, failed.code) == (0, 1)
    assert sentence in allowed.err
    assert sentence in failed.err
    assert not list(ElementTree.parse(file).iter("failure"))


@pytest.mark.kernel
def test_packets_that_were_refused_are_told_although_nobody_asked(ran):
    """A client that fails by the firewall's doing should not have to be asked why."""
    rule = 'rules=[{action="reject", to="outside"}]'
    done = ran("--set", rule, *python(TALK, "hello"))

    assert done.code == 1
    assert done.err.splitlines()[-1] == ("the firewall let 1 packet (1 rejected) go no further")


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interruption_removes_everything(nothing, number, code):
    """Programs that ignore it included; a CI job that is cancelled leaves a clean machine."""
    name = unique("run")
    stubborn = "sh -c 'trap \"\" TERM INT HUP; echo on; sleep 60; sleep 60'"
    running = start("run", "--name", name, "--server", stubborn, "--client", stubborn)
    try:
        assert running.stdout.readline() == "on\n"
        inside = pids_in(Namespace.named(f"fwemu-{name}-client"))
        running.send_signal(number)
        assert running.wait(PATIENCE) == code
    finally:
        running.kill()
        running.communicate()

    assert inside
    assert [pid for pid in inside if stat_of(pid)] == []
    gone(nothing, name)


@pytest.mark.kernel
def test_an_interruption_while_the_lab_is_made_leaves_nothing_either(nothing):
    """The first second is when one notices the wrong option."""
    name = unique("run")
    running = start("run", "--name", name, "--client", "sleep 60")
    try:
        eventually(lambda: exists(f"fwemu-{name}-firewall"), what="the first namespace")
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 143
    finally:
        running.kill()
        running.communicate()

    gone(nothing, name)
    assert firewalls(nothing) == []


@pytest.mark.kernel
def test_a_reader_that_has_seen_enough_ends_the_client(nothing):
    """`| head -1` works as with any command."""
    name = unique("run")
    done = subprocess.run(
        f"{shlex.join(PROGRAM)} run --name {name} --client yes 2>/dev/null | head -1; "
        "echo ${PIPESTATUS[0]}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert done.stdout == f"y\n{128 + signal.SIGPIPE}\n"
    gone(nothing, name)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "run: name the client's command by --client or after --; see `fwemu run --help`"),
        (
            ["--client", "a", "--", "b"],
            "run: name the client's command by --client or after --, not by both; "
            "see `fwemu run --help`",
        ),
        (["--client", "sh -c 'x"], '--client "sh -c \'x": no closing quotation'),
        (["--client", ""], "--client '': name the program to run"),
        (["--server", " ", "x"], "--server ' ': name the program to run"),
        (
            ["--server-port", "http", "x"],
            "--server-port 'http': write a port, as in 80 or 53/udp",
        ),
        (
            ["--api", "10.0.0.1:80", "x"],
            "--api 10.0.0.1: whoever reaches it can steer the firewall; write 127.0.0.1 "
            "(or let `fwemu daemon` have it with --api-open)",
        ),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_made(nothing, words: Sequence[str], line):
    """With the way out."""
    done = fwemu("run", *words)

    assert (done.code, done.err) == (2, f"fwemu: {line}\n")


@pytest.mark.parametrize("text", ["$FWEMU_LAB", "${FWEMU_LAB}", "a-$FWEMU_LAB-b", "$FWEMU_LABS"])
def test_only_whole_names_are_filled_in(text):
    """As a shell reads them."""
    expected = text.replace("${FWEMU_LAB}", "x").replace("$FWEMU_LABS", "LABS")
    expected = expected.replace("$FWEMU_LAB", "x").replace("LABS", "$FWEMU_LABS")

    assert filled_in([text], {"FWEMU_LAB": "x"}) == [expected]
