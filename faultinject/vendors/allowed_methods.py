"""The methods that a resource takes, by the operations of its vendor: what a 405 says in Allow."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faultinject.vendors.addressing import Reading
    from faultinject.vendors.operations import Row
    from faultinject.vendors.types import StorageRequest

# The order of S3: https://github.com/brekkylab/backlot/issues/230 and 312; OPTIONS is never among them.
_ORDER = ("HEAD", "DELETE", "POST", "GET", "PUT")


def allowed(request: StorageRequest, reading: Reading) -> str | None:
    """The methods but the one that was refused, such as `GET, PUT`; None where there is no other.

    A subresource is the same one on a bucket and on an object.
    """
    rows = reading.operations.rows
    named = _subresource(rows, request)
    if named is None:
        level = reading.level(request)
        fitting = (row for row in rows if row.level == level and not row.query)
    else:
        fitting = (row for row in rows if set(row.query) == named)
    return _listed((row.method for row in fitting), request.method.upper())


def _subresource(rows: Sequence[Row], request: StorageRequest) -> set[str] | None:
    """The parameters of the most demanding form that the query has; those with a value alone, as `list-type=2`, are none."""
    found: tuple[str, ...] = ()
    for row in rows:
        if len(row.query) > len(found) and "=" not in row.query[0] and _has(request, row.query):
            found = row.query
    return set(found) if found else None


def _has(request: StorageRequest, words: Iterable[str]) -> bool:
    return all(request.query_values(word.partition("=")[0]) for word in words)


def _listed(methods: Iterable[str], refused: str) -> str | None:
    there = {*methods} - {refused}
    return ", ".join(each for each in _ORDER if each in there) or None
