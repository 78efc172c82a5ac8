"""What tests hold on to: public names, and the few that a room shows in its `__init__`; so they outlive what is inside."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
INSIDE = TESTS / "inside.txt"
"""The files that still look inside. None is added."""
PUBLIC = ("faultinject", "faultinject.exceptions", "faultinject.strategies", "faultinject.vendors")
DOORS = ("faultinject.clients.", "faultinject.store", "faultinject.telemetry.")
"""What the documents tell people to import besides."""


def found(path):
    """What a file uses that is no face: `line: what`."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    own = {
        each.attr
        for each in nodes
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id in ("self", "cls")
    }
    for node in nodes:
        if isinstance(node, ast.Import):
            for each in node.names:
                if is_inner(each.name):
                    yield f"{node.lineno}: import {each.name}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "faultinject":
            for each in node.names:
                if is_inner(node.module, each.name):
                    yield f"{node.lineno}: from {node.module} import {each.name}"
        elif (
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


def is_inner(module, name=None):
    """Whether it is no public module, nor a name that a package's `__init__` shows, nor in a module that is a room of its own."""
    if module.split(".")[0] != "faultinject" or module.startswith(DOORS):
        return False
    if name is None:
        return module not in PUBLIC
    path = ROOT.joinpath(*module.split("."))
    if not path.is_dir():
        return module not in PUBLIC and module.count(".") > 1
    room = path / name
    return f"{module}.{name}" not in PUBLIC and (
        room.is_dir() or (room.with_suffix(".py").exists() and module != "faultinject")
    )


def test_files_use_faces_alone():
    """But for the listed ones, which are to become fewer."""
    inside = {str(each.relative_to(TESTS)): list(found(each)) for each in TESTS.rglob("*.py")}
    listed = set(INSIDE.read_text().split())
    for name, lines in inside.items():
        assert not lines or name in listed, f"{name} looks inside:\n" + "\n".join(lines)
        assert lines or name not in listed, f"{name} no longer looks inside: take it off tests/inside.txt"
    assert listed <= inside.keys()
