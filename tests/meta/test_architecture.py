"""The house is as ARCHITECTURE.md draws it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
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
    "netfilterqueue": {"fwemu/daemon/library_queue.py"},
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
    """It is a package of its own right: neither an import nor a message names what uses it."""
    users = [path.name for path in (ROOT / "netns").rglob("*.py") if "fwemu" in path.read_text()]

    assert users == []


def test_arrows_run_one_way():
    """The layers of pyproject.toml, as import-linter sees them."""
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_the_product_imports_nothing_that_is_not_shipped():
    """`reference`, `bench` and the tests stand outside."""
    strangers = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in product()
        for name in imports(path)
        if name.split(".")[0] in ("reference", "bench", "tests")
    }

    assert strangers == set()


# -- ARCHITECTURE.md is true ---------------------------------------------------------------------

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    return re.split(r"^#+ .*$", ARCHITECTURE.split(f"# {title}\n", 1)[1], flags=re.MULTILINE)[0]


PACKAGES = [
    str(path.parent.relative_to(ROOT))
    for top in ("fwemu", "netns", "reference")
    for path in sorted((ROOT / top).rglob("__init__.py"))
]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_code_map_has_every_module_and_no_other(package):
    """A newcomer finds what a file is for, and no file that is gone."""
    there = {path.name for path in (ROOT / package).glob("*.py")} - {"__init__.py"}
    named = re.findall(
        r"`(\w+\.py)`", "".join(re.findall(r"^\| (`.*?) \|", section(f"`{package}`"), re.M))
    )

    assert sorted(named) == sorted(there)


def test_the_layers_are_those_of_the_contract():
    """The arrows in the code map, and pyproject.toml."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in contract["contracts"] if each["type"] == "layers")
    arrows = ARCHITECTURE[ARCHITECTURE.index("cli, pytest_plugin →") :].partition("```")[0]
    drawn = [{name.strip() for name in layer.split(",")} for layer in arrows.split("→")]

    assert drawn == [set(re.findall(r"fwemu\.(\w+)", layer)) for layer in layers]


def guards() -> list[tuple[str, str]]:
    """The file and the function of the guard of each invariant."""
    return re.findall(r"^  `([\w/.]+)::(\w+)`$", section("Invariants"), re.MULTILINE)


def test_every_invariant_has_a_guard():
    """An invariant that nothing checks is a hope."""
    invariants = re.findall(r"^- ", section("Invariants"), re.MULTILINE)

    assert len(guards()) == len(invariants) > 20


@pytest.mark.parametrize(("path", "name"), guards(), ids=lambda each: each.rpartition("/")[2])
def test_the_guard_of_an_invariant_is_there(path, name):
    """A test that was renamed is to be found again."""
    assert f"def {name}(" in (ROOT / path).read_text()


@cache
def modules() -> frozenset[str]:
    """The names of all modules, `fwemu.core.tcp` and the like."""
    paths = [*product(), *sorted((ROOT / "reference").rglob("*.py"))]
    dotted = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    return frozenset(name.removesuffix(".__init__") for name in dotted)


def named_in_strings(path: Path) -> set[str]:
    """Modules that a file names in strings: of another package, or to be started by `-m`."""
    tree, known = ast.parse(path.read_text()), modules()
    package = ".".join(path.relative_to(ROOT).parts[:-1])
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    started: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            for option, value in pairwise(node.elts):
                if isinstance(option, ast.Constant) and option.value == "-m":
                    started.add(id(value))
    found = set()
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if not is_text or id(node) in docstrings:
            continue
        for option, name in re.findall(r"(-m )?\b((?:fwemu|netns|reference)[\w.]*)", node.value):
            while name not in known and "." in name:
                name = name.rpartition(".")[0]
            is_start = bool(option) or id(node) in started
            is_elsewhere = "." in name and name.rpartition(".")[0] != package
            if name in known and (is_start or is_elsewhere):
                found.add(name)
    return found


def test_module_names_in_strings_are_on_the_list():
    """import-linter does not see them, and some lead upwards; a new one is to be thought about."""
    listed = set(
        re.findall(
            r"^\| `([\w/.]+)` \| `([\w.]+)` \|", section("Arrows that no import shows"), re.M
        )
    )
    found = {
        (str(path.relative_to(ROOT)), name) for path in product() for name in named_in_strings(path)
    }

    assert found == listed


def test_lines_can_be_read_beside_code():
    """Beyond 110 characters they wrap in a terminal; a name of a test cannot be cut."""
    lines = (line for line in ARCHITECTURE.splitlines() if not line.startswith("  `"))
    long = [line for line in lines if len(line) > 110]

    assert long == []


TESTED_ELSEWHERE = {
    "active_policy": "test_reconfigure.py",  # holds things together; another policy replaces it
    "arrival": "test_acl.py",  # a record and a type: whoever handles packets uses both
    "choices": "test_policy.py",  # words of settings
    "endings": "test_firewall_expiry.py",
    "fragment_verdicts": "test_fragments.py",
    "openings": "test_firewall_unknown.py",
    "operators": "test_firewall_operators.py",
    "refusals": "test_firewall_answers.py",
    "stateful": "test_firewall_tcp.py",
}
"""Modules of the core whose tests are named after what they do, and where most of these are."""


@pytest.mark.parametrize(
    "module", sorted(path.stem for path in CORE.glob("*.py") if path.stem != "__init__")
)
def test_a_module_of_the_core_has_its_tests(module):
    """In a file of its name, or in one that is written down; never both, and never none."""
    own, elsewhere = f"test_{module}.py", TESTED_ELSEWHERE.get(module)
    tests = ROOT / "tests" / "core"

    assert (tests / own).exists() == (elsewhere is None)
    assert elsewhere is None or (tests / elsewhere).exists()


def test_a_module_whose_tests_are_elsewhere_is_still_there():
    """The list above is of today's modules."""
    assert TESTED_ELSEWHERE.keys() <= {path.stem for path in CORE.glob("*.py")}


def test_what_architecture_and_contributing_name_is_there():
    """A document that names what is gone misleads."""
    for document in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        for name in re.findall(
            r"`((?:fwemu|netns|tests|config|docs|bench|reference|scripts)/[\w./-]+)`",
            (ROOT / document).read_text(),
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
