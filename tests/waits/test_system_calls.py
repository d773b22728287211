"""The table of waiting calls says what the kernel's headers say."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from fwemu.waits.system_calls import ARCHITECTURES, CALLS, Timeout, restarted

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


class Octets:
    """A memory that begins at an address."""

    def __init__(self, start: int, octets: bytes) -> None:
        self._start, self._octets = start, octets

    def read(self, address: int, size: int) -> bytes:
        at = address - self._start
        if not 0 <= at <= len(self._octets) - size:
            raise OSError("not there")
        return self._octets[at : at + size]


NOWHERE = Octets(0, b"")


@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_every_number_is_that_of_the_kernel_s_header(machine):
    """A wrong number would read the arguments of another call."""
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed (linux-libc-dev)")
    numbers = {
        int(number): name
        for name, number in re.findall(
            r"^#define __NR(?:3264)?_(\w+) (\d+)", header.read_text(), re.MULTILINE
        )
    }

    wrong = {
        number: name
        for number, name in ARCHITECTURES[machine].numbers.items()
        if numbers.get(number) != name
    }

    assert wrong == {}


def test_every_call_has_a_number_and_every_number_a_row():
    """A call without a row would be unknown, and a row without a number dead."""
    names = {name for each in ARCHITECTURES.values() for name in each.numbers.values()}

    assert names == set(CALLS)


@pytest.mark.parametrize(
    ("name", "arguments", "timeout"),
    [
        ("poll", [0, 0, 1500], Timeout(1_500_000_000)),
        ("poll", [0, 0, 0xFFFFFFFF], None),
        ("epoll_wait", [5, 0, 10, 20_000], Timeout(20_000_000_000)),
        ("epoll_wait", [5, 0, 10, 0xFFFFFFFFFFFFFFFF], None),
        ("ppoll", [0, 0, 100], Timeout(7_000_000_009)),
        ("ppoll", [0, 0, 0], None),
        ("select", [0, 0, 0, 0, 100], Timeout(7_000_009_000)),
        ("pselect6", [0, 0, 0, 0, 100], Timeout(7_000_000_009)),
        ("futex", [0, 0x80, 0, 100], Timeout(7_000_000_009)),  # FUTEX_WAIT_PRIVATE
        ("futex", [0, 0x89, 0, 100], Timeout(7_000_000_009, 1)),  # WAIT_BITSET
        ("futex", [0, 0x189, 0, 100], Timeout(7_000_000_009, 0)),  # and CLOCK_REALTIME
        ("futex", [0, 6, 0, 100], Timeout(7_000_000_009, 0)),  # LOCK_PI
        ("futex", [0, 1, 0, 100], None),  # WAKE has no timeout
        ("futex", [0, 0x80, 0, 0], None),
        ("futex_waitv", [0, 1, 0, 100, 1], Timeout(7_000_000_009, 1)),
        ("clock_nanosleep", [1, 0, 100], Timeout(7_000_000_009)),
        ("clock_nanosleep", [0, 1, 100], Timeout(7_000_000_009, 0)),
        ("mq_timedreceive", [3, 0, 0, 0, 100], Timeout(7_000_000_009, 0)),
        ("pause", [], None),
    ],
)
def test_a_timeout_is_read_from_where_the_call_has_it(name, arguments, timeout):
    """Durations, instants and their clocks; a null pointer or a negative number is for ever."""
    memory = Octets(100, struct.pack("=qq", 7, 9))

    assert CALLS[name].timeout(arguments, memory) == timeout


def test_a_poll_set_names_its_descriptors():
    """Negative ones are passed over, as poll(2) does."""
    memory = Octets(64, struct.pack("=ihhihhihh", 3, 1, 0, -1, 1, 0, 9, 1, 0))

    assert CALLS["poll"].watches([64, 3, 0], memory) == [3, 9]


def test_select_names_the_descriptors_of_all_three_sets():
    """Each once, in their order."""
    memory = Octets(8, struct.pack("=QQ", 0b1001, 1 << 40))

    assert CALLS["select"].watches([41, 8, 16, 0, 0], memory) == [0, 3, 40]
    assert CALLS["select"].watches([40, 8, 16, 0, 0], memory) == [0, 3]


def test_memory_that_cannot_be_read_is_an_error_and_no_answer():
    """No timeout would mean: for ever."""
    with pytest.raises(OSError, match="not there"):
        CALLS["ppoll"].timeout([0, 0, 100], NOWHERE)


@pytest.mark.parametrize(
    ("machine", "code", "number"),
    [
        ("x86_64", "b8070000000f05", 7),
        ("x86_64", "b8ca0000000f05", 202),
        ("x86_64", "4889f80f050000", None),
        ("x86_64", "0f1f000f1f0f05", None),
        ("aarch64", "c80a80d2010000d4000000d4"[:16] + "010000d4", 0x56),
    ],
)
def test_the_code_in_front_of_the_counter_says_which_call_goes_on(machine, code, number):
    """After an interruption the kernel shows restart_syscall in its place."""
    assert ARCHITECTURES[machine].number_before(bytes.fromhex(code)) == number


HEAP = 0x7F00_0000_0000
SLEEPS_20_S = Octets(HEAP, struct.pack("=qq", 20, 0))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((HEAP + 64, 3, 20_000, 0), "poll"),
        ((0, 0, 200_000, 0), "poll"),
        ((HEAP, 0, 200_000, 0), "poll"),
        ((HEAP + 64, 0x80, 7, HEAP), "futex"),
        ((HEAP + 64, 0x189, 7, HEAP), "futex"),
        ((1, 0, HEAP, 0), "clock_nanosleep"),
        ((HEAP, 0, 0, 0), "nanosleep"),
        ((HEAP, HEAP + 32, 0xFFFF_FFFF_FFFF, 0), "nanosleep"),
        ((HEAP + 64, 0xFFFF_FFFF, 0xFFFF_FFFF, 0), ""),
    ],
)
def test_a_call_that_goes_on_is_known_by_its_arguments(arguments, name):
    """Where the code in front of it does not say its number, as in glibc since 2.41."""
    assert restarted((*arguments, 0, 0), SLEEPS_20_S) == name
