"""What came of running the plan with several clients as plain data, the form that is kept: measurements, verdicts, and what changed."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from statistics import median
from typing import Any

from faultinject.audit.conclusion import Conclusion
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, VERDICTS, WARN
from faultinject.conformance import plan
from faultinject.conformance.numbers import numbers_of
from faultinject.conformance.serving import SEED
from faultinject.exceptions import ConfigurationError
from faultinject.rules.files import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from faultinject.audit.judging import Judgement
    from faultinject.conformance.driving import Run
    from faultinject.journal.calls import Call


@dataclass(frozen=True, slots=True)
class Result:
    """One client's run.

    Attributes:
        name: as `--client` took it.
        title: for people.
        note: what is not its default, or empty.
        version: of its package; None where nobody knows.
        run: what was done and found.
        language: what the client is written in, or empty.
        service: the vendor whose errors it got, or empty.
    """

    name: str
    title: str
    note: str
    version: str | None
    run: Run
    language: str = ""
    service: str = ""

    def to_dict(self, *, evidence: bool = True) -> dict[str, Any]:
        """As plain data; times are seconds.

        Args:
            evidence: with the calls that show each finding, which are nine tenths of all.
        """
        report: dict[str, Any] = self.run.judgement.to_dict()
        if not evidence:
            report["findings"] = [{**each, "calls": []} for each in report["findings"]]
        return {
            "client": self.name,
            "title": self.title,
            "note": self.note,
            "version": self.version,
            "language": self.language,
            "service": self.service,
            "seconds": round(self.run.seconds, 2),
            "deadline": self.run.deadline,
            "late": round(self.run.late, 3),
            "failure": self.run.failure or None,
            "facts": measurements(self.run.judgement),
            "numbers": numbers_of(self.run),
            "report": report,
        }


def measurements(judgement: Judgement) -> dict[str, Any]:
    """What a client does, in numbers.

    `attempts`: of a call that always fails, the fewest and the most. `throttled`, `failed`: the medians of its waits
    in seconds, by number of retry, when told to slow down and when the server fails. `outage`: calls, requests and
    retries while nothing works.
    """
    calls = [each for each in judgement.evidence.calls if not each.succeeded]
    thr, srv, out = ([each for each in calls if each.name == name] for name in ("thr", "srv", plan.OUTAGE))
    numbers = [len(each.attempts) for each in (*thr, *srv)]
    requests = sum(len(each.attempts) for each in out)
    return {
        "attempts": [min(numbers), max(numbers)] if numbers else None,
        "throttled": _waits(thr),
        "failed": _waits(srv),
        "outage": {"calls": len(out), "requests": requests, "retries": requests - len(out)},
    }


def _waits(calls: Sequence[Call]) -> list[float]:
    """By number of retry the median wait, for as long as half of the calls have one."""
    found: list[list[float]] = []
    for call in calls:
        for number, gap in enumerate(call.gaps):
            if gap is not None:
                if number == len(found):
                    found.append([])
                found[number].append(gap)
    return [round(median(each), 3) for each in found if 2 * len(each) >= len(calls)]


def name_of(finding: dict[str, Any]) -> str:
    """The check, and what it was about: `retry-after: seconds`."""
    subject = finding["subject"]
    return f"{finding['check']}: {subject}" if subject else str(finding["check"])


def measured(finding: dict[str, Any]) -> str:
    """The finding's message, without what it was about."""
    message: str = finding["message"]
    return message.removeprefix(f"{finding['subject']}: ")


BUSY = 0.03
"""Seconds; calls that are asked for later than this say that the machine has other things to do."""


def worst(findings: Iterable[dict[str, Any]], check: str) -> str | None:
    """The worst verdict of a check; None where it says nothing."""
    said = [each["verdict"] for each in findings if each["check"] == check]
    decided = [each for each in said if each != INCONCLUSIVE]
    return min(decided or said, key=VERDICTS.index, default=None)


def conclusion(results: Sequence[Result]) -> Conclusion:
    """What the results of all clients come to: a failure overrides what was not decided, which overrides a warning."""
    if len(results) == 1:
        return results[0].run.judgement.conclusion
    found = {each.name: each.run.judgement.conclusion for each in results}
    worst = next(each for each in ("fail", "undecided", "warn", "pass") if each in _results(found.values()))
    named = [name for name, each in found.items() if each.result == worst]
    some = f"{len(named)} of {len(found)} clients"
    if worst == "undecided":
        why = "; ".join(f"{name}: {found[name].sentence}" for name in named)
        return Conclusion(worst, "Not decided", f"{some}: {why}")
    if worst == "pass":
        return Conclusion(worst, PASS, f"all {len(found)} clients pass")
    head, verb = (FAIL, "fail") if worst == "fail" else (WARN, "warn")
    return Conclusion(worst, head, f"{some} {verb}{'s' if len(named) == 1 else ''}: {', '.join(named)}")


def _results(conclusions: Iterable[Conclusion]) -> set[str]:
    return {each.result for each in conclusions}


def document(
    results: Sequence[Result],
    *,
    day: str,
    version: str,
    deadline: float,
    complete: bool = True,
    whole: bool = False,
    skipped: Sequence[dict[str, str]] = (),
    failed: Sequence[dict[str, str]] = (),
    command: str = "",
) -> dict[str, Any]:
    """All results as plain data; `faultinject.conformance.schema` has its form.

    Args:
        results: of the clients.
        day: when it was made, `2026-11-20`.
        version: of faultinject.
        deadline: how long each client had that is not known to need longer, seconds.
        complete: whether nobody interrupted it.
        whole: whether every client that is installed was asked for; then findings come without their calls.
        skipped: clients that are not installed: `client`, `title`, `install`.
        failed: clients that could not be started: `client`, `reason`.
        command: what makes it again, or empty.
    """
    found = conclusion(results)
    return {
        "v": 1,
        "result": found.result,
        "reason": found.reason,
        "made": day,
        "faultinject": version,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "release": platform.release(),
        },
        "seed": SEED,
        "deadline": deadline,
        "complete": complete,
        "all": whole,
        **({"command": command} if command else {}),
        "skipped": list(skipped),
        "failed": list(failed),
        "clients": [each.to_dict(evidence=not whole) for each in results],
    }


def read(path: str) -> dict[str, Any]:
    """Results that were written before.

    Raises:
        ConfigurationError: the file cannot be read, or is something else.
    """
    try:
        found = json.loads(read_bytes(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        found = None
    if not (isinstance(found, dict) and found.get("v") == 1 and isinstance(found.get("clients"), list)):
        raise ConfigurationError(f"{path}: these are no results of `faultinject conformance -o FILE.json`")
    return found


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
    """What changed for the clients that both results have, in the order of the new ones; and who is new, or gone.

    A client is gone only from results for which every client was asked.

    Args:
        old: results as plain data.
        new: likewise.
    """
    before = {each["client"]: each for each in old["clients"]}
    for client in new["clients"]:
        name = client["client"]
        if name in before:
            old_client = before.pop(name)
            yield from _facts(name, old_client, client)
            yield from _verdicts(name, old_client, client)
        else:
            yield Change(name, "client", "", f"new: {client['version'] or 'version unknown'}")
    if new.get("all") and new.get("complete"):
        for name, client in before.items():
            yield Change(name, "client", client["version"] or "version unknown", "gone")


def _facts(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for what, value in _in_words(new).items():
        was = _in_words(old)[what]
        if was != value and not (what == "attempts" and _both_vary(old, new)):
            yield Change(name, what, was, value)


def _both_vary(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether chance decides how many attempts a call makes, before and now, and some numbers are the same."""
    ranges = [each["facts"]["attempts"] for each in (old, new)]
    if None in ranges or any(fewest == most for fewest, most in ranges):
        return False
    (fewest, most), (fewest_now, most_now) = ranges
    return bool(max(fewest, fewest_now) <= min(most, most_now))


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
"""Seconds; a shorter gap is not a wait."""


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
