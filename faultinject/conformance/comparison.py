"""What changed between two runs of the plan, as with two versions of an SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faultinject.audit.findings import FAIL, INCONCLUSIVE, WARN
from faultinject.conformance.results import measured, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY = {FAIL: 2, WARN: 1}


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not what it was.

    Attributes:
        client: whose.
        what: the check with what it was about, or the fact.
        before: the verdict, or the fact; empty where there was none.
        after: likewise.
        message: what is measured now; empty for a fact.
        worse: whether a check says no, or warns, that did not before.
    """

    client: str
    what: str
    before: str
    after: str
    message: str = ""
    worse: bool = False


def changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """What changed for the clients that both results have, in the order of the new ones.

    Args:
        old: results as plain data.
        new: likewise.
    """
    before = {each["client"]: each for each in old["clients"]}
    for client in new["clients"]:
        name = client["client"]
        if name in before:
            yield from _facts(name, before[name], client)
            yield from _verdicts(name, before[name], client)


def _facts(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for what, value in _in_words(new).items():
        was = _in_words(old)[what]
        if was != value:
            yield Change(name, what, was, value)


def _in_words(client: dict[str, Any]) -> dict[str, str]:
    """The measurements that are the same in every run of one version, in words."""
    measured = client["facts"]
    waits = measured["failed"]
    return {
        "version": client["version"] or "",
        "attempts": between(measured["attempts"]),
        "retries in the outage": _outage(measured["outage"]),
        "waits": "at once" if waits and max(waits) < AT_ONCE else "waits" if waits else "",
    }


AT_ONCE = 0.02
"""Seconds below which a wait is none."""


def between(numbers: list[int] | None) -> str:
    """`3`, `9 to 12`, or nothing."""
    if numbers is None:
        return ""
    fewest, most = numbers
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def _outage(outage: dict[str, int]) -> str:
    """A number where there is a budget; else how many a call, for chance decides the rest."""
    calls, retries = outage["calls"], outage["retries"]
    if not calls:
        return ""
    return f"{retries}" if retries < calls else f"{retries / calls:.0f} a call"


def _verdicts(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    before = {name_of(each): each["verdict"] for each in old["report"]["findings"]}
    for finding in new["report"]["findings"]:
        key, verdict = name_of(finding), finding["verdict"]
        was = before.pop(key, "")
        # What was not decided, or is not now, says nothing: unless it is a fault that was not known.
        if was == verdict or (INCONCLUSIVE in (was, verdict) and verdict not in SEVERITY):
            continue
        worse = SEVERITY.get(verdict, 0) > SEVERITY.get(was, 0)
        yield Change(name, key, was, verdict, measured(finding), worse)
    for key, was in before.items():
        if was in SEVERITY:
            yield Change(name, key, was, "")
