"""Writes the errors of a log as rules: one for each kind of request, error and window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from faultinject import vendors
from faultinject.learning.tallies import BEGUN_AS_A_SUCCESS, Broken, Error, Kind, Tally
from faultinject.learning.windows import BINS, cuts, interval
from faultinject.rules.descriptions import counted
from faultinject.rules.rule import Rule
from faultinject.rules.rule_keys import RuleKeys
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import visible
from faultinject.vendors.vendor import Vendor

THROTTLED = 429


@dataclass(frozen=True)
class Learned:
    """A rule, and the numbers from which it was made.

    Attributes:
        rule: The rule, as a file of rules has it.
        failed: The number of requests of this kind with this error in the window.
        requests: The number of requests of this kind in the window.
        low: The lower end of the 95 % interval of the true share.
        high: The upper end of the same interval.
        begin: The beginning of the window, unix seconds.
        end: The end of the window, unix seconds.
    """

    rule: Rule
    failed: int
    requests: int
    low: float
    high: float
    begin: int
    end: int


@dataclass(frozen=True)
class ErrorLeftOut:
    """An error for which there is no rule.

    Attributes:
        kind: The operation, or the method if the log shows no operation.
        error: The error's code, or its status.
        failed: The number of requests with this error.
        why: The reason why there is no rule.
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
        format: The format of the logs, its value of `--format`.
        log: The name of the log in words.
        files: The logs.
        begin: The second of the first request, unix seconds.
        end: The second after the last request, unix seconds.
        requests: The number of requests that were counted.
        lines: The number of lines that were read, without headers and blank lines.
        broken: The number of lines of another form.
        examples: The first lines of another form.
        skipped: For each reason, the number of lines that do not count.
        rules: One rule for each kind of request, error and window.
        left_out: Errors for which there is no rule.
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
    left_out: list[ErrorLeftOut]


def learn(tally: Tally, vendor: str | None, *, everything: bool) -> tuple[list[Learned], list[ErrorLeftOut]]:
    """Make the rules that inject the errors of a log.

    Rules of one kind of request apply one after another: the probability of the second rule is for the requests that
    the first one lets pass, and so on.

    Args:
        tally: the counts.
        vendor: the vendor of its codes and operations, or None.
        everything: whether to make rules for errors after which a client should not retry, too.
    """
    known_vendor = None if vendor is None else vendors.get(vendor)
    start, end = tally.span
    width = max(1, -(-(end - start) // BINS))
    learned: list[Learned] = []
    left_out: list[ErrorLeftOut] = []
    for kind in sorted(tally.requests, key=lambda kind: -sum(tally.requests[kind].values())):
        by_error = tally.errors.get(kind, {}).items()
        errors = dict(sorted(by_error, key=lambda counted_error: -sum(counted_error[1].values())))
        for error, seconds in [*errors.items()]:
            if reason := _reason_without_rule(known_vendor, error) or (
                "" if everything else _reason_against_retry(known_vendor, error)
            ):
                left_out.append(
                    ErrorLeftOut(kind[0], error[1] or str(error[0]), sum(seconds.values()), reason)
                )
                del errors[error]
        if errors:
            learned += _rules_of_kind(
                _conditions(kind, tally), tally.requests[kind], errors, known_vendor, start, width, end
            )
    return learned, left_out


def _conditions(kind: Kind, tally: Tally) -> RuleKeys:
    """The conditions of the rules for a kind of request."""
    # Requests with an operation are counted by its name, so they are not in the count of their method.
    name, is_operation = kind
    if is_operation:
        return {"operation": name}
    others = sorted(tally.operations.get(name, ()))
    return {"method": name, "unless": {"operation": others}} if others else {"method": name}


def _rules_of_kind(
    conditions: RuleKeys,
    requests: Counter[int],
    errors: dict[Error, Counter[int]],
    vendor: Vendor | None,
    start: int,
    width: int,
    end: int,
) -> Iterator[Learned]:
    counts = _bin(requests, start, width, end)
    failed = {error: _bin(seconds, start, width, end) for error, seconds in errors.items()}
    changes = {at for errors_by_bin in failed.values() for at in cuts(counts, errors_by_bin)}
    for first, last in pairwise([0, *sorted(changes), len(counts)]):
        begin, until = start + first * width, min(end, start + last * width)
        n = rest = sum(counts[first:last])
        for error, errors_by_bin in failed.items():
            k = sum(errors_by_bin[first:last])
            if not k:
                continue
            keys: RuleKeys = {**conditions}
            if k < rest:
                keys["probability"] = float(f"{k / rest:.6g}")
            if begin > start:
                keys["begin"] = begin - start
            if until < end:
                keys["end"] = until - start
            rest -= k
            low, high = interval(k, n)
            yield Learned(_rule(vendor, error, keys), k, n, low, high, begin, until)


def _bin(seconds: Counter[int], start: int, width: int, end: int) -> list[int]:
    bins = [0] * -(-(end - start) // width)
    for second, count in seconds.items():
        bins[(second - start) // width] += count
    return bins


def _rule(vendor: Vendor | None, error: Error, keys: RuleKeys) -> Rule:
    """Make a rule for the documented error with this code, or else for the status."""
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


def _reason_without_rule(vendor: Vendor | None, error: Error) -> str:
    """The reason why no rule can inject this error; empty if one can."""
    status, code = error
    documented = any(row.code == code for row in (vendor.errors if vendor else ()))
    if status != BEGUN_AS_A_SUCCESS or documented:
        return ""
    return "in an answer with status 200, and not documented"


def _reason_against_retry(vendor: Vendor | None, error: Error) -> str:
    """The reason why a client should not retry after this error; empty if it should."""
    status, code = error
    if vendor is not None and code:
        rows = [row for row in vendor.errors if row.code == code]
        if rows:
            return "" if any(row.retryable == "yes" for row in rows) else "the document says not to retry it"
    return "" if status >= 500 or status == THROTTLED else "a mistake of the client's own, by its status"


def as_toml(
    learned: Sequence[Learned], left_out: Sequence[ErrorLeftOut], tally: Tally, *, sources: Sequence[str]
) -> str:
    """Write the scenario as a file, with each rule's numbers as a comment."""
    start, end = tally.span
    total = sum(sum(by_second.values()) for by_second in tally.requests.values())
    head = [
        f"{tally.title}: {', '.join(sources)}",
        f"{counted(total, 'request')} from {_moment(start)} to {_moment(end)}",
    ]
    if tally.broken:
        are = "is of another form, and was" if tally.broken == 1 else "are of another form, and were"
        head.append(f"{tally.broken:,} of {counted(tally.lines, 'line')} {are} left out:")
        head += [f"  {example.file}:{example.line}" for example in tally.examples]
        if tally.broken > len(tally.examples):
            head.append(f"  and {tally.broken - len(tally.examples):,} more")
    head += [f"{counted(count, 'line')} left out: {reason}" for reason, count in tally.skipped.most_common()]
    head += [f"left out: {error.failed:,} × {error.error} to {error.kind}: {error.why}" for error in left_out]
    lines = [f"# {visible(line)}" for line in head]
    for rule in learned:
        share = f"{100 * rule.failed / rule.requests:.3g} %"
        likely = f"{100 * rule.low:.3g} to {100 * rule.high:.3g} %"
        window = (
            f", {_moment(rule.begin)} to {_moment(rule.end)}"
            if {"begin", "end"} & {*rule.rule.options}
            else ""
        )
        lines += [
            "",
            f"# {rule.failed:,} of {counted(rule.requests, 'request')}, {share} (95 %: {likely}){window}",
            Scenario([rule.rule]).to_toml().strip(),
        ]
    text = "\n".join([*lines, ""])
    Scenario.from_toml(text, where="what was learned")
    return text


def with_numbers(
    learned: list[Learned], left_out: list[ErrorLeftOut], tally: Tally, *, sources: Sequence[str]
) -> LearnedScenario:
    """The scenario for printing as JSON."""
    start, end = tally.span
    return LearnedScenario(
        v=1,
        format=tally.format,
        log=tally.title,
        files=[*sources],
        begin=start,
        end=end,
        requests=sum(sum(by_second.values()) for by_second in tally.requests.values()),
        lines=tally.lines,
        broken=tally.broken,
        examples=tally.examples,
        skipped=dict(tally.skipped),
        rules=[replace(rule, low=round(rule.low, 6), high=round(rule.high, 6)) for rule in learned],
        left_out=left_out,
    )


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
