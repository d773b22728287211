"""Programs live through a fast-forward: real ones, on real sockets, on both sides of a firewall."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fwemu.applications.vdso import mapping, own
from fwemu.errors import FwemuError
from fwemu.lab import Lab
from netns import Process
from netns.procfs import name_of, stat_of
from tests.kit.heartbeat import PORT
from tests.kit.labs import Log, Wire, as_new, children_of, eventually, unique

pytestmark = pytest.mark.kernel

HOUR = "timeouts.tcp_established=1h"

ECHO = """
import asyncio, sys

async def serve(reader, writer):
    try:
        while text := await asyncio.wait_for(reader.read(100), float(sys.argv[2])):
            writer.write(text)
    except (TimeoutError, ConnectionError):
        pass
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
"""
"""Answers, and hangs up after so many seconds of silence."""

BEATS = """
import asyncio, sys, time

async def main():
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    began = time.monotonic()
    while True:
        writer.write(b"beat")
        try:
            text = await reader.read(100)
        except ConnectionError as error:
            text = type(error).__name__
        print(round(time.monotonic() - began, 3), time.time(), text or "end", flush=True)
        if text != b"beat":
            return
        try:
            text = await asyncio.wait_for(reader.read(100), float(sys.argv[3]))
        except TimeoutError:
            continue
        except ConnectionError as error:
            text = type(error).__name__
        print(round(time.monotonic() - began, 3), time.time(), text or "end", flush=True)
        return

asyncio.run(main())
"""
"""Says something every so many seconds, and prints its two clocks and what came back."""


@contextmanager
def talk(lab: Lab, every: float, patience: float = 1e6) -> Iterator[tuple[Process, Process]]:
    """A server with this much patience, and a client that beats so often; they have greeted."""
    words = [sys.executable, "-c", ECHO, str(PORT), str(patience)]
    with lab.server.start(words, port=PORT) as server:
        words = [sys.executable, "-c", BEATS, lab.server.ip, str(PORT), str(every)]
        with lab.client.start(words) as client:
            eventually(client.output, what="the first beat")
            yield server, client


def beats(client: Process) -> list[tuple[float, float, str]]:
    """What it has printed: seconds since it began, time of day, what came."""
    lines = [line.split(" ", 2) for line in client.output().splitlines()]
    return [(float(counted), float(wall), text) for counted, wall, text in lines]


def test_a_server_s_fin_is_acknowledged_before_time_goes_on(lab: Lab) -> None:
    """A kernel may hold its acknowledgement back for 40 ms: an hour later nobody knows of it."""
    as_new(lab, HOUR, "timeouts.tcp_close_wait=10m", "unknown.inside=reset")
    words = [sys.executable, "-c", ECHO, str(PORT), "75"]
    with lab.server.start(words, port=PORT), lab.client:
        log = Log(lab)
        with socket.create_connection((lab.server.ip, PORT)) as client:
            for _ in range(5):  # whoever answers in time holds acknowledgements back
                client.sendall(b"beat")
                assert client.recv(100) == b"beat"
            done = lab.fast_forward("65m")
            assert client.recv(100) == b""
            here = client.getsockname()[1]
            ports = ("source_port", "destination_port")  # not what tests before have left behind
            assert [each for each in log("denied") if here in map(each.get, ports)] == []

    (ended,) = done["sessions_ended"]
    assert (ended["reason"], ended["state"]) == ("expired", "CLOSE_WAIT")


def test_a_heartbeat_keeps_its_session(lab: Lab) -> None:
    """Every twenty seconds for 65 minutes, by the clock of the program."""
    as_new(lab, HOUR)
    with talk(lab, 20) as (_, client):
        done = lab.fast_forward("65m", strict=True)
        told = eventually(lambda: len(beats(client)) >= 195 and beats(client), what="beats")

    assert done["sessions_ended"] == done["sessions_doubtful"] == done["not_played"] == []
    (woken,) = done["programs_woken"]
    assert woken["process"].startswith("python")
    assert 194 <= woken["wakes"] <= 196
    assert [text for _, _, text in told if text != "b'beat'"] == []
    steps = [after[0] - before[0] for before, after in pairwise(told)]
    assert [step for step in steps[1:] if not 20 <= step < 21] == []


ALARMS = """
import signal, socket, sys

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
signal.signal(signal.SIGALRM, lambda *_: connection.sendall(b"beat"))
signal.setitimer(signal.ITIMER_REAL, 1, 1200)
while text := connection.recv(100):
    print(text, flush=True)
"""
"""Says something every twenty minutes, from the handler of a signal."""


def test_a_heartbeat_by_a_signal_keeps_its_session(lab: Lab) -> None:
    """Its program waits for ever in a call that nothing but the signal interrupts."""
    as_new(lab, HOUR)
    server_words = [sys.executable, "-c", ECHO, str(PORT), "1e6"]
    client_words = [sys.executable, "-c", ALARMS, lab.server.ip, str(PORT)]
    with lab.server.start(server_words, port=PORT), lab.client.start(client_words) as client:
        eventually(client.output, what="the first beat")
        done = lab.fast_forward("130m", strict=True)
        eventually(lambda: client.output() == "b'beat'\n" * 7, what="seven beats")

    assert done["sessions_ended"] == done["sessions_doubtful"] == done["not_played"] == []
    (woken,) = done["programs_woken"]
    assert woken["wakes"] == 6


def test_a_heartbeat_that_is_too_slow_does_not(lab: Lab) -> None:
    """70 minutes: the firewall has forgotten by then, and nobody would have woken before."""
    as_new(lab, HOUR)
    with talk(lab, 4200):
        done = lab.fast_forward("65m", strict=True)

    (ended,) = done["sessions_ended"]
    assert (ended["reason"], ended["trust"]) == ("expired", "sure")
    assert done["programs_woken"] == []


def test_a_server_hangs_up_in_its_own_time_and_the_client_hears_of_it_then(lab: Lab) -> None:
    """After half an hour of silence, which is not the firewall's doing."""
    as_new(lab, HOUR)
    with talk(lab, 4200, patience=1800) as (_, client):
        done = lab.fast_forward("65m", strict=True)
        (_, (counted, _, text)) = eventually(lambda: len(beats(client)) == 2 and beats(client))

    assert text == "end"
    assert 1799 < counted < 1805
    (ended,) = done["sessions_ended"]
    assert ended["state"] != "ESTABLISHED"
    assert ended["trust"] == "sure"


@pytest.mark.parametrize("without_programs", ["1s", "2h"])
def test_logs_of_programs_and_of_the_firewall_have_one_time(
    lab: Lab, without_programs: str
) -> None:
    """The firewall resets what it forgets; the client writes down when it heard of that."""
    as_new(lab, HOUR, "expiry.action=reset-both")
    lab.fast_forward(without_programs, applications=False)
    with talk(lab, 4200) as (_, client):
        lab.fast_forward("65m")
        (_, (counted, wall, text)) = eventually(lambda: len(beats(client)) == 2 and beats(client))

    assert text == "ConnectionResetError"
    assert 3599 < counted < 3605
    (torn,) = [each for each in lab.firewall.events() if each["event"] == "torn_down"][-1:]
    assert abs(datetime.fromisoformat(torn["time"]).timestamp() - wall) < 1


AT_THAT_TIME = """
import ctypes, sys, time

ON_THE_WALL, UNTIL = 0, 1
instant = time.time_ns() + int(sys.argv[1]) * 10**9
print("begun", flush=True)
ctypes.CDLL(None).clock_nanosleep(
    ON_THE_WALL, UNTIL, (ctypes.c_long * 2)(*divmod(instant, 10**9)), None
)
print((time.time_ns() - instant) / 1e9, time.monotonic(), flush=True)
"""
"""Waits until a time of day."""


def test_who_waits_for_a_time_of_day_has_less_to_wait_after_an_hour_without_programs() -> None:
    """As if somebody had set the clock; but nobody has lived through that hour."""
    began = time.monotonic()
    words = [sys.executable, "-c", AT_THAT_TIME, str(3 * 3600)]
    with (
        Lab(name=unique(), settings=[HOUR]) as lab,
        talk(lab, 1200),
        lab.client.start(words) as sleeper,
    ):
        eventually(sleeper.output, what="its beginning")
        lab.fast_forward("1s")
        lab.fast_forward("2h", applications=False)
        assert len(sleeper.output().splitlines()) == 1
        lab.fast_forward("65m")
        (line,) = eventually(lambda: sleeper.output().splitlines()[1:], what="that time")

    late, counted = map(float, line.split())
    assert 0 <= late < 1
    assert 3598 < counted - began < 3660


def test_one_hour_after_another_is_as_two_hours(lab: Lab) -> None:
    """A wait that the first has begun goes on in the second."""
    as_new(lab, HOUR)
    with talk(lab, 1000) as (_, client):
        for _ in range(8):
            lab.fast_forward("9m", strict=True)
        told = eventually(lambda: len(beats(client)) >= 5 and beats(client))

    assert [text for _, _, text in told] == ["b'beat'"] * 5
    steps = [after[0] - before[0] for before, after in pairwise(told)]
    assert [step for step in steps if not 999 < step < 1010] == []


def test_what_goes_on_between_two_hours_does_not_in_one(lab: Lab) -> None:
    """Between them waits are ended as they are due; within one, time waits for what comes of it."""
    as_new(lab, HOUR)
    with talk(lab, 20) as (_, client):
        for _ in range(6):
            lab.fast_forward("20m", strict=True)
        told = eventually(lambda: len(beats(client)) >= 360 and beats(client))

    steps = [after[0] - before[0] for before, after in pairwise(told)]
    assert [step for step in steps[1:] if not 20 <= step < 21] == []


def test_a_program_that_comes_on_the_way_is_played_from_then_on(lab: Lab) -> None:
    """A shell starts a client anew each time the one before has ended."""
    as_new(lab, HOUR)
    loop = f"""
import subprocess, sys, time
while True:
    time.sleep(600)
    subprocess.run([sys.executable, "-c", {BEATS!r}, sys.argv[1], sys.argv[2], "2000"])
"""
    words = [sys.executable, "-c", ECHO, str(PORT), "300"]
    with lab.server.start(words, port=PORT):
        words = [sys.executable, "-c", loop, lab.server.ip, str(PORT)]
        with lab.client.start(words) as client:
            done = lab.fast_forward("65m")
            told = eventually(lambda: len(beats(client)) >= 8 and beats(client))

    # Every 900 seconds: 600 of sleep, and 300 until the server hangs up.
    assert [text for _, _, text in told][:8] == ["b'beat'", "end"] * 4
    assert [counted for counted, _, text in told if text == "end" and not 299 < counted < 330] == []
    assert len(done["sessions_ended"]) >= 3


def test_without_applications_everybody_stands_still(lab: Lab) -> None:
    """The old way, which says what it cannot know."""
    as_new(lab, HOUR)
    with talk(lab, 20) as (_, client):
        done = lab.fast_forward("65m", applications=False)
        assert len(beats(client)) == 1

    (ended,) = done["sessions_ended"]
    assert (ended["reason"], ended["trust"]) == ("expired", "not-to-be-trusted")
    assert done["programs_woken"] == []


def test_a_program_that_cannot_be_played_is_an_error_before_any_time_passes(lab: Lab) -> None:
    """With its name, the reason, and the way out."""
    as_new(lab, HOUR)
    code = "import ctypes, signal, sys; ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), 0, 0)"
    with talk(lab, 20) as (_, client):
        words = [sys.executable, "-c", f"{code}; print(1, flush=True); signal.pause()"]
        tracer = subprocess.Popen([*words, str(client.pid)], stdout=subprocess.PIPE)
        with tracer:
            assert tracer.stdout is not None
            tracer.stdout.readline()
            before = lab.firewall.statistics()["uptime_s"]
            with pytest.raises(FwemuError, match=r"python \(pid \d+\): .*--no-applications"):
                lab.fast_forward("65m")
            assert lab.firewall.statistics()["uptime_s"] < before + 60
            tracer.kill()


def test_who_outlives_the_firewall_has_its_own_clocks_again() -> None:
    """A server whose clock is an hour ahead, and a firewall that is asked to end."""
    with Lab(name=unique(), settings=[HOUR]) as lab, talk(lab, 20) as (server, client):
        lab.fast_forward("65m")
        assert is_patched(server.pid)
        assert is_patched(client.pid)

        os.kill(lab.about.pid, signal.SIGTERM)

        eventually(lambda: stat_of(lab.about.pid) is None, what="the end of the firewall")
        assert not is_patched(server.pid)
        assert not is_patched(client.pid)


SPAWNS = """
import os, sys, threading
from netns import Namespace

def spawn():
    actions = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[2], os.O_RDONLY, 0)]
    pid = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}, file_actions=actions)
    print(pid, flush=True)
    os.waitpid(pid, 0)

Namespace.named(sys.argv[1]).run(spawn)
"""
"""Starts a program in a namespace without being there; it has our memory until it is the program,
and that waits for a file to be opened at the other end."""


def test_who_starts_a_program_in_a_host_keeps_its_own_clocks(lab: Lab, tmp_path: Path) -> None:
    """The memory of a child of vfork(2) is that of its parent, which may live anywhere.

    The clocks of the parent would be ahead of the kernel's, with nobody to end what it waits for.
    """
    as_new(lab, HOUR)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    words = [sys.executable, "-c", SPAWNS, lab.client.namespace.name, str(gate)]
    with talk(lab, 20), subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        try:
            child = eventually(lambda: children_of(parent.pid), what="the child")[0]
            lab.fast_forward("1m")
            with pytest.raises(FwemuError, match=r"memory of its parent \(vfork\)"):
                lab.fast_forward("1m")
            assert not is_patched(parent.pid)
            gate.write_bytes(b"")
            eventually(lambda: name_of(child).startswith("sleep"), what="another program")
            lab.fast_forward("1m", strict=True)
            assert is_patched(child)
            assert not is_patched(parent.pid)
        finally:
            parent.kill()
            for each in children_of(parent.pid):
                os.kill(each, signal.SIGKILL)


def is_patched(pid: int) -> bool:
    """Is the vDSO of a process another than ours?"""
    place = mapping(pid)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(place.start)
        return memory.read(place.size) != own().image


def packets(lab: Lab, every: float, pass_time: Callable[[], Any]) -> list[tuple[Any, ...]]:
    """What the client's cable has seen of twenty beats and their answers, without the greeting."""
    with Wire(lab.client) as wire, talk(lab, every) as (_, client):
        pass_time()
        eventually(lambda: len(beats(client)) >= 21)
        time.sleep(0.3)  # the last acknowledgement
        frames = wire.frames
    (here,) = {frame.more[0] for frame in frames if frame.outgoing and frame.more[2] == 2}  # SYN
    frames = [frame for frame in frames if here in frame.more[:2]]  # none of a test before
    start = {frame.outgoing: frame.numbers[0] for frame in reversed(frames)}
    return [
        (
            frame.outgoing, frame.more[2], frame.length,
            frame.numbers[0] - start[frame.outgoing],
            frame.numbers[1] - start[not frame.outgoing] if frame.more[2] & 0x10 else 0,
        )
        for frame in frames
    ][:60]  # fmt: skip


def test_the_packets_of_a_played_time_are_those_of_the_real_one(lab: Lab) -> None:
    """Twenty beats, thirty seconds apart in a moment, and half a second apart in reality."""
    as_new(lab, HOUR)
    played = packets(lab, 30, lambda: lab.fast_forward("10m 5s"))
    as_new(lab, HOUR)
    lived = packets(lab, 0.5, lambda: time.sleep(10))

    assert len(played) == 60
    assert played == lived
