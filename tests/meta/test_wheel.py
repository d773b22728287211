"""The wheel is the whole product: installed into an empty environment, it runs its main job."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.kernel
def test_the_wheel_runs_the_demo_in_an_empty_environment(tmp_path):
    """Profiles and packages that only a checkout has would be missed by every other test."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-c", constraints(tmp_path), wheel],
        check=True,
        capture_output=True,
    )

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
    lines = (ROOT / "requirements" / "run.lock").read_text().splitlines()
    pins = [line.rstrip(" \\") for line in lines if "==" in line and not line.startswith(" ")]
    path = folder / "constraints.txt"
    path.write_text("\n".join(pins) + "\n")
    return path
