"""`faultinject serve`: an app, or the embedded object store, with faults in front."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.serving import (
    JOURNAL,
    announced_below,
    control_at,
    named_to_apps,
    serve_until_ended,
    with_faults,
)


@click.command(context_settings=CONTEXT)
@click.argument("app", required=False, metavar="[MODULE:APP]")
@click.option(
    "--vendor", metavar="VENDOR", help="Storage API that the embedded store speaks.  [default: cos]"
)
@click.option("-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule; may be given again.")
@click.option("--file", metavar="FILE", help="Rules of a TOML file; they come before those of -r.")
@click.option("--seed", help="The seed.  [default: the file's, else $FAULTINJECT_SEED, else one is chosen]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--journal", metavar="FILE", help="Append every request to this file.  [default: $FAULTINJECT_JOURNAL]"
)
@click.option(
    "--control",
    metavar="PLACE",
    help="Offer the control API and its page at this path (/_faultinject) or address (127.0.0.1:8765).  [default: $FAULTINJECT_CONTROL]",
)
@click.option("--tls", is_flag=True, help="Speak TLS, with a self-signed certificate; its path is printed.")
def serve(
    *,
    app: str | None,
    vendor: str | None,
    rules: tuple[str, ...],
    file: str | None,
    seed: str | None,
    host: str,
    port: int,
    journal: str | None,
    control: str | None,
    tls: bool,
) -> int:
    """Serve a WSGI or ASGI app, or without one the embedded object store, with faults in front.

    Rules come from -r and --file, otherwise from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Ctrl-C,
    SIGTERM and SIGHUP end it with a summary, and its journal records the end. With --control you can change rules while
    it runs: by HTTP, on a page, and with `faultinject control`. With --tls clients must trust the authority of its
    certificate: most read one of the printed variables. The certificate's files are removed at the end.
    """
    from faultinject import vendors
    from faultinject.cli import listening, loading
    from faultinject.cli import rules as reading
    from faultinject.rules.scenario import Scenario
    from faultinject.server.certificates import certificate
    from faultinject.store import ObjectStore

    if app is not None and vendor is not None:
        raise click.UsageError("--vendor is for the embedded store; an app is served as it is")
    with control_at(control):
        settings = reading.services()
        reading.refuse_production(settings)
        scenario = reading.read_rules_of(rules, file) or Scenario.from_env(os.environ)
        if app is not None:
            reading.refuse_faults_of_store(scenario.rules, app)
        if scenario.rules or journal is not None:
            reading.refuse_switched_off()
        path = reading.journal(journal, settings)
        with named_to_apps(JOURNAL, path), certificate(host) if tls else nullcontext() as trusted:
            served: Any
            if app is None:
                vendor = vendor or "cos"
                served, kind = ObjectStore(vendor, endpoints=settings.endpoints), "wsgi"
                title = f"the embedded object store ({vendors.get(vendor).title})"
            else:
                title = app
                with announced_below():
                    served, kind = loading.load(app)
            records = path is not None or settings.control is not None or settings.on_request
            served = with_faults(served, scenario, seed, records=records)
            server = listening.uvicorn_server(served, kind, trusted)
            sock = listening.listen(host, port)
            return serve_until_ended(served, server, sock, title, vendor or "cos", trusted)
