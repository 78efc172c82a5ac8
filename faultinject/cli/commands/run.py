"""`faultinject run`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import RULES


@click.command(
    context_settings={**CONTEXT, "allow_interspersed_args": False},
)
@RULES
@click.option("--file", metavar="FILE", help="Rules of a TOML file; they come before those of -r.")
@click.option("--seed", help="The seed.  [default: the file's, else $FAULTINJECT_SEED, else one is chosen]")
@click.option(
    "--journal", metavar="FILE", help="Append every request to this file.  [default: $FAULTINJECT_JOURNAL]"
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 2 if nothing would be injected, or a server gets no faults.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
def run(**given: Any) -> int:
    """Run COMMAND with faults in every Python process that it starts.

    Its exit code is the command's own.

    Rules come from -r and --file, otherwise from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Faults
    reach apps of Flask, FastAPI, Starlette and Django on every server, any other app through gunicorn, uvicorn,
    hypercorn, granian, daphne, waitress, cheroot, werkzeug and wsgiref. All processes share their counts. A Python
    that starts with -S, or has no faultinject, gets no faults, and neither does a server that has loaded no such app
    after ten seconds, or at its end: a line on standard error says so, and with --strict the exit code is 2.

    If nothing would be injected, because of FAULTINJECT_ENABLED=0, in production, after FAULTINJECT_EXPIRES or
    without a rule, COMMAND runs untouched, and a line on standard error says why. Wrong rules always exit with 2.
    """
    from faultinject.cli.run import run as body

    return body(**given)
