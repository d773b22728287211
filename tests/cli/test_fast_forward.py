"""`fwemu fast-forward`."""

import json
import signal
import socket
import subprocess
import sys

import pytest

from fwemu.lab import Lab
from tests.kit.command import fwemu
from tests.kit.heartbeat import BEATS, PORT, beats
from tests.kit.labs import as_new, connected, eventually, say

pytestmark = pytest.mark.kernel


def test_an_hour_is_told_line_by_line(lab: Lab) -> None:
    """Who asked and was answered, what ended, and what could not be played."""
    with connected(lab) as kept, connected(lab) as quiet:
        for pair in (kept, quiet):
            say(pair.client, pair.server)
        kept.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        kept.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1500)
        done = fwemu("fast-forward", "61m", "-n", lab.name)
        assert done.code == 0
        lines = done.out.splitlines()
        assert lines[0].startswith("1h 1m passed in ")
        assert lines[1].startswith(f"  client {lab.client.ip}:{kept.port} -> {lab.server.ip}:")
        assert lines[1].endswith("sent 2 keepalive probes, 2 answered")
        assert f"{lab.client.ip}:{quiet.port} -> " in lines[2]
        assert lines[2].endswith(": expired")
        assert "not played" not in done.err


def test_a_heartbeat_that_was_not_played_is_told_with_the_session_and_is_an_error_to_who_is_strict(
    lab: Lab,
) -> None:
    """The loop would have woken after 20 seconds, and the session lived."""
    as_new(lab, "timeouts.tcp_established=1h")
    server = lab.server.start([sys.executable, "-c", BEATS], port=PORT)
    try:
        with lab.client, socket.create_connection((lab.server.ip, PORT)) as connection:
            connection.sendall(b"hello")
            eventually(lambda: beats(server), what="the loop that waits for the next beat")
            done = fwemu("fast-forward", "61m", "--no-applications", "--strict", "-n", lab.name)
    finally:
        server.stop()

    assert done.code == 12
    ended, doubt = done.out.splitlines()[1:3]
    assert ended.endswith(": expired")
    assert doubt.startswith("    not to be trusted: python")
    assert " would have woken by itself after " in doubt
    assert "is not to be trusted" in done.err
    assert "--time-scale" in done.err


def test_programs_that_woke_by_themselves_are_counted(lab: Lab) -> None:
    """By default they live through it: the loop beats every 20 seconds, and the session lives."""
    as_new(lab, "timeouts.tcp_established=1h")
    server = lab.server.start([sys.executable, "-c", BEATS], port=PORT)
    try:
        with lab.client, socket.create_connection((lab.server.ip, PORT)) as connection:
            connection.sendall(b"hello")
            eventually(lambda: beats(server), what="the loop that waits for the next beat")
            done = fwemu("fast-forward", "61m", "--strict", "-n", lab.name)
    finally:
        server.stop()

    assert done.code == 0
    (woken,) = done.out.splitlines()[1:]
    assert woken.startswith(f"  python (pid {server.pid}) woke 18")


def test_machines_get_one_object(lab: Lab) -> None:
    """With these names; units stand in them."""
    done = fwemu("fast-forward", "30m", "--json", "-n", lab.name)
    record = json.loads(done.out)
    assert set(record) == {
        *("advanced_s", "wall_s", "probes", "sessions_ended", "connections_lost", "not_played"),
        *("sessions_doubtful", "stopped_at", "programs_woken"),
    }
    assert record["advanced_s"] == 1800


def test_it_says_at_what_it_stopped(lab: Lab) -> None:
    """The clock stands at that event."""
    with connected(lab):
        done = fwemu("fast-forward", "9h", "--stop-on", "session-ended", "-n", lab.name)
    assert done.out.startswith(("1h 0m passed in ", "59m 5"))  # it was quiet for a moment before
    assert done.out.splitlines()[1] == "stopped at the first session ended"


def test_a_time_of_two_words_needs_no_quotes(lab: Lab) -> None:
    """As its help writes it."""
    (done,) = fwemu("fast-forward", "1h", "5m", "--json", "-n", lab.name).json
    assert done["advanced_s"] == 3900


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["soon"], "'soon' is not a duration"),
        (["1h", "--stop-on", "never"], "is not one of"),
        ([], "missing argument 'TIME'"),
    ],
)
def test_a_mistake_is_one_line(lab: Lab, words: list[str], problem: str) -> None:
    """And no time has passed."""
    done = fwemu("fast-forward", *words, "-n", lab.name)
    assert done.code == 2
    assert problem in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_ctrl_c_ends_it_where_it_is(lab: Lab) -> None:
    """A year of keepalives every ten seconds would take a while."""
    with connected(lab) as pair:
        say(pair.client, pair.server)
        pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
        pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        command = [sys.executable, "-m", "fwemu", "fast-forward", "365d", "-n", lab.name]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        eventually(lambda: (lab.firewall.passed() or 0) > 600, what="ten minutes", within=30)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
        assert running.returncode == 130
        assert b"stopped after " in said
        assert b"; the lab stays, and its clock is that far on" in said
        assert lab.firewall.passed() is None
        say(pair.client, pair.server)
