"""`RuleKeys` matches the vocabulary.

`python tests/rules/test_rule_keys.py` writes it anew.
"""

from __future__ import annotations

import inspect
import keyword
import re
from ast import literal_eval
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from faultinject import Rule, RuleKeys
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.faults import FAULTS
from faultinject.rules.vocabulary import KEYS

HEAD = '''"""The keys of a rule for type checkers.

`python tests/rules/test_rule_keys.py` makes this file from the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, TypedDict

Values = str | int | list[str] | list[int] | list[str | int] | tuple[str | int, ...]
"""One value of a condition, or any of several."""
'''
CLASS = '''

class {}(TypedDict, total=False):
    """{}"""

{}'''


WRITTEN = Path(inspect.getfile(RuleKeys))


def type_of(key: Any) -> str:
    """The type of a key in Python: what `Key.write` takes and `parse` reads.

    A number is as in its example.
    """
    if key.key in CONDITIONS:
        one = "Values"
    elif key.flag:
        one = "bool | str"
    elif key.seconds:
        one = "float | str | timedelta"
    elif key.number:
        shown = str(literal_eval(re.search(rf"\b{named(key.key)}=([^,)]+)", key.doc)[1]))
        one = f"{type(key.parse(shown)).__name__} | str"
    elif key.choices:
        one = f"Literal[{', '.join(f'{chr(34)}{each}{chr(34)}' for each in key.choices)}]"
    elif any(key.key in fault.several for fault in FAULTS):
        one = "str | list[str] | tuple[str, ...]"
    else:
        one = "str | None" if key.key == "name" else "str"
    return f"Mapping[str, {one}]" if key.named else one


def named(key: str) -> str:
    """A key as Python takes it: `from` is a word of its own."""
    return f"{key}_" if keyword.iskeyword(key) else key


def members(keys: Iterable[Any]) -> Iterator[str]:
    """The lines of each key, in the canonical order."""
    for key in keys:
        yield f"    {named(key.key)}: {type_of(key)}\n"


def text() -> str:
    """The module."""
    rest = [each for name, each in KEYS.items() if name not in CONDITIONS]
    conditions = CLASS.format(
        "Conditions",
        "The conditions that a request must meet; of several values any.",
        "".join(members(CONDITIONS.values())),
    )
    rule = CLASS.format(
        "RuleKeys",
        "Conditions, triggers and effects for `Rule`, `inject()`, `Faults.add` and the marker.",
        "    unless: Conditions\n" + "".join(members(rest)),
    ).replace("(TypedDict,", "(Conditions,")
    return f"{HEAD}{conditions}{rule}"


def test_the_typed_keys_are_those_of_the_vocabulary() -> None:
    """Editors complete, and type checkers demand, the vocabulary's keys and types."""
    written = WRITTEN.read_text(encoding="utf-8")
    assert written == text(), "python tests/rules/test_rule_keys.py writes it anew"


def test_each_key_is_a_member() -> None:
    """The module's annotations are the members that Python has at run time."""
    assert {*RuleKeys.__annotations__} == {*map(named, KEYS), "unless"}


def test_no_name_is_none() -> None:
    """A rule that may have a name is written in one way: `Rule(fault, name=name)`."""
    assert Rule("http:503", name=None, times=1) == Rule("http:503", times=1)


if __name__ == "__main__":
    WRITTEN.write_text(text(), encoding="utf-8")
