"""The words of results, as types: for type checkers, and for users' own annotations.

They have their own module because `typing` is slow to load, and only annotations need them.
"""

from __future__ import annotations

from typing import Literal

Verdict = Literal["FAIL", "WARN", "INCONCLUSIVE", "PASS"]
"""The verdict of a `Finding`."""
When = Literal["before", "after"]
"""Whether the fault of an `Outcome` came before or after the app."""
Did = Literal[
    "answered", "delayed", "stalled", "truncated", "dripped", "corrupted", "edited", "overwritten", "stale",
    "reset", "closed", "raised", "app_cut", "drain_cut", "passed", "app_failed", "nothing_to_cut", "refused", "failed",
]  # fmt: skip
"""The action that an `Outcome` records."""
Retryable = Literal["yes", "no", "unstated"]
"""Whether the document of a `DocumentedError` says that a client should try again."""
Category = Literal[
    "throttle", "server", "auth", "not-found", "conflict", "precondition", "limit", "request", "redirect"
]
"""The kind of a `DocumentedError`."""
