"""Mistakes of people, and machines on which no lab can be made: one clear line for each."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

MISTAKES = {
    'profil="cisco-asa"': "no argument is named 'profil'; did you mean profile?",
    "hosts=3": "no argument is named 'hosts'; "
    "there are: profile, profiles, settings, config, topology, allow_untraversed, "
    "allow_doubtful",
    '"cisco-asa"': "'cisco-asa' needs a name, as in profile='cisco-asa'",
    'profile=["cisco-asa"]': "profile=['cisco-asa']: give the name of one, as in \"cisco-asa\"",
    'profiles="cisco-asa"': "profiles='cisco-asa': give a list of names, "
    'as in ["cisco-asa", "pf"]',
    "profiles=[]": 'profiles=[]: give a list of names, as in ["cisco-asa", "pf"]',
    'profile="pf", profiles=["pf"]': "give profile or profiles, not both",
    'profile="cisco-aas"': "profile: 'cisco-aas' is unknown (did you mean cisco-asa?",
    'settings="tcp.window=off"': "settings='tcp.window=off': give a dict or a list, as in "
    '{"table.capacity": 10} or ["table.capacity=10"]',
    'settings={"tcp.windw": "off"}': "settings: tcp.windw: unknown setting (did you mean",
    'settings=["table.capacity=-1"]': "table.capacity: ",
    'config="nowhere.toml"': "nowhere.toml",
    "config=3": "config=3: give the path of a file",
    "topology=3": 'topology=3: give a Topology, or a dict as in {"clients": 2}',
    'topology={"hosts": 2}': "topology={'hosts': 2}: give clients, servers (numbers) and layout "
    "(single, asymmetric)",
    'topology={"layout": "ring"}': "topology={'layout': 'ring'}: give clients,",
    'topology={"clients": 1000}': "clients: 1000 is not from 1 to 200",
    "allow_untraversed=1": "allow_untraversed=1: give True or False",
}
"""What stands in the marker, and what the error of its test says about it."""


def test_a_wrong_marker_is_one_line_that_names_the_test(pytester: pytest.Pytester) -> None:
    """Without a traceback through the plugin, and before anything is made."""
    pytester.makeini("[pytest]\n")
    tests = [
        f"@pytest.mark.firewall({words})\ndef test_{number}(lab): ...\n"
        for number, words in enumerate(MISTAKES)
    ]
    path = pytester.makepyfile("import pytest\n\n" + "\n\n".join(tests))
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(errors=len(MISTAKES))
    text = result.stdout.str()
    assert "Traceback" not in text
    assert "pytest_plugin.py" not in text
    for number, said in enumerate(MISTAKES.values()):
        begin = rf"{path.name}::test_{number}(\[pf\])?: @pytest\.mark\.firewall: "
        (line,) = {each for each in text.splitlines() if re.match(begin, each)}
        assert said in line


def test_a_profile_and_a_parameter_of_that_name_are_one_too_many(
    pytester: pytest.Pytester,
) -> None:
    """One of both would win silently, and the test would prove something else."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("fwemu_profile", ["pf"])
        @pytest.mark.firewall(profile="cisco-asa")
        def test_it(lab): ...
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*fwemu_profile is a parameter of the test: one of both"])


def test_a_marker_without_a_lab_is_a_mistake(pytester: pytest.Pytester) -> None:
    """The test would pass without the firewall that it speaks of.  A marker of a module or a class
    is for those of its tests that have a lab."""
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.firewall(settings=[])

        @pytest.mark.firewall(profile="cisco-asa")
        def test_of_nothing(): ...

        def test_beside_those_with_a_lab(): ...
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*::test_of_nothing: @pytest.mark.firewall: this test asks for neither of the fixtures *"]
    )


def test_the_marker_is_known_to_pytest(pytester: pytest.Pytester) -> None:
    """`--strict-markers` is content, and `--markers` explains it; so do the options."""
    assert (
        "@pytest.mark.firewall(profile, profiles, settings, config, topology, allow_untraversed, "
        "allow_doubtful)" in (pytester.runpytest_subprocess("--markers").stdout.str())
    )
    result = pytester.runpytest_subprocess("--help")
    assert "--fwemu-require" in result.stdout.str()
    assert "fwemu_require (bool)" in result.stdout.str()
    assert "--fwemu-allow-untraversed" in result.stdout.str()
    assert "fwemu_allow_untraversed (bool)" in result.stdout.str()


def test_a_suite_without_a_lab_loads_nothing_of_it(pytester: pytest.Pytester) -> None:
    """The plugin is active wherever fwemu is installed: it must cost nothing there."""
    pytester.makepyfile(
        """
        import sys

        HEAVY = {"pydantic", "httpx", "pyroute2", "fastapi", "click", "fwemu.lab.lab", "netns"}

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("fwemu")
            assert HEAVY & set(sys.modules) == set()
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:hypothesis")
    result.assert_outcomes(passed=1)


POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Root as in a container without --privileged."""


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("ini", "flags", "required"),
    [("", (), False), ("", ("--fwemu-require",), True), ("fwemu_require = true", (), True)],
)
def test_without_privileges_tests_are_skipped_or_fail_with_the_reason(
    pytester: pytest.Pytester, ini: str, flags: tuple[str, ...], required: bool
) -> None:
    """And the command that mends it; tests that need no lab go on."""
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(
        """
        def test_one(lab): ...

        def test_two(firewall): ...

        def test_three(): ...
        """
    )
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *flags]
    done = subprocess.run(
        [*POWERLESS, *command], cwd=pytester.path, capture_output=True, text=True, timeout=120
    )
    assert ("1 passed, 2 errors" if required else "1 passed, 2 skipped") in done.stdout
    assert done.returncode == (1 if required else 0)
    assert "fwemu: this needs root (CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN): run it with" in (
        done.stdout
    )
    again = shlex.join(["sudo", *command])  # the whole run, as it was called
    assert f"(as in: {again})" in done.stdout.replace("\n", "")
