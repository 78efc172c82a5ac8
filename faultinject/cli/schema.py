"""`faultinject schema`: the JSON Schemas of rule files, of a journal's lines and of reports."""

from __future__ import annotations

import re
from pkgutil import resolve_name
from typing import Any

from msgspec.json import schema_components

from faultinject.cli import layout
from faultinject.exceptions import ConfigurationError
from faultinject.rules.schema import DIALECT, rules_schema
from faultinject.rules.values import nearest

Schema = dict[str, Any]
FIELD = re.compile(r"^( +)(\w+): (.*(?:\n\1 +.*)*)", re.MULTILINE)
"""A field in a docstring's list of attributes, and its description.

Since 3.13 Python removes the list's indentation.
"""
RULES = "rules"
"""The name of the schema of rule files."""
MODULES = {
    "journal": "journal.outcome:Outcome journal.lines:EndLine journal.driven_run:RunLine"
    " journal.named_calls:NamedCallLine"
    " journal.change_lines:ChangeLine",
    "report": "audit.findings:Report",
}
"""The types of each schema; a printed object has one of them."""
NAMES: dict[str, str] = {
    RULES: "rule files in TOML and JSON, for editors",
    "journal": "one line of a journal",
    "report": "faultinject report --format json",
}
"""The content of each schema, by its name."""


def schema_of(name: str) -> Schema:
    """Make a schema; the descriptions of its fields come from the docstrings of the types.

    Args:
        name: a key of `NAMES`.
    """
    if name == RULES:
        return rules_schema()
    printed = [resolve_name(f"faultinject.{address}") for address in MODULES[name].split()]
    forms, parts = schema_components(printed, ref_template="#/$defs/{name}")
    for part in parts.values():
        summary, _, fields = part.pop("description", "").partition("Attributes:\n")
        part["description"] = " ".join(summary.split())
        for _, field, meaning in FIELD.findall(fields):
            text = " ".join(meaning.split())
            part["properties"][field]["description"] = f"{text[:1].upper()}{text[1:]}"
    return {
        "$schema": DIALECT,
        "$id": f"urn:faultinject:schema:{name}:1",
        "title": f"faultinject {name}",
        "description": f"The output: {NAMES[name]}. Objects may gain fields: readers ignore those that they do"
        " not know.",
        **(forms[0] if len(forms) == 1 else {"anyOf": list(forms)}),
        "$defs": parts,
    }


def schema(name: str, *, lists: bool, output: str | None) -> int:
    """Write the schema, and return 0."""
    if lists:
        rows = [(known, schema_of(known)["$id"], content) for known, content in NAMES.items()]
        layout.show(("name", "id", "of"), rows)
        return 0
    if name not in NAMES:
        meant = nearest(name, NAMES) or f"; there are {', '.join(NAMES)}"
        raise ConfigurationError(f"{name!r} is not the name of a schema{meant}")
    layout.write_out(f"{layout.printed_json(schema_of(name))}\n", output)
    return 0
