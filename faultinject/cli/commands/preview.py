"""`faultinject preview`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import MORE_RULES


@click.command(context_settings=CONTEXT)
@click.argument("rules", nargs=-1, metavar="RULE")
@MORE_RULES
@click.option("--method", metavar="METHOD", help="The request's method.  [default: the rule's, else GET]")
@click.option("--path", default="/bucket/key", show_default=True, help="Its path, and query if any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Its Host.")
@click.option("--body", metavar="FILE", help="A file with its body, which names the keys of a DeleteObjects.")
@click.option(
    "--seed",
    help="The seed of ids and of the choice from a group.  [default: $FAULTINJECT_SEED, else 0]",
)
def preview(**given: Any) -> int:
    """Show the exact bytes of the answer of RULE: status line, headers and body.

    It ignores the rule's probability and other triggers: the fault is always shown. A server adds its own Date,
    Server and Connection. Standard error describes a fault without bytes of its own.
    """
    from faultinject.cli.preview import preview as body

    return body(**given)
