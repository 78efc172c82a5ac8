"""The vocabulary of rules for people: every fault and key with its meaning and an example."""

from __future__ import annotations

from faultinject.core.conditions import CONDITIONS
from faultinject.core.effects import EFFECTS
from faultinject.core.faults import FAULTS
from faultinject.core.key import Key
from faultinject.core.triggers import TRIGGERS


def sections() -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, each with pairs of a word and its meaning."""
    return [
        ("Faults", [(each.title, _meaning(each.__doc__)) for each in FAULTS]),
        ("Conditions (unless.KEY=VALUE negates one)", [_row(each) for each in CONDITIONS.values()]),
        ("Triggers", [_row(each) for each in TRIGGERS.values()]),
        ("Effects", [_row(each) for each in EFFECTS.values()]),
    ]


def _row(key: Key) -> tuple[str, str]:
    default = f" [default: {key.default_text}]" if key.default_text else ""
    return key.title, f"{_meaning(key.__doc__)}{default}"


def _meaning(docstring: str | None) -> str:
    return (docstring or "").partition("\n")[0].replace("`", "")
