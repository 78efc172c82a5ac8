"""The standard set of a vendor: what its service and the network before it do to clients, each where it can come."""

from __future__ import annotations

from faultinject import vendors
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.rules.rule_keys import RuleKeys
    from faultinject.vendors.documented import DocumentedError

    # A fault, and the rules whose conditions say where its document has it; none: everywhere.
    Placed = tuple[Rule, tuple[Rule, ...]]

READS = ("GET", "HEAD")
PATIENCE = "2500ms"
"""How long a hang waits for the client's time-out, unless the exploration is exhaustive."""
MAY_STOP = ("with-care", "query-first")
"""What a document asks for where a client may as well give up: it does not say that the request is to be sent again."""


def standard_set(vendor: str, *, exhaustive: bool = False) -> Iterator[Placed]:
    """What a service does to its clients: each error that its document calls retryable, and what its network does.

    Of rows that a client cannot tell apart, the same code with the same status, the first; a row that the document has
    for some requests only, with these. A storage service whose document says nothing of retries throttles, and fails
    by itself.

    Args:
        vendor: the vendor's id.
        exhaustive: a hang lasts as long as the client waits, and not only `PATIENCE`.
    """
    found = vendors.get(vendor)
    first = {(row.code, row.status): row for row in reversed(found.errors) if (row.status or 0) >= 400}
    errors = [row for row in found.errors if first.get((row.code, row.status)) is row]
    rows = [row for row in errors if row.retryable == "yes"]
    if not rows and found.addressing is not None:
        rows = [row for row in errors if row.category in ("throttle", "server") and row.status != 501]
    for row in rows:
        if row.again not in MAY_STOP:
            yield Rule(row.address), allowed(row)
    yield Rule("reset"), ()
    yield Rule("reset", when="after"), ()
    yield Rule("gateway:BadGateway"), ()
    if found.errors_in_200 and found.has("InternalError"):
        yield Rule(f"{vendor}:InternalError", status=200, operation=list(found.errors_in_200)), ()
    yield Rule("truncate", method="GET"), ()
    reads: RuleKeys = {"method": list(READS)}
    if not exhaustive:
        reads["duration"] = PATIENCE
    yield Rule("hang", **reads), ()


def allowed(row: DocumentedError) -> tuple[Rule, ...]:
    """The conditions of the requests that the document has the error for, as rules; none: it may come everywhere."""
    found = filter(None, map(str.strip, row.where.split(";")))
    return tuple(rule for each in found for rule in Scenario(f"{row.address},{each}").rules)
