"""`faultinject schema`: the JSON Schemas of what the commands read and print."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, get_type_hints

import click
from msgspec import Struct, defstruct
from msgspec.json import schema_components

from faultinject.cli import layout
from faultinject.exceptions import ConfigurationError
from faultinject.rules.rule import Rule
from faultinject.rules.schema import DIALECT, rules_schema
from faultinject.rules.values import nearest

Schema = dict[str, Any]
FIELD = re.compile(r"^( +)(\w+): (.*(?:\n\1 +.*)*)", re.MULTILINE)
"""A field in a docstring's list of attributes, and what is said of it; since 3.13 Python removes the list's indentation."""
RULES = "rules"
"""The name of the schema of rule files."""
MODULES = {
    "journal": "journal.outcome:Outcome journal.lines:End journal.driven_run:RunLine",
    "report": "audit.report:Report",
    "catalogue": "vendors.documented:DocumentedError",
    "operations": "cli.vendors:OperationForm",
    "check": "cli.check:Meaning cli.check:Mistakes",
    "explore": "testing.exploration.report:PrintedExploration",
    "learn": "learning.writing:LearnedScenario",
    "convert": "cli.convert:Conversion",
    "control": "control.calls:ServerState",
    "control-journal": "cli.control:LatestOutcomes",
    "conformance": "conformance.results:Results",
    "conformance-cases": "conformance.cases:CasesResult",
    "trial": "testing.trial:TrialReport",
}
"""Where the types stand, of which what is printed is one."""
LISTS = ("catalogue", "operations")
"""What is printed as an array of them."""
NAMES: dict[str, str] = {
    RULES: "rule files in TOML and JSON, for editors",
    "journal": "one line of a journal",
    "report": "faultinject report --format json",
    "catalogue": "faultinject vendors --json",
    "operations": "faultinject vendors --operations --json",
    "check": "faultinject check --json",
    "explore": "faultinject explore --json",
    "learn": "faultinject learn --json",
    "convert": "faultinject convert --json",
    "control": "faultinject control status --json, and what its other commands print",
    "control-journal": "faultinject control journal --json",
    "conformance": "faultinject conformance --json",
    "conformance-cases": "faultinject conformance --cases --json",
    "trial": "faultinject trial --json",
}
"""What each schema is of, by its name."""


def schema_of(name: str) -> Schema:
    """The schema of that name, a key of `NAMES`; fields have the descriptions of the types' docstrings."""
    if name == RULES:
        return rules_schema()
    printed = [_type(each) for each in MODULES[name].split()]
    forms, parts = schema_components(
        [list[each] if name in LISTS else each for each in printed],  # type: ignore[valid-type]
        ref_template="#/$defs/{name}",
        schema_hook=_of_class,
    )
    for each in parts.values():
        said, _, fields = each.pop("description", "").partition("Attributes:\n")
        each["description"] = " ".join(said.split())
        for _, field, meaning in FIELD.findall(fields):
            text = " ".join(meaning.split())
            each["properties"][field]["description"] = f"{text[:1].upper()}{text[1:]}"
    return {
        "$schema": DIALECT,
        "$id": f"urn:faultinject:schema:{name}:1",
        "title": f"faultinject {name}",
        "description": f"What is printed: {NAMES[name]}. Objects may gain fields: readers ignore those that they do not know.",
        **(forms[0] if len(forms) == 1 else {"anyOf": list(forms)}),
        "$defs": parts,
    }


def _of_class(kind: type) -> Schema:
    """The form of what JSON has in the place of a `Rule`: its keys."""
    assert kind is Rule
    return {"type": "object"}


def _type(address: str) -> Any:
    """A type by its module and name; of a plain class the struct with the same fields."""
    module, _, name = address.partition(":")
    found = getattr(import_module(f"faultinject.{module}"), name)
    if issubclass(found, Struct) or hasattr(found, "__dataclass_fields__"):
        return found
    return defstruct(name, [*get_type_hints(found).items()], namespace={"__doc__": found.__doc__})


@click.command(context_settings=layout.CONTEXT)
@click.argument("name", required=False, default="rules", metavar="[NAME]")
@click.option("--list", "lists", is_flag=True, help="List the schemas: name, id and content.")
@click.option("-o", "--output", metavar="FILE", help="Write the schema to this file.")
def schema(name: str, *, lists: bool, output: str | None) -> int:
    """Print the JSON Schema (2020-12) of rule files, for editors, or of a command's output for programs.

    Editors complete and check rule files in TOML and JSON with it. NAME is rules (default) or a name of --list, such as
    catalogue or report. The schema of rules has the keys, values, documented errors and operations of this version and
    of the installed vendors and faults. A TOML file names it in its first line: #:schema ./faultinject.schema.json
    """
    if lists:
        rows = [(each, schema_of(each)["$id"], what) for each, what in NAMES.items()]
        layout.show(("name", "id", "of"), rows)
        return 0
    if name not in NAMES:
        meant = nearest(name, NAMES) or f"; there are {', '.join(NAMES)}"
        raise ConfigurationError(f"{name!r} is not the name of a schema{meant}")
    layout.write_out(f"{layout.printed_json(schema_of(name))}\n", output)
    return 0
