"""The judgement as one page that needs nothing else: no network, no script, its pictures inside."""

from __future__ import annotations

from functools import cache

from faultinject.audit.checks import CHECKS
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, VERDICTS, WARN
from faultinject.audit.reports import sentences
from faultinject.audit.reports.html.scales import at, number
from faultinject.audit.reports.text import EXAMPLES, wrong_of
from faultinject.engine.journal_entry import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from faultinject.audit.evidence import Evidence
    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement

CLIENTS = 8
"""Clients of one journal that have pictures."""
ROWS = 40
"""First answers that the table of them has."""
WORDS = {FAIL: "fail", WARN: "warning", INCONCLUSIVE: "not decided", PASS: "pass"}
WIDTHS = (920, 360)
"""Pixels across the timeline: on a screen or on paper, and on a telephone."""


def html(judgement: Judgement) -> str:
    """The page about one journal.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    return page([judgement])


def page(judgements: Sequence[Judgement], *, title: str | None = None) -> str:
    """One page about any number of judgements; of several there is a table at its top.

    Args:
        judgements: at least one.
        title: the heading; None: the first client.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    from base64 import b64encode
    from hashlib import sha256

    from faultinject.vendors.vendor import read

    style = read(__name__, "page.css").decode()
    sections = [Section(each, number) for number, each in enumerate(judgements, 1)]
    return _template().render(
        title=quoted(title) if title else sections[0].title,
        sections=sections,
        several=len(sections) > 1,
        matrix=_matrix(sections),
        style=style,
        style_digest=b64encode(sha256(style.encode()).digest()).decode(),
        signs=SIGNS,
        words=WORDS,
        quoted=quoted,
        examples=EXAMPLES,
        sentences=sentences,
    )


class Section:
    """What the page says of one judgement, as its template asks for it."""

    def __init__(self, judgement: Judgement, number: int) -> None:
        self.id = f"client-{number}"
        self.title = sentences.title(judgement)
        self.result = sentences.result(judgement)
        self.verdict = judgement.conclusion.result
        findings = sentences.merged(judgement.findings)
        self.findings = judgement.findings
        self.wrong = wrong_of(findings)
        self.tally = sentences.tally(findings)
        self.provenance = sentences.provenance(judgement)
        self.passed = sentences.passed(findings)
        self.undecided = sentences.undecided(findings)
        self.undecided_names = sentences.names(findings, INCONCLUSIVE)
        self.rules = sentences.faults_by_rule(judgement)
        clients: list[tuple[str | None, Evidence]] = [(None, judgement.evidence), *judgement.others.items()]
        met = [each for each in clients if each[1].calls]
        self.clients = [Pictures(name, evidence, findings) for name, evidence in met[:CLIENTS]]
        self.more_clients = len(met[CLIENTS:])


class Pictures:
    """What the calls of one client looked like.

    Args:
        name: the client, where it is not the one that the whole section is about.
        evidence: its calls, at least one.
        findings: their examples are drawn first.
    """

    def __init__(self, name: str | None, evidence: Evidence, findings: Sequence[Finding]) -> None:
        from faultinject.audit.reports.html.codes import codes
        from faultinject.audit.reports.html.timeline import Timeline
        from faultinject.audit.reports.html.times import timed
        from faultinject.audit.reports.html.traffic import Traffic
        from faultinject.audit.reports.html.waits import Waits, clouds

        self.name = name and sentences.shortened(quoted(name))
        calls = timed(evidence.calls)
        self.untimed = len(evidence.calls) - len(calls)
        telling = {id(call) for each in wrong_of(findings) for call in each.calls}
        named = not evidence.driven
        self.timelines = [Timeline(calls, telling, width, named=named) for width in WIDTHS] if calls else []
        outage = timed(each for calls in evidence.outages.values() for each in calls)
        self.outage = bool(outage)
        self.traffic = Traffic(outage or calls) if calls else None
        found = clouds(evidence)
        self.waits = Waits(found, evidence.turnaround.zero) if found else None
        self.profile = evidence.profile
        rows = codes(evidence.calls)
        self.codes, self.more_codes = rows[:ROWS], rows[ROWS:]


def _matrix(sections: Sequence[Section]) -> list[tuple[str, list[str | None]]]:
    """Every check in the order of the audit, with its worst verdict in each section; None where it was not asked."""
    order = list(CHECKS)
    checks = {sentences.subject_of(each): each.check for section in sections for each in section.findings}
    names = sorted(
        checks, key=lambda name: order.index(checks[name]) if checks[name] in order else len(order)
    )
    found: list[dict[str, str]] = [{} for _ in sections]
    for verdicts, section in zip(found, sections, strict=True):
        for each in sorted(section.findings, key=lambda finding: -VERDICTS.index(finding.verdict)):
            verdicts[sentences.subject_of(each)] = each.verdict
    return [(name, [verdicts.get(name) for verdicts in found]) for name in names]


def _template() -> Template:
    try:
        import jinja2  # noqa: F401 - what is missing is told by a sentence
    except ImportError:
        from faultinject.exceptions import MissingExtra
        from faultinject.installation import install_extra

        raise MissingExtra(f"a report in HTML needs jinja2: {install_extra('report')}") from None
    return _compiled_template()


@cache
def _compiled_template() -> Template:
    """Compiled once in a process, which takes longer than a small page does."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.globals |= {"at": at, "counted": sentences.counted}
    return environment.get_template("page.html")


def _source(name: str) -> str:
    """A template's text; of pictures as one line."""
    from faultinject.vendors.vendor import read

    text = read(__name__, name).decode()
    return text if name == "page.html" else "".join(each.strip() for each in text.splitlines())
