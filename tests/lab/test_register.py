"""Which labs there are, on disk alone: no namespace is made here."""

import json
import os
import threading
from pathlib import Path

import pytest

from fwemu.errors import ConfigError, NamespaceError
from fwemu.lab import register
from fwemu.lab.plan import LAB_NUMBERS, Layout, Topology


def written(base: Path, name: str, number: int) -> None:
    """A lab that somebody has written down."""
    (base / name).mkdir(parents=True)
    record = {"number": number, "clients": 1, "servers": 1, "maker": [1, 1]}
    (base / name / "lab.json").write_text(json.dumps(record))


def test_what_is_reserved_can_be_found_again(tmp_path: Path) -> None:
    """By another process, which knows nothing but the directory."""
    made = register.reserve(tmp_path / "run", "shop", Topology(2, 3))
    found = register.entry(tmp_path / "run", "shop")
    assert found.plan == made.plan
    assert found.plan.topology == Topology(2, 3)
    assert found.maker == made.maker
    assert found.maker[0] == os.getpid()
    assert not found.has_firewall


def test_without_a_name_it_is_the_first_free_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lab1`, `lab2` and so on; a gap is filled.  This machine may have labs of somebody's."""
    monkeypatch.setattr(register, "namespaces", list)
    names = [register.reserve(tmp_path, None, Topology()).plan.name for _ in range(3)]
    assert names == ["lab1", "lab2", "lab3"]
    register.entry(tmp_path, "lab2").directory.remove()
    assert register.reserve(tmp_path, None, Topology()).plan.name == "lab2"


def test_a_name_that_is_taken_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Nothing of the other lab is touched."""
    first = register.reserve(tmp_path, "shop", Topology())
    with pytest.raises(NamespaceError, match="`fwemu down shop` removes it"):
        register.reserve(tmp_path, "shop", Topology(5, 5))
    assert register.entry(tmp_path, "shop").plan == first.plan


def test_the_name_of_a_firewall_without_a_lab_is_taken_as_well(tmp_path: Path) -> None:
    """Both have their directories in the same place."""
    (tmp_path / "daemon-7").mkdir()
    with pytest.raises(NamespaceError, match="exists"):
        register.reserve(tmp_path, "daemon-7", Topology())


def test_a_pair_has_the_names_of_both_its_firewalls(tmp_path: Path) -> None:
    """Each daemon has its directory from the beginning, and both go together."""
    pair = Topology(layout=Layout.ASYMMETRIC)
    made = register.reserve(tmp_path, "shop", pair)
    assert register.entry(tmp_path, "shop").plan.topology == pair
    assert [directory.name for directory in made.directories] == ["shop", "shop-b"]
    assert all(directory.path.is_dir() for directory in made.directories)
    assert [entry.plan.name for entry in register.entries(tmp_path)] == ["shop"]
    with pytest.raises(NamespaceError, match="exists"):
        register.reserve(tmp_path, "shop-b", Topology())
    made.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_pair_finds_a_name_whose_second_one_is_free_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or says which name is in the way."""
    monkeypatch.setattr(register, "namespaces", list)
    pair = Topology(layout=Layout.ASYMMETRIC)
    register.reserve(tmp_path, "lab1-b", Topology())
    assert register.reserve(tmp_path, None, pair).plan.name == "lab2"
    register.reserve(tmp_path, "shop-b", Topology())
    with pytest.raises(NamespaceError, match="shop-b exists, and the second firewall of 'shop'"):
        register.reserve(tmp_path, "shop", pair)
    with pytest.raises(ConfigError, match="at most 32"):
        register.reserve(tmp_path, "a" * 31, pair)


def test_numbers_are_those_that_no_other_lab_has(tmp_path: Path) -> None:
    """They are in every address."""
    for number in LAB_NUMBERS[:10]:
        written(tmp_path, f"old{number}", number)
    (tmp_path / "old5").rename(tmp_path / "gone")
    (tmp_path / "gone" / "lab.json").unlink()
    assert register.reserve(tmp_path, None, Topology()).plan.number == 5
    assert register.reserve(tmp_path, None, Topology()).plan.number == 11


def test_when_all_numbers_are_taken_it_says_how_to_free_one(tmp_path: Path) -> None:
    """And leaves no directory behind."""
    for number in LAB_NUMBERS:
        written(tmp_path, f"old{number}", number)
    with pytest.raises(NamespaceError, match=r"254 labs exist.*`fwemu down NAME` removes one"):
        register.reserve(tmp_path, "one-more", Topology())
    assert not (tmp_path / "one-more").exists()


def test_two_that_reserve_at_once_get_different_labs(tmp_path: Path) -> None:
    """`fwemu up & fwemu up &`: names and numbers are given out one at a time."""
    made: list[register.Entry] = []
    threads = [
        threading.Thread(target=lambda: made.append(register.reserve(tmp_path, None, Topology())))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.plan.name for entry in made}) == 16
    assert len({entry.plan.number for entry in made}) == 16


def test_what_is_no_lab_is_passed_over(tmp_path: Path) -> None:
    """Files, daemons' directories, half a lab.json: none keeps the others from showing."""
    written(tmp_path, "good", 3)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    empty = '{"number": 1, "clients": 0, "servers": 1, "maker": [1, 1]}'
    for name, text in {"half": '{"number": ', "other": "{}", "list": "[]", "none": empty}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "lab.json").write_text(text)
    assert [entry.plan.name for entry in register.entries(tmp_path)] == ["good"]


def test_where_nobody_has_been_there_is_nothing(tmp_path: Path) -> None:
    """No run directory yet: no error."""
    assert register.entries(tmp_path / "nowhere") == []


def test_a_lab_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    """A name is easily misspelt."""
    with pytest.raises(NamespaceError, match=r"no lab 'shop' \(there are: none\)"):
        register.entry(tmp_path, "shop")
    written(tmp_path, "shopp", 1)
    with pytest.raises(NamespaceError, match=r"no lab 'shop' \(there are: shopp\)"):
        register.entry(tmp_path, "shop")
