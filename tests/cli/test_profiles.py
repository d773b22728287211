"""`fwemu profiles`."""

from __future__ import annotations

import pytest

from fwemu.config import catalogue, profiles
from tests.kit.command import fwemu


def test_the_list_has_a_line_for_each_profile():
    """With what an application notices of it."""
    head, *lines = fwemu("profiles", "ls").out.splitlines()

    assert head.split() == [
        "NAME", "CLASS", "ESTABLISHED", "EXPIRY", "INSIDE", "OUTSIDE", "UNVERIFIED"
    ]  # fmt: skip
    assert [line.split()[0] for line in lines] == list(profiles.names())
    asa = next(line for line in lines if line.startswith("cisco-asa "))
    assert asa.split()[1:6] == ["firewall", "1h", "silent", "reset", "drop"]


def test_machines_get_the_same():
    """One object a profile."""
    listed = {profile["name"]: profile for profile in fwemu("profiles", "ls", "--json").json}

    assert list(listed) == list(profiles.names())
    asa = listed["cisco-asa"]
    assert asa["class"] == "firewall"
    assert asa["tcp_established_s"] == 3600
    assert asa["expiry"] == "silent"
    assert asa["unknown"] == {"inside": "reset", "outside": "drop"}
    assert {"id", "title", "address"} == set(asa["sources"][0])
    assert "table.when_full" in asa["unverified"]


def test_each_setting_of_a_profile_has_its_source_or_says_that_it_has_none():
    """An honest emulator says where its numbers come from."""
    profile = profiles.get("cisco-asa")
    text = fwemu("profiles", "show", "cisco-asa").out

    rows = {line.split()[0]: line.split()[-1] for line in text.splitlines() if " " in line}
    assert rows["timeouts.tcp_established"] in profile.sources
    assert rows["table.when_full"] == "unverified"
    for note in profile.notes:
        assert f"  - {note}\n" in text
    for source in profile.sources.values():
        assert source.address in text


def test_a_profile_of_ones_own_shows_what_it_inherits(tmp_path):
    """And whose sources those settings have."""
    file = tmp_path / "mine.toml"
    file.write_text('inherits = "cisco-asa"\n[timeouts]\ntcp_established = "never"\n')

    (shown,) = fwemu("profiles", "show", str(file), "--json").json

    settings = {row["key"]: row for row in shown["settings"]}
    assert settings["timeouts.tcp_established"]["source"] == "unverified"
    assert settings["unknown.inside"] == {
        "key": "unknown.inside", "value": "reset", "source": "rst"
    }  # fmt: skip
    assert shown["tcp_established_s"] is None


# -- side by side ---------------------------------------------------------------------------------


def test_two_profiles_are_laid_side_by_side_where_they_differ():
    """And a number that nobody has published, or that is only ours, does not pass for theirs."""
    head, *lines = fwemu(
        "profiles", "compare", "aws-nat-gateway", "azure-nat-gateway"
    ).out.splitlines()

    assert head.split() == ["SETTING", "aws-nat-gateway", "azure-nat-gateway"]
    rows = {line.split()[0]: line.split(None, 1)[1] for line in lines}
    assert rows["timeouts.tcp_established"].split("  ")[0] == '"5m 50s"'
    assert '"5m 50s" (unverified)' in rows["timeouts.tcp_fin_wait"]
    assert '"2m" (default)' in rows["timeouts.tcp_fin_wait"]
    assert rows["rules"].split() == ["none", "(default)", "icmp"]
    assert "expiry.action" not in rows, "both are silent"


def test_what_does_not_differ_is_shown_on_request():
    """Every setting has a line then."""
    _, *lines = fwemu("profiles", "compare", "cisco-asa", "cisco-asa-dcd", "--all").out.splitlines()

    keys = [setting.key for setting in catalogue.settings() if "[]" not in setting.path]
    assert [line.split()[0] for line in lines] == [key for key in keys if key != "profile"]


def test_machines_get_values_and_sources_of_each(tmp_path):
    """A profile of one's own stands beside those that are shipped."""
    file = tmp_path / "ours.toml"
    file.write_text('inherits = "cisco-asa"\n[timeouts]\ntcp_established = "30m"\n')

    rows = fwemu("profiles", "compare", "cisco-asa", str(file), "pf", "--json").json

    by_key = {row["key"]: row for row in rows}
    assert by_key["timeouts.tcp_established"] == {
        "key": "timeouts.tcp_established",
        "values": {"cisco-asa": "1h", str(file): "30m", "pf": "1d"},
        "sources": {"cisco-asa": "timeouts", str(file): "unverified", "pf": "pf-h"},
    }


def test_one_profile_cannot_be_compared():
    """With what?"""
    done = fwemu("profiles", "compare", "cisco-asa")

    assert (done.code, done.out) == (2, "")
    assert "nothing to compare with (name two profiles or more)" in done.err


def test_a_profile_that_is_not_there_is_told():
    """As everywhere."""
    done = fwemu("profiles", "compare", "cisco-asa", "cisco-asb")

    assert done.code == 2
    assert "'cisco-asb' is unknown (did you mean cisco-asa?" in done.err


# -- a profile of one's own ------------------------------------------------------------------------


def test_a_good_profile_passes(tmp_path):
    """Nothing on stdout, a sentence beside it, and 0."""
    file = tmp_path / "ours.toml"
    file.write_text(
        'inherits = "pf"\n[about]\ntitle = "Ours"\nclass = "firewall"\nsummary = "Ours."\n'
    )
    done = fwemu("profiles", "check", str(file))

    assert (done.code, done.out) == (0, "")
    assert done.err == f"{file}: nothing is wrong (`fwemu up --profile {file}` uses it)\n"
    assert fwemu("profiles", "check", str(file), "--json").json == [
        {"file": str(file), "problems": []}
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_bad_profile_fails_with_all_its_problems(tmp_path, as_json):
    """The code of a wrong configuration, so that a pipeline stops."""
    file = tmp_path / "ours.toml"
    file.write_text('[timeouts]\nicpm = "9s"\n[about]\nclass = "toaster"\n')
    done = fwemu("profiles", "check", str(file), *(["--json"] if as_json else []))

    problems = [
        f"{file}: about.class: 'toaster' is not router, firewall, load-balancer, nat or host",
        f"{file}: timeouts.icpm: unknown setting (did you mean icmp?)",
    ]
    assert done.code == 2
    if as_json:
        assert done.json == [{"file": str(file), "problems": problems}]
    else:
        assert done.err.splitlines() == [f"fwemu: {problem}" for problem in problems]
