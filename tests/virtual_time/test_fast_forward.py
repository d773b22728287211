"""An hour in a moment, on real sockets: what the kernels would have done in that hour, they do."""

import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fwemu.errors import ConfigError, ControlError
from fwemu.lab import Lab
from fwemu.sockets.tcp_info import Info
from netns import sysctl
from tests.kit.labs import (
    Log,
    Pair,
    Wire,
    as_new,
    connected,
    deaf,
    eventually,
    receive,
    say,
    what_comes,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])

HOUR = "timeouts.tcp_established=1h"


def keepalive(end: socket.socket, idle: int = 7200, **more: int) -> socket.socket:
    """Switch it on; `interval`, `probes` and `user_timeout_ms` besides."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    options = {
        "interval": socket.TCP_KEEPINTVL,
        "probes": socket.TCP_KEEPCNT,
        "user_timeout_ms": socket.TCP_USER_TIMEOUT,
    }
    for name, value in more.items():
        end.setsockopt(socket.IPPROTO_TCP, options[name], value)
    return end


def exchanged(lab: Lab, version: int = 4) -> Pair:
    """A connection on which both ends have spoken."""
    pair = connected(lab, version)
    say(pair.client, pair.server)
    say(pair.server, pair.client)
    ends = (pair.client, pair.server)
    eventually(lambda: not any(Info.of(end).unacknowledged for end in ends), what="the last ACK")
    return pair


def counts(done: dict[str, list[dict[str, int]]]) -> list[tuple[int, int]]:
    """How many probes each socket has sent, and how many were answered."""
    return [(each["sent"], each["answered"]) for each in done["probes"]]


# -- the three of them ----------------------------------------------------------------------------


@VERSIONS
def test_two_hours_of_keepalive_behind_one_hour_die(lab: Lab, version: int) -> None:
    """Linux's default is too late: the session is gone when the first probe comes."""
    as_new(lab, HOUR)
    with exchanged(lab, version) as pair:
        keepalive(pair.client)
        done = lab.fast_forward("2h 12m")
        assert counts(done) == [(9, 0)]
        assert [each["reason"] for each in done["sessions_ended"]] == ["expired"]
        assert [(each["host"], each["error"]) for each in done["connections_lost"]] == [
            ("client", "ETIMEDOUT")
        ]
        assert what_comes(pair.client) == "ETIMEDOUT"


@VERSIONS
def test_fifteen_minutes_of_keepalive_survive(lab: Lab, version: int) -> None:
    """Each probe crosses the firewall and restarts its timer; the application notices nothing."""
    as_new(lab, HOUR)
    with exchanged(lab, version) as pair:
        keepalive(pair.client, 900)
        done = lab.fast_forward("8h 1m")
        assert counts(done) == [(32, 32)]
        assert done["sessions_ended"] == done["connections_lost"] == []
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        (session,) = lab.firewall.sessions()
        assert session["keepalive_probes"] == {"original": 32, "reply": 0}
        assert session["age_s"] > 8 * 3600


@VERSIONS
def test_without_keepalive_nobody_asks_and_the_connection_dies(lab: Lab, version: int) -> None:
    """Lowering tcp_keepalive_time does nothing for a socket without SO_KEEPALIVE."""
    as_new(lab, HOUR, "unknown.inside=reset")
    sysctl(lab.client.namespace, "net.ipv4.tcp_keepalive_time", 60)
    try:
        with exchanged(lab, version) as pair:
            done = lab.fast_forward("1h 1s")
            assert done["probes"] == []
            assert [each["reason"] for each in done["sessions_ended"]] == ["expired"]
            pair.client.sendall(b"still there?")
            assert what_comes(pair.client) == "ECONNRESET"
    finally:
        sysctl(lab.client.namespace, "net.ipv4.tcp_keepalive_time", 7200)


def test_the_same_three_stories_in_real_time(lab: Lab) -> None:
    """Two seconds instead of two hours behind one and a half: the ends fare the same."""
    as_new(lab, "timeouts.tcp_established=3s", "unknown.inside=reset")
    with exchanged(lab) as late, exchanged(lab) as early, exchanged(lab) as never:
        keepalive(late.client, 5)
        keepalive(early.client, 1, interval=1)
        assert what_comes(late.client) == "ECONNRESET"
        say(early.client, early.server)
        never.client.sendall(b"still there?")
        assert what_comes(never.client) == "ECONNRESET"


# -- where the settings come from -----------------------------------------------------------------


def test_the_sysctls_of_the_host_count(lab: Lab) -> None:
    """For a socket that sets nothing but SO_KEEPALIVE."""
    as_new(lab, HOUR)
    sysctl(lab.server.namespace, "net.ipv4.tcp_keepalive_time", 600)
    try:
        with exchanged(lab) as pair:
            pair.server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            done = lab.fast_forward("61m")
            assert counts(done) == [(6, 6)]
            assert done["probes"][0]["host"] == "server"
            say(pair.server, pair.client)
    finally:
        sysctl(lab.server.namespace, "net.ipv4.tcp_keepalive_time", 7200)


def test_a_user_timeout_ends_it_sooner(lab: Lab) -> None:
    """TCP_USER_TIMEOUT takes the place of the number of probes."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair:
        keepalive(pair.client, 3700, interval=60, probes=9, user_timeout_ms=3_800_000)
        done = lab.fast_forward("2h")
        # asked at 3700 s, 3760 s; at 3820 s it has heard nothing for more than 3800 s
        assert counts(done) == [(2, 0)]
        assert what_comes(pair.client) == "ETIMEDOUT"


def test_a_probe_that_is_answered_by_a_rst_ends_the_connection(lab: Lab) -> None:
    """The firewall says so in the server's name."""
    as_new(lab, HOUR, "unknown.inside=reset")
    with exchanged(lab) as pair:
        keepalive(pair.client, 4000)
        done = lab.fast_forward("2h")
        assert counts(done) == [(1, 0)]
        assert [each["error"] for each in done["connections_lost"]] == ["ECONNRESET"]
        assert what_comes(pair.client) == "ECONNRESET"


def test_an_interval_longer_than_the_idle_time_counts_between_answered_probes(lab: Lab) -> None:
    """The kernel sets its timer to TCP_KEEPINTVL after each probe, answered or not."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair:
        keepalive(pair.client, 60, interval=600)
        assert counts(lab.fast_forward("50m")) == [(5, 5)]  # 1m, 11m, ... 41m


def test_changed_sockets_are_as_they_were(lab: Lab) -> None:
    """Those that live on, whatever was tried with them."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair:
        keepalive(pair.client, 900, interval=20, probes=1)  # every question is the last one
        done = lab.fast_forward("31m")
        assert counts(done) == [(2, 2)]
        options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT
        values = [pair.client.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        assert values == [900, 20, 0]
        assert sysctl(lab.client.namespace, "net.ipv4.tcp_invalid_ratelimit") == "500"
        say(pair.client, pair.server)


def test_a_half_closed_connection_is_kept_alive_too(lab: Lab) -> None:
    """By the kernel's own timer, since nothing else sends a probe there: a second each."""
    as_new(lab, HOUR, "timeouts.tcp_close_wait=1h", "timeouts.tcp_fin_wait=1h")
    with exchanged(lab) as pair:
        keepalive(pair.client, 1500)
        pair.server.shutdown(socket.SHUT_WR)
        assert what_comes(pair.client) == "end"
        done = lab.fast_forward("51m")
        assert counts(done) == [(2, 2)]
        assert done["sessions_ended"] == []
        assert pair.client.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1500
        say(pair.client, pair.server)


# -- whose sockets --------------------------------------------------------------------------------

CHILD = """
import os, signal, socket, sys
a = socket.create_connection((sys.argv[1], int(sys.argv[2])))
b = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for each in (a, b):
    each.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1200)
if os.fork() == 0:
    c = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1200)
    print("ready", flush=True)
    signal.pause()
signal.pause()
"""


def test_sockets_of_children_and_grandchildren_are_played(lab: Lab) -> None:
    """Several in one process, and one that two processes hold."""
    as_new(lab, HOUR)
    lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", "7"], port=7)
    child = lab.client.start([sys.executable, "-c", CHILD, lab.server.ip, "7"])
    eventually(lambda: len(list(lab.firewall.sessions())) == 3, what="three connections")
    eventually(lambda: all(s["state"] == "ESTABLISHED" for s in lab.firewall.sessions()))
    time.sleep(0.1)  # the last setsockopt of the grandchild
    done = lab.fast_forward("41m")
    assert counts(done) == [(2, 2)] * 3
    child.stop()


def test_a_process_that_ends_on_the_way_is_no_error(lab: Lab) -> None:
    """Its connections are closed, as they would have been; the others go on."""
    as_new(lab, HOUR)
    lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", "7"], port=7)
    child = lab.client.start([sys.executable, "-c", CHILD, lab.server.ip, "7"])
    eventually(lambda: len(list(lab.firewall.sessions())) == 3, what="three connections")
    with exchanged(lab) as pair, ThreadPoolExecutor() as pool:
        keepalive(pair.client, 10, interval=10)
        running = pool.submit(lab.fast_forward, "12h")
        eventually(lambda: (lab.firewall.passed() or 0) > 1300, what="the first probes")
        child.stop()
        done = running.result()
        assert done["advanced_s"] == 12 * 3600
        say(pair.client, pair.server)


def test_connections_that_do_not_cross_the_firewall_are_played_too(lab: Lab) -> None:
    """A proxy beside the client, over the loopback; its keepalives are answered at once."""
    as_new(lab, HOUR)
    with connected(lab, server=lab.client) as pair:
        keepalive(pair.client, 900)
        done = lab.fast_forward("61m")
        assert counts(done) == [(4, 4)]
        assert done["wall_s"] < 2


def test_both_ends_may_ask(lab: Lab) -> None:
    """Each has a timer of its own; a probe that is heard restarts nobody's but its sender's."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair:
        keepalive(pair.client, 900)
        keepalive(pair.server, 900)
        done = lab.fast_forward("61m")
        assert counts(done) == [(4, 4)] * 2


# -- between and within fast-forwards -------------------------------------------------------------


def test_two_half_hours_are_an_hour(lab: Lab) -> None:
    """What was skipped is not forgotten: the kernels know nothing of it."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair:
        keepalive(pair.client, 2600)
        assert counts(lab.fast_forward("30m")) == []
        assert counts(lab.fast_forward("30m")) == [(1, 1)]
        assert counts(lab.fast_forward("30m")) == [(1, 1)]
        say(pair.client, pair.server)
        assert counts(lab.fast_forward("30m")) == []
        assert counts(lab.fast_forward("30m")) == [(1, 1)]


def test_a_socket_that_was_quiet_before_it_asked_is_remembered(lab: Lab) -> None:
    """SO_KEEPALIVE switched on after an hour of quiet: the hour counts."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair:
        lab.fast_forward("50m")
        keepalive(pair.client, 3300)
        assert counts(lab.fast_forward("6m")) == [(1, 1)]


def test_the_log_has_each_event_at_its_own_time(lab: Lab) -> None:
    """An expiry and its RSTs at the hour, not when it was over."""
    as_new(lab, HOUR, "expiry.action=reset-both")
    log = Log(lab)
    with exchanged(lab) as pair:
        before = eventually(lambda: log("built"))[0]["at_s"]
        done = lab.fast_forward("5h")
        (ended,) = log("torn_down")
        assert 3600 <= ended["at_s"] - before < 3605
        assert ended["idle_s"] == 3600
        assert {each["at_s"] for each in log("injected")} == {ended["at_s"]}
        assert [each["host"] for each in done["connections_lost"]] == ["client", "server"]
        assert what_comes(pair.server) == "ECONNRESET"


def test_scheduled_flushes_happen_on_the_way(lab: Lab) -> None:
    """Each at its time: what was opened before is gone."""
    as_new(lab, HOUR, 'flush=[{every="20m"}]')
    with exchanged(lab):
        done = lab.fast_forward("30m")
        assert [each["reason"] for each in done["sessions_ended"]] == ["flushed"]
        assert 1190 < done["sessions_ended"][0]["idle_s"] < 1201


def test_dead_connection_detection_asks_in_time(lab: Lab) -> None:
    """The firewall's own questions are answered by the real ends before time goes on."""
    as_new(lab, HOUR, "expiry.action=probe", "expiry.retry_interval=15s")
    log = Log(lab)
    with exchanged(lab) as pair:
        done = lab.fast_forward("3h 30m")
        assert done["sessions_ended"] == []
        assert len(log("injected", kind="probe")) == 6
        say(pair.client, pair.server)


def test_what_the_firewall_asks_restarts_the_keepalive_of_both_ends(lab: Lab) -> None:
    """Each hears the answer of the other, as it passes."""
    as_new(lab, HOUR, "expiry.action=probe", "expiry.retry_interval=15s")
    with exchanged(lab) as pair:
        keepalive(pair.client, 5400)
        assert counts(lab.fast_forward("1h 55m")) == []  # due 90 minutes after the first hour
        assert counts(lab.fast_forward("1h")) == []  # and after the second


@pytest.mark.parametrize(
    ("event", "seconds"),
    [("session-ended", 3600), ("probe-unanswered", 4000), ("connection-lost", 4020)],
)
def test_it_stops_where_it_was_told_to(lab: Lab, event: str, seconds: int) -> None:
    """At the first such event, with the clock at its time."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair:
        keepalive(pair.client, 4000, interval=10, probes=2)
        done = lab.fast_forward("3h", stop_on=[event])
        assert done["stopped_at"] == event
        assert seconds - 5 < done["advanced_s"] < seconds + 2


# -- sockets that wait for room ------------------------------------------------------------------


def blocked(lab: Lab) -> Pair:
    """A connection whose server does not read: its window is closed, and the client has more."""
    pair = exchanged(lab)
    pair.client.setblocking(False)
    eventually(lambda: is_full(pair.client) and Info.of(pair.client).window == 0, what="no room")
    eventually(lambda: Info.of(pair.client).backoff > 0, what="the first question")
    pair.client.settimeout(10)
    return pair


def is_full(end: socket.socket) -> bool:
    """Has it no room for more?"""
    try:
        end.send(b"z" * 65536)
    except BlockingIOError:
        return True
    return False


def test_a_closed_window_is_asked_about_and_the_session_lives(lab: Lab) -> None:
    """The persist timer asks every two minutes at most, for as long as it takes."""
    as_new(lab, "timeouts.tcp_established=300s")
    with blocked(lab) as pair:
        done = lab.fast_forward("1h")
        assert done["sessions_ended"] == done["connections_lost"] == []
        (probes,) = done["probes"]
        assert (probes["host"], probes["kind"]) == ("client", "zero-window")
        assert 33 <= probes["sent"] == probes["answered"] <= 42
        assert Info.of(pair.client).state == 1
        again = lab.fast_forward("1h")  # the time between two questions has not begun anew
        assert 29 <= again["probes"][0]["sent"] <= 36
        assert receive(pair.server, 100_000) == b"z" * 100_000


def test_no_keepalive_is_sent_while_data_waits(lab: Lab) -> None:
    """Linux asks about the window instead (tcp_keepalive_timer looks at the write queue)."""
    as_new(lab, "timeouts.tcp_established=300s")
    with blocked(lab) as pair:
        keepalive(pair.client, 10, interval=10)
        done = lab.fast_forward("20m")
        assert [each["kind"] for each in done["probes"]] == ["zero-window"]
        assert done["probes"][0]["sent"] < 25


def test_without_answers_a_closed_window_ends_the_connection(lab: Lab) -> None:
    """After `tcp_retries2` questions: ETIMEDOUT, and the peer hears nothing of it."""
    as_new(lab, "timeouts.tcp_established=10s")
    sysctl(lab.client.namespace, "net.ipv4.tcp_retries2", 6)
    try:
        with blocked(lab) as pair:
            pair.client.settimeout(None)
            done = lab.fast_forward("1h")
            assert [each["reason"] for each in done["sessions_ended"]] == ["expired"]
            assert [(each["host"], each["error"]) for each in done["connections_lost"]] == [
                ("client", "ETIMEDOUT")
            ]
            (probes,) = done["probes"]
            assert probes["sent"] - probes["answered"] == 6
            assert what_comes(pair.client) == "ETIMEDOUT"
    finally:
        sysctl(lab.client.namespace, "net.ipv4.tcp_retries2", 15)


def test_a_user_timeout_ends_a_connection_without_room(lab: Lab) -> None:
    """Even though every question is answered."""
    as_new(lab, HOUR)
    with blocked(lab) as pair:
        pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 600_000)
        assert lab.fast_forward("9m")["connections_lost"] == []
        done = lab.fast_forward("9m")
        assert [each["error"] for each in done["connections_lost"]] == ["ETIMEDOUT"]


# -- what cannot be played ------------------------------------------------------------------------


def test_data_on_its_way_is_told(lab: Lab) -> None:
    """The retransmissions of that hour were not made."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair, deaf(lab.server):
        keepalive(pair.client, 60)
        pair.client.sendall(b"lost")
        done = lab.fast_forward("10m")
        assert done["probes"] == []
        (told,) = [each for each in done["not_played"] if "acknowledged" in each["what"]]
        assert told["what"] == "data that is not acknowledged (1 segments)"
        assert (told["host"], told["remote"]) == (
            "client",
            f"{lab.server.ip}:{pair.server.getsockname()[1]}",
        )


def test_a_session_with_data_on_its_way_is_doubtful(lab: Lab) -> None:
    """In a real hour its packets would have been repeated, and the session have lived on."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair, exchanged(lab) as quiet, deaf(lab.server):
        pair.client.sendall(b"lost")
        done = lab.fast_forward("2h")
        doubts = {each["source_port"]: each["doubtful"] for each in done["sessions_ended"]}
        assert doubts[quiet.port] == []
        (doubt,) = doubts[pair.port]
        assert doubt["trust"] == "not-to-be-trusted"
        assert doubt["text"].startswith("data that is not acknowledged (1 segments), ")
        assert doubt["text"].endswith(": not played")


def test_nobody_may_claim_that_a_connection_with_data_on_its_way_has_survived(lab: Lab) -> None:
    """Its kernel would have repeated the data, or given it up: nobody has tried."""
    as_new(lab, "timeouts.tcp_established=12h")
    with exchanged(lab) as pair, exchanged(lab) as quiet:
        with deaf(lab.server):
            pair.client.sendall(b"lost")
            lab.fast_forward("2h")
        lab.assert_survived(quiet.client)
        with pytest.raises(
            AssertionError, match=r"not to be trusted: data that is not acknowledged"
        ):
            lab.assert_survived(pair.client)
        with pytest.raises(
            AssertionError, match=r"not to be trusted: data that is not acknowledged"
        ):
            lab.assert_survived(port=pair.port)


def test_a_connection_whose_application_hears_of_its_end_at_once_is_lost(lab: Lab) -> None:
    """It closes its socket within the same millisecond; that is no close of its own."""
    as_new(lab, HOUR, "expiry.action=reset-both")
    with exchanged(lab) as reset, exchanged(lab) as closed, ThreadPoolExecutor() as pool:
        ends = [pool.submit(_close_at_the_end, end) for end in (reset.client, reset.server)]
        keepalive(closed.client, 60)
        keepalive(closed.server, 60)
        running = pool.submit(lab.fast_forward, "5h")
        eventually(lambda: (lab.firewall.passed() or 0) > 100, what="a minute")
        closed.client.close()
        closed.server.close()
        done = running.result()
        assert [each.result() for each in ends] == ["ECONNRESET"] * 2
        assert [(each["host"], each["error"]) for each in done["connections_lost"]] == [
            ("client", "ECONNRESET"), ("server", "ECONNRESET")
        ]  # fmt: skip


def _close_at_the_end(end: socket.socket) -> str:
    said = what_comes(end, within=30)
    end.close()
    return said


def test_a_socket_that_nobody_holds_is_told(lab: Lab) -> None:
    """It is on its way to another process, in a message; its keepalive cannot be read."""
    as_new(lab, HOUR)
    near, far = socket.socketpair()
    with near, far, exchanged(lab) as pair:
        socket.send_fds(near, [b"x"], [pair.client.fileno()])
        local = pair.client.getsockname()
        pair.client.close()
        done = lab.fast_forward("1m")
        told = [each["local"] for each in done["not_played"] if "no process" in each["what"]]
        assert told == [f"{local[0]}:{local[1]}"]
        _, (descriptor,), _, _ = socket.recv_fds(far, 1, 1)
        socket.socket(fileno=descriptor).close()


def test_a_peer_that_is_gone_answers_nothing(lab: Lab) -> None:
    """The probe passes the firewall, and nobody is there: ETIMEDOUT after the last one."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair, deaf(lab.server):
        keepalive(pair.client, 600, interval=10, probes=3)
        done = lab.fast_forward("15m")
        assert counts(done) == [(3, 0)]
        assert what_comes(pair.client) == "ETIMEDOUT"


def test_the_probes_are_those_of_the_kernel(lab: Lab) -> None:
    """An ACK without data, one below the next number; the other kernel answers it."""
    as_new(lab, HOUR)
    with exchanged(lab) as pair, Wire(lab.client) as wire:
        keepalive(pair.client, 900)
        lab.fast_forward("16m")
        frames = [(frame.outgoing, frame.more[2]) for frame in wire.frames]
        assert frames == [(True, 0x10), (False, 0x10)]


# -- what is refused ------------------------------------------------------------------------------


def test_a_firewall_without_hosts_refuses(new_lab: Callable[..., Lab]) -> None:
    """Moving its clock alone would leave out everything else."""
    from fwemu.lab.plan import Layout, Topology

    pair = new_lab(topology=Topology(layout=Layout.ASYMMETRIC))
    with pytest.raises(ControlError, match="hosts of this firewall are not known"):
        pair.fast_forward("1h")


def test_the_end_of_all_clocks_is_said(new_lab: Callable[..., Lab]) -> None:
    """Each decade passes, until the clock would be where `never` is."""
    lab = new_lab()
    for _ in range(29):
        assert lab.fast_forward("3650d")["wall_s"] < 5
    with pytest.raises(ConfigError, match="more than 292 years on"):
        lab.fast_forward("3650d")
    assert lab.fast_forward("1h")["advanced_s"] == 3600


@pytest.mark.parametrize("text", ["", "soon", "-1h", "never"])
def test_a_time_that_is_none_is_refused(lab: Lab, text: str) -> None:
    """With what would be one."""
    with pytest.raises(ConfigError):
        lab.fast_forward(text)


def test_a_hundred_sockets_have_an_hour_in_about_a_second(lab: Lab) -> None:
    """The figure itself is in bench; here it must only not be minutes."""
    as_new(lab, HOUR)
    pairs = [connected(lab) for _ in range(100)]
    try:
        for pair in pairs:
            keepalive(pair.client, 900)
        done = lab.fast_forward("1h")
        assert len(counts(done)) == 100
        assert set(counts(done)) <= {(3, 3), (4, 4)}  # the last one is due about when it is over
        assert done["wall_s"] < 20
        say(pairs[50].client, pairs[50].server)
    finally:
        for pair in pairs:
            pair.close()
