"""The calls of the control API for the reference page, from the routing table."""

from faultinject.control.calls import CALLS
from tests.documents import escaped, table


def calls() -> str:
    """One row a call."""
    return table(
        ("call", "does", "takes"),
        ((f"`{each.method} {each.path}`", escaped(description(each)), takes(each)) for each in CALLS),
    )


def description(call) -> str:
    """The whole docstring of its function, in one line."""
    return " ".join(call.run.__doc__.split())


def takes(call) -> str:
    """The names of its parameters; calls that change the rules or switches honour If-Match."""
    changes = call.method != "GET" and call.path != "/preview"
    return ", ".join(f"`{each}`" for each in (*call.query, *(["If-Match"] if changes else [])))
