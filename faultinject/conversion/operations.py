"""Bucket, key and operation of a rule as tests of method, path, query and headers, for those that know no storage."""

from __future__ import annotations

from dataclasses import dataclass

from faultinject.conversion import expressions
from faultinject.vendors.operations import operations_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faultinject.rules.rule import Rule
    from faultinject.vendors.operations import Row
    from faultinject.vendors.vendor import Vendor

    Pair = tuple[str, str]
LEVELS = ("service", "bucket", "object")


@dataclass(frozen=True)
class RequestCondition:
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


def alternatives(rule: Rule, vendor: Vendor | None) -> list[tuple[RequestCondition, ...]] | None:
    """The tests, by alternatives; None where an operation is told by something else.

    Args:
        rule: with a condition on bucket, key or operation.
        vendor: who reads the rule's requests, as S3 requests.
    """
    buckets = rule.conditions.get("bucket", (None,))
    keys = rule.conditions.get("key", (None,))
    texts = rule.conditions.get("operation")
    if texts is None:
        return [(_path(buckets, keys),)]
    known = operations_of(vendor)
    wanted = known.meant(texts)
    found = []
    for row in known.rows:
        if row.operation not in wanted or known.twin(row.operation) is not None:
            continue
        if row.level not in LEVELS or row.host:
            return None
        if (row.level != "object" and keys != (None,)) or (row.level == "service" and buckets != (None,)):
            continue  # no such request has what the rule asks for
        found.append(tuple(_tests(row, known.rows, buckets, keys, vendor)))
    return found or None


def _tests(
    row: Row,
    rows: Sequence[Row],
    buckets: Sequence[str | None],
    keys: Sequence[str | None],
    vendor: Vendor | None,
) -> Iterable[RequestCondition]:
    yield RequestCondition("method", row.method)
    if row.level == "service":
        yield RequestCondition("path", "/")
    elif row.level == "bucket":
        yield _path(buckets, ("",))
    else:
        yield _path(buckets, keys if keys != (None,) else (expressions.SOME_KEY,))
    for word in row.query:
        negated = word[:1] == "-"
        yield RequestCondition(
            "query", expressions.of_query([_pair(word.removeprefix("-"))]), negated=negated
        )
    for word in row.header:
        yield RequestCondition("header", _value(word), name=_header(word, vendor))
    others = [
        each
        for each in rows
        if (each.method, each.level) == (row.method, row.level) and each.weight > row.weight and not each.host
    ]
    pairs = {
        next((_pair(word) for word in each.query if word[:1] != "-" and word not in row.query), None)
        for each in others
    } - {None}
    if pairs:
        yield RequestCondition(
            "query", expressions.of_query(sorted(each for each in pairs if each is not None)), negated=True
        )
    headers = {
        word
        for each in others
        if set(each.query) <= set(row.query)
        for word in each.header
        if word not in row.header
    }
    for word in sorted(headers):
        yield RequestCondition("header", _value(word), name=_header(word, vendor), negated=True)


def _path(buckets: Sequence[str | None], keys: Sequence[str | None]) -> RequestCondition:
    both = [(bucket, key) for bucket in buckets for key in keys]
    return RequestCondition("path", expressions.any_of(expressions.of_address(*each) for each in both))


def _pair(word: str) -> Pair:
    name, _, value = word.partition("=")
    return name, value


def _value(word: str) -> str:
    return expressions.of_value(word.partition("=")[2])


def _header(word: str, vendor: Vendor | None) -> str:
    name = word.partition("=")[0]
    prefix = "x-amz-" if vendor is None or vendor.addressing is None else vendor.prefix
    return name if name[:2] == "x-" else f"{prefix}{name}"
