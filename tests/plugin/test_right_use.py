"""The plugin as its guide describes it, and in suites of other shapes: pytest runs pytest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netns.procfs import start_time

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.kernel

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "pytest.md"

SHORT = ("-q", "-p", "no:cacheprovider", "-W", "error", "--fwemu-require")

ALONE = (*SHORT, "--fwemu-allow-untraversed")
"""For tests that look at their firewall and send nothing through it."""

ECHO = """
    import socket, sys, pytest

    @pytest.fixture
    def connection(lab):
        lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", "7"], port=7)
        with lab.client:
            connection = socket.create_connection((lab.server.ip, 7), timeout=10)
        with connection:
            yield connection
"""


@pytest.fixture(autouse=True)
def empty_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of ours count inside, and lines are as long as they are."""
    pytester.makeini("[pytest]\n")
    monkeypatch.setenv("COLUMNS", "400")


def test_every_example_of_the_guide_runs_as_it_stands(pytester: pytest.Pytester) -> None:
    """They are the first thing that somebody copies."""
    files = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    assert len(files) == GUIDE.read_text().count("```python") == 6
    for name, text in files:
        (pytester.path / name).write_text(text)
    result = pytester.runpytest_subprocess(*SHORT)
    result.assert_outcomes(passed=11)


def test_links_of_the_guide_lead_somewhere() -> None:
    """A dead link is a promise that was not kept."""
    targets = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text())
    assert [target for target in targets if not (GUIDE.parent / target).exists()] == []


def test_markers_of_a_module_a_class_and_a_test_are_put_together(
    pytester: pytest.Pytester,
) -> None:
    """The closest one counts; settings are added up; what a fixture says is below all of them."""
    pytester.makefile(".toml", firewall='[table]\ncapacity = 5\n[unknown]\ninside = "reject"\n')
    pytester.makepyfile(
        """
        import pytest
        from pathlib import Path
        from fwemu.lab import Topology

        pytestmark = pytest.mark.firewall(
            profile="cisco-asa",
            config="firewall.toml",
            settings={"timeouts.icmp": "7s", "tcp.max_retransmissions": 4, "tcp.window": "off"},
        )

        @pytest.fixture
        def fwemu_settings():
            return ["timeouts.icmp=6s", "unknown.outside=reset"]

        @pytest.mark.firewall(profile="juniper-srx", topology={"clients": 2})
        class TestSomething:
            @pytest.mark.firewall(settings=["tcp.window=liberal"])
            def test_it(self, lab, firewall):
                assert firewall is lab.firewall
                assert firewall.status()["profile"] == "juniper-srx"
                assert list(lab.hosts) == ["client", "client2", "server"]
                config = firewall.config()
                assert config["table"]["capacity"] == 5
                assert config["timeouts"]["icmp"] == "7s"
                assert config["tcp"]["max_retransmissions"] == 4
                assert config["tcp"]["window"] == "liberal"
                assert config["unknown"]["inside"] == "reject"
                assert config["unknown"]["outside"] == "reset"

        @pytest.mark.firewall(topology=Topology(servers=2), config=Path("firewall.toml"))
        def test_values_of_other_types(lab):
            assert list(lab.hosts) == ["client", "server", "server2"]
            assert lab.firewall.status()["profile"] == "cisco-asa"

        @pytest.mark.firewall(topology={"layout": "asymmetric"})
        def test_a_pair(lab):
            assert len(lab.firewalls) == 2
        """
    )
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=3)


def test_a_test_is_run_for_each_of_its_profiles(pytester: pytest.Pytester) -> None:
    """And its name says which; with other parameters it is run for all combinations."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.firewall(profiles=["cisco-asa", "juniper-srx"])
        def test_it(firewall, fwemu_profile, number):
            assert firewall.status()["profile"] == fwemu_profile
        """
    )
    result = pytester.runpytest_subprocess(*ALONE, "-vv")
    result.assert_outcomes(passed=4)
    names = set(re.findall(r"test_it\[(.*?)\]", result.stdout.str()))
    assert names == {f"{profile}-{n}" for profile in ("cisco-asa", "juniper-srx") for n in (1, 2)}


def test_what_a_test_made_is_gone_whatever_became_of_it(pytester: pytest.Pytester) -> None:
    """Failed, broken in a fixture or interrupted: labs of a test suite do not pile up."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken(lab):
            print("made", lab.about.pid, lab.about.started)
            raise RuntimeError("broken")

        def test_fails(lab):
            print("made", lab.about.pid, lab.about.started)
            assert False

        def test_is_not_reached(broken): ...

        def test_is_interrupted(lab):
            print("made", lab.about.pid, lab.about.started)
            raise KeyboardInterrupt
        """
    )
    result = pytester.runpytest_subprocess("-q", "-s", "-p", "no:cacheprovider")
    made = re.findall(r"made (\d+) (\d+)", result.stdout.str())
    assert len(made) == 3
    # by process: names of labs, and numbers of namespaces, are soon somebody else's
    assert [pid for pid, started in made if start_time(int(pid)) == int(started)] == []


def test_a_test_whose_firewall_saw_nothing_fails_unless_it_says_so(
    pytester: pytest.Pytester,
) -> None:
    """It has shown nothing; a packet that the firewall refused is enough."""
    pytester.makepyfile(
        ECHO
        + """
    def test_talks(connection): ...

    def test_talks_to_nobody(lab): ...

    @pytest.mark.firewall(allow_untraversed=True)
    def test_means_it(lab): ...

    @pytest.mark.firewall(settings=['rules=[{action="deny"}]'])
    def test_is_refused(lab):
        with lab.client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", (lab.server.ip, 7))

    def test_skips(lab):
        pytest.skip("not today")

    @pytest.mark.xfail(strict=True)
    def test_fails_as_expected(lab):
        assert False

    def test_goes_past_the_firewall(lab):
        with lab.client:
            connection = socket.socket()
        with connection:
            assert connection.fileno()
        socket.create_connection((lab.server.ip, 7), timeout=5)
    """
    )
    result = pytester.runpytest_subprocess(*SHORT, "-rf")
    result.assert_outcomes(passed=3, failed=2, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "*- fwemu: a hint -*",
            "nothing crossed the firewall: make and connect the client's sockets inside `with *",
            "FAILED *::test_talks_to_nobody - Failed: fwemu: nothing crossed the firewall: *",
            "FAILED *::test_goes_past_the_firewall - OSError: [[]Errno 101] Network is unreachable",
        ]
    )
    assert "(a test that means this says @pytest.mark.firewall(allow_untraversed=True))" in (
        result.stdout.str()
    )


def test_wrong_use_is_shown_where_it_stands(pytester: pytest.Pytester) -> None:
    """In the line of the test, and without a walk through our own code."""
    pytester.makepyfile(
        ECHO
        + """
    def test_evict(lab, connection):
        lab.evict(port=9)

    def test_start(lab):
        lab.server.start("redis-server --port 6379")

    def test_no_program(lab):
        lab.server.start(["no-such-program"])

    def test_listener(lab):
        lab.server.start(["true"], port=7)

    def test_setting(lab):
        lab.firewall.configure(["tcp.windw=off"])
    """
    )
    result = pytester.runpytest_subprocess(*SHORT, "-rf", "--show-capture=no")
    result.assert_outcomes(failed=5)
    text = result.stdout.str()
    assert "fwemu/" not in text.replace("-m fwemu", "")
    assert "The above exception" not in text
    assert "The direct cause" not in text
    assert len(text.splitlines()) < 120
    result.stdout.fnmatch_lines(
        [
            "FAILED *::test_evict - fwemu.errors.ControlError: no session is meant by that *",
            "FAILED *::test_start - fwemu.errors.ConfigError: start('redis-server --port 6379'): *",
            "FAILED *::test_no_program - *",
            "FAILED *::test_listener - *",
            "FAILED *::test_setting - fwemu.errors.*",
        ]
    )


def test_a_failing_test_shows_the_log_and_the_story(pytester: pytest.Pytester) -> None:
    """What was opened, how it ended and why, what was dropped, and the keepalives."""
    pytester.makepyfile(
        ECHO
        + """
    @pytest.mark.firewall(settings={"timeouts.tcp_established": "1h"})
    def test_it(lab, connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1800)
        lab.fast_forward("50m")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        lab.fast_forward("2h")
        connection.settimeout(0.3)
        connection.sendall(b"still there?")
        lab.assert_survived(connection)

    def test_that_passes(lab, connection): ...
    """
    )
    result = pytester.runpytest_subprocess(*SHORT)
    result.assert_outcomes(passed=1, failed=1)
    told = " ".join(result.stdout.str().split())
    assert "> lab.assert_survived(connection) E AssertionError: tcp 198." in told
    assert "did not survive: at the firewall, session #1 expired in ESTABLISHED" in told
    story, _, log = told.partition("- fwemu: firewall log -")
    story = story.partition("- fwemu: what happened -")[2]
    assert "opened from the inside (#1)" in story
    assert "keepalive probe of the opener" in story
    assert "ended: expired in ESTABLISHED (its idle timer ran out), idle for 1h; " in story
    assert "(unknown_packet: no session, and nothing that may open one), answer: drop" in story
    assert '"event":"torn_down"' in log


def test_a_firewall_that_has_died_is_told_by_its_last_words(pytester: pytest.Pytester) -> None:
    """Else one would look for the mistake in the test."""
    pytester.makepyfile(
        """
        import signal
        from netns.procfs import PinnedProcess

        def test_it(lab):
            firewall = PinnedProcess.of(lab.about.pid, lab.about.started)
            firewall.send(signal.SIGKILL)
            assert firewall.ends_within(10)
            firewall.close()
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*fwemu: the firewall does not answer*"])


def test_workers_of_xdist_do_not_disturb_each_other(pytester: pytest.Pytester) -> None:
    """Each lab has a number of its own; each sees its own connections only."""
    pytester.makepyfile(
        ECHO
        + """
    @pytest.mark.parametrize("number", range(6))
    def test_it(lab, connection, number, worker_id):
        print("worker", worker_id)
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        assert [each["destination"] for each in lab.sessions] == [lab.server.ip]
        lab.flush()
        assert lab.sessions == []
    """
    )
    result = pytester.runpytest_subprocess(*SHORT, "-n", "2", "-rP")
    result.assert_outcomes(passed=6)
    assert set(re.findall(r"^worker (\w+)", result.stdout.str(), re.M)) == {"gw0", "gw1"}
