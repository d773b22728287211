"""Flag over file over profile over default; and where each value came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fwemu.config import Config, Kind, apply, load, resolve, to_settings, to_toml
from fwemu.config.match import read_places, read_ports
from fwemu.core.choices import OnUnknown
from fwemu.core.eviction import WhenFull
from fwemu.core.rules import Action
from fwemu.errors import ConfigError

Written = Callable[[str], Path]


def test_nothing_given_is_the_defaults() -> None:
    assert load() == Config()


def test_a_file_stands_over_its_profile_and_a_flag_over_both(written: Written) -> None:
    path = written(
        'profile = "cisco-asa"\n[table]\nseed = 1\n'
        '[timeouts]\ntcp_established = "30m"\nicmp = "5s"\n'
    )
    found = resolve(path, settings=["timeouts.icmp=7s", "table.capacity=100"])

    assert found.config.profile == "cisco-asa"
    timeouts = found.config.timeouts
    assert found.config.table.capacity == 100
    assert str(timeouts.icmp) == "7s"
    assert str(timeouts.tcp_established) == "30m"
    assert str(timeouts.tcp_close_wait) == "10m"

    def origin(key: str) -> tuple[Kind, str]:
        return found.origins[key].kind, str(found.origins[key])

    assert origin("table.capacity") == (Kind.FLAG, "--set")
    assert origin("timeouts.icmp") == (Kind.FLAG, "--set")
    assert origin("table.seed") == (Kind.FILE, "firewall.toml")
    assert origin("profile") == (Kind.FILE, "firewall.toml")
    assert origin("timeouts.tcp_established") == (Kind.FILE, "firewall.toml")
    assert origin("timeouts.tcp_fin_wait") == (Kind.PROFILE, "profile cisco-asa")
    assert origin("daemon.queue") == (Kind.DEFAULT, "default")


def test_every_setting_has_an_origin_in_the_order_of_the_schema() -> None:
    origins = list(resolve().origins)
    assert origins[:4] == ["profile", "mode", "table.capacity", "table.when_full"]
    assert {"rules", "flush", "daemon.outside"} <= set(origins)
    assert not any("[" in key for key in origins)


def test_the_profile_argument_overrides_the_file_and_a_setting_both(written: Written) -> None:
    path = written('profile = "cisco-asa"')
    by_option = resolve(path, profile="aws-nat-gateway")
    by_setting = resolve(path, profile="aws-nat-gateway", settings=["profile=linux-conntrack"])
    no_profile = resolve(path, settings=["profile=null"])

    assert str(by_option.config.timeouts.tcp_established) == "5m 50s"
    assert str(by_option.origins["profile"]) == "--profile"
    assert str(by_setting.config.timeouts.tcp_established) == "5d"
    assert no_profile.config == Config()


def test_rules_are_replaced_as_a_whole(written: Written) -> None:
    """Mixing a file's rules into a profile's would leave nobody sure of their order."""
    path = written('profile = "router-acl"\n[[rules]]\nname = "mine"\naction = "allow"\n')
    assert [rule.name for rule in load(path).rules] == ["mine"]


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("timeouts.tcp_established=5s", "timeouts.tcp_established", "5s"),
        ("tcp_established=5s", "timeouts.tcp_established", "5s"),
        ("tcp_established=5", "timeouts.tcp_established", "5s"),
        ('tcp_established="5s"', "timeouts.tcp_established", "5s"),
        (" capacity = 100 ", "table.capacity", 100),
        ("unknown.inside=reset", "unknown.inside", "reset"),
        ("when_full=evict-random", "table.when_full", "evict-random"),
        ("action=reset-both", "expiry.action", "reset-both"),
        ("mode=acl", "mode", "acl"),
        ("log_events=built", "daemon.log_events", ["built"]),
        ('log_events=["built", "denied"]', "daemon.log_events", ["built", "denied"]),
        ("daemon.inside=eth0", "daemon.inside", ["eth0"]),
        ("timeouts={icmp = 9}", "timeouts.icmp", "9s"),
        ('flush=[{every = "6h"}]', "flush", [{"every": "6h"}]),
        ('flush=[{"every": "6h"}]', "flush", [{"every": "6h"}]),
        ("flush=[]", "flush", []),
    ],
)
def test_a_setting_is_a_key_long_or_short_and_a_value_as_toml_json_or_text(
    setting: str, key: str, value: object
) -> None:
    found = to_settings(load(settings=[setting]))
    for part in key.split("."):
        found = found[part]
    assert found == value


def test_the_last_of_two_settings_wins() -> None:
    assert load(settings=["capacity=1", "capacity=2"]).table.capacity == 2


def test_a_value_may_hold_an_equals_sign_but_no_second_setting() -> None:
    """A value with a line break must not smuggle in another key."""
    rules = 'rules=[{action = "allow", name = "a=b"}]'
    assert load(settings=[rules]).rules[0].name == "a=b"
    with pytest.raises(ConfigError, match="'1\\\\nx = 2' is not a whole number"):
        load(settings=["capacity=1\nx = 2"])


def test_a_configuration_written_as_toml_loads_as_the_same_configuration(written: Written) -> None:
    """The lab hands the daemon its configuration as a file."""
    config = load(
        profile="linux-conntrack",
        settings=[
            'rules=[{action="allow", name="tab\\t\\"é\\" ü", from=["10.0.0.0/8", "2001:db8::/32"],'
            ' to="outside", proto=["tcp", 132], ports="any", idle_timeout="never"},'
            ' {action="reject", proto="udp", ports=[53, "8000-8080"], source_ports=1}]',
            'flush=[{every="90m"}, {schedule="*/5 0 * * * *"}]',
            "seed=7",
            'daemon={inside=["a"], outside=["b", "c"], log_events=[], log_size="1MiB"}',
        ],
    )
    assert load(written(to_toml(config))) == config


def test_a_default_configuration_survives_as_toml_too(written: Written) -> None:
    assert load(written(to_toml(Config()))) == Config()


def test_a_file_with_a_byte_order_mark_loads(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbfmode = 'acl'\r\n")
    assert load(path).mode.value == "acl"


# -- a running firewall -----------------------------------------------------------------------


def test_a_running_firewall_takes_other_settings() -> None:
    before = load(profile="cisco-asa", settings=["seed=3"])
    after = apply(before, ["tcp_established=5s", "unknown.outside=reject", "when_full=evict-lru"])

    assert str(after.timeouts.tcp_established) == "5s"
    assert after.unknown.outside is OnUnknown.REJECT
    assert after.table.when_full is WhenFull.EVICT_LRU
    assert (after.profile, after.table.seed) == ("cisco-asa", 3)
    assert after.timeouts.icmp == before.timeouts.icmp
    assert apply(before, []) == before


def test_what_a_running_firewall_cannot_change_is_refused_and_nothing_changes() -> None:
    with pytest.raises(ConfigError) as caught:
        apply(Config(), ["queue=1", "profile=cisco-asa", "daemon={fail='open'}", "capacity=5"])
    refusal = "cannot change while the firewall runs (start it again with the new value)"
    assert caught.value.problems == (
        f"daemon.queue: {refusal}",
        f"profile: {refusal}",
        f"daemon.fail: {refusal}",
    )


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("capacity=0", "table.capacity: 0 is below 1 (1 to 10000000)"),
        ("capcity=5", "capcity: unknown setting (did you mean table.capacity?)"),
        ("capacity", "capacity: not a setting (write capacity=VALUE)"),
    ],
)
def test_a_running_firewall_answers_a_mistake_by_the_key_alone(setting: str, problem: str) -> None:
    """There is no file and no flag: the setting came through the API."""
    with pytest.raises(ConfigError) as caught:
        apply(Config(), [setting])
    assert str(caught.value) == problem


# -- values of rules --------------------------------------------------------------------------


def test_rules_read_zones_networks_and_ports_in_their_short_and_long_spelling() -> None:
    config = load(
        settings=[
            'rules=[{action="deny", from="inside", to=["10.0.0.1", "2001:db8::/32"],'
            ' proto=["tcp", 17, "udp"], ports="8000 - 8080", source_ports=["53", 99]}]'
        ]
    )
    (rule,) = config.rules
    assert rule.action is Action.DENY
    assert rule.from_ == read_places("inside")
    assert rule.to == read_places(["10.0.0.1/32", "2001:db8::/32"])
    assert rule.proto == (6, 17)
    assert rule.ports == ((8000, 8080),)
    assert rule.source_ports == read_ports([53, 99])
    assert to_settings(config)["rules"][0]["ports"] == ["8000-8080"]


def test_a_configuration_is_frozen_and_has_a_json_schema() -> None:
    """The control API publishes the schema; nobody changes a configuration in place."""
    with pytest.raises(Exception, match="frozen"):
        Config().table.capacity = 5
    schema = Config.model_json_schema()
    assert schema["$defs"]["Timeouts"]["properties"]["icmp"]["type"] == "string"
    assert Config.model_validate(to_settings(Config())) == Config()
    assert Config.model_validate_json(Config().model_dump_json(by_alias=True)) == Config()
