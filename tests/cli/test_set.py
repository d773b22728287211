"""`fwemu set`: a running firewall follows at once, or nothing changes."""

from __future__ import annotations

import tomllib

import pytest

from tests.kit.command import fwemu

pytestmark = pytest.mark.kernel


def test_what_changes_is_said(lab):
    """Old and new, so that it can be taken back."""
    done = fwemu("set", "timeouts.tcp_established=5s", "expiry.action=reset-both")

    assert done.out.splitlines() == [
        'timeouts.tcp_established: "1h" -> "5s"',
        'expiry.action: "silent" -> "reset-both"',
    ]
    assert lab.firewall.config()["timeouts"]["tcp_established"] == "5s"


def test_machines_get_a_change_a_line(lab):
    """With the values themselves."""
    assert fwemu("set", "icmp=5s", "--json").json == [
        {"key": "timeouts.icmp", "before": "30s", "after": "5s"}
    ]


def test_what_does_not_change_is_said_too(lab):
    """No answer would look like no effect."""
    done = fwemu("set", "timeouts.icmp=30s")

    assert (done.code, done.out, done.err) == (0, "", "nothing changed: that is how it was\n")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (
            "timeouts.tcp_establishd=1s",
            "timeouts.tcp_establishd: unknown setting (did you mean tcp_established?)",
        ),
        (
            "timeouts.icmp=soon",
            "timeouts.icmp: 'soon' is not a duration "
            '(write "30s", "1h 5m", "500ms" or a number of seconds)',
        ),
        (
            "daemon.queue=3",
            "daemon.queue: cannot change while the firewall runs "
            "(start it again with the new value)",
        ),
        (
            "timeouts.icmp",
            "timeouts.icmp: not a setting (write timeouts.icmp=VALUE)",
        ),
    ],
)
def test_if_one_is_wrong_nothing_is_changed(lab, wrong, line):
    """Half a change would be worse than none."""
    done = fwemu("set", "timeouts.udp_replied=7s", wrong)

    assert (done.code, done.out, done.err) == (2, "", f"fwemu: {line}\n")
    assert lab.firewall.config()["timeouts"]["udp_replied"] != "7s"


def test_alone_it_shows_every_setting(lab):
    """As a file that could be used with --config."""
    settings = tomllib.loads(fwemu("set").out)

    assert settings == lab.firewall.config()
    assert fwemu("set", "--json").json == [settings]
