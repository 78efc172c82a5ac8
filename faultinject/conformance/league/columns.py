"""What one row of the league says, in words and as values to sort by; the HTML page and the Markdown page say the same."""

from __future__ import annotations

from typing import NamedTuple

from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, VERDICTS, WARN
from faultinject.conformance.numbers import NOTHING
from faultinject.conformance.results import between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultinject.conformance.numbers import Numbers
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
        value: what a client is sorted by; None comes last.
        number: whether values are numbers.
    """

    title: str
    about: str
    text: Callable[[Client], str]
    value: Callable[[Client], float | str | None]
    number: bool = True


def waits(client: Client, kind: str) -> str:
    """Median and spread of the waits before the first, second, … retry: `0.52 (0.33–0.78), …`."""
    curve = client.numbers.backoff[kind]
    told = [f"{_wait(each.median)} ({_wait(each.low)}–{_wait(each.high)})" for each in curve[:SHOWN]]
    return ", ".join([*told, "…"] if len(curve) > SHOWN else told)


def _wait(number: float) -> str:
    return f"{number:.2f}" if number >= NOTHING else "0"


def _first_wait(client: Client, kind: str) -> float | None:
    curve = client.numbers.backoff[kind]
    return curve[0].median if curve else None


def _attempts(client: Client) -> str:
    return between(client.numbers.attempts)


def _most_attempts(client: Client) -> float | None:
    made = client.numbers.attempts
    return None if made is None else float(made.most)


def _jitter(client: Client) -> str:
    found = client.numbers.jitter
    return "" if found is None else f"{found:.2f}"


def _hints(client: Client) -> str:
    return ", ".join(
        f"{form} {each.obeyed}/{each.retried}"
        for form, each in client.numbers.hints.items()
        if each.obeyed is not None and each.retried
    )


def _hints_obeyed(client: Client) -> float | None:
    known = [(each.obeyed, each.retried) for each in client.numbers.hints.values() if each.obeyed is not None]
    retried = sum(number for _, number in known)
    return sum(obeyed for obeyed, _ in known) / retried if retried else None


def _outage(client: Client) -> str:
    budget = client.numbers.budget
    return f"{budget.retries}" if budget.calls else ""


def _outage_retries(client: Client) -> float | None:
    budget = client.numbers.budget
    return float(budget.retries) if budget.calls else None


def _gives_up(client: Client) -> str:
    found = client.numbers.gives_up
    return (
        ", ".join(seconds(each.median) if each else "–" for each in found.values())
        if any(found.values())
        else ""
    )


def _longest(client: Client) -> float | None:
    return max((each.median for each in client.numbers.gives_up.values() if each), default=None)


def _part(
    get: Callable[[Numbers], tuple[int, int]],
) -> tuple[Callable[[Client], str], Callable[[Client], float | None]]:
    """A share of the numbers, as text and as value."""

    def text(client: Client) -> str:
        number, of = get(client.numbers)
        return f"{number}/{of}" if of else ""

    def value(client: Client) -> float | None:
        number, of = get(client.numbers)
        return number / of if of else None

    return text, value


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
    Column("client", "The client, its version, and what is not its default.", lambda each: each.name, lambda each: each.name.lower(), number=False),
    Column("language", "What it is written in.", lambda each: each.language, lambda each: each.language or None, number=False),
    Column("service", "The vendor whose errors it got.", lambda each: each.service, lambda each: each.service or None, number=False),
    Column("attempts", "Requests of one call that always fails.", _attempts, _most_attempts),
    Column(
        "wait: throttled", "Seconds before the first, second, … retry after a throttle error: the median, and where half of them are.",
        lambda each: waits(each, "throttle"), lambda each: _first_wait(each, "throttle"),
    ),
    Column(
        "wait: server error", "The same after a server error.",
        lambda each: waits(each, "server"), lambda each: _first_wait(each, "server"),
    ),
    Column("jitter", "Standard deviation by mean of the waits before the same retry.", _jitter, lambda each: each.numbers.jitter),
    Column("hints obeyed", "Retries that came no earlier than the answer asked for, of all, by the form of the hint.", _hints, _hints_obeyed),
    Column("outage: retries", "Retries while 120 calls within 2.4 s get nothing but server errors.", _outage, _outage_retries),
    Column("reset retried", "Calls whose connection was reset, and those of them that were retried.", *_part(lambda each: (each.resets.retried, each.resets.calls))),
    Column("lost answer retried", "Calls whose answer was lost after the store had done the work, and those of them that were retried.", *_part(lambda each: (each.lost.retried, each.lost.calls))),
    Column("error in 200 noticed", "Errors in a 200 after which the client retried or told its caller.", *_part(lambda each: (each.hidden.noticed, each.hidden.calls))),
    Column("same bytes", "Uploads that sent the same body again.", *_part(lambda each: (each.bytes.same, each.bytes.compared))),
    Column("overlap", "Calls whose next attempt came before the answer to the last one.", *_part(lambda each: (each.overlap.overlapping, each.overlap.calls))),
    Column("gives up after", "Until a call that always fails ends: throttled, with server errors.", _gives_up, _longest),
    Column("checks", "Verdicts: each check has its reference below.", tally, _failed),
)  # fmt: skip
"""The columns, from left to right."""
