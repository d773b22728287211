"""Time that passes faster: an hour of real kernels in seconds, beside the hour of a moment."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from fwemu.config.duration import Duration
from fwemu.errors import ConfigError
from fwemu.lab import Lab, Layout, Topology
from netns import sysctl
from tests.kit.labs import (
    Frame,
    Log,
    Wire,
    as_new,
    connected,
    deaf,
    eventually,
    listening,
    say,
    unique,
    what_comes,
)
from tests.virtual_time.test_fast_forward import keepalive

pytestmark = pytest.mark.kernel

SCALE: Final = 900
"""A quarter of an hour in a second, which is the least that the kernel's keepalive knows."""

TICK: Final = 0.004
"""Real seconds: a jiffy at 250 Hz."""

WHEEL: Final = 1 / 8
"""Of its length, how late a timer of the kernel may be (kernel/time/timer.c: LVL_CLK_SHIFT)."""

SLACK: Final = 0.1
"""Real seconds that a busy machine may be late."""


@pytest.fixture(scope="module")
def scaled_lab(base: Path) -> Iterator[Lab]:
    """One lab for all tests of this module in which time passes faster."""
    with Lab(name=unique(), base=base, time_scale=SCALE) as lab:
        yield lab


@pytest.fixture
def fast_lab(scaled_lab: Lab) -> Lab:
    """As if new."""
    as_new(scaled_lab)
    return scaled_lab


# -- the same hour in both ways -------------------------------------------------------------------


class Packet(NamedTuple):
    """A packet of a conversation, without what differs from one conversation to the next."""

    outgoing: bool
    flags: int
    seq: int
    ack: int
    """Both from the last numbers before the quiet began."""
    length: int


class Told(NamedTuple):
    """What an hour brought."""

    packets: list[Packet]
    at: list[float]
    """When these were on the wire: real seconds since the last one before."""
    logged: list[tuple[str, float]]
    """What the firewall says: the event, and seconds of its own since the first one."""
    lost: str


def relative(frames: list[Frame]) -> list[Packet]:
    """The frames after the greeting (SYN, SYN-ACK, ACK, two texts with their ACKs)."""
    start: dict[bool, int] = {}
    for frame in frames:
        if frame.length:
            start[frame.outgoing] = frame.numbers[0] + frame.length
    return [
        Packet(
            frame.outgoing,
            frame.more[2],
            frame.numbers[0] - start[frame.outgoing],
            frame.numbers[1] - start[not frame.outgoing] if frame.more[2] & 0x10 else 0,
            frame.length,
        )
        for frame in after_greeting(frames)
    ]


def after_greeting(frames: list[Frame]) -> list[Frame]:
    """All behind the last ACK of the greeting."""
    data = [number for number, frame in enumerate(frames) if frame.length]
    return frames[data[-1] + 2 :]


STORIES: Final = {
    "answered": (["timeouts.tcp_established=1h"], {"idle": 900, "interval": 900}, "1h 5m"),
    "silent": (
        ["timeouts.tcp_established=20m", "unknown.inside=drop"],
        {"idle": 1800, "interval": 900, "probes": 2},
        "1h 10m",
    ),
    "refused": (
        ["timeouts.tcp_established=20m", "unknown.inside=reset"],
        {"idle": 1800, "interval": 900, "probes": 2},
        "1h 10m",
    ),
}
"""Settings of the firewall, keepalive of the client's socket, and how long it is."""

LOGGED: Final = ("built", "keepalive", "torn_down", "denied", "injected")


def told(lab: Lab, story: str, pass_time: Callable[[str], object]) -> Told:
    """One hour on one connection."""
    settings, options, hour = STORIES[story]
    as_new(lab, *settings, f"daemon.log_events={list(LOGGED)}")
    log = Log(lab)
    with Wire(lab.client) as wire, connected(lab) as pair:
        keepalive(pair.client, **options)
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        eventually(lambda: wire.frames[-1].outgoing and not wire.frames[-1].length, what="an ACK")
        greeting = wire.frames[-1].at
        pass_time(hour)
        frames = wire.frames
        (built,) = log("built")
        happened = [each for each in log() if each["event"] in LOGGED]
        lost = what_comes(pair.client, within=0.05)
    return Told(
        relative(frames),
        [(frame.at - greeting) / 1e9 for frame in after_greeting(frames)],
        [(each["event"], each["at_s"] - built["at_s"]) for each in happened],
        lost,
    )


def in_a_moment(lab: Lab) -> Callable[[str], object]:
    """The hour is played."""
    return lab.fast_forward


def at_the_scale(lab: Lab) -> Callable[[str], object]:
    """The hour passes, so many times faster."""

    def uptime() -> float:
        return float(lab.firewall.statistics()["uptime_s"])

    def wait(hour: str) -> bool:
        until = uptime() + Duration.parse(hour).nanoseconds / 1e9
        return eventually(lambda: uptime() >= until, what=hour)

    return wait


@pytest.mark.parametrize("story", STORIES)
def test_an_hour_in_a_moment_is_that_of_the_kernels_own_timers(
    lab: Lab, fast_lab: Lab, story: str
) -> None:
    """Fast-forward plays what these timers would have done; at a time scale they do it themselves.

    Same probes, same answers, same end, at the same virtual times within the kernel's rounding.
    """
    played = told(lab, story, in_a_moment(lab))
    lived = told(fast_lab, story, at_the_scale(fast_lab))
    assert len(played.packets) > 1
    assert played.packets == lived.packets
    assert played.lost == lived.lost
    assert [event for event, _ in played.logged] == [event for event, _ in lived.logged]
    for (event, right), (_, real) in zip(played.logged, lived.logged, strict=True):
        late = 0 if event == "torn_down" else WHEEL * right  # that is the firewall's own timer
        assert right - 2 * TICK * SCALE <= real <= right + late + SLACK * SCALE, event


def test_the_log_has_the_times_of_the_wire_so_many_times_later(fast_lab: Lab) -> None:
    """The firewall's virtual ones: whoever reads the log sees an hour, and a capture 4 seconds."""
    lived = told(fast_lab, "answered", at_the_scale(fast_lab))
    logged = [at for event, at in lived.logged if event == "keepalive"]
    real = [at for at, packet in zip(lived.at, lived.packets, strict=True) if packet.outgoing]
    assert len(logged) == len(real) == 4
    for virtual, wire in zip(logged, real, strict=True):
        assert abs(virtual - wire * SCALE) < SLACK * SCALE


# -- the hosts ------------------------------------------------------------------------------------


def setting(lab: Lab, name: str) -> int:
    """A setting of the client's TCP."""
    return int(sysctl(lab.client.namespace, f"net.ipv4.{name}"))


def test_the_settings_of_the_hosts_are_scaled_and_the_error_is_told(scaled_lab: Lab) -> None:
    """Whole seconds are all that the kernel knows of keepalive."""
    report = scaled_lab.time_scale_report
    assert report["time_scale"] == scaled_lab.firewall.status()["time_scale"] == SCALE
    rows = {row["setting"]: row for row in report["settings"] if row["host"] == "client"}
    assert setting(scaled_lab, "tcp_keepalive_time") == rows["tcp_keepalive_time"]["set"] == 8
    assert rows["tcp_keepalive_time"]["error_percent"] == 0
    interval = rows["tcp_keepalive_intvl"]
    assert (interval["asked"], interval["set"], interval["error_percent"]) == (75, 1, 1100)
    assert interval["text"] == (
        "tcp_keepalive_intvl: 75 s / 900 = 0.08333 s, set to 1 s (+1.1e+03 %)"
    )
    assert {row["host"] for row in report["settings"]} == {"client", "server"}
    constant = {row["what"]: row.get("virtual_s") for row in report["not_scaled"]}
    assert constant["TIME_WAIT"] == 60 * SCALE


def test_a_setting_that_is_changed_later_is_scaled_as_well(fast_lab: Lab) -> None:
    """Whoever lowers tcp_keepalive_time in a host means the time of the firewall."""
    log = Log(fast_lab)
    sysctl(fast_lab.server.namespace, "net.ipv4.tcp_keepalive_time", 1800)

    def now() -> str:
        return sysctl(fast_lab.server.namespace, "net.ipv4.tcp_keepalive_time")

    try:
        eventually(lambda: now() == "2", what="2 s")
        (event,) = eventually(lambda: log("time_scaled"))
        assert event["host"] == "server"
        assert [(each["asked"], each["set"]) for each in event["values"]] == [(1800, 2)]
    finally:
        sysctl(fast_lab.server.namespace, "net.ipv4.tcp_keepalive_time", 7200)
        eventually(lambda: now() == "8", what="8 s")


def test_data_that_nobody_acknowledges_ends_a_connection_as_much_sooner(fast_lab: Lab) -> None:
    """15 minutes of retransmissions (tcp_retries2) are over in a second or two."""
    with connected(fast_lab) as pair:
        say(pair.client, pair.server)
        with deaf(fast_lab.server):
            pair.client.sendall(b"lost")
            assert what_comes(pair.client) == "ETIMEDOUT"


# -- what sockets set for themselves --------------------------------------------------------------

KEEPALIVE: Final = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT)


def values(end: socket.socket) -> list[int]:
    """Seconds, seconds, milliseconds."""
    return [end.getsockopt(socket.IPPROTO_TCP, option) for option in KEEPALIVE]


def test_values_of_a_socket_are_divided_once(fast_lab: Lab) -> None:
    """And again when the application sets them again."""
    log = Log(fast_lab)
    with connected(fast_lab) as pair:
        keepalive(pair.client, 3600, interval=1350, user_timeout_ms=9_000_000)
        eventually(lambda: values(pair.client) == [4, 2, 10_000], what="a division by 900")
        pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1800)
        eventually(lambda: values(pair.client) == [2, 2, 10_000], what="another one")
        assert values(pair.server) == [8, 1, 0]
        first, again = eventually(lambda: len(log("time_scaled")) == 2 and log("time_scaled"))
        assert first["local"] == f"{fast_lab.client.ip}:{pair.port}"
        assert [(each["setting"], each["asked"], each["set"]) for each in first["values"]] == [
            ("TCP_KEEPIDLE", 3600, 4),
            ("TCP_KEEPINTVL", 1350, 2),
            ("TCP_USER_TIMEOUT", 9_000_000, 10_000),
        ]
        assert [(each["setting"], each["asked"]) for each in again["values"]] == [
            ("TCP_KEEPIDLE", 1800)
        ]
        rounded = fast_lab.time_scale_report["sockets"]["rounded"]
        (mine,) = [each for each in rounded if each["local"] == first["local"]]
        assert mine["values"][1]["error_percent"] == 33.3


def test_a_value_that_is_just_that_of_its_host_is_known_for_its_own(fast_lab: Lab) -> None:
    """The host's two hours are 8 seconds here; a socket that asks for 8 seconds means those."""
    with connected(fast_lab) as own, connected(fast_lab) as follows:
        keepalive(own.client, 8)
        follows.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        eventually(lambda: values(own.client)[0] == 1, what="the least, one second")
        assert values(follows.client)[0] == 8
        assert setting(fast_lab, "tcp_keepalive_time") == 8


def test_accepted_sockets_are_scaled_though_they_got_it_from_the_listener(fast_lab: Lab) -> None:
    """As servers set it: once, on the socket that listens."""
    with listening(fast_lab.server) as listener:
        keepalive(listener, 2700)
        with fast_lab.client:
            near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
        with near, far:
            eventually(lambda: values(far)[0] == 3, what="3 s")


def test_a_fast_forward_goes_on_top_of_it(fast_lab: Lab) -> None:
    """The sockets' seconds are quarters of an hour there too."""
    as_new(fast_lab, "timeouts.tcp_established=2h")
    with connected(fast_lab) as pair:
        keepalive(pair.client, 3600, interval=900)
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        eventually(lambda: values(pair.client)[0] == 4, what="4 s")
        done = fast_lab.fast_forward("8h 30m")
        assert [(each["sent"], each["answered"]) for each in done["probes"]] == [(8, 8)]
        assert done["sessions_ended"] == done["connections_lost"] == []
        assert values(pair.client)[:2] == [4, 1]
        say(pair.client, pair.server)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0, -60, 3601])
def test_a_scale_that_is_none_is_refused(scale: int) -> None:
    """Before anything is made."""
    with pytest.raises(ConfigError, match="a whole number from 1 to 3600"):
        Lab(time_scale=scale)


def test_a_pair_of_firewalls_is_refused() -> None:
    """As for fast-forward: nobody would scale the ends."""
    with pytest.raises(ConfigError, match="one of a pair"):
        Lab(time_scale=60, topology=Topology(layout=Layout.ASYMMETRIC))
