"""There is no lock on a packet's path: one thread owns the engine (decision 0003).

A lock would be invisible until the day on which another thread holds it, and then every packet
waits.  So two things are looked at: which functions a packet really goes through, and whether any
of their modules could make a lock, or any of these functions take one that it was given.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from fwemu.core.choices import AtExpiry, OnUnknown
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.instants import SECOND
from fwemu.core.policy import Policy
from tests.daemon.test_datapath import CLIENT, INSIDE, OUTSIDE, SERVER, World, datagram
from tests.kit.wire import ip, tcp, udp

ROOT = Path(__file__).resolve().parents[2]

BESIDE = {
    "fwemu/daemon/clock.py",
    "fwemu/daemon/inject.py",
    "fwemu/daemon/queue.py",
    "fwemu/daemon/zones.py",
    "fwemu/daemon/operations.py",
}
"""What else the engine's thread runs: here fakes stand in their places, or nobody asks."""

MAKE_LOCKS = {
    "_thread", "asyncio", "concurrent", "fcntl", "multiprocessing", "queue", "threading",
}  # fmt: skip
"""Modules of locks, and of things with a lock inside."""

HARMLESS = {"multiprocessing.connection"}
"""A pipe, which the loop looks at between packets."""

TAKE = {"acquire", "lock", "lockf", "flock", "wait", "join"}
"""Methods by which one waits for somebody."""


def path_of(world: World) -> set[CodeType]:
    """Every function of ours that packets of all kinds go through."""
    gone_through: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(ROOT / "fwemu")):
            gone_through.add(frame.f_code)

    def handle(data: bytes, indev: int = INSIDE) -> None:
        packet = world.packet(data, indev)
        world.datapath._turn_ends = 1 << 62
        sys.setprofile(note)
        try:
            world.datapath.on_packet(packet)
        finally:
            sys.setprofile(None)

    def segment(flags: str, seq: int, ack: int, payload: bytes = b"", **more: Any) -> bytes:
        return ip(CLIENT, SERVER, TCP, tcp(4000, 80, flags, seq, ack, payload, **more))

    handle(segment("S", 1, 0))
    handle(ip(SERVER, CLIENT, TCP, tcp(80, 4000, "SA", 1, 2)), OUTSIDE)
    for _ in range(40):  # a sampled one among them
        handle(segment("A", 2, 2))
    handle(segment("A", 1, 2))  # a keepalive probe
    handle(segment("A", 10**9, 2))  # outside the window
    handle(segment("SF", 2, 2))
    handle(b"\x45")
    handle(ip(CLIENT, SERVER, TCP, tcp(4001, 80, "A", 1, 1)))  # unknown: reset
    handle(ip(SERVER, CLIENT, UDP, udp(9, 9)), OUTSIDE)  # denied
    whole = udp(7, 53, bytes(100))
    handle(ip(CLIENT, SERVER, UDP, whole[80:], fragment=(1, 10, False)))  # held
    handle(ip(CLIENT, SERVER, UDP, whole[:80], fragment=(1, 0, True)))  # and released
    world.clock.instant_now += 3600 * SECOND
    handle(segment("A", 2, 2))  # expired: both ends get a RST
    for port in range(1, 5):
        handle(datagram(port))  # the last one evicts the first
    return gone_through


def functions(code: set[CodeType]) -> Iterator[tuple[str, ast.AST]]:
    """The source of these functions, each with its file and name."""
    files = {each.co_filename for each in code}
    trees = {file: ast.parse(Path(file).read_text()) for file in files}
    lines = {(each.co_filename, each.co_firstlineno) for each in code}
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                first = min((node.lineno, *(each.lineno for each in node.decorator_list)))
                if (file, first) in lines:
                    yield f"{Path(file).relative_to(ROOT)}:{node.name}", node


def waits(function: ast.AST) -> list[str]:
    """How a function could wait for somebody: `with` something, or a method that does."""
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.With | ast.AsyncWith):
            found.append("with " + ", ".join(ast.unparse(item.context_expr) for item in node.items))
        elif isinstance(node, ast.Attribute) and node.attr in TAKE:
            found.append(ast.unparse(node))
    return found


def lock_makers(source: str) -> set[str]:
    """The modules with locks that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name for name in names - HARMLESS if name.split(".")[0] in MAKE_LOCKS}


@pytest.fixture
def world() -> Iterator[World]:
    """A firewall that does a bit of everything."""
    policy = Policy(
        capacity=3,
        at_expiry=AtExpiry.RESET_BOTH,
        on_unknown=dict.fromkeys(Zone, OnUnknown.RESET),
    )
    world = World(policy)
    yield world
    world.close()


def test_no_function_on_a_packet_s_path_waits_for_anybody(world: World) -> None:
    """Nor takes a lock that somebody else has made."""
    found = {name: waits(function) for name, function in functions(path_of(world))}

    assert {name: how for name, how in found.items() if how} == {}


def test_no_module_on_a_packet_s_path_can_make_a_lock(world: World) -> None:
    """Those that the test replaces by fakes are looked at too."""
    files = {Path(code.co_filename).relative_to(ROOT) for code in path_of(world)}
    core = {path.relative_to(ROOT) for path in (ROOT / "fwemu/core").glob("*.py")}
    everything = {str(file) for file in files | core} | BESIDE

    found = {name: lock_makers((ROOT / name).read_text()) for name in everything}

    assert {name: makers for name, makers in found.items() if makers} == {}


def test_packets_go_through_the_whole_of_the_path(world: World) -> None:
    """A path that is cut short would hide what comes after."""
    names = {f"{Path(code.co_filename).stem}.{code.co_name}" for code in path_of(world)}

    assert names >= {
        "datapath.on_packet",
        "datapath.carry_out",
        "datapath._release",
        "tally.observe",
        "firewall.handle",
        "packet.parse",
        "stateful._track",
        "tcp.flows_on",
        "tcp_window.fit",
        "openings.begin",
        "endings.expire",
        "endings.make_room",
        "refusals.refuse",
        "forge.reset_of",
        "fragment_verdicts.on_fragment",
    }


def on_packet_with(lock: Any, handle: Any, packet: Any) -> None:
    """A lock that was given from outside, with the statement that hides it best."""
    with lock:
        handle(packet)


def on_packet_acquiring(lock: Any, handle: Any, packet: Any) -> None:
    """The same by hand."""
    lock.acquire()
    handle(packet)


@pytest.mark.parametrize("function", [on_packet_with, on_packet_acquiring])
def test_a_lock_is_seen(function: Callable[..., None]) -> None:
    """In a function on the path, wherever the lock was made."""
    assert waits(ast.parse(inspect.getsource(function)))


@pytest.mark.parametrize(
    ("source", "makers"),
    [
        ("import threading", {"threading"}),
        ("from threading import Lock as Fine", {"threading"}),
        ("import multiprocessing.synchronize", {"multiprocessing.synchronize"}),
        ("from multiprocessing.connection import Connection", set()),
        ("import select", set()),
    ],
)
def test_a_module_that_could_make_a_lock_is_seen(source: str, makers: set[str]) -> None:
    """By what it imports, under whatever name."""
    assert lock_makers(source) == makers
