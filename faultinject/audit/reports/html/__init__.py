"""The judgement as one page: no network, no script, its pictures inside."""

from __future__ import annotations

from functools import cache

from faultinject.audit.checks.words import counted
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import SIGNS
from faultinject.audit.judging import Judgement
from faultinject.audit.reports.content import ADDRESS, content, shortened
from faultinject.audit.reports.html.pictures import Timeline, at, number, waits
from faultinject.engine.shown import quoted
from faultinject.vendors.vendor import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jinja2 import Environment, Template


def html(judgement: Judgement, *, title: str | None = None, made: str = "") -> str:
    """The page about one journal.

    Args:
        judgement: the judgement.
        title: the heading; None: it names the client.
        made: the origin of the page, in a sentence.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    style = read(__name__, "page.css").decode()
    report = content(judgement)
    in_findings = {id(call) for finding in judgement.findings if finding.wrong for call in finding.calls}
    clients: list[tuple[str | None, Evidence]] = [(None, judgement.evidence), *judgement.others.items()]
    return template("page.html").render(
        title=quoted(title) if title else f"Retries of {report.title}",
        made=quoted(made),
        report=report,
        clients=[
            {
                "name": name and shortened(quoted(name)),
                "timeline": Timeline(evidence.calls, in_findings),
                "waits": waits(evidence),
            }
            for name, evidence in clients
            if evidence.calls
        ],
        style=style,
        style_digest=digest(style),
        signs=SIGNS,
    )


def template(name: str) -> Template:
    """A template of this package, or of another one: `faultinject.conformance.league/page.html`.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    require_jinja()
    return _environment().get_template(name)


def require_jinja() -> None:
    """Make sure that jinja2 is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import jinja2  # noqa: F401 - the error below says what is missing
    except ImportError:
        from faultinject.exceptions import MissingExtraError

        raise MissingExtraError('a report in HTML needs jinja2: pip install "faultinject[report]"') from None


def digest(text: str) -> str:
    """The digest of a text for a Content-Security-Policy.

    https://www.w3.org/TR/CSP3/#grammardef-hash-source
    """
    from base64 import b64encode
    from hashlib import sha256

    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    """The environment of the templates, each of which is compiled once in a process.

    Compiling takes longer than rendering a small page.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "parts": ADDRESS.split, "quoted": quoted}
    environment.globals |= {"at": at, "counted": counted}
    return environment


def _source(name: str) -> str:
    """A template's text; that of the pictures is put in one line."""
    package, _, file = name.rpartition("/")
    text = read(package or __name__, file).decode()
    return "".join(line.strip() for line in text.splitlines()) if file == "pictures.html" else text
