"""`faultinject schema`: the JSON Schemas of what the commands read and print."""

from __future__ import annotations

import click

from faultinject.cli import layout, schemas
from faultinject.cli.writing_out import write_out
from faultinject.exceptions import ConfigurationError
from faultinject.rules.values import nearest


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
        rows = [(each, schemas.schema(each)["$id"], what) for each, what in schemas.NAMES.items()]
        layout.show(("name", "id", "of"), rows)
        return 0
    if name not in schemas.NAMES:
        meant = nearest(name, schemas.NAMES) or f"; there are {', '.join(schemas.NAMES)}"
        raise ConfigurationError(f"{name!r} is not the name of a schema{meant}")
    write_out(f"{layout.printed_json(schemas.schema(name))}\n", output)
    return 0
