"""What is asked of a client's retries: one function each. A function added to one of the modules is a check added."""

from __future__ import annotations

from faultinject.audit.checks import amplification, backoff, effects, promises, retries, retry_after, versions
from faultinject.audit.checks import check as _check
from faultinject.audit.checks.check import Check

_modules = [
    each.__name__ for each in (retries, backoff, retry_after, effects, versions, amplification, promises)
]

CHECKS: dict[str, Check] = dict(
    sorted(_check.CHECKS.items(), key=lambda item: _modules.index(item[1].module))
)
"""Every check by its name, in the order of the report."""
