"""`fwemu failover`, `fwemu reboot` and a policy push: what happens to a firewall as a whole."""

from __future__ import annotations

import pytest

from tests.kit.command import fwemu
from tests.kit.labs import Log, connected, eventually, say, what_comes

pytestmark = pytest.mark.kernel


def test_a_peer_without_state_is_said_to_lose_everything(lab):
    """The default."""
    with connected(lab), connected(lab):
        assert fwemu("failover").out == "the peer took over, without state: 2 sessions lost\n"
    assert fwemu("failover", "--json").json == [
        {"state": "none", "lag_s": 0.0, "kept": 0, "lost": 0, "returned": 0}
    ]


def test_a_peer_with_state_keeps_what_it_knows(lab):
    """What it knows is said, so that nobody has to count."""
    assert fwemu("set", "standby.state=synchronised", "standby.lag=1h").code == 0
    with connected(lab) as pair:
        done = fwemu("failover", "--lag", "0s")
        assert done.out == "the peer took over, 0 s behind: 1 session kept, 0 sessions lost\n"
        say(pair.client, pair.server)
        fwemu("kill", "--port", str(pair.port))
        done = fwemu("failover")
        assert done.out.splitlines() == [
            "the peer took over, 3600 s behind: 0 sessions kept, 0 sessions lost",
            "1 session that had ended came back",
        ]
        say(pair.client, pair.server)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "--state synchronised --lag 5s",
            "failover: lag 5s: changes are kept for 0s only "
            "(set standby.lag=5s at least that long before)",
        ),
        (
            "--lag 5s",
            "failover: a peer without state has no lag (leave lag out, or give state synchronised)",
        ),
        (
            "--lag soon",
            "--lag: 'soon' is not a duration "
            '(write "30s", "1h 5m", "500ms" or a number of seconds)',
        ),
        (
            "--state some",
            "failover: invalid value for '--state': 'some' is not one of 'none', 'synchronised'; "
            "see `fwemu failover --help`",
        ),
    ],
)
def test_a_failover_that_cannot_be_changes_nothing(lab, words, line):
    """One line, with the way out."""
    with connected(lab) as pair:
        done = fwemu("failover", *words.split())
        assert (done.code, done.out, done.err) == (2, "", f"fwemu: {line}\n")
        say(pair.client, pair.server)


def test_a_reboot_says_how_long_nothing_passes(lab):
    """The command does not wait for the end of it."""
    with connected(lab):
        assert fwemu("reboot", "--outage", "0.2s").out == (
            "1 session forgotten; nothing passes for 200ms\n"
        )
    assert fwemu("reboot", "--outage", "0s", "--json").json == [{"sessions": 0, "outage": "0s"}]
    with connected(lab) as pair:
        say(pair.client, pair.server)


def test_the_log_tells_of_both_in_words(lab):
    """Before the sessions that they ended."""
    fwemu("failover")
    fwemu("reboot", "--outage", "0s")
    lines = fwemu("events").out.splitlines()
    assert lines[-2].split("  ")[-1].strip() == "state=none lag_s=0.0 kept=0 lost=0 returned=0"
    assert lines[-1].split("  ")[-1].strip() == "outage_s=0.0 sessions=0"


def test_a_policy_push_empties_the_table_with_the_change(lab):
    """Both or neither."""
    log = Log(lab)
    with connected(lab) as pair:
        done = fwemu("set", "--flush", "unknown.inside=reset")
        assert done.out == 'unknown.inside: "drop" -> "reset"\n'
        assert done.err == "the table was emptied\n"
        pair.client.sendall(b"still there?")
        assert what_comes(pair.client) == "ECONNRESET"
    ended = eventually(lambda: log("torn_down"), what="the end of the session")
    assert [event["reason"] for event in ended] == ["flushed"]


def test_a_push_without_settings_is_a_mistake(lab):
    """`fwemu flush` is there for that; and a wrong setting keeps the table."""
    with connected(lab) as pair:
        done = fwemu("set", "--flush")
        assert (done.code, done.err) == (
            2,
            "fwemu: set: --flush goes with settings (`fwemu flush` only empties the table); "
            "see `fwemu set --help`\n",
        )
        assert fwemu("set", "--flush", "unknown.inside=loudly").code == 2
        say(pair.client, pair.server)
