"""Networks that leave nothing behind."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading

import pytest

import netns.network
from netns import (
    CleanupError,
    LinkError,
    Namespace,
    NamespaceExists,
    Network,
    exists,
    interfaces,
    names,
    pids_in,
    remove,
    stop_all_in,
)
from netns.namespace import Creation

pytestmark = pytest.mark.kernel

PIECES = [
    (Creation, "run"),
    (netns.network.links, "veth"),
    (netns.network.links, "configure"),
    (netns.network.links, "settle"),
    (netns.network.links, "bridge"),
    (netns.network.links, "attach"),
    (netns.network.process, "spawn"),
]
STEPS = 21  # how often `build_everything` calls one of them; a test keeps this true


def build_everything(network: Network, prefix: str) -> list[int]:
    """Every kind of thing, also in a namespace that is not the network's own."""
    a, b, c = (network.namespace(prefix + name) for name in "abc")
    network.link(a, "eth0", b, "left", a_addresses=["10.0.1.2/24"], b_addresses=["10.0.1.1/24"])
    network.link(b, "right", c, "eth0")
    network.link(Namespace.current(), host_end(prefix), c, "up")
    network.bridge(b, "br0", ["left"])
    return [network.spawn(a, ["sleep", "60"]).pid]


def host_end(prefix: str) -> str:
    return prefix.replace("-", "")[-12:] + "h"


def what_is_left(prefix: str) -> list[str]:
    ours = [name for name in names() if name.startswith(prefix)]
    there = [interface.name for interface in interfaces(Namespace.current())]
    return ours + [name for name in there if name == host_end(prefix)]


def interrupt_after(seconds: float) -> None:
    threading.Event().wait(seconds)
    os.kill(os.getpid(), signal.SIGINT)


class Fault:
    """Counts the steps and raises at one of them, before or after it is done."""

    def __init__(self, monkeypatch, at: int, is_after: bool, error: BaseException) -> None:
        self.steps = 0
        self.at, self.is_after, self.error = at, is_after, error
        for owner, name in PIECES:
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name)))

    def wrap(self, real):
        def step(*arguments, **settings):
            self.steps += 1
            if self.steps == self.at and not self.is_after:
                raise self.error
            result = real(*arguments, **settings)
            if self.steps == self.at:
                raise self.error
            return result

        return step


def test_the_steps_are_all_counted(monkeypatch, prefix):
    """Otherwise the next test tries too few."""
    fault = Fault(monkeypatch, -1, False, LinkError("never"))
    with Network(grace=0.5) as network:
        build_everything(network, prefix)
    assert fault.steps == STEPS


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [LinkError("injected"), KeyboardInterrupt()], ids=["error", "^C"])
@pytest.mark.parametrize("at", range(1, STEPS + 1))
def test_a_failure_at_any_step_leaves_nothing(monkeypatch, prefix, at, error, is_after):
    """The rule of the house: who makes something has its removal registered already."""
    Fault(monkeypatch, at, is_after, error)
    with pytest.raises(type(error)), Network(grace=0.5) as network:
        build_everything(network, prefix)
    assert what_is_left(prefix) == []


def test_a_real_ctrl_c_at_any_moment_leaves_nothing(prefix):
    """Not only between the steps: in the middle of any of them, cleaning up included."""
    dice = random.Random(20)
    interrupted = 0
    for i in range(30):
        mine = f"{prefix}{i}-"
        network = None
        delay = dice.uniform(0, 0.06)
        thread = threading.Thread(target=interrupt_after, args=[delay])
        try:
            thread.start()
            with Network(grace=0.5) as network:
                build_everything(network, mine)
            threading.Event().wait(5)  # it was quicker: the signal comes here
        except KeyboardInterrupt:
            interrupted += 1
        network = None  # the last resort runs now, if it is needed
        thread.join()
        assert what_is_left(mine) == []
    assert interrupted == 30


def test_closing_removes_everything_and_may_be_repeated(prefix):
    """Processes, cables into other namespaces, and the names."""
    network = Network(grace=0.5)
    (pid,) = build_everything(network, prefix)
    assert what_is_left(prefix) == [prefix + "a", prefix + "b", prefix + "c", host_end(prefix)]
    network.close()
    network.close()
    assert what_is_left(prefix) == []
    assert not os.path.exists(f"/proc/{pid}")


def test_processes_that_others_started_inside_end_as_well(prefix):
    """They would keep the namespace alive, invisible and without a name."""
    with Network() as network, network.namespace(prefix + "a").enter():
        process = subprocess.Popen(["sleep", "60"])
    assert process.wait() == -signal.SIGTERM


def test_the_cable_into_a_foreign_namespace_goes_at_once(prefix):
    """The kernel would take its time, and the next network of that name would fail."""
    outside = Namespace.current()
    for _ in range(10):
        with Network() as network:
            network.link(outside, host_end(prefix), network.namespace(prefix + "a"), "eth0")


def test_what_was_there_before_is_left_alone(prefix, network):
    """Equal names do not make it ours."""
    theirs = network.namespace(prefix + "theirs")
    netns.bridge(theirs, "br0")
    netns.veth(theirs, "eth0", theirs, "eth1")
    with Network() as other:
        with pytest.raises(NamespaceExists):
            other.namespace(theirs.name)
        with pytest.raises(LinkError):
            other.bridge(theirs, "br0")
        with pytest.raises(LinkError):
            other.link(theirs, "eth0", theirs, "eth2")
    assert {interface.name for interface in interfaces(theirs)} == {"lo", "br0", "eth0", "eth1"}


def test_a_namespace_that_somebody_replaced_is_left_alone(prefix):
    """They removed ours and made their own under its name."""
    with Network() as network:
        network.namespace(prefix + "a")
        remove(prefix + "a")
        netns.create(prefix + "a")
    assert exists(prefix + "a")
    remove(prefix + "a")


def test_a_namespace_that_somebody_removed_is_no_trouble(prefix):
    """`ip netns del` by an impatient person."""
    with Network() as network:
        a, b = network.namespace(prefix + "a"), network.namespace(prefix + "b")
        network.link(a, "eth0", b, "eth0")
        remove(a.name)


def test_a_bridge_in_a_foreign_namespace_goes_too(network, prefix):
    """Everything that is ours, wherever it is."""
    theirs = network.namespace(prefix + "theirs")
    with Network() as other:
        other.bridge(theirs, "br0")
        assert len(interfaces(theirs)) == 2
    assert len(interfaces(theirs)) == 1


def test_keep_leaves_it_standing(prefix):
    """For a command that builds and ends; another one removes it by name."""
    with Network() as network:
        a = network.namespace(prefix + "a")
        process = network.spawn(a, ["sleep", "60"])
        network.keep()
    assert exists(a.name)
    assert pids_in(a) == [process.pid]
    assert stop_all_in(a) == [(process.pid, "sleep 60")]
    assert process.stop() == -signal.SIGTERM
    remove(a.name)


def test_a_closed_network_can_be_used_again(prefix):
    """And keeps all its promises."""
    network = Network()
    network.namespace(prefix + "a")
    network.close()
    network.namespace(prefix + "a")
    network = None
    assert not exists(prefix + "a")


def test_a_network_that_was_forgotten_goes_with_its_object(prefix):
    """The last resort, also when Ctrl-C hits the way into `close`."""
    network = Network()
    network.namespace(prefix + "a")
    del network
    assert not exists(prefix + "a")


def test_a_network_that_was_forgotten_goes_with_the_program(prefix):
    """At the latest when Python ends."""
    code = "import sys, netns; network = netns.Network(); network.namespace(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, prefix + "a"], check=True)
    assert not exists(prefix + "a")


def test_what_a_network_cleans_up_with_is_there_to_the_last():
    """Python closes what is held by nobody in its own order: a namespace that was gone before the
    network could not be put back as it was."""
    code = (
        "from netns import Namespace, Network\n"
        "network, here = Network(), Namespace.current()\n"
        "sleep = network.spawn(here, ['sleep', '60'])\n"
        "same = here.identity\n"
        "network.on_close(lambda: print(here.identity == same, sleep.is_running))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_the_names_of_a_killed_program_can_be_removed(prefix):
    """Nothing helps against SIGKILL but somebody who cleans up later."""
    code = (
        "import os, signal, sys, netns\n"
        "network = netns.Network()\n"
        "ns = network.namespace(sys.argv[1])\n"
        "print(network.spawn(ns, ['sleep', '60']).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, prefix + "a"], stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    left = Namespace.named(prefix + "a")
    assert [pid for pid, _ in stop_all_in(left)] == [int(done.stdout)]
    remove(left.name)


def test_cleaning_up_goes_on_past_failures_and_tells_them_all(prefix):
    """One broken step must not leave the ten others."""

    def fail(word):
        raise OSError(word)

    network = Network()
    network.namespace(prefix + "a")
    network.on_close(lambda: fail("first"))
    network.namespace(prefix + "b")
    network.on_close(lambda: fail("second"))
    with pytest.raises(CleanupError, match="cleaning up: second; first") as caught:
        network.close()
    assert len(caught.value.errors) == 2
    assert what_is_left(prefix) == []


def test_what_went_wrong_first_is_what_is_raised():
    """A failure to clean up is a note on it, not its replacement."""

    def fail():
        raise OSError("stuck")

    network = Network()
    network.on_close(fail)
    with pytest.raises(ValueError, match="the real trouble") as caught, network:
        raise ValueError("the real trouble")
    assert caught.value.__notes__ == ["cleaning up: stuck"]


def test_two_networks_with_equal_addresses_do_not_meet(prefix, build_row):
    """Test workers run side by side, and all use 10.0.1.2."""
    with Network() as one, Network() as two:
        rows = [build_row(one, prefix + "1-"), build_row(two, prefix + "2-")]
        servers, clients = [], []
        for row in rows:
            with row.server.enter():
                servers.append(socket.create_server(("10.0.2.2", 5432)))
        for row in rows:
            with row.client.enter():
                clients.append(socket.create_connection(("10.0.2.2", 5432), timeout=0.9))
        for server, client, word in zip(servers, clients, (b"one", b"two"), strict=True):
            client.sendall(word)
            accepted, _ = server.accept()
            with accepted:
                assert accepted.recv(3) == word
        for each in servers + clients:
            each.close()
