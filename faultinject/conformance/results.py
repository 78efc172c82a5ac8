"""The results of a conformance run, as they are printed and kept: measurements, verdicts, and what changed."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct
from msgspec.json import decode

from faultinject.audit.checks import CHECKS
from faultinject.audit.conclusion import Conclusion
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, VERDICTS, WARN
from faultinject.audit.judging import ANSWERS
from faultinject.audit.report import RESULTS, Report
from faultinject.conformance.driving import Run
from faultinject.conformance.numbers import Attempts, Numbers, numbers_of
from faultinject.conformance.sdks import SDKS, Sdk
from faultinject.conformance.serving import SEED
from faultinject.exceptions import ConfigurationError
from faultinject.rules.files import read_bytes


class ClientResult(Struct):
    """What one client did. Times are seconds.

    Attributes:
        client: As `--client` takes it.
        title: For people.
        note: What is not its default, or empty.
        version: Of the client; null where nobody knows.
        language: The language that it is written in, or empty.
        service: The vendor whose errors it got.
        seconds: How long the run took.
        deadline: How long it could have taken.
        late: How late calls began: how busy the machine was.
        failure: What the client did against the contract; null for nothing.
        numbers: Everything that was measured.
        report: The verdict, as `faultinject report` prints it.
    """

    client: str
    title: str
    note: str
    version: str | None
    language: str
    service: str
    seconds: float
    deadline: float
    late: float
    failure: str | None
    numbers: Numbers
    report: Report

    @property
    def name(self) -> str:
        """Title, version and what is not its default."""
        return " ".join(filter(None, (self.title, self.version, self.note and f"({self.note})")))

    @property
    def called(self) -> str:
        """The same; a client of the user's own as it calls itself, where it does."""
        own = self.title == self.client and self.client not in SDKS
        return self.version if own and self.version else self.name

    def worst(self, check: str) -> str | None:
        """The worst verdict of a check; None where it says nothing."""
        said = [each.verdict for each in self.report.findings if each.check == check]
        decided = [each for each in said if each != INCONCLUSIVE]
        return min(decided or said, key=VERDICTS.index, default=None)


def verdicts(clients: Sequence[ClientResult]) -> list[tuple[str, list[str | None]]]:
    """Each check that says something of a client, with its worst verdict on each, None where it says nothing."""
    rows = [(check, [each.worst(check) for each in clients]) for check in (ANSWERS, *CHECKS)]
    return [each for each in rows if any(each[1])]


class Machine(Struct):
    """A computer.

    Attributes:
        cores: How many processors it has; null where nobody knows.
        processor: Its kind.
        release: Of the operating system.
    """

    cores: int | None
    processor: str
    release: str


class SkippedClient(Struct):
    """A client that has a driver and is not installed.

    Attributes:
        client: As `--client` takes it.
        title: For people.
        install: The command that installs it.
    """

    client: str
    title: str
    install: str


class FailedClient(Struct):
    """A client that could not be started.

    Attributes:
        client: As `--client` takes it.
        reason: Why it could not be started.
    """

    client: str
    reason: str


class Results(Struct, kw_only=True, omit_defaults=True):
    """What storage clients did in a fixed plan of faults. Times are seconds.

    Attributes:
        v: The version of the format.
        result: What it comes to.
        reason: The same in words.
        made: The day of the run, UTC, such as 2026-11-20.
        faultinject: The version of faultinject.
        python: The version of Python.
        system: The operating system.
        machine: The computer of the run.
        seed: Of every draw of faultinject.
        deadline: How long each client had that is not known to need longer, seconds.
        complete: Whether nobody interrupted it.
        all: Whether every client that is installed was asked for; then findings come without their calls.
        command: The command that makes these results again.
        skipped: Clients that have a driver and are not installed.
        failed: Clients that could not be started.
        clients: Each client's results.
    """

    v: Literal[1]
    result: Annotated[str, Meta(extra_json_schema={"enum": [*RESULTS]})]
    reason: str
    made: str
    faultinject: str
    python: str
    system: str
    machine: Machine
    seed: str
    deadline: float
    complete: bool
    all: bool
    command: str = ""
    skipped: list[SkippedClient]
    failed: list[FailedClient]
    clients: list[ClientResult]


class Measured(NamedTuple):
    """A client's run, and the same as it is kept.

    Attributes:
        result: what is kept.
        run: what was done and found.
    """

    result: ClientResult
    run: Run


def measured(sdk: Sdk, run: Run) -> Measured:
    """The result of a client's run."""
    result = ClientResult(
        client=sdk.name,
        title=sdk.title,
        note=sdk.note,
        version=sdk.version or run.title,
        language=sdk.language,
        service=sdk.vendor,
        seconds=round(run.seconds, 2),
        deadline=run.deadline,
        late=round(run.late, 3),
        failure=run.failure or None,
        numbers=numbers_of(run),
        report=run.judgement.reported(),
    )
    return Measured(result, replace(run, judgement=replace(run.judgement, title=result.called)))


BUSY = 0.03
"""Seconds; calls that are asked for later than this say that the machine has other things to do."""


def conclusion(results: Sequence[Measured]) -> Conclusion:
    """What the results of all clients come to: a failure overrides what was not decided, which overrides a warning."""
    if len(results) == 1:
        return results[0].run.judgement.conclusion
    found = {each.result.client: each.run.judgement.conclusion for each in results}
    results_found = {each.result for each in found.values()}
    worst = next(each for each in ("fail", "undecided", "warn", "pass") if each in results_found)
    named = [name for name, each in found.items() if each.result == worst]
    some = f"{len(named)} of {len(found)} clients"
    if worst == "undecided":
        why = "; ".join(f"{name}: {found[name].sentence}" for name in named)
        return Conclusion(worst, "Not decided", f"{some}: {why}")
    if worst == "pass":
        return Conclusion(worst, PASS, f"all {len(found)} clients pass")
    head, verb = (FAIL, "fail") if worst == "fail" else (WARN, "warn")
    return Conclusion(worst, head, f"{some} {verb}{'s' if len(named) == 1 else ''}: {', '.join(named)}")


def results_of(
    measured: Sequence[Measured],
    *,
    day: str,
    version: str,
    deadline: float,
    complete: bool,
    whole: bool,
    skipped: list[SkippedClient],
    failed: list[FailedClient],
    command: str,
) -> Results:
    """The results of all clients.

    Args:
        measured: the clients that ran.
        day: when it was made, `2026-11-20`.
        version: of faultinject.
        deadline: how long each client had that is not known to need longer, seconds.
        complete: whether nobody interrupted it.
        whole: whether every client that is installed was asked for; then findings come without their calls, which are nine
            tenths of all.
        skipped: clients that are not installed.
        failed: clients that could not be started.
        command: what makes it again.
    """
    found = conclusion(measured)
    for each in measured if whole else ():
        for finding in each.result.report.findings:
            finding.calls = []
    return Results(
        v=1,
        result=found.result,
        reason=found.reason,
        made=day,
        faultinject=version,
        python=platform.python_version(),
        system=platform.system(),
        machine=Machine(os.cpu_count(), platform.machine(), platform.release()),
        seed=SEED,
        deadline=deadline,
        complete=complete,
        all=whole,
        command=command,
        skipped=skipped,
        failed=failed,
        clients=[each.result for each in measured],
    )


def read(path: str) -> Results:
    """Results that were written before.

    Raises:
        ConfigurationError: the file cannot be read, or is something else.
    """
    try:
        return decode(read_bytes(path), type=Results)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(
            f"{path}: these are no results of `faultinject conformance -o FILE.json`"
        ) from None


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


def changes(old: Results, new: Results) -> Iterator[Change]:
    """What changed for the clients that both results have, in the order of the new ones; and who is new, or gone.

    A client is gone only from results for which every client was asked.

    Args:
        old: the results before.
        new: the results now.
    """
    before = {each.client: each for each in old.clients}
    for client in new.clients:
        name = client.client
        if name in before:
            old_client = before.pop(name)
            yield from _facts(name, old_client, client)
            yield from _verdicts(name, old_client, client)
        else:
            yield Change(name, "client", "", f"new: {client.version or 'version unknown'}")
    if new.all and new.complete:
        for name, client in before.items():
            yield Change(name, "client", client.version or "version unknown", "gone")


def _facts(name: str, old: ClientResult, new: ClientResult) -> Iterator[Change]:
    if old.version != new.version:
        yield Change(name, "version", old.version or "", new.version or "")
    before, now = between(old.numbers.attempts), between(new.numbers.attempts)
    if before != now and not _both_vary(old, new):
        yield Change(name, "attempts", before, now)


def _both_vary(old: ClientResult, new: ClientResult) -> bool:
    """Whether chance decides how many attempts a call makes, before and now, and some numbers are the same."""
    before, now = old.numbers.attempts, new.numbers.attempts
    if before is None or now is None or before.fewest == before.most or now.fewest == now.most:
        return False
    return max(before.fewest, now.fewest) <= min(before.most, now.most)


def between(attempts: Attempts | None) -> str:
    """`3`, `9 to 12`, or nothing."""
    if attempts is None:
        return ""
    fewest, most = attempts.fewest, attempts.most
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def _verdicts(name: str, old: ClientResult, new: ClientResult) -> Iterator[Change]:
    before = {each.name: each.verdict for each in old.report.findings}
    for finding in new.report.findings:
        key, verdict = finding.name, finding.verdict
        was = before.pop(key, "")
        # What was not decided, or is not now, says nothing: unless it is a fault that was not known.
        if was == verdict or (INCONCLUSIVE in (was, verdict) and verdict not in SEVERITY):
            continue
        worse = SEVERITY.get(verdict, 0) > SEVERITY.get(was, 0)
        yield Change(name, key, was, verdict, finding.measured, worse)
    for key, was in before.items():
        if was in SEVERITY:
            yield Change(name, key, was, "")
