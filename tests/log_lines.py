"""The lines of the log, as the reference shows them: from the modules that log them."""

import ast
import re
from collections.abc import Iterator
from itertools import takewhile

from tests.documents import ROOT, escaped, table

PACKAGE = ROOT / "faultinject"
LOG = PACKAGE / "journal" / "log.py"
LEVELS = {"warning": "WARNING", "error": "ERROR"}


def lines() -> str:
    """One row a line, sorted by its text, with its level and its occasion."""
    return table(("level", "line", "when"), sorted({*rows()}, key=lambda row: (row[1], row[2])))


def rows() -> Iterator[tuple[str, str, str]]:
    """Level, line with `…` for the variable parts, and occasion.

    The occasion is the comment above the call. In the module of the log it is the first paragraph of the function's
    docstring.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if path != LOG and "journal import log" not in source:
            continue
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for call, level, text in logged(function, "" if path == LOG else "log"):
                about = docstring(function) if path == LOG else comment(source.splitlines(), call.lineno)
                assert about, f"{path}:{call.lineno}: a comment above the call says when the line is logged"
                # Two values side by side are one to the reader.
                shown = re.sub(r"…[… ]*…", "…", text.replace("%s", "…"))
                yield level, f"`{shown}`", escaped(about)


def logged(function: ast.AST, module: str) -> Iterator[tuple[ast.Call, str, str]]:
    """The calls in a function that log a literal, each with its level and the literal."""
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Constant):
            continue
        owner, _, name = ast.unparse(call.func).rpartition(".")
        if owner == module and name in LEVELS:
            yield call, LEVELS[name], str(call.args[0].value)


def docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The first paragraph of a function's docstring."""
    return " ".join((ast.get_docstring(function) or "").partition("\n\n")[0].split())


def comment(source: list[str], line: int) -> str:
    """The comment above a line of a module."""
    above = takewhile(lambda text: text.lstrip().startswith("# "), reversed(source[: line - 1]))
    return " ".join(reversed([text.strip().removeprefix("# ") for text in above]))
