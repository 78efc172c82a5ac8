"""`faultinject serve`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import serving_options


@click.command(context_settings=CONTEXT)
@click.argument("app", required=False, metavar="[MODULE:APP]")
@click.option(
    "--vendor", metavar="VENDOR", help="Storage API that the embedded store speaks.  [default: cos]"
)
@serving_options
def serve(**given: Any) -> int:
    """Serve a WSGI or ASGI app, or without one the embedded object store, with faults in front.

    Rules come from -r and --file, otherwise from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Ctrl-C,
    SIGTERM and SIGHUP end it with a summary, and its journal records the end. With --control you can change rules
    while it runs: by HTTP, on a page, and with `faultinject control`. With --tls clients must trust the authority of
    its certificate: most read one of the printed variables. The certificate's files are removed at the end.
    """
    from faultinject.cli.serve import serve as body

    return body(**given)
