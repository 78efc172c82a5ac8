"""`faultinject vendors`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT


@click.command(context_settings=CONTEXT)
@click.argument("address", required=False, metavar="[VENDOR[:CODE]]")
@click.option("--operations", is_flag=True, help="List the operations that rules can name instead.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print an array of documented errors, or of operations."
)
def vendors(**given: Any) -> int:
    """List the vendors, a vendor's documented errors (cos), or one error in full (cos:SlowDown).

    A second row of the same code is cos:InvalidRequest/2, and cos:@throttle lists a group. --operations lists the
    names that operation=NAME takes in a rule of that vendor, with the method and the form of each.
    """
    from faultinject.cli.vendors import vendors as body

    return body(**given)
