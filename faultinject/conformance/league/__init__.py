"""The league: its columns, in words and as values to sort by, and the page that needs no network, every client on one row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, VERDICTS, WARN
from faultinject.audit.reports.html import digest, template
from faultinject.conformance.results import NOTHING, Results, between, verdicts
from faultinject.conformance.results import ClientResult as Client

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
