"""The calls of the control API, as the reference shows them: from the table by which they are routed."""

from __future__ import annotations

from faultinject.control import CALLS
from tests.documents import escaped, table


def calls() -> str:
    """One row a call."""
    return table(
        ("call", "does", "takes"),
        ((f"`{each.method} {each.path}`", escaped(summary(each)), takes(each)) for each in CALLS),
    )


def summary(call) -> str:
    """The first line of what its function says of itself."""
    return call.does.__doc__.partition("\n")[0]


def takes(call) -> str:
    """The names of its parameters; whatever changes what is in force heeds If-Match."""
    changes = call.method != "GET" and call.path != "/preview"
    return ", ".join(f"`{each}`" for each in (*call.query, *(["If-Match"] if changes else [])))
