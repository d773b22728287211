"""Rules, schedules and the other mode, as applications on both sides notice them."""

import socket
import time

import pytest

from fwemu.lab import Lab
from tests.kit.labs import (
    SOON,
    Log,
    connected,
    datagrams,
    eventually,
    listening,
    say,
    what_comes,
    word,
)

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])


@VERSIONS
def test_a_rule_has_an_idle_timeout_of_its_own_beside_the_general_one(
    lab: Lab, version: int
) -> None:
    """The database may be quiet for long; everything else may not."""
    lab.firewall.configure(
        [
            'rules=[{action="allow", proto="tcp", ports=[5432], idle_timeout="1h"}]',
            "timeouts.tcp_established=1s",
            "unknown.inside=reset",
        ]
    )
    log = Log(lab)
    with (
        connected(lab, version, port=5432) as database,
        connected(lab, version, port=8080) as web,
    ):
        for pair in (database, web):
            say(pair.client, pair.server)
        rules = {
            session["destination_port"]: (session["rule"], session["timeout_s"])
            for session in lab.firewall.sessions()
        }
        assert rules == {5432: (0, 3600.0), 8080: (None, 1.0)}
        (ended,) = eventually(lambda: log("torn_down"), what="the expiry of the web connection")
        assert ended["destination_port"] == 8080
        say(database.client, database.server)
        web.client.sendall(b"hello?")
        assert what_comes(web.client) == "ECONNRESET"


@VERSIONS
def test_a_rule_may_be_shorter_than_the_general_timeout(lab: Lab, version: int) -> None:
    """The other way round works as well."""
    lab.firewall.configure(
        [
            'rules=[{action="allow", proto="tcp", ports=[8080], idle_timeout="500ms"}]',
            "expiry.action=reset-both",
        ]
    )
    with (
        connected(lab, version, port=8080) as short,
        connected(lab, version, port=8081) as long,
    ):
        assert what_comes(short.client) == "ECONNRESET"
        say(long.client, long.server)


@pytest.mark.parametrize(
    "flush", ['{every="1s"}', '{schedule="* * * * * *"}'], ids=["interval", "cron"]
)
def test_a_scheduled_flush_forgets_a_busy_connection_silently(lab: Lab, flush: str) -> None:
    """The nightly clean-up takes no notice of who is talking, and tells nobody."""
    lab.firewall.configure(["unknown.inside=drop"])
    log = Log(lab)
    with connected(lab) as pair:
        say(pair.client, pair.server)
        lab.firewall.configure([f"flush=[{flush}]"])
        (ended,) = eventually(lambda: log("torn_down", reason="flushed"), what="the flush")
        assert ended["source_port"] == pair.port
        assert log("injected") == []
        pair.client.sendall(b"still there?")
        assert what_comes(pair.server, within=SOON) == "nothing"


def test_a_flush_at_an_interval_comes_again_and_again(lab: Lab) -> None:
    """Three of them, an interval apart: other settings may change meanwhile."""
    lab.firewall.configure(['flush=[{every="500ms"}]', 'daemon.log_events=["torn_down"]'])
    log = Log(lab)
    with datagrams(lab.client) as client, datagrams(lab.server) as server:
        began = time.monotonic()
        for flushed in range(1, 4):
            client.sendto(b"x", server.getsockname())
            server.recv(1)
            lab.firewall.configure(["timeouts.other=1m"])
            eventually(lambda n=flushed: len(log("torn_down", reason="flushed")) >= n)
        assert time.monotonic() - began > 0.9


# -- the router ACL -------------------------------------------------------------------------------

ROUTER = (
    "mode=acl",
    "acl.replies=false",
    'rules=[{action="allow", from="inside"}, {action="allow", from="outside", established=true}]',
)
"""`permit ip inside any` and `permit tcp any any established`."""


@VERSIONS
def test_a_router_acl_passes_what_a_stateful_firewall_has_forgotten(lab: Lab, version: int) -> None:
    """The heart of the matter: same application, same silence; only the new box minds."""
    lab.firewall.configure(["timeouts.tcp_established=1s"])
    log = Log(lab)
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        eventually(lambda: log("torn_down", reason="expired"), what="the expiry")
        pair.client.sendall(b"hello?")
        assert what_comes(pair.server, within=SOON) == "nothing"
        assert log("denied", reason="unknown_packet")
        lab.firewall.configure(ROUTER)
        # the client's TCP has not given up: what was dropped is sent again, and now arrives
        assert pair.server.recv(100) == b"hello?"
        say(pair.server, pair.client)
        assert list(lab.firewall.sessions()) == []
        permitted = lab.firewall.statistics()["packets"]["accept"]["permitted"]
        assert permitted > 0


@VERSIONS
def test_a_router_acl_refuses_connections_from_the_outside(lab: Lab, version: int) -> None:
    """`established` keeps SYNs out, and that is all that it does."""
    lab.firewall.configure(ROUTER)
    log = Log(lab)
    with listening(lab.client, version) as listener:
        with lab.server:
            attempt = socket.socket(listener.family)
        with attempt:
            attempt.settimeout(SOON)
            with pytest.raises(OSError) as caught:  # noqa: PT011 - `word` says which
                attempt.connect(listener.getsockname()[:2])
            assert word(caught.value) == "nothing"
    (denied, *_) = log("denied", reason="denied")
    assert (denied["segment"], denied["zone"]) == ("SYN", "outside")


@VERSIONS
def test_a_router_acl_has_no_answer_to_udp(lab: Lab, version: int) -> None:
    """Nothing in a UDP reply says that it is one; a stateful firewall remembers the question."""
    with datagrams(lab.client, version) as client, datagrams(lab.server, version) as server:

        def exchange() -> str:
            client.sendto(b"question", server.getsockname()[:2])
            question, asker = server.recvfrom(100)
            assert question == b"question"
            server.sendto(b"answer", asker[:2])
            return what_comes(client, within=SOON)

        assert exchange() == "data"
        lab.firewall.configure(ROUTER)
        assert exchange() == "nothing"


@VERSIONS
def test_one_word_puts_a_router_in_the_place_of_the_firewall(lab: Lab, version: int) -> None:
    """Without a rule written by hand: connections go on, and UDP and ICMP have their answers."""
    with connected(lab, version) as pair, datagrams(lab.client, version) as client:
        say(pair.client, pair.server)
        lab.firewall.configure(["mode=acl"])
        say(pair.client, pair.server)
        say(pair.server, pair.client)
        with connected(lab, version) as another:
            say(another.client, another.server)
        with datagrams(lab.server, version) as server:
            client.sendto(b"question", server.getsockname()[:2])
            server.sendto(b"answer", server.recvfrom(100)[1][:2])
            assert client.recv(100) == b"answer"
        lab.firewall.configure(["mode=stateful", "unknown.inside=pick-up"])
        say(pair.client, pair.server)


def test_going_back_to_stateful_begins_with_an_empty_table(lab: Lab) -> None:
    """A firewall that is put in the router's place knows none of the connections."""
    lab.firewall.configure(ROUTER)
    with connected(lab) as pair:
        say(pair.client, pair.server)
        lab.firewall.configure(["mode=stateful", "rules=[]", "unknown.inside=reset"])
        pair.client.sendall(b"hello?")
        assert what_comes(pair.client) == "ECONNRESET"


@VERSIONS
def test_the_first_rule_that_matches_decides(lab: Lab, version: int) -> None:
    """By address, port and zone, for packets as they really arrive."""
    network = f"{lab.server.ipv4}/32" if version == 4 else f"{lab.server.ipv6}/128"
    lab.firewall.configure(
        [
            "rules=["
            f'{{action="allow", from="inside", to="{network}", proto="tcp", ports=["5000-5009"]}},'
            '{action="reject", from="inside", proto="tcp"}]'
        ]
    )
    with connected(lab, version, port=5005) as pair:
        say(pair.client, pair.server)
    with pytest.raises(OSError, match=r"No route to host|Permission denied"):
        connected(lab, version, port=5010)


def test_a_rule_that_is_put_in_front_leaves_sessions_their_own(lab: Lab) -> None:
    """Five seconds for guests are not for the connection that `ssh` has let in."""
    ssh = '{name="ssh", action="allow", from="inside", proto="tcp", idle_timeout="10m"}'
    guest = '{name="guest", action="allow", from="10.9.9.0/24", proto="tcp", idle_timeout="5s"}'
    lab.firewall.configure([f"rules=[{ssh}]"])
    with connected(lab) as pair:
        say(pair.client, pair.server)
        lab.firewall.configure([f"rules=[{guest}, {ssh}]"])
        lab.fast_forward("6s")
        (session,) = lab.firewall.sessions()
        assert (session["rule"], session["timeout_s"]) == (1, 600)
        say(pair.server, pair.client)
