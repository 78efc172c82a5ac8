"""The lines of the log, as the reference shows them: from the module that says them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.documents import ROOT, escaped, table

SAYS = {"_warn": "WARNING", "warning": "WARNING", "error": "ERROR"}


def lines() -> str:
    """One row a line, in the order of the module, with its level and what the function that says it is for."""
    return table(("level", "line", "when"), rows())


def rows() -> Iterator[tuple[str, str, str]]:
    """Level, line with `…` for what differs, and the first paragraph of the docstring."""
    tree = ast.parse((ROOT / "faultinject" / "journal" / "log.py").read_text(encoding="utf-8"))
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or function.name == "_warn":
            continue
        about = " ".join((ast.get_docstring(function) or "").partition("\n\n")[0].split())
        for level, text in said(function):
            # Two values side by side are one to the reader.
            shown = re.sub(r"…[… ]*…", "…", text.replace("%s", "…"))
            yield level, f"`{shown}`", escaped(about)


def said(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """What a function says: the literals that it gives the log."""
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        name = getattr(call.func, "id", None) or getattr(call.func, "attr", None)
        first = call.args[0]
        if name in SAYS and isinstance(first, ast.Constant):
            yield SAYS[name], str(first.value)
