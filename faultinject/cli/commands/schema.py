"""`faultinject schema`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT


@click.command(context_settings=CONTEXT)
@click.argument("name", required=False, default="rules", metavar="[NAME]")
@click.option("--list", "lists", is_flag=True, help="List the schemas: name, id and content.")
@click.option("-o", "--output", metavar="FILE", help="Write the schema to this file.")
def schema(**given: Any) -> int:
    """Print the JSON Schema (2020-12) of rule files, journal lines or reports.

    Editors complete and check rule files in TOML and JSON with it. NAME is rules (default), journal or
    report. The schema of rules has the keys, values, documented errors and operations of this version and
    of the installed vendors and faults. A TOML file names it in its first line: #:schema ./faultinject.schema.json
    """
    from faultinject.cli.schema import schema as body

    return body(**given)
