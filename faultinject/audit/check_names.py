"""Names of checks as users write them, and suggestions for a wrong one."""

from __future__ import annotations

from collections.abc import Collection

from faultinject.rules.values import listed, most_like, shown


def names(given: str | Collection[str]) -> Collection[str]:
    """The names in an argument, which may be a single one.

    >>> names("backoff grows")
    ('backoff grows',)
    """
    return (given,) if isinstance(given, str) else given


def instead_of(name: str, known: Collection[str]) -> str:
    """The suggestion behind `… is not a check`: the nearest name, else all names.

    Args:
        name: what the user wrote, also with what the check is about: `retry-aftr: date`.
        known: the names that would be right.

    >>> instead_of("retry-aftr: date", ["retries", "retry-after"])
    "; did you mean 'retry-after: date'?"
    >>> instead_of("x", ["retries", "retry-after"])
    '; there are retries and retry-after'
    """
    check, colon, subject = name.partition(": ")
    meant = most_like(check, known)
    if meant is None:
        return f"; there are {listed(known, 'and')}"
    return f"; did you mean {in_quotes(meant + colon + subject)}?"


def in_quotes(name: str) -> str:
    """A name as it can stand in a message and in a shell; most names hold a blank."""
    return shown(f"'{name}'")
