"""`fwemu demo` tells its story, and leaves nothing, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import netns
from tests.kit.labs import PATIENCE

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("demo")]


@pytest.fixture
def run_dir():
    """A short path: the name of a socket has room for 107 characters."""
    with tempfile.TemporaryDirectory(prefix="fwd-") as path:
        yield Path(path)


def demo(run_dir: Path, *arguments: str) -> subprocess.Popen[str]:
    """The demo, with a run directory of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fwemu", "demo", *arguments],
        env={**os.environ, "FWEMU_RUN_DIR": str(run_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def namespaces_of(process: subprocess.Popen[str]) -> list[str]:
    """The namespaces that a demo has made."""
    return [name for name in netns.names() if name.startswith(f"fwemu-demo-{process.pid}-")]


def test_the_four_lanes_end_as_they_must(run_dir):
    """It is what the README promises on its first screen."""
    process = demo(run_dir, "--json")
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    lanes = {record["lane"]: record for record in map(json.loads, out.splitlines())}
    assert list(lanes) == [
        "router-acl",
        "stateful-drop",
        "stateful-reset",
        "stateful-drop-keepalive",
    ]
    assert [lane["mode"] for lane in lanes.values()] == ["acl", "stateful", "stateful", "stateful"]
    assert lanes["router-acl"]["outcome"] == "survived"
    dropped = lanes["stateful-drop"]
    assert (dropped["outcome"], dropped["error"]) == ("timed-out", "ETIMEDOUT")
    assert dropped["retransmissions"] >= 2
    assert dropped["detected_after_s"] > 1
    reset = lanes["stateful-reset"]
    assert (reset["outcome"], reset["error"]) == ("reset", "ECONNRESET")
    assert reset["reset_by"] == "firewall"
    assert reset["resets_sent_by_server"] == 0
    assert reset["detected_after_s"] < dropped["detected_after_s"]
    kept = lanes["stateful-drop-keepalive"]
    assert kept["outcome"] == "survived"
    assert kept["keepalive_probes"] >= 1
    # what is bad about the list, and what the new box is for
    forged = [lane["forged_ack"] for lane in lanes.values()]
    assert forged == ["passed", "dropped", "dropped", "dropped"]
    assert namespaces_of(process) == []
    assert list(run_dir.iterdir()) == []


def test_on_no_terminal_each_step_is_a_line_and_the_table_comes_last(run_dir):
    """A log of CI has no use for moving pictures."""
    process = demo(run_dir)
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert "Firewall that resets     ECONNRESET after" in err
    assert "the firewall has forgotten" in err
    assert "What happened, and why" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["while it makes its labs", "while it plays"])
def test_ended_in_the_middle_it_leaves_nothing(run_dir, number, moment):
    """Twelve namespaces and eight processes are a lot to leave behind."""
    process = demo(run_dir)
    assert process.stderr is not None
    if moment == "while it plays":
        assert any("quiet" in line for line in process.stderr), "it ended before it began"
    else:
        deadline = time.monotonic() + PATIENCE
        while not namespaces_of(process):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    process.send_signal(number)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 128 + number
    assert err.splitlines()[-1] == "fwemu: interrupted; everything it had made is removed"
    assert namespaces_of(process) == []
    assert list(run_dir.iterdir()) == []


def test_a_server_that_takes_too_long_is_one_line_with_what_it_waited_for(run_dir):
    """On a slow machine the way out is more time: `--ready-timeout`."""
    process = demo(run_dir, "--ready-timeout", "0.001")
    out, err = process.communicate(timeout=120)

    assert process.returncode == 5, err
    assert out == ""
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if "nothing listens on tcp port 7" in line]
    assert line.startswith("fwemu: ")
    assert "after 0.001 s" in line
    assert namespaces_of(process) == []
