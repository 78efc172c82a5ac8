"""A thousand rules with a literal key, header or query value, against one.

The request resembles none of them; `**/x` is evaluated.
"""

from __future__ import annotations

from typing import Any

from apps import around, calls_asgi, calls_wsgi, environ, scope, trivial_asgi, trivial_wsgi
from measure import Goal, Row, side_by_side

from faultinject import Rule

MANY = 1_000
MOST = 100.0
"""Microseconds more a request."""
KINDS: dict[str, dict[str, Any]] = {
    "key": {"key": "photos/2024/{}.jpg"},
    "Azure key": {"key": "photos/2024/{}.jpg", "vendor": "azure-blob"},
    "header": {"header": {"x-tenant": "{}"}},
    "query": {"query": {"tenant": "{}"}},
    "bucket and key": {"bucket": "bucketx", "key": "photos/2024/{}.jpg"},
    "`**/x`": {"path": "**/cat-{}.jpg"},
}


def run() -> list[Row]:
    return [*_compared("WSGI"), *_compared("ASGI")]


def _compared(interface: str) -> list[Row]:
    rows = []
    for kind in KINDS:
        blocks = {str(count): _block(interface, kind, count) for count in (1, MANY)}
        sample = side_by_side(blocks, rounds=41)
        case = f"{interface}, no match, {MANY:,} {kind} rules"
        goal = Goal("" if "*" in kind else "≤", MOST, "µs")
        added = [each / 1e3 for each in sample.added(str(MANY))]
        rows.append(sample.row(case, "1 rule", goal, added))
    return rows


def _block(interface: str, kind: str, count: int) -> Any:
    rules = [Rule("http:503", method="PUT", **_numbered(KINDS[kind], number)) for number in range(count)]
    # A request that has the header and the parameter, with other values.
    if interface == "WSGI":
        request = {**environ(), "HTTP_X_TENANT": "cats", "QUERY_STRING": "tenant=cats&partNumber=1"}
        return calls_wsgi(around(trivial_wsgi, rules), request)
    asked = scope()
    headers = [*asked["headers"], (b"x-tenant", b"cats")]
    asked |= {"headers": headers, "query_string": b"tenant=cats&partNumber=1"}
    return calls_asgi(around(trivial_asgi, rules), asked)


def _numbered(keys: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        key: _numbered(value, number) if isinstance(value, dict) else value.format(number)
        for key, value in keys.items()
    }
