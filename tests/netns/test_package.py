"""The package as a whole: what it exports, and its example."""

import ast
import pathlib
import textwrap

import pytest

import netns


def test_everything_exported_exists_and_is_documented():
    """`help(netns)` is the manual."""
    assert len(set(netns.__all__)) == len(netns.__all__)
    for name in netns.__all__:
        assert getattr(netns, name).__doc__, name


def test_netns_knows_nothing_of_fwemu_and_only_rtnl_knows_pyroute2():
    """It is a package of its own, and one module hides the library below."""
    for path in pathlib.Path(netns.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                top = module.split(".")[0]
                assert top != "fwemu", path.name
                assert top != "pyroute2" or path.name == "rtnl.py", path.name


@pytest.mark.kernel
def test_the_example_of_the_docstring_runs(prefix):
    """The first thing anyone copies must work."""
    code = netns.__doc__.split("as root:\n\n")[1].split("\n\nNothing of it")[0]
    exec(textwrap.dedent(code).replace("demo-", prefix), {})
