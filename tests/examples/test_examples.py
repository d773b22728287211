"""The examples in other languages and the recipes for CI: files to copy, so they have to work."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from fwemu.config import profiles
from fwemu.daemon.rundir import RUN_DIR
from tests.kit.command import Done, program
from tests.kit.labs import unique

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
CI = ROOT / "docs" / "ci"

ECHO = f"{shlex.quote(sys.executable)} -m fwemu.scenarios.echo 7"

LANGUAGES = {
    "idle-hour.sh": ("bash", "curl"),
    "idle-hour.mjs": ("node",),
    "IdleHour.java": ("java", "javac"),
}
"""What each example needs; the first is what runs it."""


@pytest.fixture(autouse=True)
def own_run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """So that no other lab is met, and none is left."""
    base = tmp_path / "run"
    base.mkdir()
    monkeypatch.setenv(RUN_DIR, str(base))
    return base


REFUSED = {
    "idle-hour.sh": "3 unknown_packet) go no further",
    "idle-hour.mjs": "1 unknown_packet) go no further",
    "IdleHour.java": "1 unknown_packet) go no further",
}
"""What each says at its end: the firewall let so many packets go no further."""


def run(example: str, *options: str) -> Done:
    """The example as its first lines say."""
    for needed in LANGUAGES[example]:
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    command = [LANGUAGES[example][0], str(EXAMPLES / example)]
    words = ["--server", ECHO, "--server-port", "7", "--timeout", "30s", *options, "--", *command]
    return program("run", "--name", unique("example"), *words)


def test_every_example_is_tested():
    """A file that nobody runs is wrong soon."""
    assert {path.name for path in EXAMPLES.iterdir()} == set(LANGUAGES)


@pytest.mark.kernel
@pytest.mark.parametrize("example", LANGUAGES)
def test_an_example_does_what_it_says(example, own_run_directory):
    """In its own language, with nothing but what that brings."""
    done = run(example)

    assert done.code == 0, done.err
    assert [line.partition(" (")[2] for line in done.err.splitlines()[2:]] == [REFUSED[example]]
    assert done.out.startswith("after a quiet hour")
    assert list(own_run_directory.iterdir()) == []


@pytest.mark.kernel
@pytest.mark.parametrize("example", LANGUAGES)
def test_an_example_fails_where_nothing_is_forgotten(example):
    """Its assertions are none that always hold."""
    done = run(example, "--set", 'rules=[{action="allow", idle_timeout="4h"}]')

    assert done.code == 1
    assert "expire" in done.err


# -- CI ------------------------------------------------------------------------------------------


def recipe(name: str) -> dict[Any, Any]:
    """A recipe, read."""
    read = yaml.safe_load((CI / name).read_text())
    assert isinstance(read, dict)
    return read


def github() -> dict[Any, Any]:
    return recipe("github-actions.yml")


def gitlab() -> dict[Any, Any]:
    return recipe("gitlab-ci.yml")


def test_the_recipe_for_github_has_what_github_requires():
    """https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax"""
    workflow = github()
    triggers = workflow.pop(True)  # `on` is a boolean of YAML 1.1

    assert set(triggers) <= {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert set(workflow) == {"name", "permissions", "jobs"}
    for job in workflow["jobs"].values():
        assert set(job) <= {"runs-on", "timeout-minutes", "strategy", "steps"}
        assert isinstance(job["runs-on"], str)
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert set(step) <= {"name", "uses", "run", "with", "env", "if"}
            assert "@" in step.get("uses", "@")


def test_the_recipe_for_gitlab_has_what_gitlab_requires():
    """https://docs.gitlab.com/ci/yaml/"""
    pipeline = gitlab()
    stages = pipeline.pop("stages")

    assert pipeline
    for job in pipeline.values():
        assert set(job) <= {
            "stage", "image", "tags", "timeout", "variables", "parallel", "before_script",
            "script", "artifacts",
        }  # fmt: skip
        assert job["stage"] in stages
        assert job["script"]
        for line in [*job["before_script"], *job["script"]]:
            assert isinstance(line, str), "a colon has made an object of it: quote the line"
        assert set(job["artifacts"]["reports"]) == {"junit"}


def scripts() -> dict[str, list[str]]:
    """Every piece of shell in the recipes."""
    steps = github()["jobs"]["idle-hour"]["steps"]
    job = gitlab()["idle-hour"]
    return {
        "github-actions.yml": [step["run"] for step in steps if "run" in step],
        "gitlab-ci.yml": [*job["before_script"], *job["script"]],
    }


def matrices() -> list[list[str]]:
    """The profiles that the recipes name."""
    return [
        github()["jobs"]["idle-hour"]["strategy"]["matrix"]["profile"],
        gitlab()["idle-hour"]["parallel"]["matrix"][0]["PROFILE"],
    ]


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_shell_in_a_recipe_is_shell(name):
    """And the profiles exist."""
    for script in scripts()[name]:
        text = script.replace("${{ matrix.profile }}", "x")
        subprocess.run(["bash", "-n"], input=text, text=True, check=True, timeout=10)
    for matrix in matrices():
        assert set(matrix) <= set(profiles.names())


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_what_a_recipe_runs_runs(name, tmp_path):
    """The line that people will change last, in the environment that they will have."""
    profile = matrices()[0][0]
    (script,) = (each for each in scripts()[name] if "--server" in each)
    script = script.replace("${{ matrix.profile }}", profile)
    script = script.replace('sudo --preserve-env "$(command -v fwemu)"', "fwemu")
    script = script.replace("fwemu run", f"fwemu run --name {unique('ci')}")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PROFILE": profile},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert "Directory listing" in done.stdout
    suite = ElementTree.parse(tmp_path / "result.xml").getroot()
    assert [suite.get(key) for key in ("tests", "failures", "errors")] == ["2", "0", "0"]
