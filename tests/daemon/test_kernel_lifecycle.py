"""How a firewall begins and ends: whatever happens to it, what it leaves is known and goes."""

import gc
import os
import signal
import socket
import stat
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from fwemu.client import Client
from fwemu.daemon import hook_watch, hooks
from fwemu.daemon.hook_watch import HookWatch
from fwemu.daemon.leftovers import remove_hook
from fwemu.daemon.queue import StatusFile
from fwemu.errors import ControlError, MissingError, NamespaceError, QueueError
from netns import (
    Namespace,
    ToolFailed,
    add_route,
    find_tool,
    nft,
    remove,
    run_tool,
    sysctl,
    tools,
)
from tests.kit.ground import BROKEN, SLOW_LOOKS, TELLING, Daemon, End, Ground
from tests.kit.labs import (
    PATIENCE,
    SOON,
    connected,
    datagrams,
    eventually,
    hooks_of,
    rules_of,
    say,
    what_comes,
    word,
)

pytestmark = pytest.mark.kernel


def is_hooked(ground: Ground) -> bool:
    """Is there any rule in the forwarding namespace that queues packets, by whichever tool?"""
    return bool(hooks_of(ground.firewall))


def is_bound(ground: Ground, queue: int = 0) -> bool:
    """Does anybody listen on the queue?"""
    with ground.firewall.enter():
        status = StatusFile()
    try:
        return status.read(queue) is not None
    finally:
        status.close()


def becomes(ground: Ground, expected: str) -> bool:
    """Does an attempt that the server would answer end so: `connected`, or `nothing`?"""
    return connects(ground, SOON if expected == "nothing" else PATIENCE) == expected


def connects(ground: Ground, within: float = SOON) -> str:
    """`connected`, `nothing`, or the errno of an attempt that the server would answer."""
    with ground.server.namespace.enter():
        listener = socket.create_server((ground.server.ipv4, 0))
    with ground.client.namespace.enter():
        attempt = socket.socket()
    with listener, attempt:
        attempt.settimeout(within)
        try:
            attempt.connect(listener.getsockname())
        except OSError as error:
            return word(error)
        return "connected"


# -- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(ground: Ground, number: signal.Signals) -> None:
    """No rule, no table that was not there, no socket, no process; only the log stays."""
    before = rules_of(ground.firewall)
    log = ground.base / "kept.jsonl"
    daemon = ground.start("--log", str(log))
    assert is_hooked(ground)
    with connected(ground) as pair:
        say(pair.client, pair.server)
        os.kill(daemon.process.pid, number)
        assert daemon.ends() == 0, daemon.said
        assert rules_of(ground.firewall) == before
        say(pair.client, pair.server)  # the kernel forwards on its own again
    assert daemon.family() == []
    assert not is_bound(ground)
    assert not daemon.directory.path.exists()
    assert '"event":"stopped"' in log.read_text()


def test_it_ends_cleanly_while_packets_pour_in(ground: Ground) -> None:
    """A full queue must not keep it from hearing the signal."""
    daemon = ground.start()
    done = threading.Event()
    sender = datagrams(ground.client)

    def flood() -> None:
        with suppress(OSError):
            while not done.is_set():
                sender.sendto(b"x", (ground.server.ipv4, 9))

    thread = threading.Thread(target=flood)
    with sender:
        thread.start()
        try:
            with daemon.client() as client:
                eventually(lambda: client.statistics()["packets"]["accept"].get("session", 0) > 500)
            os.kill(daemon.process.pid, signal.SIGTERM)
            assert daemon.ends() == 0, daemon.said
            assert not is_hooked(ground)
        finally:
            done.set()
            thread.join()


def test_rules_of_others_are_left_as_they_are(ground: Ground) -> None:
    """A namespace may have a firewall of its own, in the same table and chain."""
    with ground.firewall.enter():
        for command in ("iptables", "ip6tables"):
            for rule in (
                ["-A", "FORWARD", "-p", "tcp", "--dport", "4242", "-j", "DROP"],
                ["-A", "PREROUTING", "-p", "tcp", "--dport", "4243", "-j", "ACCEPT"],
            ):
                subprocess.run([command, "-t", "mangle", *rule], check=True)
    before = rules_of(ground.firewall)
    daemon = ground.start()
    assert rules_of(ground.firewall) != before
    daemon.process.stop()
    assert rules_of(ground.firewall) == before


def test_the_policy_of_an_otherwise_empty_chain_is_left_as_it_is(ground: Ground) -> None:
    """`-P FORWARD DROP` is a firewall without a single rule, and not ours to remove."""
    with ground.firewall.enter():
        subprocess.run(["iptables", "-t", "mangle", "-P", "FORWARD", "DROP"], check=True)
    before = rules_of(ground.firewall)
    ground.start().process.stop()
    assert rules_of(ground.firewall) == before


@pytest.mark.parametrize(("fail", "meanwhile"), [("open", "connected"), ("closed", "nothing")])
def test_after_a_kill_the_hook_does_what_fail_says_until_the_next_start_clears_it(
    ground: Ground, fail: str, meanwhile: str
) -> None:
    """SIGKILL leaves nobody to clean up: the rule stays, and the kernel follows it."""
    before = rules_of(ground.firewall)
    first = ground.start("--set", f"daemon.fail={fail}")
    control = first.control_process
    os.kill(first.process.pid, signal.SIGKILL)
    assert first.ends() == -signal.SIGKILL
    eventually(lambda: not is_bound(ground), what="the kernel letting go of the queue")
    eventually(lambda: control not in first.family(), what="the end of its control process")
    left = hooks_of(ground.firewall)
    assert left
    assert becomes(ground, meanwhile)

    second = ground.start(name=first.name)  # even under the same name
    assert len(hooks_of(ground.firewall)) == len(left)
    assert becomes(ground, "connected")
    second.process.stop(PATIENCE)
    assert rules_of(ground.firewall) == before


@pytest.mark.parametrize(("fail", "meanwhile"), [("open", "connected"), ("closed", "nothing")])
def test_a_firewall_with_an_error_in_its_engine_fails_as_it_was_told_to(
    ground: Ground, fail: str, meanwhile: str
) -> None:
    """In an unknown state it must not go on deciding, and `closed` must not become open by it."""
    before = rules_of(ground.firewall)
    daemon = ground.start("--set", f"daemon.fail={fail}", program=BROKEN)
    connects(ground)
    assert daemon.ends() == 1
    assert "ZeroDivisionError" in daemon.said
    assert becomes(ground, meanwhile)

    second = ground.start()
    assert becomes(ground, "connected")
    second.process.stop(PATIENCE)
    assert rules_of(ground.firewall) == before


@pytest.mark.parametrize(("fail", "meanwhile"), [("open", "connected"), ("closed", "nothing")])
def test_without_its_control_process_it_ends_says_so_and_fails_as_it_was_told_to(
    ground: Ground, fail: str, meanwhile: str
) -> None:
    """A firewall that nobody can ask or steer must not go on unnoticed, nor `closed` become open.

    That it is dead stays to be seen, and what it has left can be removed.
    """
    before = rules_of(ground.firewall)
    log = ground.base / "abandoned.jsonl"
    daemon = ground.start("--log", str(log), "--set", f"daemon.fail={fail}")
    os.kill(daemon.control_process, signal.SIGKILL)
    assert daemon.ends() == ControlError.exit_code
    passes = {"connected": "everything passes", "nothing": "nothing passes"}[meanwhile]
    assert "the control process ended unexpectedly" in daemon.said
    assert f"{passes} (daemon.fail = {fail}): `fwemu down {daemon.name}`" in daemon.said
    assert "Traceback" not in daemon.said
    assert '"event":"abandoned"' in log.read_text()
    assert becomes(ground, meanwhile)

    about = daemon.directory.about()
    assert about is not None
    assert not about.is_alive
    assert about.fail == fail
    assert remove_hook(about)
    assert becomes(ground, "connected")
    assert rules_of(ground.firewall) == before


def test_the_queue_is_closed_before_its_hook_goes(ground: Ground) -> None:
    """Packets may still wait: the kernel warns (and taints itself) where their hook goes first."""
    daemon = ground.start(program=TELLING)
    connects(ground)
    os.kill(daemon.process.pid, signal.SIGTERM)
    assert daemon.ends() == 0
    told = [line for line in daemon.said.splitlines() if line.startswith("told: ")]
    assert told[-2:] == ["told: queue closed", "told: hook removed"]


def test_a_namespace_that_loses_its_name_meanwhile_is_left_clean_all_the_same(
    ground: Ground,
) -> None:
    """`ip netns del` takes the name only: the firewall and its packets go on until it ends."""
    name = f"{ground.firewall.name}-short"
    short = ground.network.namespace(name)
    ground.firewall, forwarding = short, ground.firewall
    try:
        daemon = ground.start()
        held = short.held()
        remove(name)
        os.kill(daemon.process.pid, signal.SIGTERM)
        assert daemon.ends() == 0, daemon.said
        assert "Traceback" not in daemon.said
        assert not hooks_of(held)
    finally:
        ground.firewall = forwarding


def test_what_a_killed_firewall_has_left_in_another_queue_goes_with_the_next_of_its_name(
    ground: Ground,
) -> None:
    """Its hook would swallow every packet, and nobody would know of it any more."""
    before = rules_of(ground.firewall)
    first = ground.start("--set", "daemon.queue=3")
    os.kill(first.process.pid, signal.SIGKILL)
    first.ends()
    eventually(lambda: not is_bound(ground, 3), what="the kernel letting go of the queue")
    eventually(lambda: first.family() == [], what="the end of its control process")
    second = ground.start(name=first.name)
    assert becomes(ground, "connected")
    second.process.stop(PATIENCE)
    assert rules_of(ground.firewall) == before


def test_the_hook_of_whoever_uses_the_queue_now_is_not_taken_for_a_leftover(
    ground: Ground,
) -> None:
    """Another firewall may have come since, under another name."""
    first = ground.start()
    about = first.directory.about()
    assert about is not None
    os.kill(first.process.pid, signal.SIGKILL)
    first.ends()
    eventually(lambda: not is_bound(ground), what="the kernel letting go of the queue")
    second = ground.start()
    assert not remove_hook(about)
    assert is_hooked(ground)
    second.process.stop(PATIENCE)
    assert remove_hook(about)  # nothing is there any more, which is no error


# -- while it runs -------------------------------------------------------------------------------


def test_a_hook_that_somebody_takes_away_is_put_back_and_told(ground: Ground) -> None:
    """`nft flush ruleset` opens a firewall that says it runs: all packets would pass for ever."""
    daemon = ground.start()
    there = hooks_of(ground.firewall)
    with connected(ground), daemon.client() as client:
        assert client.statistics()["hook"]["restored"] == 0
        run_tool(ground.firewall, ["nft", "flush", "ruleset"])
        flush_legacy(ground.firewall)
        eventually(lambda: hooks_of(ground.firewall) == there, what="the hook's return")
        eventually(lambda: client.statistics()["hook"]["restored"] == 1)
        (event,) = [each for each in client.events() if each["event"] == "hook_restored"]
        assert event["tool"] == client.statistics()["hook"]["tool"]
        decided = sum(client.statistics()["packets"]["accept"].values())
    with connected(ground), daemon.client() as client:
        assert sum(client.statistics()["packets"]["accept"].values()) > decided
    assert "somebody took the hook away, and it was put back" in daemon.said
    before = len(daemon.said)
    daemon.process.stop()
    assert not is_hooked(ground)
    assert "hook" not in daemon.said[before:]


def test_rules_of_others_that_change_are_none_of_its_business(ground: Ground) -> None:
    """Every change is looked at, and nothing is said about those that leave the hook alone."""
    daemon = ground.start()
    nft.load(ground.firewall, "table inet other {\nchain c {\ncounter\n}\n}\n")
    nft.load(ground.firewall, "delete table inet other")
    run_tool(ground.firewall, ["nft", "flush", "ruleset"])
    flush_legacy(ground.firewall)
    with daemon.client() as client:
        eventually(lambda: client.statistics()["hook"]["restored"])
        assert client.statistics()["hook"]["restored"] == 1
    assert daemon.said.count("somebody took the hook away") == 1


def test_a_hook_that_cannot_be_put_back_is_told_until_it_can(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ls` and `stats` do not say that it runs while packets pass it by."""
    monkeypatch.setattr(hook_watch, "INTERVAL_S", 0.01)
    hook = hooks.install(ground.firewall, 5, fail_open=False)
    watch = HookWatch(ground.firewall, 5, False)
    is_allowed = threading.Event()

    def refuse(kind: type[hooks.NftHooks | hooks.IptablesHooks]) -> None:
        install = kind.install

        def refused(self: hooks.NftHooks | hooks.IptablesHooks) -> None:
            if not is_allowed.is_set():
                raise ToolFailed("no more rules")
            install(self)  # type: ignore[arg-type]

        monkeypatch.setattr(kind, "install", refused)

    for kind in hooks.KINDS:
        refuse(kind)
    notes: list[str] = []
    # both halves are in this process: what arm and watching close is needed by the other
    monkeypatch.setattr(watch._controls, "close", lambda: None)
    monkeypatch.setattr(watch._engines, "close", lambda: None)
    watch.arm(hook.tool)
    with watch.watching(lambda event, fields: notes.append(event)):
        eventually(lambda: watch.report["in_place"])
        hook.remove()
        eventually(lambda: watch.report["in_place"] is False)
        is_allowed.set()
        eventually(lambda: watch.report["in_place"])
        watch.disarm()
    assert notes == ["hook_lost", "hook_restored"]
    hook.remove()
    assert not is_hooked(ground)


def test_a_look_that_takes_too_long_does_not_put_the_hook_back_after_the_end(
    ground: Ground,
) -> None:
    """On a busy machine a look takes seconds; the end comes meanwhile, and must be the end."""
    before = rules_of(ground.firewall)
    daemon = ground.start(program=SLOW_LOOKS)
    assert is_hooked(ground)
    os.kill(daemon.process.pid, signal.SIGTERM)
    assert daemon.ends() == 0
    assert daemon.family() == []
    assert rules_of(ground.firewall) == before


def flush_legacy(namespace: Namespace) -> None:
    """`iptables -F` where that is iptables-legacy."""
    for command in ("iptables-legacy", "ip6tables-legacy"):
        if any(key.startswith(command) and "NFQUEUE" in text
               for key, text in rules_of(namespace).items()):  # fmt: skip
            run_tool(namespace, [command, "-t", "mangle", "-F"])


# -- begins --------------------------------------------------------------------------------------


def refused(daemon: Daemon, code: int) -> str:
    """The one line that a daemon says which does not start."""
    assert daemon.ends() == code
    (line,) = [line for line in daemon.said.splitlines() if line.startswith("fwemu: ")]
    assert "Traceback" not in daemon.said
    assert daemon.family() == []
    assert not daemon.directory.control.exists()
    assert daemon.directory.about() is None
    return line


def test_a_second_firewall_on_the_same_queue_is_refused_and_the_first_undisturbed(
    ground: Ground,
) -> None:
    """Not even for the moment of the attempt may packets pass unseen."""
    ground.start()
    before = rules_of(ground.firewall)
    with connected(ground) as pair:
        line = refused(ground.start(ready=False), QueueError.exit_code)
        assert "queue 0 is in use" in line
        assert "--set daemon.queue=" in line
        assert rules_of(ground.firewall) == before
        say(pair.client, pair.server)


def test_a_second_firewall_under_the_same_name_is_refused_and_the_first_undisturbed(
    ground: Ground,
) -> None:
    """Its log and its socket are in use."""
    first = ground.start()
    second = ground.start("--set", "daemon.queue=1", name=first.name, ready=False)
    assert second.ends() == NamespaceError.exit_code
    assert "is running already" in second.said
    with first.client() as client:
        assert client.status()["pid"] == first.process.pid


def test_a_control_socket_that_another_firewall_uses_is_refused(ground: Ground) -> None:
    """Two names, one --control: the first keeps it."""
    first = ground.start()
    second = ground.start(
        "--set", "daemon.queue=1", "--control", str(first.directory.control), ready=False
    )
    assert second.ends() == ControlError.exit_code
    assert "another firewall answers there" in second.said
    with first.client() as client:
        assert client.status()["name"] == first.name


def test_an_interface_that_is_not_there_is_refused_with_those_that_are(ground: Ground) -> None:
    """And by then nothing has been set up that would have to go."""
    before = rules_of(ground.firewall)
    line = refused(ground.start("--inside", "lan0", ready=False), NamespaceError.exit_code)
    assert "no interface 'lan0' (there are: inside, outside)" in line
    assert rules_of(ground.firewall) == before


def test_a_metrics_port_that_is_taken_is_refused(ground: Ground) -> None:
    """With the way out: port 0 takes a free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = ground.start("--metrics", f"127.0.0.1:{taken.getsockname()[1]}", ready=False)
        assert "port 0 for a free one" in refused(daemon, ControlError.exit_code)


def test_a_kernel_that_cannot_queue_is_told_apart(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither tool works: one line that names both and the packages."""
    for module in (hooks, tools):
        monkeypatch.setattr(module, "find_tool", lambda name: None)
    with pytest.raises(MissingError, match="nft is not installed; iptables-save is not installed"):
        hooks.install(ground.firewall, 0, fail_open=False)


def test_half_a_hook_is_taken_back(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """IPv4 rules without those for IPv6 would be a firewall with a hole, and a leftover."""
    before = rules_of(ground.firewall)
    run = hooks.run_tool

    def without_ip6tables(namespace: Namespace, command: list[str], text: str | None = None) -> str:
        if command[0].startswith("ip6tables") and "-I" in command:
            raise ToolFailed("ip6tables: no such target")
        return run(namespace, command, text)

    monkeypatch.setattr(hooks, "run_tool", without_ip6tables)
    monkeypatch.setattr(hooks, "KINDS", (hooks.IptablesHooks,))
    with pytest.raises(MissingError):
        hooks.install(ground.firewall, 0, fail_open=False)
    assert rules_of(ground.firewall) == before


class CountingHooks(hooks.NftHooks):
    """The nft hook with a statement that every kernel has in place of `queue`."""

    def __init__(self, namespace: Namespace, queue: int, fail_open: bool) -> None:
        super().__init__(namespace, queue, fail_open)
        self._statement = "counter"


def test_the_nft_hook_replaces_its_own_leftover_and_goes(ground: Ground) -> None:
    """Not every kernel has nft's `queue`; its table is made and removed the same way on all."""
    before = rules_of(ground.firewall)
    for _ in range(2):
        CountingHooks(ground.firewall, 7, fail_open=False).install()
        assert rules_of(ground.firewall)["nft"].count("table inet fwemu_queue_7") == 1
    CountingHooks(ground.firewall, 7, fail_open=False).remove()
    CountingHooks(ground.firewall, 7, fail_open=False).remove()
    assert rules_of(ground.firewall) == before


def test_the_leftover_of_another_tool_goes_as_well(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever installs nftables after a crash must not have every packet queued twice."""
    hooks.IptablesHooks(ground.firewall, 0, fail_open=False).install()
    assert len(hooks_of(ground.firewall)) == 2
    monkeypatch.setattr(hooks, "KINDS", (CountingHooks, hooks.IptablesHooks))
    hook = hooks.install(ground.firewall, 0, fail_open=False)
    assert hook.tool == "nft"
    assert not is_hooked(ground)
    hook.remove()


VARIANTS = ("nft", "legacy")


@pytest.mark.parametrize("there", VARIANTS)
@pytest.mark.parametrize("now", VARIANTS)
def test_the_leftover_of_the_other_iptables_goes_as_well(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, there: str, now: str
) -> None:
    """`iptables` may be another one by the next start (update-alternatives, a container).

    What a daemon of the other one has left would swallow every packet for ever.
    """
    if any(find_tool(f"iptables-{variant}") is None for variant in (there, now)):
        pytest.skip("this machine has one iptables only")
    left = hooks.IptablesHooks(ground.firewall, 0, False, there)
    try:
        left.install()
    except ToolFailed as error:
        pytest.skip(f"this kernel has no {left.tool}: {error}")
    assert left.is_in_place()
    monkeypatch.setattr(hooks, "_usual_variant", lambda iptables: now)
    monkeypatch.setattr(hooks, "KINDS", (hooks.IptablesHooks,))
    hook = hooks.install(ground.firewall, 0, fail_open=False)
    assert hook.tool == f"iptables-{now}"
    assert hook.is_in_place()
    assert len(hooks_of(ground.firewall)) == 2
    hook.remove()
    assert not hook.is_in_place()
    assert not is_hooked(ground)


def test_only_looking_makes_no_table_of_iptables_legacy(ground: Ground) -> None:
    """Such a table costs every packet time, and the kernel keeps it for the namespace's life."""
    ground.start().process.stop()
    with ground.firewall.enter():
        tables = Path("/proc/thread-self/net/ip_tables_names")
        assert not tables.exists() or "mangle" not in tables.read_text()


# -- what it offers ------------------------------------------------------------------------------


def test_the_control_socket_is_for_its_owner_and_only_metrics_are_for_all(ground: Ground) -> None:
    """Anybody on the machine can connect to a TCP port: reading counters is all that is theirs."""
    daemon = ground.start("--metrics", "127.0.0.1:0")
    assert stat.S_IMODE(daemon.directory.control.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.directory.path.stat().st_mode) == 0o700
    about = daemon.directory.about()
    assert about is not None
    assert about.metrics is not None
    with urllib.request.urlopen(about.metrics, timeout=PATIENCE) as answer:
        assert b"fwemu_sessions_capacity 65536.0" in answer.read()
    root = about.metrics.removesuffix("/metrics")
    for method, path in (
        ("GET", "/"), ("GET", "/sessions"), ("GET", "/config"), ("GET", "/events"),
        ("GET", "/docs"), ("GET", "/openapi.json"), ("POST", "/flush"),
        ("POST", "/sessions/kill"), ("PATCH", "/config"), ("POST", "/metrics"),
    ):  # fmt: skip
        request = urllib.request.Request(root + path, data=b"{}", method=method)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=PATIENCE)
        caught.value.close()
        assert caught.value.code in (404, 405), path


def test_a_client_without_a_firewall_gets_one_sentence(ground: Ground) -> None:
    """Not an exception of the HTTP library; nor a socket left open, of which Python would warn."""
    daemon = ground.start()
    with daemon.client() as client:
        assert client.status()["queue"] == 0
        daemon.process.stop()
        with pytest.raises(ControlError, match="no firewall answers there"):
            client.status()
    with (
        Client(daemon.directory.path / "nothing.sock") as client,
        pytest.raises(ControlError, match="no firewall answers there"),
    ):
        client.metrics()
    gc.collect()


# -- interfaces and zones --------------------------------------------------------------------------


def test_a_namespace_without_interfaces_is_guarded_all_the_same(ground: Ground) -> None:
    """Containers get their interfaces after the firewall has started."""
    name = f"{ground.firewall.name}-bare"
    bare = ground.network.namespace(name)
    ground.firewall, forwarding = bare, ground.firewall
    try:
        daemon = ground.start()
        assert "inside is nothing yet" in daemon.said
        with daemon.client() as client:
            assert client.status()["netns"] == name
            assert list(client.sessions()) == []
    finally:
        ground.firewall = forwarding


def test_what_it_chose_itself_and_what_will_not_work_is_said(ground: Ground) -> None:
    """With the way out; and nothing is said where nothing is to be said."""
    sysctl(ground.firewall, "net.ipv4.ip_forward", 0)
    guessed = ground.start()
    assert "inside is inside, outside outside (name them with" in guessed.said
    assert "net.ipv4.ip_forward is 0" in guessed.said
    assert "net.ipv6.conf.all.forwarding is 0" not in guessed.said
    guessed.process.stop()
    sysctl(ground.firewall, "net.ipv4.ip_forward", 1)
    named = ground.start("--inside", "outside", "--outside", "inside")
    assert "inside is" not in named.said
    assert "forward" not in named.said
    assert becomes(ground, "nothing")  # the client is outside now, and nothing lets it in
    with connected(ground, client=ground.server, server=ground.client) as pair:
        say(pair.client, pair.server)


def test_an_interface_that_appears_later_is_outside(ground: Ground) -> None:
    """What nobody named is not trusted; replies to the inside's own connections pass."""
    daemon = ground.start()
    late = ground.network.namespace(f"{ground.firewall.name}-late")
    ground.network.link(
        ground.firewall, "late0", late, "eth0",
        a_addresses=["10.0.3.1/24"], b_addresses=["10.0.3.10/24"],
    )  # fmt: skip
    add_route(late, "default", "10.0.3.1")
    newcomer = End(late, "10.0.3.10", "")
    with connected(ground, server=newcomer) as pair:
        say(pair.client, pair.server)
        say(pair.server, pair.client)
    with ground.client.namespace.enter():
        listener = socket.create_server((ground.client.ipv4, 0))
    with late.enter():
        attempt = socket.socket()
    with listener, attempt, daemon.client() as client:
        attempt.settimeout(SOON)
        with pytest.raises(TimeoutError):
            attempt.connect(listener.getsockname())
        denied = [event for event in client.events() if event["event"] == "denied"]
        assert {(event["zone"], event["reason"]) for event in denied} == {("outside", "denied")}


def test_both_ends_of_a_connection_survive_a_restart_of_the_firewall_as_real_ones_do(
    ground: Ground,
) -> None:
    """A new firewall knows no session: what it does with the old ones is its `unknown` setting."""
    first = ground.start()
    with connected(ground) as pair:
        say(pair.client, pair.server)
        first.process.stop()
        ground.start("--set", "unknown.inside=reset")
        pair.client.sendall(b"still there?")
        assert what_comes(pair.client) == "ECONNRESET"


def test_a_table_that_goes_while_it_is_looked_at_is_gone(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no error: whoever looks puts it back."""
    hook = hooks.NftHooks(ground.firewall, 5, fail_open=False)
    table = "inet fwemu_queue_5"
    nft.load(ground.firewall, f"table {table} {{}}")
    run = hooks.run_tool

    def takes_it_away(namespace: Namespace, command: list[str]) -> str:
        if command[:3] == ["nft", "list", "table"]:
            nft.load(namespace, f"delete table {table}")
        return run(namespace, command)

    monkeypatch.setattr(hooks, "run_tool", takes_it_away)

    assert not hook.is_in_place()
