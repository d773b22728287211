"""`fwemu events`: the log, for people and for machines."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from fwemu.cli.events import line
from tests.kit.command import fwemu, masked, start
from tests.kit.labs import PATIENCE, connected, eventually, say

pytestmark = pytest.mark.kernel


def last_event() -> int:
    """The number to go on from."""
    return max(event["number"] for event in fwemu("events", "--json").json)


@contextmanager
def following(*options: str) -> Iterator[IO[str]]:
    """What `events --follow` writes, which ends well at Ctrl-C."""
    follower = start("events", "--follow", *options)
    try:
        yield follower.stdout
        follower.send_signal(signal.SIGINT)
        _, err = follower.communicate(timeout=PATIENCE)
    finally:
        follower.kill()
        follower.wait()
    assert (follower.returncode, err) == (0, "")


def test_each_event_is_a_line(lab):
    """When, which session, what, between whom, and why."""
    after = last_event()
    with connected(lab) as pair:
        say(pair.client, pair.server)
        fwemu("kill", "--port", str(pair.port))
        pair.client.sendall(b"too late")
        eventually(lambda: "denied" in fwemu("events", "--after", str(after)).out)
        text = fwemu("events", "--after", str(after)).out

    lines = masked(text).splitlines()
    assert lines[0] == (
        "TIME  #ID  built  tcp 198.18.N.10:PORT -> 198.19.N.10:PORT from the inside, SYN_SENT"
    )
    assert lines[1].startswith(
        "TIME  #ID  torn_down  tcp 198.18.N.10:PORT -> 198.19.N.10:PORT killed in ESTABLISHED "
        "after SECONDS, idle SECONDS; "
    )
    assert lines[2].startswith(
        "TIME  -  denied  tcp 198.18.N.10:PORT -> 198.19.N.10:PORT ACK (60 B) from the inside: "
        "unknown_packet, "
    )


def test_machines_get_the_log_as_it_is(lab):
    """Line by line what the file has."""
    with connected(lab):
        told = fwemu("events", "--json").out
    with open(lab.about.events) as file:
        written = file.read()

    assert written.startswith(told)


def test_follow_goes_on_until_ctrl_c(lab):
    """And then it ends quietly, with nothing wrong."""
    with following("--json", "--after", str(last_event())) as lines, connected(lab) as pair:
        event = json.loads(lines.readline())
        assert event["event"] == "built"
        assert event["source_port"] == pair.port


def test_the_log_of_a_device_is_shown_as_the_device_writes_it(lab):
    """With a hint where none is written."""
    hint = "no format is chosen: `fwemu set daemon.device_log=cisco-asa`, for one, begins a log\n"
    assert fwemu("events", "--device-log").err == hint
    assert fwemu("set", "daemon.device_log=cisco-asa").code == 0
    with connected(lab) as pair:
        port = pair.port
        shown = fwemu("events", "--device-log")
    assert shown.err == ""
    assert "Built outbound TCP connection" in shown.out.splitlines()[-1]
    assert f"/{port} " in shown.out
    with open(lab.about.device_log) as file:
        assert file.read().startswith(shown.out)


def test_a_device_log_is_followed_until_ctrl_c(lab):
    """What a collector would get, as it comes."""
    assert fwemu("set", "daemon.device_log=juniper-srx").code == 0
    with following("--device-log") as lines, connected(lab) as pair:
        line = lines.readline()
        while f'source-port="{pair.port}"' not in line:  # whatever was written before
            line = lines.readline()
        assert "RT_FLOW_SESSION_CREATE" in line


@pytest.mark.parametrize("option", [("--json",), ("--after", "5")])
def test_numbers_and_json_belong_to_the_other_log(option):
    """A mistake, and not something that is passed over."""
    done = fwemu("events", "--device-log", *option)
    assert done.code == 2
    assert done.err.startswith(f"fwemu: events: {option[0]} is not for --device-log")


def test_the_end_of_the_firewall_is_the_end_of_its_log(nothing):
    """No error: whoever follows has seen everything."""
    from tests.kit.labs import unique

    name = unique("cli")
    assert fwemu("up", "--name", name).code == 0
    follower = start("events", "--follow")
    try:
        assert "started" in follower.stdout.readline()
        assert fwemu("down", name).code == 0
        _, err = follower.communicate(timeout=PATIENCE)
    finally:
        follower.kill()
        follower.wait()

    assert (follower.returncode, err) == (0, "the firewall has ended\n")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            {"session": 3, "event": "built", "protocol": "udp", "source": "fd00::1",
             "source_port": 5, "destination": "fd00::2", "destination_port": 53,
             "zone": "outside", "state": "UDP_UNREPLIED", "picked_up": True},
            "#3  built         udp [fd00::1]:5 -> [fd00::2]:53 from the outside, UDP_UNREPLIED, "
            "picked up in mid-stream",
        ),
        (
            {"session": None, "event": "denied", "zone": "inside", "reason": "bad_header",
             "answer": "drop", "segment": None, "length": 12, "rule": None},
            " -  denied        a packet (12 B) from the inside: bad_header, drop",
        ),
        (
            {"event": "configured", "changes": ["timeouts.icmp=5s", "mode=acl"]},
            " -  configured    set timeouts.icmp=5s mode=acl",
        ),
        (
            {"session": 3, "event": "state_changed", "before": "SYN_SENT", "state": "SYN_RECV"},
            "#3  state_changed SYN_SENT -> SYN_RECV",
        ),
        (
            {"session": None, "event": "denied", "protocol": "tcp", "source": "10.0.0.1",
             "source_port": 5, "destination": "10.0.0.2", "destination_port": 22, "zone": "inside",
             "reason": "denied", "answer": "reset", "segment": "SYN", "length": 60, "rule": 2,
             "rule_name": "no-ssh"},
            " -  denied        tcp 10.0.0.1:5 -> 10.0.0.2:22 SYN (60 B) from the inside: denied "
            "by rule no-ssh, reset",
        ),
        (
            {"event": "configured", "changes": ["rules=[{name='\x1b[2J \u2028'}]"]},
            " -  configured    set rules=[{name='\\x1b[2J \\u2028'}]",
        ),
        (
            {"event": "time_moved", "from": "A", "to": "B", "advanced_s": 3900, "real_from": "C",
             "real_to": "D", "wall_s": 0.412, "stopped_at": None,
             "not_played": [{"what": "timers inside the application", "process": "p"}] * 2},
            " -  time_moved    1h 5m have passed in 0.412 s: from A to B, in real time D; "
            "not played: timers inside the application (2 rows)",
        ),
        (
            {"event": "log_gap", "lost": 434, "error": "File too large"},
            " -  log_gap       434 events before this could not be written: File too large",
        ),
        ({"event": "of-later", "colour": "red"}, " -  of-later      colour=red"),
    ],
)  # fmt: skip
def test_events_of_every_kind_have_a_line(event, text):
    """Also those that this command does not know by name."""
    written = line({"number": 1, "time": "2026-01-02T03:04:05.000006+00:00", "at_s": 0.5, **event})

    assert written.partition(".000006     ")[2].strip() == text.strip()


def test_a_firewall_that_is_not_there_is_an_error_at_once(tmp_path):
    """Not after a wait, and not a quiet end."""
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "gone"))

    done = fwemu("events", "--follow", "--control", str(tmp_path / "gone"))

    assert (done.code, done.err) == (
        7,
        f"fwemu: {tmp_path}/gone: no firewall answers there; `fwemu ls` shows those that run\n",
    )
