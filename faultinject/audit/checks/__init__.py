"""The demands on a client's retries: one function each.

A function added to one of the modules is a check added.
"""

from __future__ import annotations

from faultinject.audit.checks import (
    amplification,
    backoff,
    effects,
    promises,
    retries,
    retry_after,
    told,
    versions,
)
from faultinject.audit.checks import check as _check
from faultinject.audit.checks.check import Check

# What harms data comes first, then what ends a call or multiplies its requests, then when they come: the first line
# of a report, which is all that many people read, names the worst of its findings.
_modules = [
    each.__name__
    for each in (told, effects, versions, retries, amplification, backoff, retry_after, promises)
]

CHECKS: dict[str, Check] = dict(
    sorted(_check.CHECKS.items(), key=lambda item: _modules.index(item[1].module))
)
"""Every check by its name, in the order of the report."""
