"""Arguments, attributes and modules that a docstring names exist, also after a renaming."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "faultinject"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    str(path.relative_to(PACKAGE).with_suffix("")).replace("/", ".").removesuffix(".__init__")
    for path in FILES
}
ROOMS = {module.partition(".")[0] for module in MODULES} | {"core", "faults", "stores"}
"""Those that there are, and those that there were."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[Path, ast.Module]:
    """The package, read."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


@cache
def classes() -> list[ast.ClassDef]:
    """Those of the package."""
    return [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def told(docstring: str, title: str) -> set[str]:
    """The names of a section of a docstring, such as `Args`."""
    found = re.search(rf"^{title}:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    lines = re.findall(r"^    (\w+(?:(?:, | and )\w+)*):", found[1], re.MULTILINE) if found else []
    return {name for line in lines for name in re.split(", | and ", line)}


def parameters(function: Function) -> set[str]:
    given = function.args
    stars = [each for each in (given.vararg, given.kwarg) if each is not None]
    return {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, *stars)}


def attributes(class_: ast.ClassDef) -> set[str]:
    """The attributes of an instance, with those of its bases in the package.

    Slots, annotations, methods, and attributes that methods set.
    """
    found: set[str] = set()
    for node in class_.body:
        if isinstance(node, Function):
            found.add(node.name)
            found |= {
                each.attr
                for each in ast.walk(node)
                if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
            }
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            named = {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            slots = ast.walk(node.value) if "__slots__" in named and node.value is not None else ()
            found |= named | {each.value for each in slots if isinstance(each, ast.Constant)}
    for each in class_.keywords:  # a struct's fields have the names by which they are printed
        if each.arg == "rename" and isinstance(each.value, ast.Dict):
            found |= {name.value for name in each.value.values if isinstance(name, ast.Constant)}
    bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in class_.bases}
    for base in classes():
        if base.name in bases and base is not class_:
            found |= attributes(base)
    return found


@pytest.mark.slow
def test_what_is_named_is_there() -> None:
    """No word of a docstring is left of something that was renamed."""
    missing, looked = [], 0
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef | Function):
                continue
            docstring = ast.get_docstring(node) or ""
            there = {"Args": parameters(node) if isinstance(node, Function) else attributes(node)}
            if isinstance(node, ast.ClassDef):
                there["Attributes"] = there["Args"]
                for each in node.body:
                    if isinstance(each, Function) and each.name == "__init__":
                        there["Args"] = parameters(each)
            for title, names in there.items():
                missing += [(path, node.name, name) for name in told(docstring, title) - names]
                looked += len(told(docstring, title))
        for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", path.read_text(encoding="utf-8")):
            if name.partition(".")[0] in ROOMS and not {name, name.rpartition(".")[0]} & MODULES:
                missing.append((path, "module", name))
    assert missing == []
    assert looked > 500
