"""The results as a page for the users of SDKs, in GitHub's Markdown."""

from __future__ import annotations

from typing import Any

from faultinject.audit.checks import CHECKS
from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, WARN
from faultinject.audit.reports import sentences
from faultinject.audit.reports.markdown import plain
from faultinject.conformance.plan import PHASES
from faultinject.conformance.process import CONTRACT
from faultinject.conformance.results import between, measured, name_of, worst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COMMAND = "faultinject conformance -o examples/conformance/README.md"


HEAD = """\
# What storage SDKs do about faults

Made on {made} by `{command}` (faultinject {faultinject}, Python {python} on {system}). Every SDK made the same
calls, against a store on the same machine that answers with the documented errors of the SDK's own service. The verdicts
rest on the requests that the server saw and on the results that the caller got. SDKs have their default settings, unless
their title names another one."""

FACTS = """\
Waits are medians, in seconds, before the first, second, … retry. The outage is 120 calls within 2.4 seconds. None of
them can succeed, so every retry only adds load to an overloaded service."""

LEGEND = f"""\
{SIGNS[PASS]} right · {SIGNS[FAIL]} wrong · {SIGNS[WARN]} worth knowing · {SIGNS[INCONCLUSIVE]} not decided · empty: no
promise is known. [Checks](../../docs/reference/checks.md) says what each check demands. Only a service that
documents an error in a 200 for the end of a multipart upload sends one, and only there."""

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
        HEAD.format_map({**document, "command": COMMAND}),
        "## In short",
        _facts(clients),
        FACTS,
        "## Verdicts",
        _matrix(clients),
        LEGEND,
    ]
    for each in clients:
        blocks += _client(each)
    blocks += ["## The calls", CALLS, _table(("phase", "what is done", "calls"), plan)]
    blocks += ["## Your own client, in any language", OWN, CONTRACT]
    return "\n\n".join(blocks) + "\n"


def _facts(clients: Sequence[dict[str, Any]]) -> str:
    rows = []
    for each in clients:
        measured = each["facts"]
        outage = measured["outage"]
        rows.append(
            (
                plain(f"{each['title']} ({each['note']})" if each["note"] else each["title"]),
                each["version"] or "",
                between(measured["attempts"]),
                _waits(measured["throttled"]),
                _waits(measured["failed"]),
                str(outage["retries"]) if outage["calls"] else "",
            )
        )
    head = ("SDK", "version", "attempts", "waits: slow down", "waits: server error", "retries in the outage")
    return _table(head, rows)


def _waits(waits: Sequence[float]) -> str:
    shown = [f"{each:.2f}" if each >= 0.02 else "0" for each in waits[:6]]
    return ", ".join([*shown, "…"] if len(waits) > len(shown) else shown)


def _matrix(clients: Sequence[dict[str, Any]]) -> str:
    rows = []
    for check in CHECKS:
        said = [worst(each["report"]["findings"], check) for each in clients]
        if any(said):
            rows.append((check, *(SIGNS[each] if each else "" for each in said)))
    return _table(("check", *(each["client"] for each in clients)), rows)


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
    unknown = [name_of(each) for each in report["findings"] if each["verdict"] == INCONCLUSIVE]
    if unknown:
        lines.append(f"- {SIGNS[INCONCLUSIVE]} not decided: {plain(', '.join(unknown))}")
    seen = (
        f"{sentences.counted(report['calls'], 'call')}, {sentences.counted(report['attempts'], 'request')} in"
        f" {seconds(client['seconds'])}; profile `{report['profile']}`."
    )
    return [f"### {plain(title)}", seen, "\n".join(lines) or "No problem found."]


def _calls(calls: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in calls)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)
