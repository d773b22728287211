"""What is wrong with a profile of one's own is said at once, and all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwemu.config import catalogue
from fwemu.config.review import IDLE, marks, review

GOOD = """
inherits = "cisco-asa"

[timeouts]
tcp_established = "30m"

[about]
title = "Ours"
class = "firewall"
summary = "Forgets a connection after half an hour."
notes = ["As configured in March. [runbook]"]

[sources]
runbook = "Our runbook, https://wiki.example.com/firewall"

[evidence]
"timeouts.tcp_established" = "runbook"
"""


def written(text: str, name: str = "ours.toml") -> Path:
    """The file of a profile, in the directory of the test."""
    path = Path(name).absolute()
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(text: str) -> list[str]:
    """The problems of a profile, without the name of its file."""
    path = written(text)
    return [problem.removeprefix(f"{path}: ") for problem in review("ours.toml")]


def test_nothing_is_wrong_with_a_good_one() -> None:
    assert found(GOOD) == []


def test_all_problems_are_told_together() -> None:
    """Nobody wants to run a check eight times."""
    assert found(
        'inherits = "cisco-asa"\n'
        '[timeouts]\nicmp = "9s"\nudp_replied = "1m"\n'
        '[about]\nnotes = ["As [told] by `show [x]` and [[rules]]."]\n'
        '[sources]\nunused = "A book, https://example.com/a"\nbook = "A book"\n'
        "[evidence]\n"
        '"timeouts.icmp" = "bok"\n"timeouts.udp_relied" = "book"\n'
    ) == [
        "about.title: missing (the shipped profiles show what it is for)",
        "about.class: missing (the shipped profiles show what it is for)",
        "about.summary: missing (the shipped profiles show what it is for)",
        "evidence.timeouts.icmp: 'bok' is no source of this file"
        " (write 'unused', 'book' or 'unverified')",
        "evidence.timeouts.udp_relied: names no setting of this file"
        " (did you mean timeouts.udp_replied?)",
        "timeouts.udp_replied: has no evidence"
        ' (write "timeouts.udp_replied" = "unverified", or the name of a source, in [evidence])',
        "about.notes: [told] is no source of this file (add it to [sources])",
        "sources.unused: is never used (cite it in [evidence] or as [unused] in a note)",
        'sources.book: has no address (write "title, https://...")',
    ]


def test_errors_of_settings_are_told_as_they_are_when_it_is_loaded() -> None:
    """And what the profile says of itself is looked at all the same."""
    problems = found(GOOD.replace('"30m"', '"30 parsecs"') + '"mode" = "runbook"\n')
    assert problems[0].startswith("timeouts.tcp_established: '30 parsecs'")
    assert problems[1].startswith("evidence.mode: names no setting of this file")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('inherits = "ours.toml"', "inherits: goes in a circle (ours -> ours)"),
        (
            'inherits = "cisco-asb"',
            "inherits: 'cisco-asb' is unknown"
            " (did you mean cisco-asa? `fwemu profiles ls` shows them all)",
        ),
        ("about = 5", "about: 5 does not fit here (see the shipped profiles)"),
        (
            'profile = "cisco-asa"',
            'profile: a profile does not name another (write inherits = "...")',
        ),
    ],
)
def test_settings_are_looked_at_even_if_what_is_around_them_is_wrong(
    text: str, problem: str
) -> None:
    """A circle, or a part that is no table, hides no mistake further down."""
    problems = found(f'{text}\n[timeouts]\nicpm = "9s"\n')
    assert problems[0] == problem
    assert "timeouts.icpm: unknown setting (did you mean icmp?)" in problems


def test_a_mistake_in_an_inherited_file_is_told_with_that_file() -> None:
    base = written('[timeouts]\nicpm = "9s"\n', "base.toml")
    written('inherits = "base.toml"\n[timeouts]\nudp = "1s"\n')
    ours = Path("ours.toml").absolute()
    problems = review("ours.toml")
    assert problems[0] == f"{base}: timeouts.icpm: unknown setting (did you mean icmp?)"
    assert problems[1].startswith(f"{ours}: timeouts.udp: unknown setting")


def test_what_is_no_toml_is_told_by_its_line() -> None:
    path = written("mode = acl")
    (problem,) = review("ours.toml")
    assert problem.startswith(f"{path}: line 1: acl needs quotes")


def test_a_file_that_is_not_there_is_told() -> None:
    (problem,) = review("ours.toml")
    assert problem == f"{Path('ours.toml').absolute()}: no such file (check the path)"


def test_a_name_that_is_not_known_is_told_as_everywhere() -> None:
    (problem,) = review("cisco-asb")
    assert "'cisco-asb' is unknown (did you mean cisco-asa?" in problem


@pytest.mark.parametrize(
    ("settings", "key", "why"),
    [
        ('mode = "acl"\n[timeouts]\nicmp = "9s"', "timeouts.icmp", "has no effect in mode"),
        ("[expiry]\nmax_retries = 3", "expiry.max_retries", "nothing is probed"),
        ('[expiry]\nsequence = "stale"', "expiry.sequence", "nobody gets a RST"),
        ('[unknown]\ntrust = "never"', "unknown.trust", "nothing is picked up"),
        ('[timeouts]\ntcp_picked_up = "9s"', "timeouts.tcp_picked_up", "nothing is picked up"),
        (
            '[timeouts]\ntcp_picked_up = "9s"\n[unknown]\ninside = "pick-up"',
            "timeouts.tcp_picked_up",
            "trusted at once",
        ),
        (
            '[unknown]\ninside = "pick-up"\ntrust = "never"',
            "unknown.trust",
            "has no timer for what is not trusted",
        ),
        ("[tcp]\nmax_retransmissions = 5", "tcp.max_retransmissions", "without a timer"),
        (
            '[timeouts]\ntcp_rst_unverified = "9s"\n[tcp]\nwindow = "off"',
            "timeouts.tcp_rst_unverified",
            "believes any RST",
        ),
        ("[pressure]\nstart = 60", "pressure.start", "with this pressure.policy"),
        (
            '[pressure]\npolicy = "accelerate"\nstop = 90',
            "pressure.stop",
            "with this pressure.policy",
        ),
        (
            '[pressure]\npolicy = "scale"\nfactor = 3',
            "pressure.factor",
            "with this pressure.policy",
        ),
        (
            '[pressure]\npolicy = "scale"\nearly_ageout = "3s"',
            "pressure.early_ageout",
            "with this pressure.policy",
        ),
        (
            '[pressure]\npolicy = "early-ageout"\nstart = 80\nstop = 90',
            "pressure.stop",
            "where early ageing begins",
        ),
    ],
)
def test_a_setting_that_another_one_makes_idle_is_told(settings: str, key: str, why: str) -> None:
    """It can be loaded, and it does not do what its writer thinks."""
    (problem,) = (line for line in found(settings) if line.startswith(f"{key}: ") and why in line)
    assert problem.endswith(")")


def test_a_rule_may_be_what_gives_a_setting_its_effect() -> None:
    """The answers of a rule count as those of the whole firewall do."""
    text = (
        '[[rules]]\naction = "allow"\nfrom = "inside"\nexpiry = "probe"\nunknown = "pick-up"\n'
        '[expiry]\nmax_retries = 3\n[unknown]\ntrust = "never"\n[timeouts]\ntcp_picked_up = "9s"\n'
    )
    assert not [line for line in found(text) if "effect" in line]


def test_every_name_in_the_table_is_that_of_a_setting() -> None:
    """A misspelt one would never be found."""
    known = {setting.key for setting in catalogue.settings()}
    for idle in IDLE:
        for name in idle.keys:
            assert any(key.startswith(name) if name.endswith(".") else key == name for key in known)


def test_only_words_in_single_brackets_are_marks() -> None:
    assert marks("As [told] by `show [x]`, with [[rules]] and [told-2].") == {"told", "told-2"}
