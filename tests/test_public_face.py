"""Tests use no name with an underscore of another object, and patch nothing in a module."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
INSIDE = TESTS / "inside.txt"
"""The files that still look inside; none is added."""


def found(path):
    """The lines of a file that look inside: `line: name`."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    own = {
        each.attr
        for each in nodes
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id in ("self", "cls")
    }
    for node in nodes:
        if (
            isinstance(node, ast.Attribute)
            and node.attr[0] == "_"
            and node.attr[:2] != "__"
            and node.attr not in own
            and ast.unparse(node) != "os._exit"
        ):
            yield f"{node.lineno}: .{node.attr}"
        elif isinstance(node, ast.Call) and str(
            getattr(node.func, "attr", getattr(node.func, "id", ""))
        ).endswith(("patch", "setattr")):
            for each in node.args[:1]:
                if isinstance(each, ast.Constant) and str(each.value).startswith("faultinject."):
                    yield f"{node.lineno}: patches {each.value}"


@pytest.mark.slow
def test_files_do_not_look_inside():
    """But for the listed ones, which are to become fewer."""
    inside = {str(each.relative_to(TESTS)): list(found(each)) for each in TESTS.rglob("*.py")}
    listed = set(INSIDE.read_text().split())
    looking = {name: lines for name, lines in inside.items() if lines}
    assert {name: lines for name, lines in looking.items() if name not in listed} == {}
    assert listed <= looking.keys(), "they no longer look inside: take them off tests/inside.txt"
