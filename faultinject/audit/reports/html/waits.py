"""How long the client waited before each retry, as rows of a table."""

from __future__ import annotations

from faultinject.audit.checks.words import seconds
from faultinject.audit.evidence import Evidence
from faultinject.audit.statistics import median

KINDS = {
    "throttle": "after a throttle error",
    "server": "after a server error",
    "transport": "after a broken connection",
}
"""The kinds of failure, in words."""
LAST = 9
"""The retry number whose row has all later ones as well."""


def waits(evidence: Evidence) -> list[tuple[str, ...]]:
    """A row for each kind of failure and retry: both, n, and the shortest, median, longest and longest documented wait.

    They are the client's own waits, which the checks judge too.
    """
    found: dict[tuple[str, int], list[float]] = {}
    for (kind, retry), group in evidence.waits_by_number.items():
        found.setdefault((kind, min(retry, LAST)), []).extend(group.seconds)
    rows = []
    for (kind, retry), own in found.items():
        bound = None if evidence.profile is None else evidence.profile.bound(kind, retry)
        times = (min(own), median(own), max(own), bound)
        number = f"{retry}+" if retry == LAST else str(retry)
        told = ("–" if each is None else seconds(each) for each in times)
        rows.append((KINDS[kind], number, f"{len(own):,}", *told))
    return rows
