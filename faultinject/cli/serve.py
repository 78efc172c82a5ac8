"""`faultinject serve`: an app, or the embedded object store, with faults in front."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from faultinject import vendors
from faultinject.cli import listening, loading
from faultinject.cli.layout import CONTEXT, refuse
from faultinject.cli.serving import Served, announced_below, serve_with_faults, serving_options
from faultinject.rules.environment import Environment
from faultinject.store import ObjectStore


@click.command(context_settings=CONTEXT)
@click.argument("app", required=False, metavar="[MODULE:APP]")
@click.option(
    "--vendor", metavar="VENDOR", help="Storage API that the embedded store speaks.  [default: cos]"
)
@serving_options
def serve(*, app: str | None, vendor: str | None, **given: Any) -> int:
    """Serve a WSGI or ASGI app, or without one the embedded object store, with faults in front.

    Rules come from -r and --file, otherwise from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Ctrl-C,
    SIGTERM and SIGHUP end it with a summary, and its journal records the end. With --control you can change rules while
    it runs: by HTTP, on a page, and with `faultinject control`. With --tls clients must trust the authority of its
    certificate: most read one of the printed variables. The certificate's files are removed at the end.
    """
    refuse({"--vendor is for the embedded store; an app is served as it is": app and vendor})
    speaks = vendor or "cos"

    def load(settings: Environment) -> Served:
        if app is None:
            title = f"the embedded object store ({vendors.get(speaks).title})"
            found, kind = ObjectStore(speaks, endpoints=settings.endpoints), "wsgi"
        else:
            title = app
            with announced_below():
                found, kind = loading.load(app)
        return found, title, partial(listening.uvicorn_server, interface=kind)

    return serve_with_faults(load, speaks, instead=app, **given)
