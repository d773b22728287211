"""The wheel is the whole product: installed into an empty environment, it runs its main job.

And the locks are all that is needed beside it: they are installed here from the package index as
it is today, as on a machine that has never seen this project.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The product, built with what is locked."""
    folder = tmp_path_factory.mktemp("wheel")
    succeeds(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder, lock, wheel):
    """Python of an environment in which there is nothing but what a lock names, and the wheel."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    succeeds(ROOT / "scripts" / "install-locked", python, lock)
    succeeds(python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel)
    return python


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheel):
    """What a user has."""
    return environment(tmp_path_factory.mktemp("user") / "empty", "run", wheel)


@pytest.fixture(scope="module")
def python_with_pytest(tmp_path_factory, wheel):
    """What a developer has, but for the checkout."""
    return environment(tmp_path_factory.mktemp("developer") / "empty", "dev", wheel)


def succeeds(*command):
    """A command that has to; its output if it does not."""
    done = subprocess.run(
        command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_locks_name_everything_that_the_product_and_its_tests_need(python, python_with_pytest):
    """`pip check` finds whatever is missing or of another version than somebody asks for."""
    for each in (python, python_with_pytest):
        assert "No broken requirements found" in succeeds(each, "-m", "pip", "check")


def test_the_sdist_is_the_whole_checkout_so_that_its_tests_run(tmp_path):
    """Tests read docs, the Makefile and scripts; without them even collecting them fails."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, perhaps an sdist itself")
    succeeds(sys.executable, "-m", "build", "--sdist", "--no-isolation", "-o", tmp_path, ROOT)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    listed = succeeds("git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z")
    tracked = {name for name in listed.split("\0") if name and (ROOT / name).exists()}

    assert sorted(tracked - there) == []


def test_a_package_is_of_one_version_in_all_locks():
    """They are installed into one environment, one after the other."""
    versions = {}
    for lock in ("build", "run", "dev", "apps"):
        text = (ROOT / "requirements" / f"{lock}.lock").read_text()
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, flags=re.MULTILINE):
            versions.setdefault(name, set()).add(version)

    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_readme_s_test_runs_as_printed_in_an_empty_project(tmp_path, python_with_pytest):
    """Whoever installs fwemu has the plugin, and needs to write nothing else."""
    *_, example = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL
    )
    (tmp_path / "test_idle.py").write_text(example)

    done = subprocess.run(
        [python_with_pytest, "-m", "pytest", "-W", "error", "--fwemu-require", "test_idle.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_wheel_runs_the_demo_in_an_empty_environment(tmp_path, python):
    """Profiles and packages that only a checkout has would be missed by every other test."""
    demo = subprocess.run(
        [python.with_name("fwemu"), "demo", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert demo.returncode == 0, demo.stderr
    lanes = {record["lane"]: record for record in map(json.loads, demo.stdout.splitlines())}
    assert {name: lane["outcome"] for name, lane in lanes.items()} == {
        "router-acl": "survived",
        "stateful-drop": "timed-out",
        "stateful-reset": "reset",
        "stateful-drop-keepalive": "survived",
    }
    assert lanes["stateful-reset"]["reset_by"] == "firewall"

    stories = subprocess.run(
        [python.with_name("fwemu"), "scenario", "run", "handshake", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert stories.returncode == 0, stories.stderr
    assert '"handshake/three_way"' in stories.stdout
