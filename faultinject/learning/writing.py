"""A scenario with the errors of a log: one rule for each kind of request, error and window.

Each rule has the numbers that it rests on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from faultinject import vendors
from faultinject.audit.reports.sentences import counted
from faultinject.learning.tallies import BEGUN_AS_A_SUCCESS, Broken, Error, Kind, Tally
from faultinject.learning.windows import BINS, cuts, interval
from faultinject.rules.rule import Rule
from faultinject.rules.rule_keys import RuleKeys
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import visible
from faultinject.vendors.vendor import Vendor

THROTTLED = 429


@dataclass(frozen=True)
class Learned:
    """A rule and the numbers that it was made from.

    Attributes:
        rule: The rule, as a file of rules has it.
        failed: How many requests of its kind had this error in its window.
        requests: How many requests of its kind there were.
        low: The lower end of the interval in which the true share lies with 95 %.
        high: Its upper end.
        begin: When its window begins, unix seconds.
        end: When it ends, unix seconds.
    """

    rule: Rule
    failed: int
    requests: int
    low: float
    high: float
    begin: int
    end: int


@dataclass(frozen=True)
class LeftOut:
    """Errors that no rule was made of.

    Attributes:
        kind: The operation, or the method where the log tells no operation.
        error: The error's code, or its status.
        failed: How many requests had it.
        why: Why no rule was made of it.
    """

    kind: str
    error: str
    failed: int
    why: str


@dataclass(frozen=True)
class LearnedScenario:
    """The errors of access logs as rules, with their numbers.

    Attributes:
        v: The version of the format.
        format: The format of the logs, as `--format` has it.
        log: The same in words.
        files: The logs.
        begin: The second of the first request, unix seconds.
        end: The second after the last request, unix seconds.
        requests: How many requests were counted.
        lines: How many lines were read, without headers and blank ones.
        broken: How many lines are of another form.
        examples: The first of these.
        skipped: How many lines count for nothing, by the reason.
        rules: One for each kind of request, error and window.
        left_out: Errors that no rule was made of.
    """

    v: int
    format: str
    log: str
    files: list[str]
    begin: int
    end: int
    requests: int
    lines: int
    broken: int
    examples: list[Broken]
    skipped: dict[str, int]
    rules: list[Learned]
    left_out: list[LeftOut]


def learn(tally: Tally, vendor: str | None, *, everything: bool) -> tuple[list[Learned], list[LeftOut]]:
    """The rules that have the errors of a log.

    The rules of one kind of request stand one behind the other, so the second's probability is of the requests that
    the first has left.

    Args:
        tally: the counts.
        vendor: the vendor of its codes and operations; None: nobody's.
        everything: also errors that a client is not to retry.
    """
    known_vendor = None if vendor is None else vendors.get(vendor)
    start, end = tally.span
    width = max(1, -(-(end - start) // BINS))
    learned: list[Learned] = []
    left_out: list[LeftOut] = []
    for kind in sorted(tally.requests, key=lambda kind: -sum(tally.requests[kind].values())):
        by_error = tally.errors.get(kind, {}).items()
        errors = dict(sorted(by_error, key=lambda counted_error: -sum(counted_error[1].values())))
        for error, seconds in [*errors.items()]:
            if why := _unsayable(known_vendor, error) or (
                "" if everything else _not_retried(known_vendor, error)
            ):
                left_out.append(LeftOut(kind[0], error[1] or str(error[0]), sum(seconds.values()), why))
                del errors[error]
        if errors:
            learned += _of_kind(
                _asked(kind, tally), tally.requests[kind], errors, known_vendor, start, width, end
            )
    return learned, left_out


def _asked(kind: Kind, tally: Tally) -> RuleKeys:
    """The conditions of its rules.

    Those of a method are not for the operations that have a count of their own.
    """
    name, is_operation = kind
    if is_operation:
        return {"operation": name}
    others = sorted(tally.operations.get(name, ()))
    return {"method": name, "unless": {"operation": others}} if others else {"method": name}


def _of_kind(
    asked: RuleKeys,
    requests: Counter[int],
    errors: dict[Error, Counter[int]],
    vendor: Vendor | None,
    start: int,
    width: int,
    end: int,
) -> Iterator[Learned]:
    counts = _binned(requests, start, width, end)
    failed = {error: _binned(seconds, start, width, end) for error, seconds in errors.items()}
    changes = {at for errors_by_bin in failed.values() for at in cuts(counts, errors_by_bin)}
    for first, last in pairwise([0, *sorted(changes), len(counts)]):
        begin, until = start + first * width, min(end, start + last * width)
        n = rest = sum(counts[first:last])
        for error, errors_by_bin in failed.items():
            k = sum(errors_by_bin[first:last])
            if not k:
                continue
            keys: RuleKeys = {**asked}
            if k < rest:
                keys["probability"] = float(f"{k / rest:.6g}")
            if begin > start:
                keys["begin"] = begin - start
            if until < end:
                keys["end"] = until - start
            rest -= k
            low, high = interval(k, n)
            yield Learned(_rule(vendor, error, keys), k, n, low, high, begin, until)


def _binned(seconds: Counter[int], start: int, width: int, end: int) -> list[int]:
    bins = [0] * -(-(end - start) // width)
    for second, count in seconds.items():
        bins[(second - start) // width] += count
    return bins


def _rule(vendor: Vendor | None, error: Error, keys: RuleKeys) -> Rule:
    """The rule of the documented error with this code if there is one, else of its status."""
    status, code = error
    if vendor is not None and code:
        for row in vendor.errors:
            if row.code == code and row.status == status:
                return Rule(row.address, **keys)
        for row in vendor.errors:
            if row.code == code:
                keys["status"] = status
                return Rule(row.address, **keys)
    if vendor is not None:
        keys["vendor"] = vendor.id
    return Rule(f"http:{status}", **keys)


def _unsayable(vendor: Vendor | None, error: Error) -> str:
    """The reason why no rule has this error; empty where one has."""
    status, code = error
    documented = any(row.code == code for row in (vendor.errors if vendor else ()))
    if status != BEGUN_AS_A_SUCCESS or documented:
        return ""
    return "in an answer with status 200, and not documented"


def _not_retried(vendor: Vendor | None, error: Error) -> str:
    """The reason why a client is not to retry; empty where it is."""
    status, code = error
    if vendor is not None and code:
        rows = [row for row in vendor.errors if row.code == code]
        if rows:
            return "" if any(row.retryable == "yes" for row in rows) else "not to be retried, by the document"
    return "" if status >= 500 or status == THROTTLED else "a mistake of the client's own, by its status"


def as_toml(
    learned: Sequence[Learned], left_out: Sequence[LeftOut], tally: Tally, *, sources: Sequence[str]
) -> str:
    """The scenario as a file, with the numbers behind each rule."""
    start, end = tally.span
    total = sum(sum(each.values()) for each in tally.requests.values())
    head = [
        f"{tally.title}: {', '.join(sources)}",
        f"{counted(total, 'request')} from {_moment(start)} to {_moment(end)}",
    ]
    if tally.broken:
        are = "is of another form, and was" if tally.broken == 1 else "are of another form, and were"
        head.append(f"{tally.broken:,} of {counted(tally.lines, 'line')} {are} left out:")
        head += [f"  {each.file}:{each.line}" for each in tally.examples]
        if tally.broken > len(tally.examples):
            head.append(f"  and {tally.broken - len(tally.examples):,} more")
    head += [f"{counted(count, 'line')} left out: {why}" for why, count in tally.skipped.most_common()]
    head += [f"left out: {each.failed:,} × {each.error} to {each.kind}: {each.why}" for each in left_out]
    lines = [f"# {visible(each)}" for each in head]
    for each in learned:
        share = f"{100 * each.failed / each.requests:.3g} %"
        likely = f"{100 * each.low:.3g} to {100 * each.high:.3g} %"
        window = (
            f", {_moment(each.begin)} to {_moment(each.end)}"
            if {"begin", "end"} & {*each.rule.options}
            else ""
        )
        lines += [
            "",
            f"# {each.failed:,} of {counted(each.requests, 'request')}, {share} (95 %: {likely}){window}",
            Scenario([each.rule]).to_toml().strip(),
        ]
    text = "\n".join([*lines, ""])
    Scenario.from_toml(text, where="what was learned")
    return text


def with_numbers(
    learned: list[Learned], left_out: list[LeftOut], tally: Tally, *, sources: Sequence[str]
) -> LearnedScenario:
    """The scenario as it is printed in JSON."""
    start, end = tally.span
    return LearnedScenario(
        v=1,
        format=tally.format,
        log=tally.title,
        files=[*sources],
        begin=start,
        end=end,
        requests=sum(sum(each.values()) for each in tally.requests.values()),
        lines=tally.lines,
        broken=tally.broken,
        examples=tally.examples,
        skipped=dict(tally.skipped),
        rules=[replace(each, low=round(each.low, 6), high=round(each.high, 6)) for each in learned],
        left_out=left_out,
    )


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
