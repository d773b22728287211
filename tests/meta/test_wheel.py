"""The wheel is the whole product: installed into an empty environment, it runs its main job."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Python of an environment in which there is nothing but the wheel, and pytest."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "empty", with_pip=True)
    python = folder / "empty" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-c", constraints(folder), wheel, "pytest"],
        check=True,
        capture_output=True,
    )
    return python


def test_the_readme_s_test_runs_as_printed_in_an_empty_project(tmp_path, python):
    """Whoever installs fwemu has the plugin, and needs to write nothing else."""
    _, example = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL
    )
    (tmp_path / "test_idle.py").write_text(example)

    done = subprocess.run(
        [python, "-m", "pytest", "-W", "error", "--fwemu-require", "test_idle.py"],
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
        timeout=60,
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
        timeout=60,
    )

    assert stories.returncode == 0, stories.stderr
    assert '"handshake/three_way"' in stories.stdout


def constraints(folder: Path) -> Path:
    """The locked versions, without their hashes: pip wants hashes for all or for nothing."""
    lines = (ROOT / "requirements" / "dev.lock").read_text().splitlines()
    pins = [line.rstrip(" \\") for line in lines if "==" in line and not line.startswith(" ")]
    path = folder / "constraints.txt"
    path.write_text("\n".join(pins) + "\n")
    return path
