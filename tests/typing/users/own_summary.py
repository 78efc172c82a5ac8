"""A summary of a run, by functions that take single words of results."""

from __future__ import annotations

from collections import Counter

from faultinject import Category, Did, Faults, Retryable, Verdict, When, vendors


def by_word(faults: Faults) -> Counter[tuple[Did, When | None]]:
    return Counter((outcome.did, outcome.when) for outcome in faults.outcomes)


def worst(faults: Faults) -> Verdict:
    verdicts = {finding.verdict for finding in faults.findings()}
    order: list[Verdict] = ["FAIL", "WARN", "INCONCLUSIVE", "PASS"]
    return next(each for each in order if each in verdicts)


def codes_of(vendor: str, category: Category, retryable: Retryable = "yes") -> list[str]:
    errors = vendors.get(vendor).errors
    return [each.code for each in errors if each.category == category and each.retryable == retryable]
