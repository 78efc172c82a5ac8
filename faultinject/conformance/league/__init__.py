"""The league as one page that needs no network: every client on one row."""

from __future__ import annotations

from functools import cache

from faultinject.audit.checks import CHECKS
from faultinject.audit.findings import FAIL, INCONCLUSIVE, SIGNS, WARN
from faultinject.conformance.league.columns import COLUMNS, WORDS
from faultinject.engine.journal_entry import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jinja2 import Template

    from faultinject.conformance.results import Results


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
    checks = [
        (check, said)
        for check in ("answers", *CHECKS)
        if any(said := [each.worst(check) for each in clients])
    ]
    return _template().render(
        document=document,
        clients=clients,
        columns=COLUMNS,
        checks=checks,
        style=style,
        script=script,
        digests=(_digest(style), _digest(script)),
        signs=SIGNS,
        words=WORDS,
        shown=(FAIL, WARN),
        undecided=INCONCLUSIVE,
    )


def _digest(text: str) -> str:
    """As a Content-Security-Policy names a text (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    from base64 import b64encode
    from hashlib import sha256

    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _template() -> Template:
    try:
        import jinja2  # noqa: F401 - what is missing is told by a sentence
    except ImportError:
        from faultinject.exceptions import MissingExtra
        from faultinject.installation import install_extra

        raise MissingExtra(f"a page in HTML needs jinja2: {install_extra('report')}") from None
    return _compiled_template()


@cache
def _compiled_template() -> Template:
    from jinja2 import Environment, StrictUndefined

    from faultinject.vendors.vendor import read

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = quoted
    return environment.from_string(read(__name__, "page.html").decode())
