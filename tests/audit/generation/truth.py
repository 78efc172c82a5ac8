"""The checks that each deed breaks: the truth about a client, by its deeds."""

from collections.abc import Mapping

BREAKS: Mapping[str, tuple[str, ...]] = {
    "body is not rewound": ("same bytes", "lost answer"),
    "breaker stays open": ("retry budget",),
    "budget is not refilled": ("retry budget", "retries"),
    "copies at once": ("overlap",),
    "copies writes": ("overlap",),
    "does not retry": ("retries", "malformed retry-after", "retry-after"),
    "does not wait": ("backoff", "backoff grows"),
    "has no budget": ("retry budget",),
    "has no jitter": ("jitter", "thundering herd"),
    "ignores Retry-After in date": ("retry-after",),
    "ignores Retry-After in seconds": ("retry-after",),
    "is impatient": ("overlap", "lost answer"),
    "loses the body with the token": ("same bytes",),
    "mixes versions": ("mixed versions",),
    "never gives up": ("gives up", "nested retries"),
    "repeats lost POSTs": ("non-idempotent retry", "lost answer"),
    "repeats the token": ("permanent", "retries"),
    "retries refusals": ("permanent",),
    "stumbles over Retry-After": ("malformed retry-after", "retries"),
    # That one that stood in a 200 was swallowed is not told by what its caller heard.
    "swallows errors": ("answers", "lost answer", "error in 200"),
    "takes a conflict for its own write": ("lost answer", "answers"),
    "takes errors for success": ("error in 200", "answers"),
    "takes its own write for a conflict": ("lost answer",),
    "two layers": ("nested retries",),
    "undoes its own write": ("lost answer",),
    "waits are constant": ("backoff grows",),
}
"""By what a client did wrong: the checks that may say so."""
TOLD = frozenset(("swallows errors",))
"""The findings that need a test which says what a caller got."""
