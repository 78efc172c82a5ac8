"""The results as pages for the users of SDKs: the league, every client on one row, in GitHub's Markdown, and as HTML without a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, VERDICTS, WARN
from faultinject.audit.judging import ANSWERS
from faultinject.audit.reports import sentences
from faultinject.audit.reports.html import digest, template
from faultinject.audit.reports.markdown import code, linked, plain
from faultinject.conformance.plan import PHASES
from faultinject.conformance.process import CONTRACT
from faultinject.conformance.results import NOTHING, Results, between, verdicts
from faultinject.conformance.results import ClientResult as Client
from faultinject.engine.shown import quoted

SHOWN = 6
"""Retries whose waits are written out."""
WORDS = {
    PASS: "as its reference asks",
    FAIL: "not as its reference asks",
    WARN: "worth knowing",
    INCONCLUSIVE: "not decided",
}
"""What a verdict means, for people who did not choose the check."""


class Column(NamedTuple):
    """A column of the league.

    Attributes:
        title: its heading.
        about: what it says, in one sentence.
        text: what it says of a client; empty where nothing was seen.
        number: whether it shows numbers: then clients are sorted by the first, or by a share such as `3/5`.
        key: what a client is sorted by, where it is not that.
    """

    title: str
    about: str
    text: Callable[[Client], str]
    number: bool = True
    key: Callable[[Client], float | None] | None = None

    def value(self, client: Client) -> float | str | None:
        """What a client is sorted by; None comes last."""
        if self.key is not None:
            return self.key(client)
        text = self.text(client)
        if not self.number:
            return text.lower() or None
        found = re.search(r"([\d.]+)(?:/(\d+))?", text)
        return None if found is None else float(found[1]) / float(found[2] or 1)


def waits(client: Client, kind: str) -> str:
    """Median and spread of the waits before the first, second, … retry: `0.52 (0.33–0.78), …`."""
    curve = client.numbers.backoff[kind]
    told = [f"{_wait(each.median)} ({_wait(each.low)}–{_wait(each.high)})" for each in curve[:SHOWN]]
    return ", ".join([*told, "…"] if len(curve) > SHOWN else told)


def _wait(number: float) -> str:
    return f"{number:.2f}" if number >= NOTHING else "0"


def _jitter(client: Client) -> str:
    found = client.numbers.jitter
    return "" if found is None else f"{found:.2f}"


def _hints(client: Client) -> str:
    return ", ".join(
        f"{form} {each.obeyed}/{each.retried}"
        for form, each in client.numbers.hints.items()
        if each.obeyed is not None and each.retried
    )


def _outage(client: Client) -> str:
    budget = client.numbers.budget
    return f"{budget.retries}" if budget.calls else ""


def _gives_up(client: Client) -> str:
    found = client.numbers.gives_up
    return (
        ", ".join(seconds(each.median) if each else "–" for each in found.values())
        if any(found.values())
        else ""
    )


def _longest(client: Client) -> float | None:
    return max((each.median for each in client.numbers.gives_up.values() if each), default=None)


def _part(number: int, of: int) -> str:
    return f"{number}/{of}" if of else ""


def tally(client: Client) -> str:
    """How many verdicts of each kind: `✕ 2, ! 1, ✓ 14`; those that nobody could reach are left out."""
    said = [each.verdict for each in client.report.findings]
    return ", ".join(
        f"{SIGNS[each]} {said.count(each)}" for each in VERDICTS if each != INCONCLUSIVE and each in said
    )


def _failed(client: Client) -> float:
    said = [each.verdict for each in client.report.findings]
    return said.count(FAIL) + said.count(WARN) / 100


COLUMNS: Sequence[Column] = (
    Column("client", "The client, its version, and what is not its default.", lambda each: each.name, number=False),
    Column("language", "What it is written in.", lambda each: each.language, number=False),
    Column("service", "The vendor whose errors it got.", lambda each: each.service, number=False),
    Column("attempts", "Requests of one call that always fails.", lambda each: between(each.numbers.attempts)),
    Column(
        "wait: throttled", "Seconds before the first, second, … retry after a throttle error: the median, and where half of them are.",
        lambda each: waits(each, "throttle"),
    ),
    Column("wait: server error", "The same after a server error.", lambda each: waits(each, "server")),
    Column("jitter", "Standard deviation by mean of the waits before the same retry.", _jitter),
    Column("hints obeyed", "Retries that came no earlier than the answer asked for, of all, by the form of the hint.", _hints),
    Column("outage: retries", "Retries while 120 calls within 2.4 s get nothing but server errors.", _outage),
    Column("reset retried", "Calls whose connection was reset, and those of them that were retried.", lambda each: _part(each.numbers.resets.retried, each.numbers.resets.calls)),
    Column("lost answer retried", "Calls whose answer was lost after the store had done the work, and those of them that were retried.", lambda each: _part(each.numbers.lost.retried, each.numbers.lost.calls)),
    Column("error in 200 noticed", "Errors in a 200 after which the client retried or told its caller.", lambda each: _part(each.numbers.hidden.noticed, each.numbers.hidden.calls)),
    Column("same bytes", "Uploads that sent the same body again.", lambda each: _part(each.numbers.bytes.same, each.numbers.bytes.compared)),
    Column("overlap", "Calls whose next attempt came before the answer to the last one.", lambda each: _part(each.numbers.overlap.overlapping, each.numbers.overlap.calls)),
    Column("gives up after", "Until a call that always fails ends: throttled, with server errors.", _gives_up, key=_longest),
    Column("checks", "Verdicts: each check has its reference below.", tally, key=_failed),
)  # fmt: skip
"""The columns, from left to right."""


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


SETTINGS = "SDKs have their default settings, unless their title names another one."


LEGEND = f"""\
{" · ".join(f"{SIGNS[verdict]} {words}" for verdict, words in WORDS.items())} · empty: no promise is known.
The page "Checks" of faultinject's documentation says what each check demands. Only a service that documents an error in a
200 for the end of a multipart upload sends one, and only there."""

CALLS = """\
Each phase has a client of its own, each call a key of its own. `cal` comes first and alone, then one phase begins after
the other. A service is asked only for errors and hints that it documents: a phase that needs another is left out."""

OWN = """\
`faultinject conformance --client 'COMMAND…'` runs the same plan with a command of yours; `--vendor` chooses whose errors
it gets. A client in Python needs no command: `--client MODULE:FACTORY`, where `FACTORY(endpoint, bucket)` makes an object with
some of the methods `get(key)`, `put(key)`, `post(key)` and `complete(key)`, and perhaps `close()`."""


def heading(document: Results) -> str:
    """What the page is about: the client that was judged by its name and version, or SDKs."""
    if document.all:
        return "What storage SDKs do about faults"
    return f"What {', '.join(each.called for each in document.clients)} did about faults"


def made(document: Results, code: Callable[[str], str] = str) -> str:
    """When it was made, and the command that makes it again.

    Args:
        document: the results of all clients.
        code: how code is written.
    """
    command = quoted(document.command)
    return (
        f"Made on {document.made} by {code(command)} (faultinject {document.faultinject}, Python"
        f" {document.python} on {document.system} with {document.machine.cores} cores, seed"
        f" {code(document.seed)})."
    )


def against(document: Results) -> str:
    """What the clients sent their calls to."""
    if document.all or len(document.clients) > 1:
        return "a store on the same machine that answers with the documented errors of the SDK's own service"
    return f"a store on the same machine that answers with the documented errors of {document.clients[0].service}"


def _head(document: Results) -> str:
    several = document.all or len(document.clients) > 1
    who = "Every SDK made the same calls" if several else "The client made its calls"
    told = f"{who}, against {plain(against(document))}. The verdicts\nrest on the requests that the server saw and on the results that the caller got."
    settings = f" {SETTINGS}" if document.all else ""
    return f"# {plain(heading(document))}\n\n{made(document, code)}\n{told}{settings}"


def markdown(document: Results) -> str:
    """The whole page; only one about all SDKs has the contract of clients that it knows nothing of.

    Args:
        document: the results of all clients.
    """
    clients = document.clients
    plan = ((f"`{each.name}`", each.title, _calls(each.calls)) for each in PHASES)
    blocks = [
        _head(document),
        "## In short",
        *_league(clients),
        "## Verdicts",
        _matrix(clients),
        LEGEND,
    ]
    for each in clients:
        blocks += _client(each)
    blocks += _missing(document)
    blocks += ["## The calls", CALLS, _table(("phase", "what is done", "calls"), plan)]
    if document.all:
        blocks += ["## Your own client, in any language", OWN, CONTRACT]
    return "\n\n".join(blocks) + "\n"


def _league(clients: Sequence[Client]) -> list[str]:
    """A table with a row for each client, and what its columns say."""
    rows = ([plain(column.text(each)) for column in COLUMNS] for each in clients)
    told = "\n".join(f"- **{each.title}**: {each.about}" for each in COLUMNS)
    return [_table([each.title for each in COLUMNS], rows), told]


def _missing(document: Results) -> list[str]:
    """The clients that there is a driver for and no result."""
    lines = [f"- {plain(each.title)} is not installed: `{each.install}`" for each in document.skipped]
    lines += [
        f"- {plain(each.client)} could not be started: {plain(each.reason)}" for each in document.failed
    ]
    return ["## Not measured", "\n".join(lines)] if lines else []


def _matrix(clients: Sequence[Client]) -> str:
    decided = [(check, said) for check, said in verdicts(clients) if check != ANSWERS]
    rows = (
        (client.client, *(SIGNS.get(said[row] or "", "") for _, said in decided))
        for row, client in enumerate(clients)
    )
    return _table(("SDK", *(check for check, _ in decided)), rows)


def _client(client: Client) -> list[str]:
    report = client.report
    found = [each for each in report.findings if each.wrong]
    lines = [
        f"- {SIGNS[each.verdict]} **{plain(each.name)}**: {plain(each.measured)}"
        f" <sub>{linked(' '.join(filter(None, (each.action, 'See', each.reference))))}</sub>"
        for each in sorted(found, key=lambda each: each.verdict)
    ]
    codes = (
        (plain(each.answer), plain(each.documented), f"{each.retried} of {each.calls}")
        for each in client.numbers.retried
    )
    unknown = [each.name for each in report.findings if each.verdict == INCONCLUSIVE]
    if unknown:
        lines.append(f"- {SIGNS[INCONCLUSIVE]} not decided: {plain(', '.join(unknown))}")
    seen = (
        f"{sentences.counted(report.calls, 'call')}, {sentences.counted(report.attempts, 'request')} in"
        f" {seconds(client.seconds)}; profile `{report.profile}`."
    )
    found_nothing = "Every check that was decided: as its reference asks."
    retried = _table(("first answer", "documented", "calls retried"), codes)
    return [f"### {plain(client.name)}", seen, "\n".join(lines) or found_nothing, retried]


def _calls(calls: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in calls)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)
