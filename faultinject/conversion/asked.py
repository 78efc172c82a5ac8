"""What a proxy is asked to test of a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Test:
    """A condition on a request.

    Attributes:
        what: `method`, `path`, `host`, `header`, `query`, `client` or `size`.
        name: of the header.
        decoded: the regular expression of the whole value, decoded; of a query of one parameter with its value.
        raw: the same of a path as it is sent.
        values: the addresses and networks of `client`, the ranges of `size`.
        negated: it must not hold.
    """

    what: str
    decoded: str = ""
    raw: str = ""
    name: str = ""
    values: tuple[tuple[str, str], ...] = ()
    negated: bool = False
