"""The firewall log on disk: what it selects, numbers, bounds and rotates; and who reads it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fwemu import client
from fwemu.daemon import journal_reader
from fwemu.daemon.bounded_file import BoundedFile
from fwemu.daemon.journal import Journal
from fwemu.daemon.journal_reader import read_events, read_lines
from tests.daemon.fakes import AT, EFFECTS, StillClock

ALL = ("built", "torn_down", "denied", "released", "state_changed", "keepalive", "injected")
ALL += ("answered",)


def journal(path: Path, limit: int = 1_000_000) -> Journal:
    made = Journal(path, StillClock(), limit)
    made.select(ALL)
    return made


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def all_lines(path: Path) -> list[dict[str, Any]]:
    rotated = path.with_name(path.name + ".1")
    return [*(lines(rotated) if rotated.exists() else []), *lines(path)]


# -- writing ------------------------------------------------------------------------------------


def test_each_event_is_a_line_with_number_time_and_name(tmp_path: Path) -> None:
    """The time of day for people, seconds since the start for arithmetic."""
    it = journal(tmp_path / "log")
    it.write(EFFECTS)
    it.close()
    written = lines(tmp_path / "log")
    assert [event["number"] for event in written] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [event["event"] for event in written] == [
        "built", "state_changed", "torn_down", "denied", "released", "keepalive", "injected",
        "answered",
    ]  # fmt: skip
    assert written[0]["time"] == "2026-01-01T00:00:05.000000+00:00"
    assert written[0]["at_s"] == 5.0


def test_only_the_selected_kinds_are_written_and_numbered(tmp_path: Path) -> None:
    """A gap in the numbers would look like a loss."""
    it = journal(tmp_path / "log")
    it.select(["torn_down", "injected"])
    it.write(EFFECTS)
    it.select([])
    it.write(EFFECTS)
    it.note("configured", AT, changes=["a=1"])
    it.close()
    written = lines(tmp_path / "log")
    assert [event["event"] for event in written] == ["torn_down", "injected", "configured"]
    assert [event["number"] for event in written] == [1, 2, 3]
    assert written[2]["changes"] == ["a=1"]


def test_what_is_written_is_there_for_readers_at_once(tmp_path: Path) -> None:
    """`events --follow` reads the file, not the daemon."""
    it = journal(tmp_path / "log")
    it.write(EFFECTS[:1])
    assert len(lines(tmp_path / "log")) == 1
    it.close()


def test_two_files_never_grow_beyond_twice_the_limit(tmp_path: Path) -> None:
    """Years of lab must not fill a disk; the newest events are always there."""
    path = tmp_path / "log"
    it = journal(path, limit=10_000)
    for _ in range(200):
        it.write(EFFECTS)
        assert path.stat().st_size <= 10_000
    it.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log", "log.1"]
    assert (tmp_path / "log.1").stat().st_size <= 10_000
    numbers = [event["number"] for event in all_lines(path)]
    assert numbers == list(range(numbers[0], 1 + 200 * len(EFFECTS)))


def test_no_file_is_larger_than_the_limit_whatever_comes_at_once(tmp_path: Path) -> None:
    """`log_size` is a promise about the disk."""
    path = tmp_path / "log"
    it = journal(path, limit=2000)
    it.write(EFFECTS * 50)
    it.close()
    assert path.stat().st_size <= 2000
    assert path.with_name("log.1").stat().st_size <= 2000
    numbers = [event["number"] for event in all_lines(path)]
    assert numbers == list(range(numbers[0], 1 + 50 * len(EFFECTS)))


def test_a_line_that_is_larger_than_a_file_gets_one_of_its_own(tmp_path: Path) -> None:
    """Better too large than lost."""
    it = journal(tmp_path / "log", limit=200)
    it.write(EFFECTS[:1])
    it.note("configured", AT, changes=["x" * 500])
    it.write(EFFECTS[:1])
    it.close()
    assert [event["number"] for event in all_lines(tmp_path / "log")] == [2, 3]


def test_a_log_that_is_there_already_goes_on(tmp_path: Path) -> None:
    """`--log FILE` of an earlier run is appended to, and counted towards the limit."""
    path = tmp_path / "log"
    path.write_bytes(b'{"number":1}\n' * 100)
    it = journal(path, limit=1500)
    it.write(EFFECTS[:1])
    it.write(EFFECTS[:1])
    it.close()
    assert (tmp_path / "log.1").exists()


def test_a_file_can_begin_anew_under_the_eyes_of_a_reader(tmp_path: Path) -> None:
    """Nothing of before is found any more, and whoever follows goes on with what comes."""
    path = tmp_path / "log"
    file = BoundedFile(path, limit=12)

    async def story() -> list[bytes]:
        file.append(b"one\ntwo\nthree\nfour\n")
        lines = read_lines(path, follow=True)
        async with asyncio.timeout(5):
            found = [await anext(lines) for _ in range(2)]
            file.begin_anew()
            assert path.read_bytes() == b""
            file.append(b"five\n")
            found.append(await anext(lines))
        await lines.aclose()
        return found

    assert asyncio.run(story()) == [b"one\n", b"two\n", b"five\n"]
    file.close()
    assert path.read_bytes() == b"five\n"
    assert not path.with_name("log.1").exists()


# -- reading ------------------------------------------------------------------------------------


async def collect(events: AsyncIterator[bytes], many: int) -> list[int]:
    """The numbers of so many events, within five seconds."""
    found: list[int] = []

    async def take() -> None:
        async for line in events:
            found.append(orjson.loads(line)["number"])
            if len(found) == many:
                return

    await asyncio.wait_for(take(), 5)
    return found


def numbers(path: Path, **options: Any) -> list[int]:
    async def read() -> list[int]:
        return [orjson.loads(line)["number"] async for line in read_events(path, **options)]

    return asyncio.run(read())


def write(path: Path, first: int, last: int, mode: str = "ab") -> None:
    with path.open(mode) as file:
        file.writelines(b'{"number":%d}\n' % number for number in range(first, last + 1))


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_reader, "LOOK_AGAIN", 0.001)


def test_without_a_log_there_is_nothing_to_read(tmp_path: Path) -> None:
    """A firewall that has just begun."""
    assert numbers(tmp_path / "log") == []


def test_both_files_are_read_in_order(tmp_path: Path) -> None:
    """From the number that the reader had last."""
    write(tmp_path / "log.1", 1, 5)
    write(tmp_path / "log", 6, 9)
    assert numbers(tmp_path / "log") == list(range(1, 10))
    assert numbers(tmp_path / "log", after=4) == [5, 6, 7, 8, 9]
    assert numbers(tmp_path / "log", after=9) == []


def test_half_a_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    """The writer may be in the middle of it."""
    path = tmp_path / "log"
    write(path, 1, 2)
    with path.open("ab") as file:
        file.write(b'{"num')
    assert numbers(path) == [1, 2]

    async def story() -> list[int]:
        reading = asyncio.create_task(collect(read_events(path, follow=True), 3))
        await asyncio.sleep(0.02)
        with path.open("ab") as file:
            file.write(b'ber":3}\n')
        return await reading

    assert asyncio.run(story()) == [1, 2, 3]


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\r", "\x1c"])
def test_a_line_ends_at_a_line_feed_and_nowhere_else(tmp_path: Path, end: str) -> None:
    """A setting may carry whatever else Unicode ends lines with; the log is read on behind it."""
    path = tmp_path / "log"
    it = journal(path)
    it.note("configured", AT, changes=[f"a{end}b"])
    it.note("stopped", AT)
    it.close()
    with path.open("ab") as file:
        file.write(f"device{end}line\n".encode())

    async def read() -> list[bytes]:
        return [line async for line in read_lines(path)]

    first, second, third = asyncio.run(read())
    assert orjson.loads(first)["changes"] == [f"a{end}b"]
    assert orjson.loads(second)["event"] == "stopped"
    assert third == f"device{end}line\n".encode()
    served = [each.decode() for each in (first, second, third)]
    for size in (1, 7, 10_000):
        text = "".join(served)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(client.lines_of(pieces)) == [each.removesuffix("\n") for each in served]


def test_following_goes_on_across_rotations(tmp_path: Path) -> None:
    """Also when the log was rotated before the last events of the old file were read."""
    path = tmp_path / "log"
    write(path, 1, 3)

    async def story() -> list[int]:
        reading = asyncio.create_task(collect(read_events(path, follow=True), 30))
        for start in range(4, 31, 9):
            await asyncio.sleep(0.01)
            write(path, start, start + 4)  # the last ones of the old file ...
            path.replace(tmp_path / "log.1")
            write(path, start + 5, start + 8)  # ... and the first ones of the new
        return await reading

    assert asyncio.run(story()) == list(range(1, 31))


def test_two_rotations_between_two_looks_lose_nothing_that_is_kept(tmp_path: Path) -> None:
    """A reader that was slow goes on with the part that it has not seen, not with the newest."""
    path = tmp_path / "log"
    path.write_bytes(b"1\n")

    async def story() -> list[bytes]:
        lines = read_lines(path, follow=True)
        found = [await anext(lines)]
        for number in (2, 3):
            with path.open("ab") as file:
                file.write(b"end of %d\n" % (number - 1))
            path.replace(tmp_path / "log.1")
            path.write_bytes(b"%d\n" % number)
        async with asyncio.timeout(5):
            found += [await anext(lines) for _ in range(4)]
        await lines.aclose()
        return found

    assert asyncio.run(story()) == [b"1\n", b"end of 1\n", b"2\n", b"end of 2\n", b"3\n"]


def test_following_begins_before_there_is_a_log(tmp_path: Path) -> None:
    """Nothing is missed by being early."""
    path = tmp_path / "log"

    async def story() -> list[int]:
        reading = asyncio.create_task(collect(read_events(path, follow=True), 2))
        await asyncio.sleep(0.01)
        write(path, 1, 2)
        return await reading

    assert asyncio.run(story()) == [1, 2]


def test_a_writer_and_a_follower_agree(tmp_path: Path) -> None:
    """The real journal, rotating all the time: whoever keeps up sees every event once."""
    path = tmp_path / "log"
    it = journal(path, limit=5_000)

    async def story() -> list[int]:
        reading = asyncio.create_task(collect(read_events(path, follow=True), 300))
        for _ in range(50):
            it.write(EFFECTS)
            await asyncio.sleep(0.003)
        return await reading

    assert asyncio.run(story()) == list(range(1, 301))
    it.close()
