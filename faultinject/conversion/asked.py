"""What a proxy is asked to test of a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Test:
    """A condition on a request.

    Attributes:
        what: `method`, `path`, `host`, `header` or `query`.
        expression: the regular expression of the whole value; of a path as it is sent; of a query of one parameter with its value.
        name: of the header.
        negated: it must not hold.
    """

    what: str
    expression: str = ""
    name: str = ""
    negated: bool = False
