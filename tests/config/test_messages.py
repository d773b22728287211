"""Every mistake is answered in one line: where, what, and what to write instead."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from fwemu.config import catalogue, load
from fwemu.config.load import SET, _Merged
from fwemu.errors import ConfigError

Written = Callable[[str], Path]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # unknown keys
        (
            "[timeouts]\ntcp_establishd = 5",
            "timeouts.tcp_establishd: unknown setting (did you mean tcp_established?)",
        ),
        ("[timeout]\nicmp = 5", "timeout: unknown setting (did you mean timeouts?)"),
        (
            'tcp_established = "1h"',
            "tcp_established: unknown setting (did you mean timeouts.tcp_established?)",
        ),
        (
            "[table]\ntcp_established = 5",
            "table.tcp_established: unknown setting (did you mean timeouts.tcp_established?)",
        ),
        (
            "[table]\nzzz = 5",
            "table.zzz: unknown setting (there are capacity, when_full and seed)",
        ),
        (
            "[expiry]\nzzz = 5",
            "expiry.zzz: unknown setting"
            " (there are action, sequence, retry_interval and max_retries)",
        ),
        ("[tcp]\nwindows = 5", "tcp.windows: unknown setting (did you mean window?)"),
        (
            '[tcp]\nwindow = "of"',
            "tcp.window: 'of' is not strict, liberal or off (did you mean off?)",
        ),
        (
            "[tcp]\nwindow = false",
            'tcp.window: false is not strict, liberal or off (write "strict", for instance)',
        ),
        (
            '[[rules]]\naction = "allow"\nport = 5',
            "rules[0].port: unknown setting (did you mean ports?)",
        ),
        # numbers
        ("[table]\ncapacity = 0", "table.capacity: 0 is below 1 (1 to 10000000)"),
        (
            "[table]\ncapacity = 10_000_001",
            "table.capacity: 10000001 is above 10000000 (1 to 10000000)",
        ),
        (
            '[table]\ncapacity = "100"',
            "table.capacity: '100' is not a whole number (1 to 10000000)",
        ),
        ("[table]\ncapacity = 1.5", "table.capacity: 1.5 is not a whole number (1 to 10000000)"),
        ("[table]\ncapacity = true", "table.capacity: true is not a whole number (1 to 10000000)"),
        ("[daemon]\nqueue = 65536", "daemon.queue: 65536 is above 65535 (0 to 65535)"),
        # words
        (
            '[expiry]\naction = "silnt"',
            "expiry.action: 'silnt' is not silent, reset-both, reset-original, reset-reply or probe"
            " (did you mean silent?)",
        ),
        (
            '[expiry]\naction = "reset"',
            "expiry.action: 'reset' is not silent, reset-both, reset-original, reset-reply or probe"
            " (did you mean reset-both?)",
        ),
        (
            '[pressure]\npolicy = "scale"\nstop = 80',
            "pressure.stop: 80 is not above start, which is 80"
            ' (policy = "scale" shrinks in between)',
        ),
        (
            "[refresh]\nabsolute = 5",
            "refresh.absolute: 5 is not the name of a state's timer, as in tcp_syn_sent, or a list"
            " of them",
        ),
        (
            '[refresh]\nabsolute = "tcp_syn_snt"',
            "refresh.absolute[0]: 'tcp_syn_snt' is not the timer of a state"
            " (did you mean tcp_syn_sent?)",
        ),
        (
            '[refresh]\nabsolute = ["tcp_discard"]',
            "refresh.absolute[0]: 'tcp_discard' is not the timer of a state"
            " (write tcp_syn_sent, for instance)",
        ),
        (
            "mode = true",
            'mode: true is not stateful or acl (write "stateful", for instance)',
        ),
        (
            '[daemon]\nlog_events = ["bulit"]',
            "daemon.log_events[0]: 'bulit' is not built, torn_down, denied, released,"
            " state_changed, answered, keepalive or injected (did you mean built?)",
        ),
        # durations and sizes
        (
            '[timeouts]\nicmp = "1 hour"',
            "timeouts.icmp: '1 hour' is not a duration"
            ' (write "30s", "1h 5m", "500ms" or a number of seconds)',
        ),
        ("[timeouts]\nicmp = 0", "timeouts.icmp: 0s is below 1ms (1ms to 3650d, or never)"),
        (
            '[timeouts]\nicmp = "3651d"',
            "timeouts.icmp: 3651d is above 3650d (1ms to 3650d, or never)",
        ),
        (
            '[[flush]]\nevery = "never"',
            "flush[0].every: never is too long (100ms to 3650d)",
        ),
        (
            '[daemon]\nlog_size = "1B"',
            "daemon.log_size: 1B is below 64kB (64kB to 1TB)",
        ),
        (
            '[daemon]\nlog_size = "much"',
            "daemon.log_size: 'much' is not a size (write \"64MB\" or a number of bytes)",
        ),
        # shapes
        (
            "timeouts = 5",
            "timeouts: 5 is not a table (write [timeouts], its keys below it)",
        ),
        (
            '[rules]\naction = "allow"',
            "rules: a table is not a list of tables (write [[rules]])",
        ),
        ("flush = [5]", "flush[0]: 5 is not a table (write [[flush]])"),
        ("profile = 5", "profile: 5 is not text (put it in quotes)"),
        (
            '[[rules]]\naction = "allow"\nestablished = "yes"',
            "rules[0].established: 'yes' is not true or false (no quotes)",
        ),
        ("[[rules]]\nname = 'x'", "rules[0].action: missing (allow, deny or reject)"),
        (
            f"[[rules]]\naction = 'allow'\nname = '{'x' * 65}'",
            "rules[0].name: is too long (text of up to 64 characters)",
        ),
        # schedules
        (
            "[[flush]]",
            'flush[0]: has neither schedule nor every (write schedule = "0 0 * * *"'
            ' or every = "6h")',
        ),
        (
            '[[flush]]\nschedule = "0 0 * * *"\nevery = "6h"',
            "flush[0]: has both schedule and every (leave one of them out)",
        ),
        (
            '[[flush]]\nschedule = "0 0 * *"',
            "flush[0].schedule: '0 0 * *' is not a cron schedule: wrong number of fields"
            ' (write "0 0 * * *" for every midnight)',
        ),
        (
            '[[flush]]\nschedule = "0 24 * * *"',
            "flush[0].schedule: '0 24 * * *' is not a cron schedule: bad hour"
            ' (write "0 0 * * *" for every midnight)',
        ),
        # interfaces
        (
            '[daemon]\ninside = "an interface"',
            "daemon.inside[0]: 'an interface' is not an interface name"
            " (1 to 15 characters, no space, slash or colon)",
        ),
        (
            '[daemon]\ninside = ["eth0"]\noutside = ["eth0"]',
            "daemon.outside: 'eth0' is inside as well (leave it out of one of the lists)",
        ),
    ],
)
def test_a_mistake_in_a_file(problems: Problems, text: str, problem: str) -> None:
    assert problems(text) == [f"firewall.toml: {problem}"]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            'to = "10.0.2.0/33"',
            "to: '10.0.2.0/33' is not a network (write 10.0.2.0/24 or 2001:db8::/32)",
        ),
        (
            'to = ["10.0.2.0/24", "fe80::1%eth0"]',
            "to: 'fe80::1%eth0' is not a network (write 10.0.2.0/24 or 2001:db8::/32)",
        ),
        ('to = "outsid"', "to: 'outsid' is not a network (did you mean outside?)"),
        ("to = 5", "to: 5 is not a network (write 10.0.2.0/24 or 2001:db8::/32)"),
        (
            "to = true",
            'to: true is not a zone or a network (write "inside" or "10.0.2.0/24")',
        ),
        (
            'from = "10.0.2.5/24"',
            "from: '10.0.2.5/24' has host bits set"
            " (write 10.0.2.0/24 for the network or 10.0.2.5 for the one address)",
        ),
        (
            'from = "2001:db8::1/64"',
            "from: '2001:db8::1/64' has host bits set"
            " (write 2001:db8::/64 for the network or 2001:db8::1 for the one address)",
        ),
        (
            'from = ["inside", "10.0.0.0/8"]',
            "from: a zone stands alone: name one zone, or only networks",
        ),
        (
            'from = ["any", "10.0.0.0/8"]',
            'from: "any" stands alone: leave the others out, or leave "any" out',
        ),
        ("from = []", 'from: an empty list matches nothing (write "any")'),
        (
            'from = "inside"\nto = "inside"',
            "to: a packet from the inside goes to the outside"
            ' (write to = "outside", or leave one of them out)',
        ),
        ('proto = "tpc"', "proto: 'tpc' is not a protocol (did you mean tcp?)"),
        (
            "proto = 256",
            "proto: 256 is not a protocol"
            " (write icmp, tcp, udp, icmpv6, any, or a number from 0 to 255)",
        ),
        ('proto = "tcp"\nports = 70000', "ports: 70000 is not a port (0 to 65535)"),
        (
            'proto = "tcp"\nports = "https"',
            "ports: 'https' is not a port (write 5432 or \"8000-8080\")",
        ),
        (
            'proto = "tcp"\nports = ["9-8"]',
            "ports: '9-8' runs backwards (write \"8-9\")",
        ),
        (
            "ports = 80",
            'ports: only tcp and udp have ports (add proto = "tcp", or leave this out)',
        ),
        (
            'proto = ["tcp", "icmp"]\nsource_ports = 80',
            'source_ports: only tcp and udp have ports (add proto = "tcp", or leave this out)',
        ),
        (
            "established = true",
            "established: a stateful firewall knows by itself what is established"
            ' (leave this out, or set mode = "acl")',
        ),
        (
            'established = true\nproto = "udp"',
            'established: only tcp has it (write proto = "tcp", or leave this out)',
        ),
    ],
)
def test_a_mistake_in_a_rule_names_its_place_in_the_list(
    problems: Problems, rule: str, problem: str
) -> None:
    first = '[[rules]]\naction = "allow"\n'
    assert problems(f"{first * 3}{rule}") == [f"firewall.toml: rules[2].{problem}"]


def test_a_timeout_on_a_rule_that_opens_no_session(problems: Problems) -> None:
    assert problems('[[rules]]\naction = "deny"\nidle_timeout = "1h"') == [
        'firewall.toml: rules[0].idle_timeout: a rule with action = "deny" opens no session'
        " (leave this out)"
    ]
    assert problems('mode = "acl"\n[[rules]]\naction = "allow"\nidle_timeout = "1h"') == [
        'firewall.toml: rules[0].idle_timeout: mode = "acl" has no sessions that could be idle'
        ' (leave this out, or set mode = "stateful")'
    ]


def test_several_mistakes_are_told_at_once_one_a_line_each_with_its_place(
    problems: Problems,
) -> None:
    """Whoever mends a file wants to mend it once."""
    assert problems(
        "[table]\ncapacity = 0\n[timeouts]\nicmp = 'x'", settings=["unknown.inside=rst"]
    ) == [
        "firewall.toml: table.capacity: 0 is below 1 (1 to 10000000)",
        "firewall.toml: timeouts.icmp: 'x' is not a duration"
        ' (write "30s", "1h 5m", "500ms" or a number of seconds)',
        "--set unknown.inside: 'rst' is not drop, reset, reject or pick-up (did you mean reset?)",
    ]


# -- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mode = acl", 'line 1: acl needs quotes (write mode = "acl")'),
        (
            "[timeouts]\n\nicmp = 1h 5m  # quiet",
            'line 3: 1h 5m needs quotes (write icmp = "1h 5m")',
        ),
        (
            "[table\ncapacity = 5",
            "line 1: not valid TOML: expected ']' at the end of a table declaration"
            " (the line reads '[table')",
        ),
        (
            "mode = 'acl'\nmode = 'acl'",
            "line 2: not valid TOML: cannot overwrite a value (the line reads \"mode = 'acl'\")",
        ),
        (
            "mode = '''acl",
            "line 1: not valid TOML: expected \"'''\" (the line reads \"mode = '''acl\")",
        ),
    ],
)
def test_what_is_no_toml_is_answered_with_its_line(
    problems: Problems, text: str, problem: str
) -> None:
    assert problems(text) == [f"firewall.toml: {problem}"]


def test_a_file_that_cannot_be_read(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(path: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(Path(path))
        return str(caught.value)

    written("")
    Path("latin1.toml").write_bytes(b"# ok\n# caf\xe9\n")
    Path("folder").mkdir()
    assert told("nowhere.toml") == "nowhere.toml: no such file (check the path)"
    assert told("folder") == "folder: is a directory (name the .toml file in it)"
    assert told("latin1.toml") == "latin1.toml: line 2: is not UTF-8 (save the file as UTF-8)"

    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # root may read anything
    assert told("firewall.toml") == (
        "firewall.toml: cannot be read: permission denied (check its permissions)"
    )


# -- settings on the command line -------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("table.capacity=0", "table.capacity: 0 is below 1 (1 to 10000000)"),
        ("capcity=5", "capcity: unknown setting (did you mean table.capacity?)"),
        (
            "zzz=5",
            "zzz: unknown setting (there are profile, mode, table, timeouts, tcp, refresh,"
            " pressure, expiry, fragments, injected, unknown, default_action, acl, rules,"
            " flush, standby and daemon)",
        ),
        (
            "inside=reset",
            "inside: is not clear (write unknown.inside, default_action.inside or daemon.inside)",
        ),
        ("table.capacity", "table.capacity: not a setting (write table.capacity=VALUE)"),
        ("=5", "=5: not a setting (write timeouts.tcp_established=VALUE)"),
        (
            "rules[0].action=deny",
            "rules[0].action: rules can only be set as a whole (write rules=[{...}])",
        ),
        (
            "rules=[{action]",
            'rules: \'[{action]\' is neither TOML nor JSON (write ["a", "b"] or {key = "value"})',
        ),
        ("rules=allow", "rules: 'allow' is not a list of tables (write [[rules]])"),
    ],
)
def test_a_mistake_on_the_command_line(problems: Problems, setting: str, problem: str) -> None:
    assert problems(settings=[setting]) == [f"--set {problem}"]


# -- profiles ---------------------------------------------------------------------------------


def test_an_unknown_profile_is_answered_with_the_closest_name(problems: Problems) -> None:
    assert problems(profile="cisco-as") == [
        "--profile: 'cisco-as' is unknown (did you mean cisco-asa?"
        " `fwemu profiles ls` shows them all)"
    ]
    assert problems('profile = "zzz"') == [
        "firewall.toml: profile: 'zzz' is unknown (`fwemu profiles ls` shows them all)"
    ]
    assert problems(settings=["profile=zzz"]) == [
        "--set profile: 'zzz' is unknown (`fwemu profiles ls` shows them all)"
    ]
    assert problems(profile="mine.toml")[0].endswith("/mine.toml: no such file (check the path)")


# -- whatever else somebody may write ---------------------------------------------------------

ODD_VALUES: list[object] = [
    None,
    True,
    -1,
    10**30,
    1.5,
    float("nan"),
    "",
    "a\nb",
    "x" * 100,
    [],
    [1],
    [[]],
    [None],
    {},
    {"a": 1},
    [{"action": 5}],
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    datetime.time(),
]


@pytest.mark.parametrize("setting", catalogue.settings(), ids=lambda setting: setting.key)
def test_no_value_of_any_setting_brings_up_the_wording_of_a_library(
    setting: catalogue.Setting,
) -> None:
    for value in ODD_VALUES:
        merged = _Merged()
        if "[]" in setting.path:
            required = {"action": "allow"} if setting.path[0] == "rules" else {}
            entry = {**required, setting.path[-1]: value}
            merged.set((setting.path[0],), [entry], SET)
        else:
            merged.set(setting.path, value, SET)
        try:
            merged.check()
        except ConfigError as error:
            for line in error.problems:
                assert line.startswith("--set ")
                assert "\n" not in line
                assert len(line) < 250
                for word in ("Input", "should", "Extra inputs", "pydantic", "does not fit here"):
                    assert word not in line
