"""The control API, as the reference shows it: from its OpenAPI document."""

from __future__ import annotations

from faultinject.control import document
from tests.documents import escaped, table


def calls() -> str:
    """One row a call."""
    return table(
        ("call", "does", "takes"),
        (
            (f"`{method.upper()} {path}`", escaped(operation["summary"]), takes(operation))
            for path, operations in document()["paths"].items()
            for method, operation in operations.items()
        ),
    )


def takes(operation: dict[str, object]) -> str:
    """The names of its parameters, apart from those in its path."""
    names = [each["name"] for each in operation.get("parameters", ()) if each["in"] != "path"]
    return ", ".join(f"`{each}`" for each in names)


def refusals() -> str:
    """One row a status, with its reason."""
    # Of a path, not of a call: routes give it.
    rows = {405: "The path does not have this method; `Allow` lists its methods."}
    for item in document()["paths"].values():
        for operation in item.values():
            answers = operation["responses"].items()
            rows |= {int(status): each["description"] for status, each in answers if status >= "4"}
    return table(
        ("status", "reason"), ((str(status), escaped(reason)) for status, reason in sorted(rows.items()))
    )
