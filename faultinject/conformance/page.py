"""The results as a page for the users of SDKs, in GitHub's Markdown."""

from __future__ import annotations

from typing import Any

from faultinject.audit.checks import CHECKS
from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import FAIL, INCONCLUSIVE, SIGNS, WARN
from faultinject.audit.reports import sentences
from faultinject.audit.reports.markdown import plain
from faultinject.conformance.league.columns import COLUMNS, WORDS
from faultinject.conformance.plan import PHASES
from faultinject.conformance.process import CONTRACT
from faultinject.conformance.results import measured, name_of, worst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COMMAND = "faultinject conformance --all -o league.json -o league.html -o README.md"


HEAD = """\
# What storage SDKs do about faults

Made on {made} by `{command}` (faultinject {faultinject}, Python {python} on {system} with {cores} cores, seed `{seed}`).
Every SDK made the same calls, against a store on the same machine that answers with the documented errors of the SDK's own service. The verdicts
rest on the requests that the server saw and on the results that the caller got. SDKs have their default settings, unless
their title names another one."""


LEGEND = f"""\
{" · ".join(f"{SIGNS[verdict]} {words}" for verdict, words in WORDS.items())} · empty: no promise is known.
[Checks](../../docs/reference/checks.md) says what each check demands. Only a service that documents an error in a 200
for the end of a multipart upload sends one, and only there."""

CALLS = """\
Each phase has a client of its own, each call a key of its own. `cal` comes first and alone, then one phase begins after
the other. A service is asked only for errors and hints that it documents: a phase that needs another is left out."""

OWN = """\
`faultinject conformance --client 'COMMAND…'` runs the same plan with a command of yours; `--vendor` chooses whose errors
it gets. A client in Python needs no command: `--client MODULE:FACTORY`, where `FACTORY(endpoint, bucket)` makes an object with
some of the methods `get(key)`, `put(key)`, `post(key)` and `complete(key)`, and perhaps `close()`."""


def page(document: dict[str, Any]) -> str:
    """The whole page.

    Args:
        document: results as plain data.
    """
    clients = document["clients"]
    plan = ((f"`{each.name}`", each.title, _calls(each.calls)) for each in PHASES)
    blocks = [
        HEAD.format_map({**document, "command": COMMAND, "cores": document["machine"]["cores"]}),
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
    blocks += ["## Your own client, in any language", OWN, CONTRACT]
    return "\n\n".join(blocks) + "\n"


def _league(clients: Sequence[dict[str, Any]]) -> list[str]:
    """A table with a row for each client, and what its columns say."""
    rows = ([plain(column.text(each)) for column in COLUMNS] for each in clients)
    told = "\n".join(f"- **{each.title}**: {each.about}" for each in COLUMNS)
    return [_table([each.title for each in COLUMNS], rows), told]


def _missing(document: dict[str, Any]) -> list[str]:
    """The clients that there is a driver for and no result."""
    lines = [
        f"- {plain(each['title'])} is not installed: `{each['install']}`" for each in document["skipped"]
    ]
    lines += [
        f"- {plain(each['client'])} could not be started: {plain(each['reason'])}"
        for each in document["failed"]
    ]
    return ["## Not measured", "\n".join(lines)] if lines else []


def _matrix(clients: Sequence[dict[str, Any]]) -> str:
    said = {check: [worst(each["report"]["findings"], check) for each in clients] for check in CHECKS}
    decided = {check: verdicts for check, verdicts in said.items() if any(verdicts)}
    signs = [[SIGNS[each] if each else "" for each in verdicts] for verdicts in decided.values()]
    rows = ((each["client"], *(column[row] for column in signs)) for row, each in enumerate(clients))
    return _table(("SDK", *decided), rows)


def _client(client: dict[str, Any]) -> list[str]:
    report = client["report"]
    title = " ".join(
        filter(None, (client["title"], client["version"], client["note"] and f"({client['note']})"))
    )
    found = [each for each in report["findings"] if each["verdict"] in (FAIL, WARN)]
    lines = [
        f"- {SIGNS[each['verdict']]} **{plain(name_of(each))}**: {plain(measured(each))}"
        f" <sub>{plain(each['reference'])}</sub>"
        for each in sorted(found, key=lambda each: each["verdict"])
    ]
    codes = (
        (plain(each["answer"]), plain(each["documented"]), f"{each['retried']} of {each['calls']}")
        for each in client["numbers"]["retried"]
    )
    unknown = [name_of(each) for each in report["findings"] if each["verdict"] == INCONCLUSIVE]
    if unknown:
        lines.append(f"- {SIGNS[INCONCLUSIVE]} not decided: {plain(', '.join(unknown))}")
    seen = (
        f"{sentences.counted(report['calls'], 'call')}, {sentences.counted(report['attempts'], 'request')} in"
        f" {seconds(client['seconds'])}; profile `{report['profile']}`."
    )
    found_nothing = "Every check that was decided: as its reference asks."
    retried = _table(("first answer", "documented", "calls retried"), codes)
    return [f"### {plain(title)}", seen, "\n".join(lines) or found_nothing, retried]


def _calls(calls: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in calls)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)
