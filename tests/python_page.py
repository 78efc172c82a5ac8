"""The reference page of the Python interface: signatures and docstrings of all public names.

It is made here and not by Sphinx's autodoc: docstrings are Markdown, in which one backtick is code, autodoc would read
them as reStructuredText, and a page that is a file is read on GitHub too and is compared with the code by the tests.
"""

import inspect
import re
import textwrap
import typing
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cached_property
from types import FunctionType, UnionType

import faultinject
from faultinject import exceptions, plugins, strategies, vendors
from tests.documents import escaped

WIDTH = 100
TITLES = {
    "Args": "Arguments",
    "Returns": "Returns",
    "Raises": "Raises",
    "Attributes": "Attributes",
    "Yields": "Yields",
}
OF_VALUES = {**TITLES, "Args": "Attributes"}
"""Arguments of a value are its attributes."""
OF_OTHERS = {**TITLES, "Args": "", "Raises": ""}
"""The constructor is not promised."""
HEAD = """# Python

All public names of the package, made from their docstrings. `import faultinject` loads each on first use. How they are
used: [Inject faults from code](../how-to/python.md) and [pytest](../how-to/pytest.md).

A minor release may add names, members, keyword arguments and checks, and change messages; a name of this page goes, or changes
its meaning, only after one minor release in which it gives a `DeprecationWarning`. What is not on this page may change in any
release.
"""  # fmt: skip
ERRORS = [
    name for name, each in vars(exceptions).items() if isinstance(each, type) and issubclass(each, Exception)
]
MEMBERS = {
    "ASGIFaultMiddleware": "",
    "Attempt": "injected undecided answered_by_fault documented answer part to_dict to_line",
    "AttemptHint": "",
    "Call": "gaps same_bytes resumed succeeded inferred",
    "DocumentedError": "address label to_dict",
    "Exploration": "report to_json",
    "Fault": "meaning check prepare in_words delay_in_words fails draws",
    "Faults": (
        "injected attempts outcomes calls rules seed env injector add clear call pause run "
        "fast_forward explore findings assert_retries assert_all_fired"
    ),
    "Finding": "name full_name wrong measured to_dict",
    "Injector": "use add replace remove enable_rule disable_rule reset enable disable counts state",
    "Journal": "outcomes requests dropped",
    "NamedCall": "",
    "Outcome": "injected undecided to_dict to_line",
    "Problem": "",
    "Profile": "",
    "Rule": "vendor value set_headers label doubts named to_dict",
    "RuleCounts": "",
    "RuleKeys": "",
    "Run": "",
    "Scenario": "parse load from_toml from_json from_env to_toml to_json",
    "State": "disabled",
    "Storage": "vendor url host port client client_kwargs reset close",
    "StorageFactory": "",
    "Vendor": "errors find has group groups",
    "WSGIFaultMiddleware": "",
    "Waits": "monotonic wait",
}
"""The promised members of each class, without methods that only the package calls."""
ATTRIBUTES = {
    "Call": "attempts first last retries signal closed shared cut name returned error",
    "Exploration": "seconds",
    "Outcome": "",
    "Run": "scenario requests error",
    "State": "scenario seed began on until why_off generation",
}
"""The promised attributes of the classes that have others as well.

Another page explains those of `Outcome`.
"""
MADE_BY_USERS = (
    "ASGIFaultMiddleware",
    "Fault",
    "Injector",
    "Problem",
    "Rule",
    "Scenario",
    "Storage",
    "Vendor",
    "WSGIFaultMiddleware",
)
"""The classes whose constructor is promised; faultinject makes the others."""
VALUES = ("Call", "Finding", "State")
"""Those whose arguments are their attributes."""
OF_THE_JOURNAL = "Outcome"
"""The class whose attributes another page explains."""
REPEATED = 3
"""An entry that so many members of a class have in common stands there once."""
PLUGINS = {
    "STORES": 'The embedded stores, by their vendor\'s id: `dataclasses.replace(STORES["s3"], …)` makes another one.',
    "Act": "A function from a `Request`, its `Entry` and the draw to an `Action`: `Fault.prepare` returns one.",
    "Action": "`Respond`, `Forward` or `Disconnect`.",
    "MatchKey": (
        "A rule's number, its scope, the identity of the request, and its rate or None: "
        "`Counts.match` counts each."
    ),
    "Number": "The number of a match in its scope, its number for that identity, and whether the rate is exceeded.",
    "Store": "A store of counts: `begin`, `version`, `publish` and `counts`.",
}
"""The names of `faultinject.plugins` that have no docstring where the program runs."""
MODULES = (
    (exceptions, ERRORS, "Every error is a `faultinject.FaultInjectError`."),
    (vendors, vendors.__all__, "The catalogue."),
    (strategies, ["scenarios"], "For Hypothesis, with the extra `hypothesis`."),
)


PARTS = re.compile(
    rf"^(?P<title>{'|'.join(TITLES)}):\n(?P<body>(?:(?: .*)?\n)*)"
    r"|^(?P<example>>>> (?:.+\n)+)"
    rf"|^(?P<prose>(?:(?!(?:{'|'.join(TITLES)}):\n|>>> ).*\n)+)",
    re.MULTILINE,
)
"""The parts of a docstring: sections, examples, and what stands between them."""


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
    values = {name: getattr(faultinject, name) for name in faultinject.__all__}
    functions = {name: value for name, value in values.items() if isinstance(value, FunctionType)}
    # What an interpreter words in its own way, such as a union, has its docstring in the source alone.
    classes = {
        name: value
        for name, value in values.items()
        if isinstance(value, type) and not issubclass(value, Exception)
    }
    words = {
        name: typing.get_args(value)
        for name, value in values.items()
        if typing.get_origin(value) is typing.Literal
    }
    parts = [
        HEAD,
        "## Functions\n",
        *(entry(*each) for each in functions.items()),
        "## Classes\n",
        *(entry(*each) for each in classes.items()),
        "## Words\n\nThe types of attributes that have one of a few words.\n",
        *(f"- `{name}`: {', '.join(f'`{each}`' for each in found)}" for name, found in words.items()),
        "",
    ]
    for module, listed, sentence in MODULES:
        parts.append(f"## {module.__name__}\n\n{sentence}\n")
        prefix = f"{module.__name__.partition('.')[2]}."
        made = line if module is exceptions else entry
        parts += [*(made(name, getattr(module, name), prefix) for name in listed), ""]
    parts.append(f"## faultinject.plugins\n\n{plugins.__doc__}")
    parts += [f"- `{name}`: {escaped(in_short(name))}" for name in plugins.__all__]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def line(name: str, found: type, prefix: str) -> str:
    """An error in one item of a list, with its bases."""
    bases = ", ".join(f"`{each.__name__}`" for each in found.__bases__)
    return f"- `{prefix}{name}` ({bases}): {' '.join(described(documented(found)).split())}"


def in_short(name: str) -> str:
    """The meaning of a name of `faultinject.plugins`."""
    return PLUGINS.get(name) or documented(getattr(plugins, name)).partition("\n")[0]


def entry(name: str, found: object, prefix: str = "") -> str:
    """A heading, the signature, and what the docstring says."""
    parts = [f"### {prefix}{name}\n"]
    titles = TITLES
    if isinstance(found, type) and issubclass(found, dict):
        parts.append("The keys of a rule, for type checkers; [Rules](rules.md) explains each.\n")
    elif not isinstance(found, type) or name in MADE_BY_USERS:
        parts.append(block(f"{prefix}{name}{signature(found)}"))
    else:
        titles = OF_VALUES if name in VALUES else OF_OTHERS
    kept = ATTRIBUTES[name].split() if name in ATTRIBUTES else None
    parts.append(described(documented(found), titles, kept))
    if name == OF_THE_JOURNAL:
        parts.append("Its attributes are the fields of a line of the journal: [Fields](journal.md#fields).\n")
    if isinstance(found, type) and not issubclass(found, dict):
        parts.append(of_members(name, members(found)))
    return "\n".join(parts)


def of_members(owner: str, listed: list[tuple[str, object]]) -> str:
    """The common entries of a class's members, then the members, short ones as a list."""
    texts = {name: documented(found) for name, found in listed}
    counted = Counter(each for text in texts.values() for each in set(entries_of(text)))
    common = [each for each, times in counted.items() if times >= REPEATED]
    short, long = [], []
    for name, found in listed:
        text = without(texts[name], common)
        shown = f"{name}{of_member(found)}"
        if "\n" in shown or ">>> " in text or entries_of(text):
            long.append(f"#### {owner}.{name}\n\n{block(f'{owner}.{shown}')}\n{described(text)}")
        else:
            short.append(f"- `{shown}`: {escaped(' '.join(text.split()))}")
    shared = "".join(
        section("", f"Returns: {entry}" if title == "Returns" else entry) for title, entry in sorted(common)
    )
    heading = f"Several of its methods have in common:\n\n{shared}\n" if common else ""
    return heading + "\n".join([*(["Members:\n", *short, ""] if short else []), *long])


def entries_of(text: str) -> list[tuple[str, str]]:
    """Each entry of a docstring's sections, with its section."""
    found = []
    for title, body in re.findall(rf"^({'|'.join(TITLES)}):\n((?:(?: .*)?\n?)+)", text, re.MULTILINE):
        entries = re.split(r"\n(?=\S)", textwrap.dedent(body).strip())
        found += [(title, each) for each in entries]
    return found


def without(text: str, common: Collection[tuple[str, str]]) -> str:
    """A docstring without these entries, and without the sections that have no other."""
    for _, entry in common:
        text = text.replace("\n" + textwrap.indent(entry, "    "), "")
    return re.sub(rf"^({'|'.join(TITLES)}):\n(?! )", "", f"{text}\n", flags=re.MULTILINE).strip()


def members(kind: type) -> list[tuple[str, object]]:
    """The promised methods and properties of a class."""
    return [(name, inspect.getattr_static(kind, name)) for name in MEMBERS[kind.__name__].split()]


def documented(found: object) -> str:
    """The docstring without its indentation, or nothing."""
    return inspect.cleandoc(getattr(found, "__doc__", None) or "")


def of_member(found: object) -> str:
    """The signature of a method, or the type of a property."""
    if isinstance(found, property | cached_property):
        kind = signature(found.fget if isinstance(found, property) else found.func).rpartition(" -> ")[2]
        return f": {kind}"
    return signature(found.__func__ if isinstance(found, classmethod | staticmethod) else found)


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
    lines = [f"    {each},\n" for each in parameters]
    kinds = [each.kind for each in parameters]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        lines.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "    *,\n")
    return f"(\n{''.join(lines)}){returns}"


def block(text: str) -> str:
    """Code that is not run."""
    return f"```text\n{text}\n```\n"


def described(text: str, titles: Mapping[str, str] = TITLES, kept: Collection[str] | None = None) -> str:
    """A docstring of Google's style in Markdown: sections are lists, examples are code.

    Args:
        text: the docstring.
        titles: the title of each section; it is left out where that is empty.
        kept: the names that its lists have; None: all.
    """
    parts: list[str] = []
    above = ""
    for found in PARTS.finditer(f"{text}\n"):
        if name := found["title"]:
            if titles[name]:
                title = "" if titles[name] == above else titles[name]
                parts.append(section(title, of_names(kept, textwrap.dedent(found["body"]))))
            above = titles[name]
        elif found["example"]:
            parts.append(block(found["example"].rstrip("\n")))
        else:
            prose = "\n".join(map(escaped, found["prose"].splitlines())).strip()
            parts.append(f"{prose}\n")
    return "\n".join(each for each in parts if each.strip())


def of_names(kept: Collection[str] | None, body: str) -> str:
    """The entries of a section that have one of these names."""
    entries = re.split(r"^(?=\w+: )", body, flags=re.MULTILINE)
    return body if kept is None else "".join(text for text in entries if text.partition(":")[0] in kept)


def section(title: str, body: str) -> str:
    """A section as a list, without a title where it goes on with the list above."""
    items: list[str] = []
    for line in body.splitlines():
        if found := re.match(r"([\w*]+(?:(?:, | and )[\w*]+)*): (.*)", line):
            items.append(f"- `{found[1]}`: {escaped(found[2])}")
        elif line.strip():
            items.append(f"{'  ' if items else '- '}{escaped(line.strip())}")
    listed = "\n".join(items) + "\n"
    return f"{title}:\n\n{listed}" if title and items else listed
