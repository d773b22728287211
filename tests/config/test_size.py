from __future__ import annotations

import pytest

from fwemu.config import Size


@pytest.mark.parametrize(
    ("written", "octets"),
    [
        ("64MB", 64_000_000),
        ("64 mb", 64_000_000),
        ("1KiB", 1024),
        ("1.5kB", 1500),
        ("7", 7),
        (7, 7),
    ],
)
def test_a_size_is_read_as_people_write_it(written: object, octets: int) -> None:
    assert Size.parse(written).octets == octets


@pytest.mark.parametrize("octets", [0, 1, 999, 1000, 1024, 1500, 64_000_000, 1 << 30, 10**12])
def test_what_is_written_reads_as_the_same_size(octets: int) -> None:
    assert Size.parse(str(Size(octets))) == Size(octets)


@pytest.mark.parametrize(("written", "shown"), [("64Mb/s", "'64Mb/s'"), (True, "true"), ([], "[]")])
def test_what_is_no_size_is_answered_with_an_example(written: object, shown: str) -> None:
    with pytest.raises(ValueError, match="is not a size") as caught:
        Size.parse(written)
    assert str(caught.value) == f'{shown} is not a size (write "64MB" or a number of bytes)'
