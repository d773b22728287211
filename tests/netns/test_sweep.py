"""Who lives in a namespace, and ending them."""

import os
import signal
import subprocess
import sys
import threading

import pytest

import netns.sweep
from netns import Namespace, pids_in, stop_all_in
from netns.procfs import command_of
from tests.kit.labs import eventually

pytestmark = pytest.mark.kernel


def start(ns: Namespace, *argv: str) -> subprocess.Popen:
    with ns.enter():
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    # in the middle of execve(2) a process has no arguments for a moment, and Popen is back already
    eventually(lambda: command_of(process.pid) == " ".join(argv), what="its command line")
    return process


def test_processes_inside_are_listed_and_no_others(host):
    """Whoever started them."""
    processes = [start(host, "sleep", "60") for _ in range(2)]
    assert pids_in(host) == sorted(process.pid for process in processes)
    assert os.getpid() in pids_in(Namespace.current())
    ended = stop_all_in(host)
    assert ended == sorted((process.pid, "sleep 60") for process in processes)
    for process in processes:
        assert process.wait() == -signal.SIGTERM
        process.stdout.close()
    assert pids_in(host) == []


def test_the_main_thread_tells_where_a_process_is(host):
    """A thread that works inside for a moment does not move its whole process."""
    assert host.run(lambda: pids_in(host)) == []
    with host.enter():  # the main thread of this process
        assert pids_in(host) == [os.getpid()]
        assert stop_all_in(host) == []


def test_those_that_ignore_term_are_killed(host):
    """After their time of grace."""
    deaf = start(host, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done")
    deaf.stdout.readline()
    stop_all_in(host, grace=0.1)
    assert deaf.wait() == -signal.SIGKILL
    deaf.stdout.close()
    assert pids_in(host) == []


def test_those_that_are_stopped_end_as_well(host):
    """A debugger, or a test that plays with SIGSTOP, may have left them so."""
    asleep = start(host, "sleep", "61")
    os.kill(asleep.pid, signal.SIGSTOP)
    assert stop_all_in(host, grace=30) == [(asleep.pid, "sleep 61")]
    assert asleep.wait() == -signal.SIGTERM
    asleep.stdout.close()


def test_the_caller_and_its_ancestors_are_spared(host, tmp_path):
    """`ip netns exec lab fwemu down` must not end itself half way."""
    # A shell inside runs a Python inside, which ends everybody inside: the sleeper only.
    code = f"import netns; print(netns.stop_all_in(netns.Namespace.at({host.path!r})))"
    script = f'sleep 60 & {sys.executable} -c "$CODE"; echo spared'
    with host.enter():
        done = subprocess.run(
            ["sh", "-c", script], env={**os.environ, "CODE": code}, capture_output=True, text=True
        )
    assert "sleep 60" in done.stdout, done.stderr
    assert done.stdout.endswith("spared\n")


def test_a_process_id_that_was_given_away_is_not_signalled(host, monkeypatch):
    """Between looking and opening, the id may come to mean another process."""
    process = start(host, "sleep", "60")
    real = netns.sweep.stat_of
    calls = []

    def another_one_the_second_time(pid):
        stat = real(pid)
        if pid == process.pid and stat is not None:
            calls.append(pid)
            if len(calls) == 2:
                return type(stat)(stat.state, stat.parent, stat.group, stat.started + 1)
        return stat

    monkeypatch.setattr(netns.sweep, "stat_of", another_one_the_second_time)
    assert stop_all_in(host) == []
    assert process.poll() is None
    monkeypatch.undo()
    stop_all_in(host)
    process.wait()
    process.stdout.close()


def test_those_who_fork_meanwhile_do_not_escape(host):
    """A supervisor that starts its worker again, for instance."""
    script = "trap 'sleep 62 & exit' TERM; echo ready; while :; do sleep 0.01; done"
    for _ in range(10):
        supervisor = start(host, "sh", "-c", script)
        supervisor.stdout.readline()
        stop_all_in(host, grace=30)
        left = pids_in(host)
        supervisor.wait()
        supervisor.stdout.close()
        assert left == []


def test_it_may_run_in_any_thread(host):
    """A daemon cleans up from where it happens to be."""
    process = start(host, "sleep", "60")
    thread = threading.Thread(target=stop_all_in, args=[host])
    thread.start()
    thread.join()
    assert process.wait() == -signal.SIGTERM
    process.stdout.close()
