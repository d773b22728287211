"""The shipped profiles say what they are and where each number comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from fwemu.config import catalogue, load, policy, profiles, resolve
from fwemu.config.catalogue import leaves
from fwemu.config.profiles import UNVERIFIED
from fwemu.config.review import marks, review
from fwemu.core.choices import Mode, OnUnknown
from fwemu.core.eviction import WhenFull
from fwemu.core.flow import Zone
from fwemu.core.instants import SECOND
from fwemu.core.tcp_table import State
from fwemu.core.tcp_window import WindowCheck
from fwemu.errors import ConfigError

Written = Callable[[str], Path]

SHIPPED = profiles.names()


def test_the_devices_that_people_name_are_shipped() -> None:
    """Under the names that they would type."""
    assert set(SHIPPED) >= {
        "router-acl",
        "cisco-asa",
        "palo-alto",
        "fortigate",
        "juniper-srx",
        "check-point",
        "pf",
        "linux-conntrack",
        "kube-proxy",
        "aws-nat-gateway",
        "aws-nlb",
        "azure-load-balancer",
        "azure-nat-gateway",
        "gcp-cloud-nat",
    }
    assert len(SHIPPED) >= 30


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_passes_the_review_that_others_get(name: str) -> None:
    """What `fwemu profiles check` asks of a profile of one's own, these have."""
    assert review(name) == ()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_loads_and_makes_a_policy(name: str) -> None:
    config = load(profile=name)
    assert config.profile == name
    policy(config)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_introduces_itself(name: str) -> None:
    profile = profiles.get(name)
    assert profile.title
    assert profile.device_class
    assert profile.summary.endswith(".")
    assert profile.notes


@pytest.mark.parametrize("name", SHIPPED)
def test_every_setting_of_a_profile_has_its_evidence_and_nothing_else_has(name: str) -> None:
    """A number without a source is worse than none: somebody will believe it."""
    profile = profiles.get(name)
    assert set(profile.evidence) == {key for key, _ in leaves(profile.settings)}
    assert set(profile.evidence.values()) <= {*profile.sources, UNVERIFIED}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_source_of_a_profile_is_public_and_used(name: str) -> None:
    profile = profiles.get(name)
    cited = {mark for note in profile.notes for mark in marks(note)}
    assert {*cited, *profile.evidence.values()} - {UNVERIFIED} == set(profile.sources)
    for source in profile.sources.values():
        assert source.title
        assert source.address.startswith(("https://", "http://"))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_settings_and_profiles_that_notes_name_exist(name: str) -> None:
    """They are there to be copied."""
    known = {setting.key for setting in catalogue.settings()}
    tables = "|".join(
        {key.partition(".")[0] for key in known if re.match(r"[a-z]+\.", key)} - {"tcp"}
    )
    profile = profiles.get(name)
    for note in profile.notes:
        plain = re.sub(r"`[^`]*`", "", note)
        assert set(re.findall(rf"\b(?:{tables})\.[a-z_]+[a-z]", plain)) <= known, note
        for word in re.findall(r"\bthe profile ([a-z0-9]+(?:-[a-z0-9]+)*)", plain):
            assert word in SHIPPED, note


def test_the_asa_answers_the_inside_and_ignores_the_outside() -> None:
    """`service resetoutbound` is on by default, `service resetinbound` is not."""
    asa = policy(load(profile="cisco-asa"))
    assert asa.on_unknown == {Zone.INSIDE: OnUnknown.RESET, Zone.OUTSIDE: OnUnknown.DROP}
    assert asa.lifetimes[State.ESTABLISHED] == 3600 * SECOND
    assert asa.lifetimes[State.TIME_WAIT] == 0


def test_the_aws_gateway_resets_its_own_side_after_350_seconds() -> None:
    gateway = policy(load(profile="aws-nat-gateway"))
    assert gateway.on_unknown == {Zone.INSIDE: OnUnknown.RESET, Zone.OUTSIDE: OnUnknown.DROP}
    assert gateway.lifetimes[State.ESTABLISHED] == 350 * SECOND
    assert gateway.when_full is WhenFull.REJECT_NEW


def test_the_azure_balancer_is_a_black_hole_after_four_minutes() -> None:
    balancer = policy(load(profile="azure-load-balancer"))
    assert set(balancer.on_unknown.values()) == {OnUnknown.DROP}
    assert balancer.lifetimes[State.ESTABLISHED] == 240 * SECOND


def test_conntrack_picks_up_from_both_sides_and_keeps_for_five_days() -> None:
    conntrack = policy(load(profile="linux-conntrack"))
    assert set(conntrack.on_unknown.values()) == {OnUnknown.PICK_UP}
    assert conntrack.lifetimes[State.ESTABLISHED] == 432_000 * SECOND
    assert conntrack.when_full is WhenFull.EVICT_UNASSURED
    assert conntrack.window_check is WindowCheck.STRICT


def test_the_router_remembers_nothing() -> None:
    router = policy(load(profile="router-acl"))
    assert router.mode is Mode.ACL
    assert [rule.established for rule in router.rules] == [True, False, False]
    assert policy(load(profile="router-acl", settings=["mode=stateful"])).rules == ()


# -- profiles of one's own --------------------------------------------------------------------


def test_a_path_works_as_a_profile_and_inherits(written: Written) -> None:
    Path("ours.toml").write_text(
        'inherits = "cisco-asa"\n[timeouts]\ntcp_established = "30m"\n[about]\ntitle = "Ours"\n',
        encoding="utf-8",
    )
    found = resolve(profile="ours.toml", settings=["icmp=9s"])
    ours = str(Path("ours.toml").absolute())

    assert found.config.profile == ours
    assert str(found.origins["timeouts.tcp_established"]) == ours
    assert str(found.origins["timeouts.tcp_fin_wait"]) == "profile cisco-asa"
    assert str(found.origins["timeouts.icmp"]) == "--set"
    assert [profile.title for profile in profiles.lineage("ours.toml")] == [
        "Cisco ASA, Firepower Threat Defense (Lina)",
        "Ours",
    ]


def test_a_path_in_a_file_is_looked_up_beside_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with a configuration and its profile can be moved and used from anywhere."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "firewall.toml").write_text('profile = "ours.toml"')
    (folder / "ours.toml").write_text('inherits = "base.toml"')
    (folder / "base.toml").write_text('mode = "acl"')
    monkeypatch.chdir(tmp_path)
    assert load(Path("site/firewall.toml")).mode is Mode.ACL


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('inherits = "zzz"', "inherits: 'zzz' is unknown (`fwemu profiles ls` shows them all)"),
        ("inherits = 5", "inherits: 5 is not the name of a profile (put it in quotes)"),
        ('inherits = "ours.toml"', "inherits: goes in a circle (ours -> ours)"),
        (
            'profile = "cisco-asa"',
            'profile: a profile does not name another (write inherits = "...")',
        ),
        (
            "[timeouts]\nicpm = 5",
            "timeouts.icpm: unknown setting (did you mean icmp?)",
        ),
        (
            "[about]\ntitel = 'x'",
            "about.titel: unknown setting (there are title, class, summary and notes)",
        ),
        (
            "[about]\nclass = 'toaster'",
            "about.class: 'toaster' is not router, firewall, load-balancer, nat or host",
        ),
        ("[about]\nnotes = 5", "about.notes: 5 does not fit here (see the shipped profiles)"),
        ("sources = 5", "sources: 5 is not a table (write [sources], its keys below it)"),
        ("[evidence]\nmode = 5", "evidence.mode: 5 is not text (put it in quotes)"),
        (
            "[evidence]\ntimeouts.icmp = 'x'",
            'evidence.timeouts: is a table (put the whole key in quotes: "timeouts.icmp")',
        ),
    ],
)
def test_a_mistake_in_a_profile_names_its_file(written: Written, text: str, problem: str) -> None:
    written("")
    Path("ours.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(profile="ours.toml")
    assert str(caught.value) == f"{Path('ours.toml').absolute()}: {problem}"


def test_a_circle_of_profiles_is_shown(written: Written) -> None:
    written("")
    Path("a.toml").write_text('inherits = "b.toml"')
    Path("b.toml").write_text('inherits = "a.toml"')
    with pytest.raises(ConfigError, match=r"inherits: goes in a circle \(a -> b -> a\)"):
        load(profile="a.toml")


def test_a_profile_that_is_no_toml_is_told_by_its_path(written: Written) -> None:
    written("")
    Path("ours.toml").write_text("mode = acl")
    with pytest.raises(ConfigError, match=r"ours.toml: line 1: acl needs quotes"):
        load(profile="ours.toml")


def test_the_folder_of_an_installed_package_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a wheel the profiles lie inside the package; in a checkout in `config/`."""
    assert tomllib.loads((profiles.directory() / "cisco-asa.toml").read_text(encoding="utf-8"))
    installed = tmp_path / "fwemu" / "config"
    (installed / "shipped" / "profiles").mkdir(parents=True)
    monkeypatch.setattr(profiles, "__file__", str(installed / "profiles.py"))
    assert profiles.directory() == installed / "shipped" / "profiles"
