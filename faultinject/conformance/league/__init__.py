"""The league as one page that needs no network: every client on one row."""

from __future__ import annotations

from faultinject.audit.findings import FAIL, INCONCLUSIVE, SIGNS, WARN
from faultinject.audit.reports.html import digest, template
from faultinject.conformance.league.columns import COLUMNS, WORDS
from faultinject.conformance.results import Results, verdicts


def page(document: Results) -> str:
    """The whole page, as HTML.

    Args:
        document: the results of all clients.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    from faultinject.vendors.vendor import read

    style, script = (read(__name__, each).decode() for each in ("page.css", "sort.js"))
    clients = document.clients
    return template(f"{__name__}/page.html").render(
        document=document,
        clients=clients,
        columns=COLUMNS,
        checks=verdicts(clients),
        style=style,
        script=script,
        digests=(digest(style), digest(script)),
        signs=SIGNS,
        words=WORDS,
        shown=(FAIL, WARN),
        undecided=INCONCLUSIVE,
    )
