"""`faultinject schema`: what editors complete rule files by."""

from __future__ import annotations

import click

from faultinject.cli.layout import CONTEXT


@click.command(context_settings=CONTEXT, short_help="Print the JSON Schema of rule files, for editors.")
@click.option("-o", "--output", metavar="FILE", help="Write the schema to this file.")
def schema(output: str | None) -> int:
    """Print the JSON Schema (2020-12) of rule files in TOML and JSON: editors complete and check the files with it.

    Its keys, values, documented errors and operations are those of this version and of the vendors and faults that are
    installed. A TOML file names it in its first line: #:schema ./faultinject.schema.json
    """
    from pathlib import Path

    from faultinject.rules.files import open_to_write
    from faultinject.rules.printed_json import json_text
    from faultinject.rules.schema import rules_schema

    text = json_text(rules_schema(), 2)
    if output is None or output == "-":
        click.echo(text)
    else:
        with open_to_write(Path(output)) as file:
            file.write(f"{text}\n")
    return 0
