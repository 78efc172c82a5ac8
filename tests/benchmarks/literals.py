"""A thousand rules with a literal key, header or query value, against one.

The request resembles none of them; `**/x` is evaluated.
"""

from typing import Any

from apps import INTERFACES, around
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
    return [_compared(interface, kind) for interface in INTERFACES for kind in KINDS]


def _compared(interface: str, kind: str) -> Row:
    blocks = {str(count): _block(interface, kind, count) for count in (1, MANY)}
    goal = Goal("" if "*" in kind else "≤", MOST, "µs")
    case = f"{interface}, no match, {MANY:,} {kind} rules"
    return side_by_side(blocks, rounds=41).added_row(str(MANY), case, "1 rule", goal)


def _block(interface: str, kind: str, count: int) -> Any:
    rules = [Rule("http:503", method="PUT", **_numbered(KINDS[kind], number)) for number in range(count)]
    app, _, request, call = INTERFACES[interface]
    asked = request()
    # A request that has the header and the parameter, with other values.
    if interface == "WSGI":
        asked |= {"HTTP_X_TENANT": "cats", "QUERY_STRING": "tenant=cats&partNumber=1"}
    else:
        asked["headers"].append((b"x-tenant", b"cats"))
        asked["query_string"] = b"tenant=cats&partNumber=1"
    return call(around(app, rules), asked)


def _numbered(keys: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        key: _numbered(value, number) if isinstance(value, dict) else value.format(number)
        for key, value in keys.items()
    }
