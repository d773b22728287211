"""The house is as ARCHITECTURE.md draws it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "fwemu" / "core"

PURE = {
    "__future__", "bisect", "collections", "collections.abc", "dataclasses", "enum", "heapq",
    "ipaddress", "operator", "struct", "typing",
}  # fmt: skip
"""Standard modules that neither read nor change the world."""

SPECIAL = {
    "netfilterqueue": {"fwemu/daemon/queue.py"},
    "pyroute2": {"netns"},
    "scapy": set(),
}
"""Who in the product may import what."""


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def product() -> list[Path]:
    """Every module that is shipped."""
    return sorted([*(ROOT / "fwemu").rglob("*.py"), *(ROOT / "netns").rglob("*.py")])


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.name)
def test_the_core_imports_itself_and_pure_modules_only(path):
    """It decides from packets and time alone; I/O would make that untestable."""
    foreign = {
        name for name in imports(path) if name not in PURE and not name.startswith("fwemu.core")
    }

    assert foreign == set()


@pytest.mark.parametrize("library", sorted(SPECIAL))
def test_a_special_library_is_imported_in_its_place_only(library):
    """So that it can be replaced there, and is not loaded where it is not needed."""
    users = {
        str(path.relative_to(ROOT))
        for path in product()
        if any(name.split(".")[0] == library for name in imports(path))
    }

    strangers = {user for user in users if not user.startswith(tuple(SPECIAL[library]) or "-")}

    assert strangers == set()


def test_netns_knows_nothing_of_fwemu():
    """It is shipped as a package of its own right."""
    users = [
        path.name
        for path in (ROOT / "netns").rglob("*.py")
        if any(name.split(".")[0] == "fwemu" for name in imports(path))
    ]

    assert users == []


def test_arrows_run_one_way():
    """The layers of pyproject.toml, as import-linter sees them."""
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_every_module_of_the_core_is_on_the_code_map():
    """ARCHITECTURE.md is true."""
    text = (ROOT / "ARCHITECTURE.md").read_text()

    missing = [
        path.name
        for path in CORE.glob("*.py")
        if path.name != "__init__.py" and f"`{path.name}`" not in text
    ]

    assert missing == []


def test_what_architecture_and_contributing_name_is_there():
    """A document that names what is gone misleads."""
    for document in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        for name in re.findall(
            r"`((?:fwemu|netns|tests|config|docs|bench)/[\w./-]+)`", (ROOT / document).read_text()
        ):
            assert (ROOT / name).exists(), f"{document} names {name}"


def test_nothing_in_the_product_speaks_of_how_it_was_made():
    """The code stands by itself."""
    telltale = "sha" + "red/"

    found = [
        str(path.relative_to(ROOT))
        for folder in ("fwemu", "netns", "config", "docs", "bench", "tests", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".md", ".toml", ".sh", ""}
        and telltale in path.read_text(errors="replace")
    ]

    assert found == []
