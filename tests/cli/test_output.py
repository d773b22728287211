"""How durations, sizes, endpoints and tables are printed."""

from __future__ import annotations

import pytest

from fwemu.cli import output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "never"),
        (0.04, "0.0s"),
        (59.9, "59.9s"),
        (60, "1m 0s"),
        (3598, "59m 58s"),
        (3600, "1h 0m"),
        (172_799, "47h 59m"),
        (432_000, "5d 0h"),
    ],
)
def test_a_duration_has_the_units_that_matter(seconds, text):
    """Two of them are enough."""
    assert output.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (64_000_000_000, "64.0 GB"),
        (5_000_000_000_000, "5.0 TB"),
    ],
)
def test_a_size_has_one_decimal(number, text):
    """More would pretend."""
    assert output.octets(number) == text


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            {"source": "10.0.0.1", "source_port": 1, "destination": "10.0.0.2",
             "destination_port": 80},
            "10.0.0.1:1 -> 10.0.0.2:80",
        ),
        (
            {"source": "fd00::1", "source_port": 1, "destination": "fd00::2",
             "destination_port": 80},
            "[fd00::1]:1 -> [fd00::2]:80",
        ),
        ({"source": "fd00::1", "destination": "fd00::2"}, "fd00::1 -> fd00::2"),
    ],
)  # fmt: skip
def test_endpoints_are_written_as_in_an_address_bar(record, text):
    """Brackets keep an IPv6 address apart from its port."""
    assert output.flow(record) == text


@pytest.mark.parametrize(
    ("index", "name"), [(None, "default"), (0, "database"), (1, "rules[1]"), (7, "rules[7]")]
)
def test_a_rule_is_called_by_its_name(index, name):
    """Or by its place, also if it has gone with the last change of settings."""
    assert output.rule_name(index, [{"name": "database"}, {"action": "deny"}]) == name


@pytest.mark.parametrize(("number", "text"), [(0, "0 sessions"), (1, "1 session")])
def test_one_is_no_plural(number, text):
    """Details."""
    assert output.counted(number, "session") == text


def test_numbers_stand_to_the_right_of_a_column(capsys):
    """And no line ends in blanks."""
    output.table(["ID", "NAME"], [(1, "a"), (10, "bcd")])

    assert capsys.readouterr().out == "ID  NAME\n 1  a\n10  bcd\n"


def test_a_table_that_is_wider_than_the_terminal_is_broken_between_words(capsys, monkeypatch):
    """The terminal itself would break it in the middle of one."""
    row = ("hook", "missing", "neither nft nor iptables can send packets to a queue here: install")
    output.table(["WHAT", "STATUS", "FOUND"], [row])
    whole = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")  # pytest -v asks for the width as well
    output.table(["WHAT", "STATUS", "FOUND"], [row])

    assert whole.splitlines()[1] == "  ".join(row)
    assert capsys.readouterr().out.splitlines() == [
        "WHAT  STATUS   FOUND",
        "hook  missing  neither nft nor iptables can send packets to",
        "               a queue here: install",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("one\rtwo", "one\\rtwo"),
        ("\u2028", "\\u2028"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
        ("Grüße, 東京", "Grüße, 東京"),
    ],
)
def test_what_would_steer_a_terminal_is_shown_and_not_done(text, shown):
    """Names of settings, of files and of processes come from anywhere."""
    assert output.printable(text) == shown
