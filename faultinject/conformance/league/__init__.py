"""The league: a page with the results of all clients, one row a client.

The page is GitHub's Markdown, or HTML that loads nothing from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from faultinject.audit.checks.words import counted, seconds
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, VERDICTS, WARN
from faultinject.audit.reports.html import digest, template
from faultinject.audit.reports.markdown import code, linked, plain
from faultinject.conformance.results import NOTHING, Results, attempts_text
from faultinject.conformance.results import ClientResult as Client
from faultinject.engine.shown import quoted

SHOWN = 6
"""The number of retries whose waits are written out."""
WORDS = {
    PASS: "as its reference asks",
    FAIL: "not as its reference asks",
    WARN: "worth knowing",
    INCONCLUSIVE: "not decided",
}
"""The meanings of the verdicts, for readers who do not know the checks."""


class Column(NamedTuple):
    """A column of the league.

    Attributes:
        title: its heading.
        about: its meaning, in one sentence.
        text: returns the text for a client; empty if nothing was measured.
        number: whether clients are sorted by the first number of the text, or by a share such as `3/5`; otherwise they
            are sorted by the text.
        key: returns another value by which to sort clients.
    """

    title: str
    about: str
    text: Callable[[Client], str]
    number: bool = True
    key: Callable[[Client], float | None] | None = None

    def value(self, client: Client) -> float | str | None:
        """The value by which a client is sorted; None comes last."""
        if self.key is not None:
            return self.key(client)
        text = self.text(client)
        if not self.number:
            return text.lower() or None
        match = re.search(r"([\d.]+)(?:/(\d+))?", text)
        return None if match is None else float(match[1]) / float(match[2] or 1)


def waits(client: Client, kind: str) -> str:
    """Median and spread of the waits before the first, second, … retry: `0.52 (0.33–0.78), …`."""
    curve = client.numbers.backoff[kind]
    spreads = [f"{_wait(retry.median)} ({_wait(retry.low)}–{_wait(retry.high)})" for retry in curve[:SHOWN]]
    return ", ".join([*spreads, "…"] if len(curve) > SHOWN else spreads)


def _wait(number: float) -> str:
    return f"{number:.2f}" if number >= NOTHING else "0"


def _jitter(client: Client) -> str:
    jitter = client.numbers.jitter
    return "" if jitter is None else f"{jitter:.2f}"


def _hints(client: Client) -> str:
    return ", ".join(
        f"{form} {hint.obeyed}/{hint.retried}"
        for form, hint in client.numbers.hints.items()
        if hint.obeyed is not None and hint.retried
    )


def _outage(client: Client) -> str:
    budget = client.numbers.budget
    return f"{budget.retries}" if budget.calls else ""


def _gives_up(client: Client) -> str:
    spreads = client.numbers.gives_up
    return (
        ", ".join(seconds(spread.median) if spread else "–" for spread in spreads.values())
        if any(spreads.values())
        else ""
    )


def _longest(client: Client) -> float | None:
    return max((spread.median for spread in client.numbers.gives_up.values() if spread), default=None)


def _part(number: int, of: int) -> str:
    return f"{number}/{of}" if of else ""


def tally(client: Client) -> str:
    """The number of verdicts of each kind but undecided, such as `✕ 2, ! 1, ✓ 14`."""
    verdicts = [finding.verdict for finding in client.report.findings]
    kinds = [verdict for verdict in VERDICTS if verdict != INCONCLUSIVE and verdict in verdicts]
    return ", ".join(f"{SIGNS[verdict]} {verdicts.count(verdict)}" for verdict in kinds)


def _failed(client: Client) -> float:
    verdicts = [finding.verdict for finding in client.report.findings]
    return verdicts.count(FAIL) + verdicts.count(WARN) / 100


COLUMNS: Sequence[Column] = (
    Column(
        "client",
        "The client, its version, and what is not its default.",
        lambda client: client.name,
        number=False,
    ),
    Column("language", "Its programming language.", lambda client: client.language, number=False),
    Column("service", "The vendor whose errors it got.", lambda client: client.service, number=False),
    Column(
        "attempts",
        "Requests of one call that always fails.",
        lambda client: attempts_text(client.numbers.attempts),
    ),
    Column(
        "wait: throttled",
        "Seconds before the first, second, … retry after a throttle error: the median, and the range of"
        " the middle half.",
        lambda client: waits(client, "throttle"),
    ),
    Column("wait: server error", "The same after a server error.", lambda client: waits(client, "server")),
    Column("jitter", "Standard deviation by mean of the waits before the same retry.", _jitter),
    Column(
        "hints obeyed",
        "Retries that waited as long as the answer asked, of all retries, by the form of the hint.",
        _hints,
    ),
    Column(
        "outage: retries",
        "Retries while 120 calls within 2.4 s get nothing but server errors.",
        _outage,
    ),
    Column(
        "reset retried",
        "Calls whose connection was reset, and those of them that were retried.",
        lambda client: _part(client.numbers.resets.retried, client.numbers.resets.calls),
    ),
    Column(
        "lost answer retried",
        "Calls whose answer was lost after the store had done the work, and those of them that were retried.",
        lambda client: _part(client.numbers.lost.retried, client.numbers.lost.calls),
    ),
    Column(
        "error in 200 noticed",
        "Errors in a 200 after which the client retried or told its caller.",
        lambda client: _part(client.numbers.hidden.noticed, client.numbers.hidden.calls),
    ),
    Column(
        "same bytes",
        "Uploads that sent the same body again.",
        lambda client: _part(client.numbers.bytes.same, client.numbers.bytes.compared),
    ),
    Column(
        "overlap",
        "Calls whose next attempt came before the answer to the last one.",
        lambda client: _part(client.numbers.overlap.overlapping, client.numbers.overlap.calls),
    ),
    Column(
        "gives up after",
        "Time until a call that always fails ends: throttled, with server errors.",
        _gives_up,
        key=_longest,
    ),
    Column(
        "checks",
        "The number of checks by verdict; those that failed or warn are listed below.",
        tally,
        key=_failed,
    ),
)
"""The columns, from left to right."""


def page(document: Results) -> str:
    """The whole page, as HTML.

    Args:
        document: the results of all clients.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    from faultinject.vendors.vendor import read

    style, script = (read(__name__, name).decode() for name in ("page.css", "sort.js"))
    clients = document.clients
    return template(f"{__name__}/page.html").render(
        document=document,
        clients=clients,
        columns=COLUMNS,
        style=style,
        script=script,
        digests=(digest(style), digest(script)),
        signs=SIGNS,
        words=WORDS,
        shown=(FAIL, WARN),
        undecided=INCONCLUSIVE,
    )


SETTINGS = "SDKs have their default settings, unless their title names another one."


def heading(document: Results) -> str:
    """The page's heading: about the client by its name and version, or about SDKs."""
    if document.all:
        return "What storage SDKs do about faults"
    return f"What {', '.join(client.called for client in document.clients)} did about faults"


def made_line(document: Results, code: Callable[[str], str] = str) -> str:
    """The day of the results, and the command that makes them again.

    Args:
        document: the results of all clients.
        code: marks a text as code.
    """
    command = quoted(document.command)
    return (
        f"Made on {document.made} by {code(command)} (faultinject {document.faultinject}, Python"
        f" {document.python} on {document.system} with {document.machine.cores} cores, seed"
        f" {code(document.seed)})."
    )


def against(document: Results) -> str:
    """The store to which the clients sent their calls, in words."""
    if document.all or len(document.clients) > 1:
        return "a store on the same machine that answers with the documented errors of the SDK's own service"
    return f"a store on the same machine that answers with the documented errors of {document.clients[0].service}"


def _head(document: Results) -> str:
    several = document.all or len(document.clients) > 1
    who = "Every SDK made the same calls" if several else "The client made its calls"
    calls = (
        f"{who}, against {plain(against(document))}. The verdicts\n"
        "rest on the requests that the server saw and on the results that the caller got."
    )
    settings = f" {SETTINGS}" if document.all else ""
    result = "" if document.all else f"**{document.result}**: {plain(document.reason)}\n\n"
    return f"# {plain(heading(document))}\n\n{result}{made_line(document, code)}\n{calls}{settings}"


def markdown(document: Results) -> str:
    """The whole page.

    Args:
        document: the results of all clients.
    """
    clients = document.clients
    blocks = [_head(document), *_league(clients)]
    for client in clients:
        blocks += _client(client)
    return "\n\n".join([*blocks, *_missing(document)]) + "\n"


def _league(clients: Sequence[Client]) -> list[str]:
    """A table with a row for each client, and the meaning of its columns."""
    rows = ([plain(column.text(client)) for column in COLUMNS] for client in clients)
    meanings = "\n".join(f"- **{column.title}**: {column.about}" for column in COLUMNS)
    return [_table([column.title for column in COLUMNS], rows), meanings]


def _missing(document: Results) -> list[str]:
    """The clients that have a driver and no result."""
    lines = [f"- {plain(client.title)} is not installed: `{client.install}`" for client in document.skipped]
    lines += [
        f"- {plain(client.client)} could not be started: {plain(client.reason)}" for client in document.failed
    ]
    return ["## Not measured", "\n".join(lines)] if lines else []


def _client(client: Client) -> list[str]:
    report = client.report
    defects = [finding for finding in report.findings if finding.wrong]
    lines = [
        f"- {SIGNS[finding.verdict]} **{plain(finding.name)}**: {plain(finding.measured)}"
        f" <sub>{linked(' '.join(filter(None, (finding.action, 'See', finding.reference))))}</sub>"
        for finding in sorted(defects, key=lambda finding: finding.verdict)
    ]
    unknown = [finding.name for finding in report.findings if finding.verdict == INCONCLUSIVE]
    if unknown:
        lines.append(f"- {SIGNS[INCONCLUSIVE]} not decided: {plain(', '.join(unknown))}")
    seen = (
        f"{counted(report.calls, 'call')}, {counted(report.attempts, 'request')} in"
        f" {seconds(client.seconds)}; profile `{report.profile}`."
    )
    found_nothing = "The client did what the reference of every decided check asks."
    return [f"## {plain(client.name)}", seen, "\n".join(lines) or found_nothing]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
