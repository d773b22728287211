"""The code that is put into the vDSO: what it is made of, and what it must not touch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fwemu.applications import shifted_clock
from fwemu.applications.shifted_clock import ClockPatch, Offsets, UnknownCodeError
from fwemu.applications.vdso import CLOCKS, Vdso, own

SOURCE = Path(shifted_clock.__file__).with_name("shifted_clock.S")

BEGINNINGS = {
    "6.1": "55 48 89 e5 41 55 41 54 49 89 f4 53",
    "6.12": "f3 0f 1e fa 55 48 89 e5 41 57",
    "6.18": "55 48 89 e5 41 56 53 48 83 e4 f0",
}
"""How Debian's kernels, and this machine's, begin clock_gettime."""


def made_up(beginning: str, used: int = 0x1A00) -> Vdso:
    """A vDSO of two pages whose clock_gettime begins with these octets."""
    image = bytearray(b"\x90" * used).ljust(0x2000, b"\0")
    octets = bytes.fromhex(beginning)
    image[0xAF0 : 0xAF0 + len(octets)] = octets
    return Vdso(bytes(image), {"clock_gettime": 0xAF0, "gettimeofday": 0x810, "time": 0xAC0})


def test_the_octets_are_those_of_the_source(tmp_path):
    """Whoever changes one of the two must change the other."""
    subprocess.run(["as", "-o", tmp_path / "code.o", SOURCE], check=True)
    words = ["objcopy", "-O", "binary", "-j", ".text", tmp_path / "code.o", tmp_path / "code"]
    subprocess.run(words, check=True)
    assembled = (tmp_path / "code").read_bytes()

    ours = ClockPatch(made_up(BEGINNINGS["6.1"])).code(Offsets()).octets

    assert len(ours) == len(assembled)
    assert ours[:0x100] == assembled[:0x100]
    assert set(assembled[0x100:]) == {0xCC}  # room for what is moved there


def test_the_entries_are_those_of_the_source(tmp_path):
    """The jumps must lead to the beginnings of the functions."""
    subprocess.run(["as", "-o", tmp_path / "code.o", SOURCE], check=True)
    listed = subprocess.run(
        ["nm", tmp_path / "code.o"], check=True, capture_output=True, text=True
    ).stdout
    entries = {line.split()[2]: int(line.split()[0], 16) for line in listed.splitlines()}
    vdso = made_up(BEGINNINGS["6.1"])
    patch = ClockPatch(vdso)

    for jump, name in zip(patch.jumps(), vdso.clocks, strict=True):
        target = jump.at + 5 + int.from_bytes(jump.octets[1:], "little", signed=True)
        assert target - patch.at == entries[name]


@pytest.mark.parametrize("kernel", BEGINNINGS)
def test_only_whole_instructions_are_moved(kernel):
    """And behind them a jump leads back to where the kernel's own code goes on."""
    patch = ClockPatch(made_up(BEGINNINGS[kernel]))
    original = patch.code(Offsets()).octets[0x100:]
    length = original.index(0xE9)

    back = patch.at + 0x100 + length + 5
    back += int.from_bytes(original[length + 1 : length + 5], "little", signed=True)

    assert original[:length] == bytes.fromhex(BEGINNINGS[kernel])[:length]
    assert length >= 5
    assert back == 0xAF0 + length


def test_a_beginning_that_is_not_known_is_refused_with_its_octets():
    """`cmp $15, %edi; ja` would mean something else at another place."""
    with pytest.raises(UnknownCodeError, match="83 ff 0f 0f 87"):
        ClockPatch(made_up("83 ff 0f 0f 87 00 00 00 00"))


def test_a_mov_from_memory_is_not_moved():
    """It begins as one between registers does, and may be relative to where it stands."""
    with pytest.raises(UnknownCodeError, match="48 89 05"):
        ClockPatch(made_up("48 89 05 00 00 00 00"))


def test_a_vdso_without_room_is_refused():
    """Nothing of the kernel's is overwritten."""
    with pytest.raises(UnknownCodeError, match="room"):
        ClockPatch(made_up(BEGINNINGS["6.1"], used=0x1F00))


def test_a_process_with_another_vdso_is_known():
    """That of another kernel's image, or one that somebody else has changed."""
    vdso = made_up(BEGINNINGS["6.1"])
    patch = ClockPatch(vdso)
    patched = bytearray(vdso.image)
    for write in (patch.code(Offsets(1, 2)), *patch.jumps()):
        patched[write.at : write.at + len(write.octets)] = write.octets
    foreign = bytearray(vdso.image)
    foreign[0x400] ^= 1

    assert patch.is_clean(vdso.image)
    assert patch.is_clean(bytes(patched))
    assert not patch.is_clean(bytes(foreign))
    assert not patch.is_clean(vdso.image[:0x1000])
    assert patch.offsets_in(bytes(patched)[patch.marked]) == Offsets(1, 2)
    assert patch.offsets_in(vdso.image[patch.marked]) is None


def test_what_was_written_can_be_taken_back_to_the_last_octet():
    """A program that leaves has the kernel's vDSO again."""
    vdso = made_up(BEGINNINGS["6.12"])
    patch = ClockPatch(vdso)
    image = bytearray(vdso.image)

    for write in (patch.code(Offsets(1, 2)), *patch.jumps(), *patch.originals(), patch.nothing()):
        image[write.at : write.at + len(write.octets)] = write.octets

    assert image == vdso.image


def test_the_kernel_of_this_machine_can_be_patched():
    """Or nothing of what follows can be shown here."""
    assert set(own().clocks) == set(CLOCKS)
    assert ClockPatch(own()).is_clean(own().image)
