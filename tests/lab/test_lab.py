"""Labs as a test suite uses them: hosts, sockets, programs, several side by side."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fwemu.errors import ConfigError, NamespaceError
from fwemu.lab import Lab, Topology
from netns import Namespace, ProcessError, WaitTimeout, exists, pids_in
from netns.procfs import stat_of
from tests.kit.labs import address, connected, eventually, receive, say, unique

pytestmark = pytest.mark.kernel


def test_sockets_made_inside_a_host_belong_to_it(lab: Lab) -> None:
    """And go on doing so outside of the block; the thread is back where it was."""
    here = Namespace.current().identity
    with lab.server:
        assert Namespace.current().identity == lab.server.namespace.identity
        listener = socket.create_server((lab.server.ip, 0))
        with lab.client:
            assert Namespace.current().identity == lab.client.namespace.identity
            connection = socket.create_connection(listener.getsockname())
        assert Namespace.current().identity == lab.server.namespace.identity
    assert Namespace.current().identity == here
    far, peer = listener.accept()
    with listener, connection, far:
        assert peer[0] == lab.client.ip
        say(connection, far)


def test_a_host_is_left_whatever_is_raised_inside(lab: Lab) -> None:
    """A failing test must not leave the test process in a namespace that vanishes."""
    here = Namespace.current().identity
    with pytest.raises(ZeroDivisionError), lab.client:
        _ = 1 / 0
    assert Namespace.current().identity == here


@pytest.mark.parametrize("version", [4, 6])
def test_the_firewall_stands_between_client_and_server(lab: Lab, version: int) -> None:
    """Each sees the other's own address: there is no NAT."""
    with connected(lab, version) as pair:
        assert pair.server.getpeername()[0] == address(lab.client, version)
        (session,) = lab.firewall.sessions()
        assert session["source"] == address(lab.client, version)
        assert session["destination"] == address(lab.server, version)


def test_two_labs_side_by_side_know_nothing_of_each_other(new_lab: Callable[..., Lab]) -> None:
    """Different numbers, tables and settings; only the machine is the same."""
    one, other = new_lab(settings=["table.capacity=7"]), new_lab()
    assert one.server.ip != other.server.ip
    with connected(one) as pair, connected(other) as neighbour:
        say(pair.client, pair.server)
        assert [s["destination"] for s in one.firewall.sessions()] == [one.server.ip]
        assert [s["destination"] for s in other.firewall.sessions()] == [other.server.ip]
        assert one.firewall.config()["table"]["capacity"] == 7
        one.firewall.flush()
        say(neighbour.client, neighbour.server)
    with one.client, pytest.raises(OSError, match=r"unreachable|timed out|No route"):
        socket.create_connection((other.server.ip, 9), timeout=0.2)


def test_several_clients_and_servers_all_reach_each_other(new_lab: Callable[..., Lab]) -> None:
    """Behind a switch on each side; whom they talk to, the firewall sees."""
    lab = new_lab(topology=Topology(clients=3, servers=2))
    assert list(lab.hosts) == ["client", "client2", "client3", "server", "server2"]
    clients = [lab.hosts[name] for name in ("client", "client2", "client3")]
    servers = [lab.hosts[name] for name in ("server", "server2")]
    for version in (4, 6):
        for client in clients:
            for server in servers:
                with connected(lab, version, client=client, server=server) as pair:
                    say(pair.client, pair.server)
                    say(pair.server, pair.client)
    ends = {(session["source"], session["destination"]) for session in lab.firewall.sessions()}
    assert len(ends) == 2 * 3 * 2
    seen = len(list(lab.firewall.sessions()))
    # neighbours on one side talk directly: the firewall is not asked
    with connected(lab, client=clients[0], server=clients[1]) as pair:
        say(pair.client, pair.server)
    assert len(list(lab.firewall.sessions())) == seen


# -- programs -----------------------------------------------------------------------------------


def test_start_returns_when_the_program_listens(lab: Lab) -> None:
    """No retry loop in the test: the first connection is accepted."""
    script = (
        "import socket, time; time.sleep(0.2);"
        f"s = socket.create_server(('{lab.server.ip}', 8000)); c, _ = s.accept();"
        "c.sendall(b'welcome'); c.close()"
    )
    program = lab.server.start([sys.executable, "-c", script], port=8000)
    with lab.client:
        connection = socket.create_connection((lab.server.ip, 8000), timeout=10)
    with connection:
        assert receive(connection, 7) == b"welcome"
    assert program.wait(10) == 0


def test_start_returns_when_a_program_listens_on_both_ip_versions(lab: Lab) -> None:
    """Most servers open one socket after the other, and the first may be that for IPv6."""
    script = (
        "import socket, time;"
        "six = socket.create_server(('::', 8000), family=socket.AF_INET6); time.sleep(0.2);"
        "four = socket.create_server(('0.0.0.0', 8000)); c, _ = four.accept();"
        "c.sendall(b'welcome'); c.close()"
    )
    program = lab.server.start([sys.executable, "-c", script], port=8000)
    with lab.client:
        connection = socket.create_connection((lab.server.ip, 8000), timeout=10)
    with connection:
        assert receive(connection, 7) == b"welcome"
    assert program.wait(10) == 0


def test_a_program_that_dies_first_is_quoted(lab: Lab) -> None:
    """Its last words, at once, and not a timeout."""
    with pytest.raises(ProcessError, match=r"code 3 before it listened.*no database here"):
        lab.server.start(["sh", "-c", "echo no database here >&2; exit 3"], port=8000)


def test_a_program_that_never_listens_is_told_with_what_does_listen(lab: Lab) -> None:
    """Mostly it is another port."""
    script = (
        f"import socket, time; s = socket.create_server(('{lab.server.ip}', 8001)); time.sleep(60)"
    )
    with pytest.raises(
        WaitTimeout, match=f"nothing listens on tcp port 8000.*{lab.server.ip}:8001"
    ):
        lab.server.start([sys.executable, "-c", script], port=8000, timeout=1.0)


def test_a_program_that_is_not_there_is_named(lab: Lab) -> None:
    """One sentence."""
    with pytest.raises(ProcessError, match="no such program"):
        lab.client.start(["no-such-program-anywhere"])


def test_programs_get_the_environment_they_are_given(lab: Lab) -> None:
    """And nothing else."""
    program = lab.client.start(["/usr/bin/env"], env={"ONLY": "this"})
    assert program.wait(10) == 0
    assert program.output() == "ONLY=this\n"


def test_programs_end_with_the_lab(base: Path) -> None:
    """Also those that they have started themselves, and that do not listen to SIGTERM."""
    with Lab(name=unique(), base=base) as lab:
        program = lab.client.start(["sh", "-c", "trap '' TERM; sleep 60 & echo $!; wait"])
        child = int(eventually(program.output))
        assert {program.pid, child} <= set(pids_in(lab.client.namespace))
    eventually(lambda: stat_of(child) is None, what="the end of the child")
    assert stat_of(program.pid) is None


# -- beginning and end --------------------------------------------------------------------------


def test_nothing_is_left_of_a_lab(base: Path) -> None:
    """Namespaces, run directory, processes."""
    with Lab(name=unique(), base=base) as lab:
        names = lab._entry.plan.namespaces
        directory = lab._entry.directory.path
        about = lab.about
        assert all(exists(name) for name in names)
        assert directory.is_dir()
        assert about.is_alive
    assert not any(exists(name) for name in names)
    assert not directory.exists()
    assert not about.is_alive


def test_closing_twice_does_no_harm(base: Path) -> None:
    """Nor does closing one that was never made."""
    lab = Lab(name=unique(), base=base).up()
    lab.close()
    lab.close()
    Lab(name=unique(), base=base).close()


def test_a_wrong_setting_is_told_before_anything_is_made(base: Path) -> None:
    """In a millisecond, and with the right exit code."""
    before = os.listdir(base)
    with pytest.raises(ConfigError, match="capacity"):
        Lab(name=unique(), base=base, settings=["table.capacity=none"])
    with pytest.raises(ConfigError, match="as in shop-test"):
        Lab(name="Not A Name", base=base)
    with pytest.raises(ConfigError, match="no-such-device"):
        Lab(name=unique(), base=base, profile="no-such-device")
    assert os.listdir(base) == before


def test_a_name_that_is_taken_leaves_the_other_lab_alone(
    new_lab: Callable[..., Lab], base: Path
) -> None:
    """It is refused before anything is made, so nothing of the other is removed on the way out."""
    lab = new_lab()
    with pytest.raises(NamespaceError, match="exists"), Lab(name=lab.name, base=base):
        pass
    with connected(lab) as pair:
        say(pair.client, pair.server)
    assert lab.about.is_alive


def test_a_namespace_that_is_in_the_way_is_not_removed(base: Path, tmp_path: Path) -> None:
    """The same name in another run directory: the second fails, the first goes on."""
    with Lab(name=unique(), base=base) as lab:
        with (
            pytest.raises(NamespaceError, match="is there already"),
            Lab(name=lab.name, base=tmp_path),
        ):
            pass
        assert list(tmp_path.iterdir()) == []
        with connected(lab) as pair:
            say(pair.client, pair.server)


def test_a_profile_and_a_file_make_the_firewall(
    new_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Flags over the file, the file over the profile."""
    file = tmp_path / "office.toml"
    file.write_text('[timeouts]\ntcp_established = "7m"\nicmp = "9s"\n')
    lab = new_lab(profile="cisco-asa", config=file, settings=["timeouts.icmp=8s"])
    config = lab.firewall.config()
    assert config["profile"] == "cisco-asa"
    assert (config["timeouts"]["tcp_established"], config["timeouts"]["icmp"]) == ("7m", "8s")
    assert lab.firewall.status()["profile"] == "cisco-asa"


def test_the_firewall_host_is_described_by_its_inside(lab: Lab) -> None:
    """Those are the addresses that clients use as their gateway."""
    host = lab.firewall_host
    assert host["ipv4"] == lab.client.ipv4.rpartition(".")[0] + ".1"
    assert host["ipv6"] == lab.client.ipv6.rpartition("::")[0] + "::1"
    assert host["netns"] == lab.firewall.status()["netns"]
