"""`fwemu sessions`, `flush` and `kill`: looking at the table and emptying it."""

from __future__ import annotations

import pytest

from tests.kit.command import fwemu, masked
from tests.kit.labs import connected, say, what_comes

pytestmark = pytest.mark.kernel


def test_an_empty_table_is_said_to_be_empty(lab):
    """Silence would leave one wondering."""
    assert fwemu("sessions") == fwemu("sessions", "-n", lab.name)
    assert fwemu("sessions").out == "0 sessions\n"


def test_a_session_is_a_line(lab):
    """Everything that decides whether it lives on."""
    with connected(lab) as pair:
        say(pair.client, pair.server)
        text = fwemu("sessions").out

    head, line, total = masked(text).splitlines()
    assert head == "ID  PROTOCOL  ORIGINAL  STATE  IDLE  EXPIRES IN  SENT  BACK  RULE"
    words = line.split()
    assert words[1:6] == ["tcp", "198.18.N.10:PORT", "->", "198.19.N.10:PORT", "ESTABLISHED"]
    assert words[6] == "SECONDS"
    assert words[7:9] == ["59m", "60s"] or words[7:9] == ["1h", "0m"]
    assert words[-1] == "default"
    assert total == "1 session"


def test_machines_get_the_same_with_names_and_units(lab):
    """One object a session."""
    with connected(lab, 6) as pair:
        port = pair.port
        (session,) = fwemu("sessions", "--json").json

    assert session["protocol"] == "tcp"
    assert session["source"] == lab.client.ipv6
    assert session["source_port"] == port
    assert session["state"] == "ESTABLISHED"
    assert session["packets"]["original"] >= 2


def test_a_session_names_the_rule_that_let_it_in(lab):
    """By its name, if it has one."""
    fwemu("set", 'rules=[{name = "shop", action = "allow", proto = "tcp"}]')

    with connected(lab):
        line = fwemu("sessions").out.splitlines()[1]

    assert line.split()[-1] == "shop"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("--protocol tcp", 1),
        ("--protocol 6", 1),
        ("--protocol udp", 0),
        ("--state established", 1),
        ("--state FIN_WAIT", 0),
        ("--host CLIENT", 1),
        ("--host 192.0.2.1", 0),
        ("--port PORT", 1),
        ("--port 1", 0),
        ("--state ESTABLISHED --port 1", 0),
    ],
)
def test_sessions_are_found_by_what_they_have_in_common(lab, options, found):
    """All that is given has to match."""
    with connected(lab) as pair:
        words = options.replace("CLIENT", lab.client.ip).replace("PORT", str(pair.port)).split()
        text = fwemu("sessions", *words).out

    assert text.splitlines()[-1] == f"{found} session{'s' if found != 1 else ''} that match"


def test_a_firewall_is_found_by_its_socket_too(lab):
    """So that one in another container can be reached."""
    assert fwemu("sessions", "--control", lab.about.control).out == "0 sessions\n"


def test_flush_forgets_everything_and_tells_nobody(lab):
    """As the nightly clean-up of a firewall does."""
    with connected(lab), connected(lab):
        assert fwemu("flush").out == "2 sessions flushed\n"
        assert fwemu("flush", "--json").json == [{"sessions": 0}]


def test_kill_takes_numbers(lab):
    """The others live on; numbers that are gone are an error, but no reason to do nothing."""
    with connected(lab), connected(lab):
        first, second = (session["id"] for session in fwemu("sessions", "--json").json)
        gone = second + 1000
        done = fwemu("kill", str(first), str(gone))
        data = fwemu("kill", str(gone), "--json")
        left = [session["id"] for session in fwemu("sessions", "--json").json]

    problem = f"fwemu: kill: no session {gone} (ended already? `fwemu sessions` lists them)\n"
    assert (done.code, done.out, done.err) == (1, "1 session killed\n", problem)
    assert (data.code, data.json, data.err) == (1, [{"sessions": 0, "missing": [gone]}], problem)
    assert left == [second]


def test_kill_takes_what_sessions_have_in_common(lab):
    """And tells both ends if it is asked to."""
    with connected(lab) as gone, connected(lab) as left:
        done = fwemu("kill", "--port", str(gone.port), "--notify", "reset-both", "--json")

        assert done.json == [{"sessions": 1, "missing": []}]
        assert what_comes(gone.client) == "ECONNRESET"
        assert what_comes(gone.server) == "ECONNRESET"
        say(left.client, left.server)


@pytest.mark.parametrize("share", ["50%", "0.5"])
def test_kill_takes_a_share(lab, share):
    """As a fault that hits some connections and not others."""
    with connected(lab), connected(lab):
        assert fwemu("kill", "--share", share).out == "1 session killed\n"


def test_kill_without_criteria_touches_nothing(lab):
    """A slip of the finger shall not cost every session."""
    with connected(lab):
        assert fwemu("kill").code == 2
        assert fwemu("sessions").out.endswith("1 session\n")
