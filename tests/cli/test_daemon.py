"""`fwemu daemon`: a firewall alone, and every way in which it cannot start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fwemu.daemon import needs
from netns import Namespace, create, remove
from tests.kit.command import Done, fwemu, masked, program, start
from tests.kit.labs import PATIENCE, unique

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def router() -> Iterator[Namespace]:
    """A namespace for all tests of this module, which take turns in it."""
    namespace = create(unique("cli"))
    yield namespace
    remove(namespace.name)


def running(*words: str) -> tuple[subprocess.Popen[str], str]:
    """A firewall that has said that it is ready, and that line."""
    process = start("daemon", *words)
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate())
    return process, line


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> Done:
    """End it, and see what it has said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return Done(process.returncode, out, err)


def test_it_says_when_packets_are_being_decided(router, nothing):
    """And leaves when it is told to, with nothing left."""
    process, line = running("--netns", router.name)
    (record,) = fwemu("ls", "--json").json
    done = end(process)

    assert line == "ready\n"
    assert (record["kind"], record["state"], record["netns"]) == ("alone", "running", router.name)
    assert done.code == 0
    assert f"control socket {nothing}/daemon-{process.pid}/control.sock" in done.err.splitlines()
    assert os.listdir(nothing) == []


def test_machines_learn_where_to_ask(router, nothing):
    """One object, when it is ready; Ctrl-C ends it as SIGTERM does."""
    process, line = running("--netns", router.name, "--metrics", "127.0.0.1:0", "--json")
    done = end(process, signal.SIGINT)

    ready = json.loads(line)
    assert ready["ready"] is True
    assert ready["name"] == f"daemon-{process.pid}"
    assert Path(ready["control"]).parent == nothing / ready["name"]
    assert masked(ready["metrics"]) == "http://127.0.0.1:PORT/metrics"
    assert done.code == 0
    assert os.listdir(nothing) == []


def test_the_api_is_served_on_a_loopback_port_if_asked(router, nothing):
    """For languages that know no unix sockets: the same answers, by the same application."""
    process, line = running("--netns", router.name, "--api", "127.0.0.1:0", "--json")
    try:
        address = json.loads(line)["api"]
        with urllib.request.urlopen(f"{address}/status", timeout=PATIENCE) as answer:
            status = json.load(answer)
        listed = fwemu("ls", "--json").json[0]["api"]
    finally:
        done = end(process)

    assert masked(address) == "http://127.0.0.1:PORT"
    assert (status["api"], listed) == (address, address)
    assert f"control API at {address}" not in done.err  # the JSON object has said it


def test_the_api_can_be_opened_to_others_on_purpose_only(router, nothing):
    """Whoever reaches it steers the firewall."""
    refused = fwemu("daemon", "--netns", router.name, "--api", "0.0.0.0:0")
    process, line = running(
        "--netns", router.name, "--api", "0.0.0.0:0", "--api-open", "--json"
    )  # fmt: skip
    done = end(process)

    assert (refused.code, refused.err) == (
        2,
        "fwemu: --api 0.0.0.0: whoever reaches it can steer the firewall; write 127.0.0.1 "
        "(or let `fwemu daemon` have it with --api-open)\n",
    )
    assert json.loads(line)["api"].startswith("http://0.0.0.0:")
    assert done.code == 0


def test_a_killed_one_is_shown_until_it_is_started_again(router, nothing):
    """Its rules are still there, and drop everything."""
    name = unique("cli")
    process, _ = running("--netns", router.name, "--name", name)
    end(process, signal.SIGKILL)
    dead = fwemu("ls")
    process, _ = running("--netns", router.name, "--name", name)
    alive = fwemu("ls")
    end(process)

    assert "  dead  " in masked(dead.out)
    assert dead.err == (
        f"{name}: its firewall is dead, and nothing passes (daemon.fail = closed): "
        f"`fwemu down {name}` removes what it has left\n"
    )
    assert (alive.err, fwemu("ls").out) == ("", "")


def test_a_namespace_that_is_not_there():
    """Those that read alike are named."""
    name = unique("cli")

    done = fwemu("daemon", "--netns", f"{name}-routr")

    assert done.code == 5
    assert done.err.startswith(f"fwemu: --netns: no network namespace is named '{name}-routr'; ")
    assert done.err.count("\n") == 1


def test_a_path_that_is_not_there():
    """As of a process that has gone."""
    done = fwemu("daemon", "--netns", "/proc/4194305/ns/net")

    assert done.code == 5
    assert done.err == (
        "fwemu: --netns: the network namespace '/proc/4194305/ns/net' is gone: "
        "there is no /proc/4194305/ns/net\n"
    )


def test_what_a_firewall_has_is_not_taken_from_it(router):
    """Its queue and its name: a second one needs others."""
    name = unique("cli")
    process, _ = running("--netns", router.name, "--name", name, "--set", "daemon.queue=7")
    queue = program("daemon", "--netns", router.name, "--set", "daemon.queue=7")
    named = fwemu("daemon", "--netns", router.name, "--name", name)
    end(process)

    assert (queue.code, queue.out, queue.err) == (
        6,
        "",
        f"fwemu: queue 7 is in use (by netlink port {process.pid}, probably process "
        f"{process.pid}): choose another with --set daemon.queue=N\n",
    )
    assert (named.code, named.out, named.err) == (
        5,
        "",
        f"fwemu: a firewall called {name!r} is running already (process {process.pid}): "
        "choose another name\n",
    )


@pytest.mark.parametrize("what", ["api", "metrics"])
def test_a_port_in_use_is_refused(router, what):
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fwemu("daemon", "--netns", router.name, f"--{what}", f"127.0.0.1:{port}")

    assert (done.code, done.err) == (
        7,
        f"fwemu: {what}: cannot listen on 127.0.0.1:{port} (Address already in use): "
        f"give another --{what} HOST:PORT, port 0 for a free one\n",
    )


def test_a_control_socket_that_cannot_be_made(router):
    """Its directory has to be there."""
    done = fwemu("daemon", "--netns", router.name, "--control", "/nonexistent/control.sock")

    assert (done.code, done.err) == (
        7,
        "fwemu: /nonexistent/control.sock: cannot listen there (No such file or directory): "
        "give --control PATH\n",
    )


def test_an_unknown_profile(router):
    """Before anything is touched."""
    done = fwemu("daemon", "--netns", router.name, "--profile", "cisco-asb")

    assert (done.code, done.err) == (
        2,
        "fwemu: --profile: 'cisco-asb' is unknown (did you mean cisco-asa? "
        "`fwemu profiles ls` shows them all)\n",
    )


def test_a_machine_without_nft_and_iptables(router):
    """The sentence of `doctor`, and its exit code."""
    done = program("daemon", "--netns", router.name, env={"PATH": "/nonexistent"})

    assert done.code == 4
    assert done.err.startswith(f"fwemu: {needs.HOOK.sentence} (")
    assert done.err.count("\n") == 1


def test_a_clock_that_would_run_faster_alone_is_refused(router, nothing):
    """Without hosts nobody's keepalive would follow it."""
    done = fwemu("daemon", "--netns", router.name, "--time-scale", "60")
    assert done.code == 2
    assert "start it with --host NETNS for each of them" in done.err


def test_a_host_that_is_none_is_told_at_a_time_scale(router, nothing):
    """In one line, before anything has started."""
    done = fwemu("daemon", "--netns", router.name, "--time-scale", "60", "--host", "nowhere-at-all")
    assert done.err.startswith("fwemu: --host: no network namespace is named 'nowhere-at-all'")
    assert os.listdir(nothing) == []
