"""Reads the names of checks that users write, and suggests a name for a wrong one."""

from __future__ import annotations

from collections.abc import Collection

from faultinject.rules.values import listed, most_like, shown


def names(given: str | Collection[str]) -> Collection[str]:
    """Read the names in an argument, which may be a single one.

    >>> names("backoff grows")
    ('backoff grows',)
    """
    return (given,) if isinstance(given, str) else given


def instead_of(name: str, known: Collection[str]) -> str:
    """Suggest the nearest name after `… is not a check`, or else list all names.

    Args:
        name: the user's text, which may have a subject: `retry-aftr: date`.
        known: the valid names.

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
    """Quote a name for a message and for a shell; most names contain a blank."""
    return shown(f"'{name}'")
