"""The checks: one function for each demand on a client's retries.

To add a check, add a function to one of the modules.
"""

from __future__ import annotations

from faultinject.audit.checks import amplification, backoff, effects, promises, retries, retry_after, versions
from faultinject.audit.checks import check as _check
from faultinject.audit.checks.check import Check

# The order is by harm: to the data, to the result and the number of requests, and then their timing. Many people read
# only the first line of a report, which names the worst finding.
_modules = [
    module.__name__ for module in (effects, versions, retries, amplification, backoff, retry_after, promises)
]

CHECKS: dict[str, Check] = dict(
    sorted(_check.CHECKS.items(), key=lambda item: _modules.index(item[1].judges.__module__))
)
"""Every check by its name, in the order of the report."""
