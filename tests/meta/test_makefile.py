"""`make check` has gates, and each of them can shut."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("makefile")]  # they share a tree

MODULE = '''"""A module."""


def sign(number: int) -> str:
    """Its sign."""
    if number < 0:
        return "-"
    return "+"
'''

TESTS = '''"""Tests of the module."""

from fwemu.core.signs import sign


def test_both_signs():
    """Both ways."""
    assert sign(1) == "+"
    assert sign(-1) == "-"
'''

ELSEWHERE = '''"""A test outside the core."""


def test_something():
    """It holds."""
    assert 1 + 1 == 2
'''


class Tree:
    """A checkout with one function in it, and the real Makefile and settings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        project = (ROOT / "pyproject.toml").read_text()
        self.write("pyproject.toml", project)
        self.write("Makefile", (ROOT / "Makefile").read_text())
        self.write("scripts/setup", "#!/bin/sh\n")
        (root / "scripts/setup").chmod(0o755)
        (root / ".venv").symlink_to(sys.prefix)
        contracts = tomllib.loads(project)["tool"]["importlinter"]["contracts"]
        modules = {"netns", "reference", "fwemu.core", "fwemu.pytest_plugin"}
        for contract in contracts:
            for key in ("layers", "modules", "source_modules", "forbidden_modules"):
                for names in contract.get(key, []):
                    modules.update(name.strip() for name in names.split("|"))
        for name in modules:
            for package in [name, *name.split(".")[:-1]]:
                self.write(f"{package.replace('.', '/')}/__init__.py", '"""A room."""\n')
        self.write("fwemu/core/signs.py", MODULE)
        for folder in ("core", "meta"):
            self.write(f"tests/{folder}/__init__.py", "")
        self.write("tests/core/test_signs.py", TESTS)
        self.write("tests/meta/test_elsewhere.py", ELSEWHERE)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @contextmanager
    def broken(self, name: str, old: str, new: str) -> Iterator[None]:
        """With something else in a file."""
        before = (self.root / name).read_text()
        assert old in before
        self.write(name, before.replace(old, new))
        try:
            yield
        finally:
            self.write(name, before)

    def check(self) -> subprocess.CompletedProcess[str]:
        """`make check`, in one process and with no plugin that it does not need."""
        return subprocess.run(
            ["make", "check", "WORKERS=0"], cwd=self.root, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("checkout"))


FAULTS = {
    "a line that is not formatted": (
        "fwemu/core/signs.py", 'return "+"', "return '+'", "would be reformatted",
    ),
    "an import that nobody uses": (
        "fwemu/core/signs.py", '"""A module."""\n', '"""A module."""\n\nimport os\n', "F401",
    ),
    "a wrong type": (
        "fwemu/core/signs.py", 'return "+"', "return number", "Incompatible return value",
    ),
    "an arrow that runs up": (
        "fwemu/core/__init__.py",
        "room",
        'room."""\n\nfrom fwemu import cli\n\n__all__ = ["cli"]\n"""',
        "Arrows run one way BROKEN",
    ),
    "a branch that no test of the core takes": (
        "tests/core/test_signs.py", '    assert sign(-1) == "-"\n', "",
        "Required test coverage of 100% not reached",
    ),
    "a failing test of the core": (
        "tests/core/test_signs.py", 'sign(1) == "+"', 'sign(1) == "-"', "1 failed",
    ),
    "a failing test elsewhere": (
        "tests/meta/test_elsewhere.py", "1 + 1 == 2", "1 + 1 == 3", "1 failed",
    ),
}  # fmt: skip


def test_a_sound_tree_passes(tree: Tree) -> None:
    """Otherwise the others would say nothing."""
    done = tree.check()

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("1 passed") == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_make_check_fails_for(tree: Tree, fault: str) -> None:
    """By its exit code, which is all that CI looks at, and with words that name the fault."""
    name, old, new, says = FAULTS[fault]

    with tree.broken(name, old, new):
        done = tree.check()

    assert done.returncode != 0, done.stdout
    assert says in done.stdout
