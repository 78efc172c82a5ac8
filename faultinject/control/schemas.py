"""JSON Schemas made from the types that are printed: fields have the descriptions of the types' docstrings."""

from __future__ import annotations

import re
from typing import Any

from msgspec.json import schema_components

from faultinject.rules.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

Schema = dict[str, Any]
FIELD = re.compile(r"^( +)(\w+): (.*(?:\n\1 +.*)*)", re.MULTILINE)
"""A field in a docstring's list of attributes, and what is said of it; since 3.13 Python removes the list's indentation."""


def schemas_of(printed: Sequence[Any], ref_template: str) -> tuple[Sequence[Schema], dict[str, Schema]]:
    """The schema of each type, and those that they refer to by name.

    Args:
        printed: structs, dataclasses, or lists of such.
        ref_template: how a schema refers to another one, with `{name}`.
    """
    forms, parts = schema_components(printed, ref_template=ref_template, schema_hook=_of_class)
    for each in parts.values():
        said, _, fields = each.pop("description", "").partition("Attributes:\n")
        each["description"] = " ".join(said.split())
        for _, field, meaning in FIELD.findall(fields):
            text = " ".join(meaning.split())
            each["properties"][field]["description"] = f"{text[:1].upper()}{text[1:]}"
    return forms, parts


def _of_class(kind: type) -> Schema:
    """The form of what JSON has in the place of a `Rule`: its keys."""
    assert kind is Rule
    return {"type": "object"}
