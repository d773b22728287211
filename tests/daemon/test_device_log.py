"""The log in the format of a device on disk: when it begins, what it bounds, and who reads it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from fwemu.config import DeviceLogFormat, load, policy
from fwemu.core.effects import SessionEnded, StateChanged
from fwemu.core.firewall import Firewall
from fwemu.core.flow import TCP, Zone
from fwemu.core.policy import Policy
from fwemu.daemon.device_log import DeviceLog
from tests.daemon.fakes import EFFECTS, StillClock
from tests.kit.wire import address, ip, tcp

ASA, SRX, CONNTRACK, NONE = (
    DeviceLogFormat.CISCO_ASA,
    DeviceLogFormat.JUNIPER_SRX,
    DeviceLogFormat.CONNTRACK,
    DeviceLogFormat.NONE,
)
CLIENT, SERVER = address("10.0.1.2"), address("10.0.2.2")


def device_log(path: Path, limit: int = 1_000_000) -> DeviceLog:
    return DeviceLog(path, StillClock(), limit, "shop")  # type: ignore[arg-type]


def test_without_a_format_there_is_no_file(tmp_path: Path) -> None:
    """Nobody pays for what nobody asked for."""
    log = device_log(tmp_path / "device.log")
    log.follow(NONE, Policy())
    log.write(EFFECTS)
    log.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chosen", [each for each in DeviceLogFormat if each is not NONE])
def test_each_effect_that_the_device_tells_is_a_line(
    tmp_path: Path, chosen: DeviceLogFormat
) -> None:
    """Written at once, for those who follow it."""
    path = tmp_path / "device.log"
    log = device_log(path)
    log.follow(chosen, Policy())
    log.write(EFFECTS)
    text = path.read_text()
    assert text.endswith("\n")
    assert 2 <= len(text.splitlines()) <= 3
    log.close()


def test_it_has_the_bound_of_the_other_log(tmp_path: Path) -> None:
    """The two parts together hold no more than twice `log_size`."""
    path = tmp_path / "device.log"
    log = device_log(path, limit=2000)
    log.follow(ASA, Policy())
    for _ in range(50):
        log.write(EFFECTS)
    log.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["device.log", "device.log.1"]
    assert all(0 < each.stat().st_size <= 2000 for each in tmp_path.iterdir())


def test_no_file_has_lines_of_two_devices(tmp_path: Path) -> None:
    """A parser is fed with one of them, and what reads the log reads both its parts."""
    path = tmp_path / "device.log"
    log = device_log(path, limit=1000)
    log.follow(ASA, Policy())
    log.write(EFFECTS * 5)
    assert path.with_name("device.log.1").exists()
    log.follow(SRX, Policy())
    log.write(EFFECTS)
    log.follow(NONE, Policy())
    log.write(EFFECTS)
    log.close()
    parts = [path.read_text(), path.with_name("device.log.1").read_text()]
    assert all("RT_FLOW" in part and "%ASA-" not in part for part in parts)


class Connection:
    """A TCP connection through a firewall of one's own."""

    def __init__(self, followed: Policy | None = None) -> None:
        self.clock = StillClock()
        self.firewall = Firewall(followed or Policy(), choose=random.Random(1).randrange)

    def client(self, flags: str, seq: int, ack: int = 0) -> tuple[object, ...]:
        return self._send(ip(CLIENT, SERVER, TCP, tcp(4000, 80, flags, seq, ack)), Zone.INSIDE)

    def server(self, flags: str, seq: int, ack: int) -> tuple[object, ...]:
        return self._send(ip(SERVER, CLIENT, TCP, tcp(80, 4000, flags, seq, ack)), Zone.OUTSIDE)

    def _send(self, data: bytes, zone: Zone) -> tuple[object, ...]:
        return self.firewall.handle(data, self.clock.now(), zone).effects

    def open(self) -> None:
        self.client("S", 100)
        self.server("SA", 500, 101)
        self.client("A", 101, 501)


@pytest.mark.parametrize(
    ("close", "word"),
    [
        (lambda connection: connection.server("RA", 501, 101), "TCP Reset-O from outside"),
        (lambda connection: connection.client("R", 101), "TCP Reset-I from inside"),
        (lambda connection: connection.server("FA", 501, 101), "FIN Timeout"),
        (lambda connection: None, "Conn-timeout"),
    ],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_sessions_that_are_open_when_it_begins_are_known(
    tmp_path: Path, close: Callable[[Connection], object], word: str, is_late: bool
) -> None:
    """Whether the format was chosen before an end closed, or after."""
    path = tmp_path / "device.log"
    connection, log = Connection(), device_log(path)
    connection.open()
    if is_late:
        close(connection)
    log.follow(ASA, Policy(), connection.firewall.table)
    if not is_late:
        log.write(close(connection) or ())  # type: ignore[arg-type]
    connection.clock.pass_time(7200)
    log.write(connection.firewall.tick(connection.clock.now()))
    log.close()
    (line,) = path.read_text().splitlines()
    assert line.endswith(word)


def test_the_fin_that_came_first_is_known_afterwards(tmp_path: Path) -> None:
    """Also when both ends had closed before anybody asked for this log."""
    path = tmp_path / "device.log"
    connection, log = Connection(), device_log(path)
    connection.open()
    connection.server("FA", 501, 101)
    connection.client("FA", 101, 502)
    connection.server("A", 502, 102)
    log.follow(ASA, Policy(), connection.firewall.table)
    connection.clock.pass_time(7200)
    log.write(connection.firewall.tick(connection.clock.now()))
    log.close()
    assert path.read_text().endswith("TCP FINs from outside\n")


def test_an_event_of_a_session_from_before_has_its_flow(tmp_path: Path) -> None:
    """conntrack prints it with every change of state."""
    path = tmp_path / "device.log"
    connection, log = Connection(), device_log(path)
    connection.open()
    log.follow(CONNTRACK, Policy(), connection.firewall.table)
    effects = connection.client("FA", 101, 501)
    assert [type(effect) for effect in effects] == [StateChanged]
    log.write(effects)  # type: ignore[arg-type]
    ended = connection.firewall.flush(connection.clock.now())
    assert [type(effect) for effect in ended] == [SessionEnded]
    log.write(ended)
    log.close()
    update, destroy = path.read_text().splitlines()
    assert " [UPDATE] tcp      6 120 FIN_WAIT src=10.0.1.2 dst=10.0.2.2 sport=4000 " in update
    assert "[ASSURED]" in update
    assert "[DESTROY] tcp      6 FIN_WAIT " in destroy


def test_the_time_that_is_printed_is_the_one_that_is_left(tmp_path: Path) -> None:
    """What was picked up has five minutes and not five days, whatever is configured for its state.

    So says the kernel, too: NEW with 300, an UPDATE without a state at the first answer.
    """
    path = tmp_path / "device.log"
    linux = policy(load(profile="linux-conntrack"))
    connection, log = Connection(linux), device_log(path)
    log.follow(CONNTRACK, linux)
    log.write(connection.client("PA", 101, 501))  # type: ignore[arg-type]
    log.write(connection.server("A", 501, 101))  # type: ignore[arg-type]
    log.close()
    new, answer = path.read_text().splitlines()
    assert "    [NEW] tcp      6 300 ESTABLISHED src=10.0.1.2 " in new
    assert "[UNREPLIED]" in new
    assert " [UPDATE] tcp      6 432000 src=10.0.1.2 " in answer
    assert "[UNREPLIED]" not in answer


def test_another_policy_is_followed_in_the_same_file(tmp_path: Path) -> None:
    """Only another format begins a new one."""
    path = tmp_path / "device.log"
    log = device_log(path)
    for _ in range(2):
        log.follow(ASA, Policy())
        log.write(EFFECTS)
    log.close()
    assert not path.with_name("device.log.1").exists()
