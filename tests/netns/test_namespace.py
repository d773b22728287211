"""Namespaces: making, finding, entering and removing them."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import netns.namespace
from netns import (
    Namespace,
    NamespaceExists,
    NetnsError,
    NoSuchNamespace,
    NotPermitted,
    create,
    exists,
    names,
    remove,
    up,
)

pytestmark = pytest.mark.kernel


def here() -> tuple[int, int]:
    """The calling thread's namespace, read without the code under test."""
    status = os.stat("/proc/thread-self/ns/net")
    return status.st_dev, status.st_ino


def interface_names() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


class TestNames:
    def test_a_namespace_is_there_until_it_is_removed(self, prefix):
        """The whole life of one, as `ip netns` sees it as well."""
        name = prefix + "a"
        made = create(name)
        try:
            assert exists(name)
            assert name in names()
            assert made == Namespace.named(name)
            assert made.identity != here()
            listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True)
            assert name in listed.stdout.split()
        finally:
            remove(name)
        assert not exists(name)
        assert name not in names()

    def test_ip_netns_exec_works_on_it(self, host):
        """People will look inside with the tools they know."""
        shown = subprocess.run(
            ["ip", "netns", "exec", host.name, "ip", "-br", "link"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert [line.split()[0] for line in shown.stdout.splitlines()] == ["lo"]

    def test_one_made_by_ip_netns_can_be_used_and_removed(self, prefix):
        """The two may be mixed."""
        name = prefix + "theirs"
        subprocess.run(["ip", "netns", "add", name], check=True)
        with Namespace.named(name).enter():
            assert interface_names() == ["lo"]
        remove(name)
        assert not exists(name)

    def test_a_name_that_is_taken_is_refused_and_left_alone(self, host):
        """It may be somebody's running lab."""
        before = host.identity
        with pytest.raises(NamespaceExists, match=f"ip netns pids {host.name}"):
            create(host.name)
        assert host.identity == before

    def test_a_missing_name_brings_up_those_that_read_alike(self, host):
        """Most missing names are typing mistakes."""
        with pytest.raises(NoSuchNamespace, match=f"did you mean .*{host.name}"):
            Namespace.named(host.name + "x")

    def test_removing_what_is_not_there_is_an_error_unless_allowed(self, prefix):
        """Cleaning up allows it; a person who mistyped wants to know."""
        with pytest.raises(NoSuchNamespace):
            remove(prefix + "never")
        remove(prefix + "never", missing_ok=True)

    @pytest.mark.parametrize("name", ["", "a/b", ".", "..", "x" * 256])
    def test_an_impossible_name_is_refused(self, name):
        """`../../etc/passwd` must not be unlinked."""
        for function in (create, remove, exists, Namespace.named):
            with pytest.raises(ValueError, match="cannot name a network namespace"):
                function(name)

    def test_the_leftover_of_a_killed_creation_is_no_namespace_and_can_be_removed(self, prefix):
        """SIGKILL between making the file and mounting on it leaves an empty file."""
        name = prefix + "half"
        os.close(os.open(f"/var/run/netns/{name}", os.O_CREAT | os.O_EXCL, 0))
        try:
            with pytest.raises(NoSuchNamespace, match=f"ip netns del {name}"):
                Namespace.named(name).enter().__enter__()
            with pytest.raises(NamespaceExists):
                create(name)
        finally:
            remove(name)
        assert not exists(name)

    def test_it_can_be_removed_while_a_process_lives_inside(self, prefix):
        """The name goes at once; the process keeps its network until it ends."""
        name = prefix + "lived-in"
        namespace = create(name)
        with namespace.enter():
            process = subprocess.Popen(["sleep", "60"])
        try:
            remove(name)
            assert not exists(name)
            assert Namespace.of_pid(process.pid).identity != here()
        finally:
            process.kill()
            process.wait()

    def test_a_name_can_be_used_again_at_once(self, prefix):
        """The kernel ends namespaces later, in its own time."""
        name = prefix + "again"
        for _ in range(20):
            with create(name).enter():
                assert interface_names() == ["lo"]
            remove(name)

    def test_many_may_be_created_at_once(self, prefix):
        """Test suites run in parallel, in processes and in threads."""
        code = (
            "import sys, netns\n"
            "for i in range(5): netns.create(sys.argv[1] + str(i))\n"
            "for i in range(5): netns.remove(sys.argv[1] + str(i))\n"
        )
        others = [
            subprocess.Popen([sys.executable, "-c", code, f"{prefix}p{i}-"]) for i in range(2)
        ]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda i: create(f"{prefix}{i}"), range(12)))
            identities = {namespace.identity for namespace in made}
            list(pool.map(lambda namespace: remove(namespace.name), made))
        assert [process.wait() for process in others] == [0, 0]
        assert len(identities) == 12

    def test_of_several_who_want_one_name_one_gets_it(self, prefix):
        """And those who do not must not remove the winner's."""
        outcomes = []

        def attempt():
            try:
                outcomes.append(create(prefix + "wanted"))
            except NamespaceExists:
                outcomes.append(None)

        threads = [threading.Thread(target=attempt) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [outcome for outcome in outcomes if outcome]
        assert winner.identity
        remove(winner.name)

    @pytest.mark.parametrize("step", ["unshare_network", "loopback_up", "mount"])
    def test_a_creation_that_fails_half_way_leaves_nothing(self, prefix, monkeypatch, step):
        """Also not the empty file under the name."""

        def fail(*arguments):
            if step != "mount" or arguments[1].endswith("-broken"):
                raise OSError(28, "No space left on device")
            return real(*arguments)

        real = getattr(netns.namespace, step)
        monkeypatch.setattr(netns.namespace, step, fail)
        before = here()
        with pytest.raises(NetnsError, match=r"cannot create .*max_net_namespaces"):
            create(prefix + "broken")
        assert not exists(prefix + "broken")
        assert here() == before

    def test_without_root_it_says_so(self, prefix):
        """The first thing that happens to everyone."""
        code = (
            "import os, sys, netns\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "try: netns.create(sys.argv[1])\n"
            "except netns.NotPermitted as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, prefix + "a"], capture_output=True, text=True
        )
        assert "needs root" in done.stdout, done.stderr


class TestOther:
    def test_a_process_tells_its_namespace_even_after_its_end(self, host):
        """`attach --pid` must not lose it to a process that ends meanwhile."""
        with host.enter():
            process = subprocess.Popen(["sleep", "60"])
        found = Namespace.of_pid(process.pid)
        process.kill()
        process.wait()
        assert found.identity == host.identity
        assert found.name == host.name
        with found.enter():
            assert here() == host.identity

    def test_a_process_that_is_not_there_is_an_error(self):
        """Process ids are typed by hand, too."""
        process = subprocess.Popen(["true"])
        process.wait()
        with pytest.raises(NoSuchNamespace, match=str(process.pid)):
            Namespace.of_pid(process.pid)

    def test_a_path_is_as_good_as_a_name(self, host):
        """Containers have namespaces without a name here."""
        with Namespace.at(host.path).enter():
            assert here() == host.identity

    def test_a_path_that_is_no_namespace_is_an_error(self, tmp_path):
        """Found when it is named, not when it is used."""
        (tmp_path / "file").touch()
        with pytest.raises(NoSuchNamespace, match="is not a network namespace"):
            Namespace.at(tmp_path / "file")
        with pytest.raises(NoSuchNamespace, match="there is no"):
            Namespace.at(tmp_path / "nothing")

    def test_current_stays_the_same_when_the_thread_moves_on(self, host):
        """A path such as /proc/thread-self/ns/net would change its meaning."""
        before = here()
        outside = Namespace.current()
        with host.enter():
            assert outside.identity == before
            assert Namespace.current().identity == host.identity
            with outside.enter():
                assert here() == before

    def test_descriptors_do_not_pile_up(self, host):
        """A test suite makes thousands of these."""
        Namespace.current().run(here)
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            Namespace.current()
            Namespace.of_pid(os.getpid())
            Namespace.named(host.name).run(here)
            with host.enter():
                pass
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == before


class TestEnter:
    def test_it_moves_the_calling_thread_and_no_other(self, host):
        """A test runner has other threads, which must keep their network."""
        outside = here()
        seen = []
        go, gone = threading.Event(), threading.Event()

        def other():
            go.wait()
            seen.append(here())
            gone.set()

        thread = threading.Thread(target=other)
        thread.start()
        with host.enter() as entered:
            assert entered is host
            assert here() == host.identity
            go.set()
            gone.wait()
        thread.join()
        assert seen == [outside]
        assert here() == outside

    def test_threads_and_processes_started_inside_are_inside(self, host):
        """That is what makes `with client:` useful around any library."""
        seen = []
        with host.enter():
            thread = threading.Thread(target=lambda: seen.append(here()))
            thread.start()
            thread.join()
            child = subprocess.run(
                ["stat", "-Lc", "%i", "/proc/self/ns/net"], capture_output=True, text=True
            )
        assert seen == [host.identity]
        assert int(child.stdout) == host.identity[1]

    def test_an_event_loop_inside_is_inside(self, host):
        """`asyncio.run` in the block is the way to use async clients."""

        async def main():
            return here(), await asyncio.to_thread(here)

        with host.enter():
            assert asyncio.run(main()) == (host.identity, host.identity)

    def test_a_socket_made_inside_belongs_there_for_good(self, host):
        """Pools and clients outlive the block."""
        with host.enter():
            server = socket.create_server(("127.0.0.1", 0))
            client = socket.socket()
        with server, client:
            client.connect(server.getsockname())
            with socket.socket() as outside, pytest.raises(ConnectionRefusedError):
                outside.connect(server.getsockname())

    def test_blocks_nest(self, network, prefix, host):
        """A helper that enters must not care where it is called."""
        other = network.namespace(prefix + "other")
        outside = here()
        with host.enter():
            with other.enter():
                with host.enter():
                    assert here() == host.identity
                assert here() == other.identity
            assert here() == host.identity
        assert here() == outside

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
    def test_it_leaves_whatever_is_raised_inside(self, host, error):
        """Or every later test of the run would be in the wrong network."""
        outside = here()
        with pytest.raises(error), host.enter():
            raise error
        assert here() == outside

    def test_a_namespace_that_is_gone_cannot_be_entered(self, prefix):
        """And trying leaves the thread where it is."""
        namespace = create(prefix + "gone")
        remove(namespace.name)
        outside = here()
        with pytest.raises(NoSuchNamespace, match="is gone"), namespace.enter():
            pass
        assert here() == outside

    def test_it_comes_back_even_when_the_namespace_is_removed_meanwhile(self, prefix):
        """The thread holds the door open."""
        namespace = create(prefix + "short")
        outside = here()
        with namespace.enter():
            remove(namespace.name)
            assert interface_names() == ["lo"]
        assert here() == outside

    def test_one_block_object_serves_one_with_at_a_time(self, host):
        """A silent mix-up would bring the thread home to the wrong place."""
        block = host.enter()
        with block, pytest.raises(RuntimeError, match="already entered"):
            block.__enter__()
        with block:
            assert here() == host.identity

    def test_another_thread_cannot_leave_for_us(self, host):
        """It would move itself, and we would stay."""
        block = host.enter()
        with block, ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="thread"):
            pool.submit(block.__exit__, None, None, None).result()


class TestRun:
    def test_the_work_is_inside_and_the_caller_is_not(self, host):
        """Safe in a coroutine, where `enter` is not."""
        outside = here()
        assert host.run(lambda: (here(), threading.current_thread())) != (outside, None)
        assert host.run(here) == host.identity
        assert here() == outside

    def test_errors_come_back(self, host):
        """With their own type."""
        with pytest.raises(ZeroDivisionError):
            host.run(lambda: 1 // 0)


def test_no_child_is_forked(prefix, monkeypatch, host):
    """Forking costs ten milliseconds, and is unsafe in a program with threads."""

    def fork():
        raise AssertionError("forked")

    monkeypatch.setattr(os, "fork", fork)
    create(prefix + "a")
    remove(prefix + "a")
    up(host, "lo")
    assert host.run(here) == host.identity


def test_a_missing_right_is_told_apart_from_a_missing_namespace(host):
    """/proc/1/ns/net is there for everyone and opens for few."""
    code = (
        "import os, netns\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: netns.Namespace.of_pid(1)\n"
        "except netns.NotPermitted as error: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr
    assert NotPermitted is not NoSuchNamespace
