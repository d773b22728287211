"""The guide on adding things: each example is applied to a copy of the tree and tested there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "adding.md").read_text()
EXAMPLES = dict(re.findall(r"^```\w+ tried=([\w-]+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))

TESTS = {
    "setting": ["core/test_quote.py", "core/test_policy.py", "core/test_forge.py", "config"],
    "effect": ["core/test_effects.py", "core/test_firewall_operators.py", "daemon/test_records.py",
               "daemon/test_tally.py", "daemon/test_formats.py"],
    "sink": ["daemon/test_ends_file.py", "daemon/test_sinks.py"],
    "tracker": ["core/test_udplite.py", "core/test_packet.py", "core/test_flow.py",
                "core/test_trackers.py", "property/test_packet.py"],
    "device-log": ["daemon/test_formats.py", "daemon/test_device_log.py"],
    "command": ["cli/test_uptime.py", "cli/test_main.py", "cli/test_completion.py"],
}  # fmt: skip
"""What the guide names for each example that changes code; `tests/reference` and the map of
ARCHITECTURE.md are always asked."""

ALWAYS = [
    "reference",
    "meta/test_architecture.py::test_the_code_map_has_every_module_and_no_other",
]


def apply(example: str, tree: Path) -> None:
    """Change files as the guide says: `--- file` has lines to find, `+++ file` is a new one."""
    parts = re.split(r"^(---|\+\+\+) (\S+)\n", example, flags=re.MULTILINE)[1:]
    for kind, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        lines = body.splitlines()
        assert {line[:1] for line in lines} <= {"+", "-", " "}, f"{name}: {body}"
        new = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
        path = tree / name
        if kind == "+++":
            assert not path.exists(), f"{name} is there already"
            path.write_text(new)
            continue
        old = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
        text = path.read_text()
        assert text.count(old) == 1, f"{name}: the guide looks for this, once:\n{old}"
        path.write_text(text.replace(old, new))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that git knows, in a repository of its own."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    copy = tmp_path / "tree"
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    if (ROOT / ".mypy_cache").is_dir():  # else it takes a minute
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    return copy


def run(tree: Path, *words: str) -> None:
    """Run a Python module in the copy, which is what Python then finds first."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tree, capture_output=True, text=True, timeout=500,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


@pytest.mark.parametrize("name", TESTS)
def test_an_example_fits_the_files_as_they_are(name, tmp_path):
    """Whoever moves the lines that an example looks for hears of it soon."""
    for path in re.findall(r"^(?:---|\+\+\+) (\S+)$", EXAMPLES[name], re.MULTILINE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).exists():
            shutil.copy(ROOT / path, tmp_path / path)

    apply(EXAMPLES[name], tmp_path)


@pytest.mark.slow
@pytest.mark.xdist_group("adding-guide")  # they take turns
@pytest.mark.parametrize("name", TESTS)
def test_an_example_works_as_printed(name, tree):
    """Whoever follows the guide gets something that passes what the guide names."""
    apply(EXAMPLES[name], tree)

    run(tree, "ruff", "check", "--fix", ".")
    run(tree, "mypy")
    run(tree, "reference")
    files = [f"tests/{each}" for each in (*TESTS[name], *ALWAYS)]
    run(tree, "pytest", "-q", "-p", "no:cacheprovider", "-m", "not kernel", *files)


def test_the_profile_of_the_guide_is_a_profile(tmp_path):
    """Without problems, as `fwemu profiles check` sees it."""
    path = tmp_path / "example.toml"
    path.write_text(EXAMPLES["profile"])
    run(ROOT, "fwemu", "profiles", "check", str(path))


def test_the_story_of_the_guide_goes_as_told(tmp_path):
    """In virtual time."""
    path = tmp_path / "example.story"
    path.write_text(EXAMPLES["story"])
    run(ROOT, "fwemu", "scenario", "run", str(path))


def test_the_guide_names_tests_that_are_there():
    """And every example is tried."""
    named = re.findall(r"`(tests/[\w./-]+)`", GUIDE)
    tried = {*TESTS, "profile", "story"}

    assert [name for name in named if not (ROOT / name).exists()] == []
    assert set(EXAMPLES) == tried
    rows = re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\) \| .* \| (yes)? ?\|$", GUIDE, re.MULTILINE)
    headings = re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    assert [anchor for anchor, _ in rows] == [title.lower().replace(" ", "-") for title in headings]
    assert len(tried) == sum(yes == "yes" for _, yes in rows)
