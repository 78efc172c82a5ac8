"""The vocabulary of rules: every fault and every key, with its meaning and an example."""

from __future__ import annotations

import ast
from contextlib import suppress
from doctest import DocTestParser

from faultinject import vendors
from faultinject.exceptions import MissingExtraError
from faultinject.rules import faults, store
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.effects import EFFECTS
from faultinject.rules.key import Key
from faultinject.rules.rule import Rule
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.vocabulary import KEYS


def sections() -> list[tuple[str, list[tuple[str, str]]]]:
    """The sections of the vocabulary: titles, each with pairs of a word and its meaning."""
    wrong = problems()
    return [
        ("Faults", [(fault.title, _meaning(fault.__doc__ or "")) for fault in faults.all_faults()]),
        ("Conditions (unless.KEY=VALUE negates one)", [_row(key) for key in CONDITIONS.values()]),
        ("Triggers", [_row(key) for key in TRIGGERS.values()]),
        ("Effects", [_row(key) for key in EFFECTS.values()]),
        ("And two more", [_row(key) for word, key in KEYS.items() if word in ("name", "vendor")]),
        *([("Other packages", [("left out", problem) for problem in wrong])] if wrong else []),
    ]


def problems() -> list[str]:
    """The mistakes of other packages; those of embedded stores only if the extra is installed."""
    registries = [vendors.plugins, faults.plugins, store.plugins]
    with suppress(MissingExtraError):
        from faultinject.store import stores  # needs the extra `serve`

        registries.append(stores.plugins)
    return [problem for registry in registries for problem in registry.problems()]


def _row(key: Key) -> tuple[str, str]:
    default = f" [default: {key.default_text}]" if key.default_text else ""
    return key.title, f"{_meaning(key.doc)}{default}"


def _meaning(docstring: str) -> str:
    """The text of a docstring, with the rule of its example; empty under `-OO`."""
    prose, mark, _ = docstring.partition(">>> ")
    prose = " ".join(prose.replace("`", "").split())
    try:
        return f"{prose} Such as {example(docstring)}" if mark else prose
    except Exception:  # the example of another package may be no rule
        return prose


def example(docstring: str) -> str:
    r"""The first rule in the examples of a docstring, as text.

    >>> example('The chance.\n\n>>> Rule("http:503", probability=0.5).value("probability")\n0.5\n')
    'http:503,probability=0.5'
    """
    source = DocTestParser().get_examples(docstring)[0].source
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    call = next(node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "Rule")
    keys = {key.arg: ast.literal_eval(key.value) for key in call.keywords if key.arg}
    return str(Rule(ast.literal_eval(call.args[0]), **keys))
