"""What a test does to a lab: sessions that go, hosts that vanish; and what it may claim."""

import asyncio
import socket
import sys
from collections.abc import Callable

import pytest

from fwemu.errors import ConfigError, ControlError, NamespaceError
from fwemu.lab import Lab, Layout, Topology
from netns.connections import connections
from tests.kit.labs import (
    PATIENCE,
    SOON,
    Log,
    Wire,
    address,
    connected,
    datagrams,
    eventually,
    listening,
    receive,
    say,
    what_comes,
)

pytestmark = pytest.mark.kernel


# -- sessions ---------------------------------------------------------------------------------


def test_a_session_is_chosen_by_the_socket_that_it_belongs_to(lab: Lab) -> None:
    """Whichever end the test holds; the neighbour's connection goes on."""
    with connected(lab) as one, connected(lab) as other, connected(lab, 6) as third:
        assert lab.evict(one.client) == 1
        assert lab.evict(other.server) == 1
        (left,) = lab.sessions
        assert left["source"] == lab.client.ipv6
        say(third.client, third.server)


def test_an_evicted_session_is_forgotten_silently(lab: Lab) -> None:
    """Nobody hears of it until somebody speaks; then the packet is unknown."""
    with connected(lab) as pair, Wire(lab.client) as wire:
        log = Log(lab)
        assert lab.evict(port=pair.port) == 1
        assert lab.sessions == []
        pair.client.sendall(b"still there?")
        assert what_comes(pair.server, within=SOON) == "nothing"
        assert wire.heard_rsts() == []
        lab.firewall.statistics()
        assert log("denied", reason="unknown_packet")


def test_evicting_nothing_is_an_error_if_something_was_meant(lab: Lab) -> None:
    """Else the test goes on and shows nothing; the error says what there is."""
    assert lab.evict() == 0
    with connected(lab) as pair:
        with pytest.raises(ControlError, match=rf"there are: #\d+ tcp .*:{pair.port} -> "):
            lab.evict(port=9)
        with pytest.raises(ConfigError, match="prot: give any of port, host, protocol, state"):
            lab.evict(prot="tcp")
        with pytest.raises(ConfigError, match="is no connection: give a socket"):
            lab.evict("198.18.1.1")
        assert len(lab.sessions) == 1


def test_killing_a_session_can_tell_either_end(lab: Lab) -> None:
    """By its number, or by the record that `sessions` gave."""
    with connected(lab) as pair:
        (session,) = lab.sessions
        assert lab.kill_session(session, notify="reset-both") == 1
        assert what_comes(pair.client) == what_comes(pair.server) == "ECONNRESET"


def test_flush_and_failover_of_the_lab_are_those_of_its_firewall(lab: Lab) -> None:
    """A failover without state loses all that there was."""
    with connected(lab), connected(lab):
        assert lab.fail_over(state="none")["lost"] == 2
        assert lab.reboot("1ms") == 0
    with connected(lab):
        assert lab.flush() == 1
        assert lab.sessions == []


def test_both_firewalls_of_a_pair_forget(new_lab: Callable[..., Lab]) -> None:
    """Each holds a session of its own for the same attempt."""
    lab = new_lab(
        topology=Topology(layout=Layout.ASYMMETRIC), settings=["default_action.outside=allow"]
    )
    with datagrams(lab.client) as near, datagrams(lab.server) as far:
        near.sendto(b"hello", far.getsockname())
        _, peer = far.recvfrom(10)
        far.sendto(b"hello", peer)
        near.recv(10)
        assert len(lab.sessions) == 2
        assert lab.evict(near) == 2
    assert lab.sessions == []


# -- hosts that vanish ------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("host", ["server", "client"])
def test_an_unplugged_host_hears_nothing_and_says_nothing(
    lab: Lab, host: str, version: int
) -> None:
    """And finds its addresses and connections as they were when the cable is in again."""
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        with Wire(lab.client) as near, Wire(lab.server) as far:
            lab.unplug(host)
            lab.unplug(host)
            pair.client.sendall(b"hello")
            pair.server.sendall(b"hello")
            heard = far if host == "client" else near
            assert what_comes(pair.server, within=SOON) == "nothing"
            assert what_comes(pair.client, within=SOON) == "nothing"
            assert [frame for frame in heard.frames if not frame.outgoing] == []
        lab.plug_in(host)
        lab.plug_in(host)
        assert receive(pair.server, 5) == receive(pair.client, 5) == b"hello"
        say(pair.client, pair.server)


def test_a_host_behind_a_switch_can_be_unplugged_alone(new_lab: Callable[..., Lab]) -> None:
    """Its neighbours go on talking."""
    lab = new_lab(topology=Topology(servers=2))
    with connected(lab) as one, connected(lab, server=lab.hosts["server2"]) as other:
        lab.unplug("server")
        say(other.client, other.server)
        one.client.sendall(b"hello")
        assert what_comes(one.server, within=SOON) == "nothing"
        lab.plug_in("server")
        assert receive(one.server, 5) == b"hello"


@pytest.mark.parametrize("version", [4, 6])
def test_a_host_that_loses_its_power_says_no_word(lab: Lab, version: int) -> None:
    """No FIN and no RST, though a program and this process held connections there."""
    far = address(lab.server, version)
    server = lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", "4007"], port=4007)
    with lab.client, connected(lab, version) as ours:
        theirs = socket.create_connection((lab.server.ip, 4007), timeout=10)
        with theirs, Wire(lab.client) as wire:
            theirs.sendall(b"hello")
            assert receive(theirs, 5) == b"hello"
            seen = len(wire.frames)

            lab.power_off("server")

            assert server.ends_within(PATIENCE)  # the kernel may still be about to bury it
            assert connections(lab.server.namespace) == []
            assert what_comes(theirs, within=SOON) == "nothing"
            assert what_comes(ours.client, within=SOON) == "nothing"
            assert [frame for frame in wire.frames[seen:] if not frame.outgoing] == []
            with pytest.raises(OSError, match=r"abort|Broken pipe|not connected"):
                ours.server.sendall(b"hello")

            lab.power_on("server")

            for connection in (theirs, ours.client):
                connection.sendall(b"still there?")
                assert what_comes(connection) == "ECONNRESET"
            assert {frame.source for frame in wire.heard_rsts()} == {far, lab.server.ip}


def test_a_host_that_is_on_again_serves_again(lab: Lab) -> None:
    """The port is free, for nothing lingers there."""
    for _ in range(2):
        lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", "4008"], port=4008)
        with lab.client:
            connection = socket.create_connection((lab.server.ip, 4008), timeout=10)
        with connection:
            connection.sendall(b"hello")
            assert receive(connection, 5) == b"hello"
            lab.power_off("server")
            lab.power_on("server")


def test_connections_that_were_closing_are_gone_as_well(lab: Lab) -> None:
    """TIME_WAIT, and a FIN that was repeated: a host that was off remembers neither."""
    with connected(lab) as pair:
        pair.server.close()
        eventually(lambda: what_comes(pair.client) == "end", what="the FIN")
        assert connections(lab.server.namespace) != []
        lab.power_off("server")
        assert connections(lab.server.namespace) == []
        lab.power_on("server")


def test_hosts_are_told_apart_from_typing_errors(lab: Lab) -> None:
    """And from a wrong order of things."""
    with pytest.raises(ConfigError, match="'sever' is no host of this lab: client, server"):
        lab.unplug("sever")
    with pytest.raises(NamespaceError, match="server is not off, it is on"):
        lab.power_on("server")
    lab.power_off("server")
    with pytest.raises(NamespaceError, match=r"server is off: power_on\('server'\) comes first"):
        lab.plug_in("server")
    lab.power_on("server")


# -- claims -----------------------------------------------------------------------------------


def test_nothing_has_crossed_a_firewall_that_nobody_went_through(
    new_lab: Callable[..., Lab],
) -> None:
    """A test whose client never left this machine's own network must not pass."""
    lab = new_lab()
    with pytest.raises(AssertionError, match="nothing crossed the firewall; is the client's"):
        lab.assert_traversed()
    with connected(lab) as pair:
        lab.assert_traversed()
        lab.assert_traversed(pair.client)
        lab.assert_traversed(port=pair.port)
        with pytest.raises(AssertionError, match="port=9 did not cross the firewall"):
            lab.assert_traversed(port=9)
        lab.evict()
        lab.assert_traversed(pair.client)


def test_an_answer_belongs_to_a_crossing(lab: Lab) -> None:
    """A SYN that nobody answers has crossed in one direction only."""
    with lab.client:
        calling = socket.socket()
    with calling, listening(lab.server) as listener:
        port = listener.getsockname()[1]
        lab.unplug("server")
        calling.settimeout(SOON)
        with pytest.raises(TimeoutError):
            calling.connect((lab.server.ip, port))
        with pytest.raises(AssertionError, match=f"port={port} did not cross"):
            lab.assert_traversed(port=port)
        lab.plug_in("server")


def test_a_connection_has_survived_if_both_its_kernel_and_the_firewall_know_it(
    new_lab: Callable[..., Lab],
) -> None:
    """A silent firewall leaves the application in the belief that it is connected."""
    lab = new_lab()
    with connected(lab) as pair:
        lab.assert_survived(pair.client)
        lab.assert_survived(pair.server)
        lab.assert_survived(port=pair.port)
        lab.assert_survived()
        lab.fast_forward("2h")
        with pytest.raises(AssertionError, match=r"at the firewall, session #\d+ expired"):
            lab.assert_survived(pair.client)
        with pytest.raises(AssertionError, match=r"expired in ESTABLISHED \(its idle timer"):
            lab.assert_survived(port=pair.port)


def test_a_connection_that_was_reset_has_not_survived(lab: Lab) -> None:
    """Though the numbers of its session might be in the table."""
    with connected(lab) as pair:
        lab.kill_session(pair.client, notify="reset-both")
        assert what_comes(pair.client) == "ECONNRESET"
        with pytest.raises(AssertionError, match="its kernel has closed it"):
            lab.assert_survived(pair.client)


def test_connections_that_were_closed_in_order_were_not_lost(new_lab: Callable[..., Lab]) -> None:
    """A pool that has given some back survives as long as the others do."""
    lab = new_lab()
    with connected(lab) as kept:
        with connected(lab) as closed:
            say(closed.client, closed.server)
        lab.assert_survived(host=lab.client.ip)
        say(kept.client, kept.server)


def test_a_connection_of_which_nothing_is_known_has_not_survived(lab: Lab) -> None:
    """There was none."""
    with pytest.raises(AssertionError, match=r"port=9: the firewall has no such session"):
        lab.assert_survived(port=9)


def test_asyncio_streams_are_connections_too(lab: Lab) -> None:
    """The loop runs inside the host; what it opens belongs there."""

    async def talk() -> None:
        _, writer = await asyncio.open_connection(lab.server.ip, port)
        lab.assert_survived(writer)
        assert lab.evict(writer) == 1
        with pytest.raises(AssertionError, match="did not survive"):
            lab.assert_survived(writer)
        writer.transport.abort()

    with listening(lab.server) as listener:
        port = listener.getsockname()[1]
        with lab.client:
            asyncio.run(talk())


def test_the_story_tells_each_flow_from_its_beginning_to_its_end(
    new_lab: Callable[..., Lab],
) -> None:
    """It is what a failing test shows; what is repeated is told once."""
    lab = new_lab(settings=['daemon.log_events=["built", "torn_down", "denied", "keepalive"]'])
    with connected(lab) as pair:
        port = pair.port
        pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 600)
        lab.fast_forward("30m")
        pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        lab.fast_forward("2h")
        pair.client.sendall(b"still there?")
        eventually(lambda: "dropped: " in lab.story(), what="a drop")
        story = lab.story()
    start = story.index(f"tcp {lab.client.ip}:{port} -> {lab.server.ip}:")
    told = " ".join(story[start:].split())
    assert "opened from the inside (#" in told
    assert "keepalive probe of the opener; 3 times until " in told
    assert "ended: expired in ESTABLISHED (its idle timer ran out), idle for 1h; " in told
    assert "(unknown_packet: no session, and nothing that may open one), answer: drop" in told
    assert "unknown_packet" in told.rpartition("packets: ")[2]
