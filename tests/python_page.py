"""The reference page of the Python interface: signatures and docstrings of all public names.

It is made here and not by Sphinx's autodoc: docstrings are Markdown, in which one backtick is code, autodoc would read
them as reStructuredText, and a page that is a file is read on GitHub too and is compared with the code by the tests.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import typing
from functools import cached_property
from types import FunctionType, ModuleType, UnionType

import faultinject
from faultinject import exceptions, strategies, vendors
from tests.documents import escaped

WIDTH = 100
SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields")
HEAD = """# Python

All public names of the package, made from their docstrings. `import faultinject` loads each on first use. How they are
used: [Inject faults from code](../how-to/python.md) and [pytest](../how-to/pytest.md). Names that are not on this page
may change in any release.
"""
ERRORS = [
    name for name, each in vars(exceptions).items() if isinstance(each, type) and issubclass(each, Exception)
]
MODULES = (
    (exceptions, ERRORS, "Every error is a `faultinject.FaultInjectError`."),
    (vendors, vendors.__all__, "The catalogue."),
    (strategies, ["scenarios"], "For Hypothesis, with the extra `hypothesis`."),
)


class Verbatim:
    """An annotation as the source has it."""

    def __init__(self, text: object) -> None:
        self.text = text if isinstance(text, str) else in_words(text)

    def __repr__(self) -> str:
        return self.text


def in_words(kind: object) -> str:
    """A type as people write it: without modules, and without the bounds of its values."""
    if typing.get_origin(kind) is typing.Annotated:
        return in_words(typing.get_args(kind)[0])
    if kind is Ellipsis:
        return "..."
    if isinstance(kind, type) and not typing.get_args(kind):
        return kind.__name__
    inner = [in_words(each) for each in typing.get_args(kind) if each is not type(None)]
    if typing.get_origin(kind) in (typing.Union, UnionType):
        return " | ".join([*inner, "None"] if type(None) in typing.get_args(kind) else inner)
    if typing.get_origin(kind) is typing.Literal or not inner:
        return re.sub(r"\b\w+\.", "", str(kind)).removeprefix("~")
    return f"{in_words(typing.get_origin(kind))}[{', '.join(inner)}]"


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    names = [name for name in faultinject.__all__ if not isinstance(getattr(faultinject, name), ModuleType)]
    functions = [name for name in names if isinstance(getattr(faultinject, name), FunctionType)]
    # What an interpreter words in its own way, such as a union, has its docstring in the source alone.
    classes = [name for name in names if isinstance(getattr(faultinject, name), type)]
    parts += ["## Functions\n", *(entry(name, getattr(faultinject, name)) for name in functions)]
    parts += [
        "## Classes\n",
        *(
            entry(name, getattr(faultinject, name))
            for name in classes
            if not issubclass(getattr(faultinject, name), Exception)
        ),
    ]
    for module, listed, sentence in MODULES:
        parts.append(f"## {module.__name__}\n\n{sentence}\n")
        prefix = f"{module.__name__.partition('.')[2]}."
        parts += [entry(name, getattr(module, name), prefix) for name in listed]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def entry(name: str, found: object, prefix: str = "") -> str:
    """A heading, the signature, and what the docstring says."""
    parts = [f"### {prefix}{name}\n"]
    if isinstance(found, type) and issubclass(found, Exception):
        bases = ", ".join(each.__name__ for each in found.__bases__)
        parts.append(f"Bases: `{bases}`.\n")
    elif isinstance(found, type) and issubclass(found, dict):
        parts.append("The keys of a rule, for type checkers; [Rules](rules.md) explains each.\n")
    else:
        parts.append(block(f"{prefix}{name}{signature(found)}"))
    parts.append(described(found))
    if isinstance(found, type) and not issubclass(found, dict | Exception):
        parts += [member(name, key, each) for key, each in members(found)]
    return "\n".join(parts)


def members(found: type) -> list[tuple[str, object]]:
    """Public methods and properties with a docstring, those of bases in the package first."""
    named: dict[str, object] = {}
    for each in reversed(found.__mro__):
        if each.__module__.startswith("faultinject"):
            named |= {key: value for key, value in vars(each).items() if key[0] != "_"}
    kept = (FunctionType, property, cached_property, classmethod, staticmethod)
    return [(key, each) for key, each in named.items() if isinstance(each, kept) and documented(each)]


def documented(found: object) -> str:
    """The docstring without its indentation, or nothing."""
    return inspect.cleandoc(getattr(found, "__doc__", None) or "")


def member(owner: str, name: str, found: object) -> str:
    """A method or a property."""
    if isinstance(found, property | cached_property):
        kind = signature(found.fget if isinstance(found, property) else found.func).rpartition(" -> ")[2]
        return f"#### {owner}.{name}\n\n{block(f'{owner}.{name}: {kind}')}\n{described(found)}"
    bare = found.__func__ if isinstance(found, classmethod | staticmethod) else found
    return f"#### {owner}.{name}\n\n{block(f'{owner}.{name}{signature(bare)}')}\n{described(found)}"


def signature(found: object) -> str:
    """The signature as the source has it, on one line or one parameter a line."""
    try:
        made = inspect.signature(found)
    except (TypeError, ValueError):
        return "()"
    parameters = [
        each.replace(
            annotation=each.annotation if each.annotation is each.empty else Verbatim(each.annotation)
        )
        for each in made.parameters.values()
        if each.name not in ("self", "cls")
    ]
    returns = "" if made.return_annotation is made.empty else f" -> {Verbatim(made.return_annotation)}"
    shown = str(inspect.Signature(parameters))
    if len(shown) + len(returns) <= WIDTH:
        return f"{shown}{returns}"
    lines = []
    starred = False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not starred:
            lines.append("    *,")
            starred = True
        starred = starred or each.kind is each.VAR_POSITIONAL
        lines.append(f"    {each},")
    inside = "\n".join(lines)
    return f"(\n{inside}\n){returns}"


def block(text: str) -> str:
    """Code that is not run."""
    return f"```text\n{text}\n```\n"


def described(found: object) -> str:
    """A docstring of Google's style in Markdown: sections are lists, examples are code."""
    lines = documented(found).splitlines()
    parts: list[str] = []
    prose: list[str] = []

    def flush() -> None:
        if prose:
            parts.append("\n".join(prose).strip() + "\n")
            prose.clear()

    at = 0
    while at < len(lines):
        line = lines[at]
        if line.removesuffix(":") in SECTIONS and line.endswith(":"):
            flush()
            end = at + 1
            while end < len(lines) and (not lines[end] or lines[end][0] == " "):
                end += 1
            parts.append(section(line.removesuffix(":"), textwrap.dedent("\n".join(lines[at + 1 : end]))))
            at = end
        elif line.startswith(">>> "):
            flush()
            end = at
            while end < len(lines) and lines[end]:
                end += 1
            parts.append(block("\n".join(lines[at:end])))
            at = end
        else:
            prose.append(escaped(line))
            at += 1
    flush()
    return "\n".join(each for each in parts if each.strip())


def section(title: str, body: str) -> str:
    """`Args` and its like as a list."""
    words = {"Args": "Arguments"}.get(title, title)
    items: list[str] = []
    for line in body.splitlines():
        if found := re.match(r"([\w*]+(?:(?:, | and )[\w*]+)*): (.*)", line):
            items.append(f"- `{found[1]}`: {escaped(found[2])}")
        elif line.strip():
            text = escaped(line.strip())
            items.append(
                f"  {text}" if items and line[0] == " " else f"- {text}" if not items else f"  {text}"
            )
    return f"{words}:\n\n" + "\n".join(items) + "\n"
