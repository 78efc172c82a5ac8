"""The words that schemas are made of: fields with their form and meaning, objects that may gain fields."""

from __future__ import annotations

import re
from typing import Any

from msgspec.json import schema_components

from faultinject.rules.schema import DIALECT

Schema = dict[str, Any]
Fields = dict[str, tuple[Schema, str]]
"""By name: the form of its value, and what it says."""

TEXT: Schema = {"type": "string"}
WORDS: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
WHOLE: Schema = {"type": "integer", "minimum": 1}
NUMBER: Schema = {"type": "number"}
SECONDS: Schema = {"type": "number", "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
YES: Schema = {"type": "boolean"}
STATUS: Schema = {"type": "integer", "minimum": 100, "maximum": 999}
DAY: Schema = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}


def or_null(form: Schema) -> Schema:
    """The same, or null where nobody knows or there is none."""
    return {"anyOf": [form, {"type": "null"}]}


def listed(form: Schema) -> Schema:
    """Any number of them."""
    return {"type": "array", "items": form}


def one_of(*words: str) -> Schema:
    """One of a closed set of words."""
    return {"enum": list(words)}


def record(fields: Fields, *, optional: Fields | None = None) -> Schema:
    """An object that has these fields; a later version of the same format may add others.

    Args:
        fields: that every one has.
        optional: that some have.
    """
    every = {**fields, **(optional or {})}
    return {
        "type": "object",
        "required": list(fields),
        "properties": {name: {**form, "description": meaning} for name, (form, meaning) in every.items()},
    }


def published(name: str, version: int, title: str, description: str, form: Schema) -> Schema:
    """A whole schema, under its own id.

    Args:
        name: as `faultinject schema` takes it.
        version: of the format: a higher one breaks readers of the lower.
        title: for people.
        description: what the document is and which command writes it.
        form: of the document.
    """
    return {
        "$schema": DIALECT,
        "$id": f"urn:faultinject:schema:{name}:{version}",
        "title": title,
        "description": f"{description} Objects may gain fields: readers ignore those that they do not know.",
        **form,
    }


FIELD = re.compile(r"^ +(\w+): (.*(?:\n {9,}.*)*)", re.MULTILINE)
"""A field in a docstring's list of attributes, and what is said of it."""


def generated(name: str, version: int, title: str, description: str, printed: Any) -> Schema:
    """The schema of what is printed, made from its type: fields have the descriptions of its docstrings.

    Args:
        name: as of `published`.
        version: likewise.
        title: likewise.
        description: likewise.
        printed: a msgspec struct, or a list of such.
    """
    [form], parts = schema_components([printed], ref_template="#/$defs/{name}")
    for each in parts.values():
        said, _, fields = each.pop("description", "").partition("Attributes:\n")
        each["description"] = " ".join(said.split())
        for field, meaning in FIELD.findall(fields):
            each["properties"][field]["description"] = " ".join(meaning.split())
    return published(name, version, title, description, {**form, "$defs": parts})
