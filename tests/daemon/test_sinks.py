"""A sink that fails changes no verdict: full disks, broken disks, and errors of our own."""

import errno
import os
from io import FileIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from fwemu.config import DeviceLogFormat
from fwemu.core.effects import PacketRefused, SessionOpened
from fwemu.core.firewall import Firewall
from fwemu.core.flow import UDP, Zone
from fwemu.core.policy import Policy
from fwemu.core.rules import Action, Rule
from fwemu.daemon import bounded_file, journal, tally
from fwemu.daemon.bounded_file import BoundedFile, NotWrittenError
from fwemu.daemon.datapath import TURN, Datapath
from fwemu.daemon.device_log import DeviceLog
from fwemu.daemon.formats import FORMATS
from fwemu.daemon.journal import Journal
from fwemu.daemon.journal_reader import read_events
from fwemu.daemon.losses import Losses
from fwemu.daemon.records import RECORDS
from fwemu.daemon.schedule import FlushSchedule
from fwemu.daemon.tally import COUNTED, Tally
from tests.daemon.fakes import AT, EFFECTS, Injector, Packet, StillClock
from tests.kit.wire import address, ip, udp

FULL = "No space left on device"
BUILT = EFFECTS[0]


class Disk:
    """Room for so many octets; every file that is opened meanwhile is on it."""

    room = 10**9
    opens = True
    can_truncate = True

    def spend(self, wanted: int) -> int:
        taken = min(wanted, self.room)
        self.room -= taken
        if wanted and not taken:
            raise OSError(errno.ENOSPC, FULL)
        return taken


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that can be full, as the logs see it."""
    made = Disk()

    class OnDisk(FileIO):
        def __init__(self, path: Any, mode: str = "r") -> None:
            if not made.opens:
                raise OSError(errno.EROFS, "Read-only file system")
            super().__init__(path, mode)

        def write(self, data: Any) -> int:
            return super().write(bytes(data)[: made.spend(len(data))])

        def truncate(self, size: int | None = None) -> int:
            if not made.can_truncate:
                raise OSError(errno.EIO, "Input/output error")
            return super().truncate(size)

    monkeypatch.setattr(bounded_file, "FileIO", OnDisk)
    return made


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


# -- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", range(13))
def test_a_full_disk_leaves_whole_lines_and_says_how_many_are_missing(
    tmp_path: Path, disk: Disk, room: int
) -> None:
    """Wherever it ends: half a line would be glued to the next one, and no reader would go on."""
    file = BoundedFile(tmp_path / "log", 1000)
    file.append(b"zero\n")
    disk.room = room
    whole = room // 4
    with pytest.raises(NotWrittenError, match=FULL) as caught:
        file.append(b"one\ntwo\nsix\nten\n")
    assert caught.value.lines == 4 - whole
    assert (tmp_path / "log").read_bytes() == b"zero\n" + b"one\ntwo\nsix\n"[: 4 * whole]
    disk.room = 100
    file.append(b"again\n")
    assert (tmp_path / "log").read_bytes().endswith(b"\nagain\n")
    file.close()


def test_half_a_line_that_cannot_be_cut_off_is_a_line_of_its_own(
    tmp_path: Path, disk: Disk
) -> None:
    """A broken disk; what comes later can be read."""
    file = BoundedFile(tmp_path / "log", 1000)
    disk.room, disk.can_truncate = 2, False
    with pytest.raises(NotWrittenError):
        file.append(b"one\n")
    disk.room = 100
    file.append(b"two\n")
    assert (tmp_path / "log").read_bytes() == b"on\ntwo\n"
    file.close()


def test_a_log_that_somebody_left_within_a_line_goes_on_with_a_new_one(tmp_path: Path) -> None:
    """The machine lost its power while `--log FILE` was written."""
    (tmp_path / "log").write_bytes(b"one\ntw")
    file = BoundedFile(tmp_path / "log", 1000)
    file.append(b"three\n")
    assert (tmp_path / "log").read_bytes() == b"one\ntw\nthree\n"
    file.close()


def test_a_rotation_that_fails_is_tried_again(tmp_path: Path, disk: Disk) -> None:
    """No inode is left, or the disk has become read-only."""
    path = tmp_path / "log"
    file = BoundedFile(path, 5)
    file.append(b"one\n")
    disk.opens = False
    with pytest.raises(NotWrittenError, match="Read-only") as caught:
        file.append(b"two\n")
    assert caught.value.lines == 1
    disk.opens = True
    file.append(b"six\n")
    assert (path.read_bytes(), bounded_file.rotated(path).read_bytes()) == (b"six\n", b"one\n")
    file.close()


# -- the logs ------------------------------------------------------------------------------------


def journal_in(directory: Path) -> Journal:
    made = Journal(directory / "log", StillClock(), 1_000_000)  # type: ignore[arg-type]
    made.select([name for name, _ in RECORDS.values()])
    return made


def test_the_log_goes_on_when_there_is_room_and_tells_the_gap(
    tmp_path: Path, disk: Disk, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is missing is counted, said while it lasts, and stands in the log for ever."""
    log = journal_in(tmp_path)
    log.write([BUILT])
    disk.room = 0
    log.write([BUILT] * 3)
    log.note("configured", AT, changes=["a=1"])
    assert (log.losses.count, log.losses.problem) == (4, FULL)
    disk.room = 10**9
    log.write([BUILT])
    log.write([BUILT])
    log.close()
    assert (log.losses.count, log.losses.problem) == (4, None)
    written = lines(tmp_path / "log")
    assert [each["event"] for each in written] == ["built", "log_gap", "built", "built"]
    assert (written[1]["lost"], written[1]["error"]) == (4, FULL)
    assert [each["number"] for each in written] == [1, 6, 7, 8]
    full, goes_on = capfd.readouterr().err.splitlines()
    assert full == (
        "log: No space left on device: what happens is not written there for now, but counted "
        "(`fwemu stats`); packets are decided as before"
    )
    assert goes_on == "log: goes on; 4 events are lost until now"


def test_the_gap_is_told_once_however_long_there_is_no_room_for_it(
    tmp_path: Path, disk: Disk, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also with a disk that has room for a moment, again and again."""
    log = journal_in(tmp_path)
    for _ in range(50):
        disk.room = 0
        log.write([BUILT] * 2)
        disk.room = 1000
        log.write([BUILT])
    log.close()
    gaps = [each["lost"] for each in lines(tmp_path / "log") if each["event"] == "log_gap"]
    assert gaps == [2] * 50
    assert log.losses.count == 100
    assert len(capfd.readouterr().err.splitlines()) == 20


def test_an_event_that_cannot_be_written_down_is_lost_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error of ours in one kind of event; the others of the same moment are there."""

    def fail(effect: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setitem(journal.RECORDS, SessionOpened, ("built", fail))
    log = journal_in(tmp_path)
    log.write(EFFECTS)
    log.write(EFFECTS)
    log.close()
    others = [RECORDS[type(each)][0] for each in EFFECTS if type(each) is not SessionOpened]
    written = [each["event"] for each in lines(tmp_path / "log")]
    assert written == [*others, "log_gap", *others]
    assert log.losses.count == 2
    assert capfd.readouterr().err.count("Traceback") == 1


@pytest.mark.parametrize("text", ["\ud800", chr(0xDCFF), "a\nb", "\u2028", "\x85", "\x1b[2J"])
def test_any_text_can_be_noted_and_read_back(tmp_path: Path, text: str) -> None:
    """A setting is whatever somebody has sent."""
    log = journal_in(tmp_path)
    log.note("configured", AT, changes=[text, 2**70])
    log.close()
    assert log.losses.count == 0
    (line,) = (tmp_path / "log").read_bytes().split(b"\n")[:-1]
    assert orjson.loads(line)["changes"] == [
        text.encode(errors="backslashreplace").decode(), "a number of 71 bits",
    ]  # fmt: skip


def test_a_device_log_without_room_loses_its_lines_and_nothing_else(
    tmp_path: Path, disk: Disk
) -> None:
    """Also where it cannot even begin."""
    path = tmp_path / "device.log"
    log = DeviceLog(path, StillClock(), 1_000_000, "shop")  # type: ignore[arg-type]
    disk.opens = False
    log.follow(DeviceLogFormat.CISCO_ASA, Policy())
    log.write(EFFECTS)
    lost = log.losses.count
    assert lost >= 2
    disk.opens = True
    log.write(EFFECTS)
    assert (log.losses.count, log.losses.problem) == (lost, None)
    disk.opens = False
    log.follow(DeviceLogFormat.JUNIPER_SRX, Policy())
    disk.opens = True
    log.write(EFFECTS)
    log.close()
    assert "%ASA" not in path.read_text()


def test_a_line_of_a_device_that_cannot_be_made_is_lost_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours in a format."""
    path = tmp_path / "device.log"
    log = DeviceLog(path, StillClock(), 1_000_000, "shop")  # type: ignore[arg-type]
    log.follow(DeviceLogFormat.CISCO_ASA, Policy())
    chosen = FORMATS[DeviceLogFormat.CISCO_ASA]
    assert chosen is not None

    class Broken:
        def line(self, device: Any, effect: Any, at: Any) -> Any:
            return 1 / 0 if effect is BUILT else chosen.line(device, effect, at)

    log.write(EFFECTS)
    whole = len(path.read_text().splitlines())
    monkeypatch.setitem(FORMATS, DeviceLogFormat.CISCO_ASA, Broken())  # type: ignore[arg-type]
    log.write(EFFECTS)
    log.close()
    assert log.losses.count == 1
    assert len(path.read_text().splitlines()) == 2 * whole - 1


def test_an_effect_that_cannot_be_counted_is_lost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is counted."""
    monkeypatch.delitem(tally.COUNTED, SessionOpened)
    it = Tally()
    it.write(EFFECTS)
    assert it.losses.count == 1
    assert it.ended == {("tcp", "expired"): 1}
    assert len(COUNTED) == len(EFFECTS) - 1


def test_a_disk_that_is_torn_does_not_end_a_reader(tmp_path: Path) -> None:
    """Whoever reads goes on behind the line that nobody can read."""
    import asyncio

    path = tmp_path / "log"
    path.write_bytes(b'{"number":1}\n{"num\n\xff\n[]\n{"number":2}\n')

    async def read() -> list[int]:
        return [orjson.loads(line)["number"] async for line in read_events(path)]

    assert asyncio.run(read()) == [1, 2]


# -- the firewall ----------------------------------------------------------------------------------


class Broken:
    """A sink that raises whatever it is told."""

    def __init__(self, error: BaseException) -> None:
        self.losses = Losses("broken")
        self._error = error

    def write(self, effects: Any) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), KeyError("effect"), AssertionError("odd")]
)
def test_a_sink_that_raises_changes_no_verdict(tmp_path: Path, error: Exception) -> None:
    """Whoever adds one may err; the packets, and the other sinks, hear nothing of it."""
    clock, diary = StillClock(), []  # type: ignore[var-annotated]
    broken, log = Broken(error), journal_in(tmp_path)
    datapath = Datapath(
        Firewall(Policy()), clock, {1: Zone.INSIDE}, FlushSchedule(clock),  # type: ignore[arg-type]
        Injector(diary), Tally(), broken, log,
    )  # fmt: skip
    packets = [
        Packet(ip(address("10.0.1.2"), address("10.0.2.2"), UDP, udp(port, 53)), diary)
        for port in range(1, 11)
    ]
    for packet in packets:
        datapath._turn_ends = clock.instant_now + TURN
        datapath.on_packet(packet)  # type: ignore[arg-type]
        datapath.publish()
    assert [packet.verdict for packet in packets] == ["accept"] * 10
    assert broken.losses.count == 10
    assert [each["event"] for each in lines(tmp_path / "log")] == ["built"] * 10
    log.close()


def test_what_is_said_of_it_never_fails_itself(capfd: pytest.CaptureFixture[str]) -> None:
    """The log of the process is often on the same disk."""
    told = Losses("log")
    kept = os.dup(2)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        os.dup2(full, 2)
        told.add(OSError(errno.ENOSPC, FULL), 1)
        told.add(ValueError("\ud800"), 1)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(full)
    assert told.count == 2
    assert capfd.readouterr().err == ""


def test_the_log_names_the_rule_as_it_was_called_then(tmp_path: Path) -> None:
    """Its place in the list means nothing once somebody has put another one in front."""
    log = journal_in(tmp_path)
    (refused,) = (each for each in EFFECTS if isinstance(each, PacketRefused))
    for names in (("a", "ssh"), ("a", "b", "ssh"), ("a",), ("a", "")):
        rules = tuple(Rule(action=Action.DENY, name=name) for name in names)
        log.name_rules(Policy(rules=rules))
        log.write([refused._replace(rule=1)])
    log.close()
    assert [each.get("rule_name") for each in lines(tmp_path / "log")] == ["ssh", "b", None, None]
