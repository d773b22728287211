"""`fwemu profiles`."""

from __future__ import annotations

from fwemu.config import profiles
from tests.cli.command import fwemu


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
