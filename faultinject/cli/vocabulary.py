"""The vocabulary of rules for people: every fault and key with its meaning and an example."""

from __future__ import annotations

from faultinject import vendors
from faultinject.rules import faults, store
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.effects import EFFECTS
from faultinject.rules.examples import example
from faultinject.rules.key import Key
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.vocabulary import KEYS


def sections() -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, each with pairs of a word and its meaning."""
    wrong = [each for place in (vendors, faults, store) for each in place.plugins.problems()]
    return [
        ("Faults", [(each.title, _meaning(each.__doc__ or "")) for each in faults.every()]),
        ("Conditions (unless.KEY=VALUE negates one)", [_row(each) for each in CONDITIONS.values()]),
        ("Triggers", [_row(each) for each in TRIGGERS.values()]),
        ("Effects", [_row(each) for each in EFFECTS.values()]),
        ("And two more", [_row(each) for word, each in KEYS.items() if word in ("name", "vendor")]),
        *([("Other packages", [("left out", each) for each in wrong])] if wrong else []),
    ]


def _row(key: Key) -> tuple[str, str]:
    default = f" [default: {key.default_text}]" if key.default_text else ""
    return key.title, f"{_meaning(key.doc)}{default}"


def _meaning(docstring: str) -> str:
    """The docstring, and the rule of its example as text; nothing where `-OO` took docstrings away."""
    prose, mark, _ = docstring.partition(">>> ")
    prose = " ".join(prose.replace("`", "").split())
    try:
        return f"{prose} Such as {example(docstring)}" if mark else prose
    except Exception:  # another package's example makes no rule
        return prose
