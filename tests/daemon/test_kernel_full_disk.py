"""A run directory on a disk that is full: real packets, and a firewall that goes on deciding."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netns import Network
from tests.kit.command import fwemu
from tests.kit.ground import Daemon, Ground
from tests.kit.labs import connected, eventually, say, unique

pytestmark = pytest.mark.kernel


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for 192 kB: a daemon, and some hundreds of events."""
    directory = tmp_path / "tiny"
    directory.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192k,mode=755", "tmpfs", directory], check=True
    )
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


@pytest.fixture
def ground(tiny: Path) -> Iterator[Ground]:
    """Hosts whose firewall keeps everything there."""
    with Network() as network:
        yield Ground(network, tiny)


def connections(ground: Ground, number: int) -> None:
    """So many that are opened, used and closed, each of them over the firewall."""
    for _ in range(number):
        with connected(ground) as pair:
            say(pair.client, pair.server)
            say(pair.server, pair.client)


def statistics(daemon: Daemon) -> dict[str, Any]:
    with daemon.client() as client:
        return dict(client.statistics())


def fill(directory: Path) -> Path:
    """Take all the room that is left."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 65536
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return ballast


def test_a_firewall_goes_on_deciding_on_a_full_disk_and_says_what_its_log_lacks(
    ground: Ground,
) -> None:
    """An application must not see a timeout, as if the firewall had forgotten it, because of a log.

    When there is room again the log goes on, and tells how much is missing.
    """
    daemon = ground.start()
    connections(ground, 3)
    ballast = fill(ground.base)
    connections(ground, 200)
    full = statistics(daemon)
    lost = full["not_recorded"]["log"]
    assert lost >= 100
    assert full["sink_problems"] == {"log": "No space left on device"}
    assert full["not_recorded"]["counters"] == 0
    assert full["sessions_opened"]["tcp"] == 203
    assert full["packets"]["drop"] == {}
    told = fwemu("stats", "--control", str(daemon.directory.control)).out
    assert f"not recorded: {lost} by log\n           log: No space left on device\n" in told
    with daemon.client() as client:
        assert f'fwemu_not_recorded_total{{sink="log"}} {float(lost)}' in client.metrics()

    ballast.unlink()
    connections(ground, 2)
    room = statistics(daemon)
    assert room["sink_problems"] == {}
    with daemon.client() as client:
        events = list(client.events())
    gap = next(event for event in events if event["event"] == "log_gap")
    assert gap["lost"] == room["not_recorded"]["log"] == lost
    assert gap["error"] == "No space left on device"
    numbers = [event["number"] for event in events]
    assert numbers == sorted(numbers)
    assert len(numbers) == numbers[-1] - lost
    about_the_log = [line for line in daemon.said.splitlines() if line.startswith("log:")]
    assert about_the_log == [
        "log: No space left on device: what happens is not written there for now, but counted "
        "(`fwemu stats`); packets are decided as before",
        f"log: goes on; {lost} events are lost until now",
    ]
    daemon.process.stop()


def test_a_log_that_cannot_be_rotated_does_not_end_it_either(ground: Ground) -> None:
    """Somebody has put something in its place; the file is full and stays as it is."""
    daemon = ground.start("--set", "daemon.log_size=64kB")
    (ground.base / daemon.name / "events.jsonl.1").mkdir()  # nothing can be renamed over it
    connections(ground, 300)
    broken = statistics(daemon)
    assert broken["sink_problems"] == {"log": "Is a directory"}
    assert broken["packets"]["drop"] == {}
    (ground.base / daemon.name / "events.jsonl.1").rmdir()
    connections(ground, 1)
    eventually(lambda: statistics(daemon)["sink_problems"] == {}, what="a log that goes on")
    daemon.process.stop()


@pytest.mark.parametrize("room", [0, 4096, 8192, 12288])
def test_what_cannot_begin_there_leaves_nothing_and_says_so_in_one_line(
    tiny: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever on its way the disk is full."""
    monkeypatch.setenv("FWEMU_RUN_DIR", str(tiny))
    ballast = fill(tiny)
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - room)
    up = fwemu("up", "--name", unique("full"))
    if up.code == 0:
        assert room == 12288
        assert fwemu("down", "--all").code == 0
    else:
        (line,) = [line for line in up.err.splitlines() if line.startswith("fwemu: ")]
        assert str(tiny) in line
        assert "Traceback" not in up.err
    assert [each.name for each in tiny.iterdir()] == ["ballast"]
