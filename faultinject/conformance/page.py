"""The results as a page for the users of SDKs, in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import INCONCLUSIVE, SIGNS
from faultinject.audit.judging import ANSWERS
from faultinject.audit.reports import sentences
from faultinject.audit.reports.markdown import code, linked, plain
from faultinject.conformance.league import COLUMNS, WORDS
from faultinject.conformance.plan import PHASES
from faultinject.conformance.process import CONTRACT
from faultinject.conformance.results import ClientResult, Results, verdicts
from faultinject.engine.shown import quoted

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


def _league(clients: Sequence[ClientResult]) -> list[str]:
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


def _matrix(clients: Sequence[ClientResult]) -> str:
    decided = [(check, said) for check, said in verdicts(clients) if check != ANSWERS]
    rows = (
        (client.client, *(SIGNS.get(said[row] or "", "") for _, said in decided))
        for row, client in enumerate(clients)
    )
    return _table(("SDK", *(check for check, _ in decided)), rows)


def _client(client: ClientResult) -> list[str]:
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
