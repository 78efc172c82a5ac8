"""Finds the request that met most conditions of a rule, and those that it did not meet."""

from __future__ import annotations

from collections.abc import Iterable

from faultinject.engine.compiled_rule import Rule
from faultinject.engine.plan import Plan
from faultinject.engine.request import Request
from faultinject.engine.shown import quoted
from faultinject.http.target import encode
from faultinject.journal.outcome import Outcome
from faultinject.rules import spelling
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.key import Reading
from faultinject.vendors.addressing import Addressing

KEPT = ("method", "path", "host", "query", "operation", "bucket", "key", "client", "size")
"""The conditions on fields that the journal keeps; of headers it keeps User-Agent alone."""
_DEEPEST_MOUNT = 16
"""The most segments of a path that may belong to a mount point."""


def nearest_request(rule: Rule, outcomes: Iterable[Outcome], plan: Plan) -> str:
    """Say why no request met a rule's conditions, by the request that met most of them.

    Args:
        rule: the rule.
        outcomes: the requests that were seen.
        plan: the plan of the rule, which knows how the rule's vendor reads requests.

    Returns:
        One line, such as `nearest: GET /photos/cat.jpg (method=PUT did not hold)`, escaped.
    """
    reading = plan.reading(rule.vendor)
    compared = (Comparison(rule, outcome, reading) for outcome in outcomes)
    best = min(compared, key=lambda comparison: comparison.distance, default=None)
    if best is None:
        return "no request was seen"
    seen = best.outcome
    query = f"?{seen.query}" if seen.query else ""
    return quoted(f"nearest: {seen.method} {seen.path}{query} ({best.reason(rule, plan)})")


def met_conditions(rule: Rule, outcome: Outcome, plan: Plan) -> bool:
    """Whether a request met all conditions of a rule, by the journal's fields."""
    if outcome.rule is not None and outcome.rule == plan.names[plan.rules.index(rule)]:
        return True
    comparison = Comparison(rule, outcome, plan.reading(rule.vendor))
    return not comparison.failed and not comparison.unknown


class Comparison:
    """The conditions of a rule, compared with one request of the journal.

    Attributes:
        outcome: the request.
        failed: the conditions that did not hold, as written, each with the request's own value.
        unknown: the conditions on fields that the journal does not keep.
        distance: the number of failed conditions, then of unknown ones.
    """

    def __init__(self, rule: Rule, outcome: Outcome, reading: Addressing) -> None:
        self.outcome = outcome
        self.failed: list[str] = []
        self.unknown: list[str] = []
        request = JournalRequest(outcome, reading)
        for prefix, conditions, wanted in (("", rule.conditions, True), ("unless.", rule.unless, False)):
            for full, texts in conditions.items():
                key, _, name = full.partition(".")
                written = spelling.conditions({full: texts}, prefix)[1:]
                if not request.knows(key, name):
                    self.unknown.append(written)
                elif CONDITIONS[key].compile(texts, name, Reading(reading))(request) is not wanted:
                    self.failed.append(written + (_instead(key, request, reading) if wanted else ""))
        self.distance = (len(self.failed), len(self.unknown))

    def reason(self, rule: Rule, plan: Plan) -> str:
        """The reason why the rule did not match, by the journal's fields."""
        if self.failed:
            held = [condition for condition in self.failed if condition.startswith("unless.")]
            missing = [condition for condition in self.failed if not condition.startswith("unless.")]
            parts = [f"{' and '.join(missing)} did not hold"] if missing else []
            return "; ".join(parts + ([f"{' and '.join(held)} held"] if held else []))
        if len(self.unknown) == 1:
            verb = "held" if self.unknown[0].startswith("unless.") else "did not hold"
            return f"{self.unknown[0]} {verb}"
        if self.unknown:
            return f"of {', '.join(self.unknown)} not all held"
        age = plan.age(self.outcome.time, self.outcome.arrived)
        begin, end = rule.value("begin"), rule.value("end")
        if age < begin or (end is not None and age >= end):
            bounds = {key: rule.options[key] for key in ("begin", "end") if key in rule.options}
            return f"it came after {max(age, 0):.3f}s, outside of {spelling.options(bounds)[1:]}"
        return "its conditions hold, but it came before the rule, or is an upgrade or a CORS preflight"


class JournalRequest(Request):
    """A request that has only the fields that the journal keeps.

    Args:
        outcome: the journal's fields.
        reading: reads bucket, key and operation from the request.
    """

    client: str | None

    def __init__(self, outcome: Outcome, reading: Addressing) -> None:
        super().__init__("", outcome.path, "")
        self.method = outcome.method
        self.query = outcome.query.replace("…", encode("…"))
        self.host = outcome.host
        self.client = outcome.client
        self.content_length = outcome.request_bytes
        self._user_agent = outcome.user_agent
        self._file_name = outcome.key and encode(outcome.key)
        if outcome.bucket and self._finds(outcome, reading) and outcome.operation in reading.operations.names:
            # The operation may depend on headers, which the journal does not keep.
            self.operation, self.named_by = outcome.operation, reading

    def knows(self, key: str, name: str) -> bool:
        """Whether the journal keeps the field that a condition tests."""
        if key == "header":
            return name == "user-agent"
        return key in KEPT and not (key == "query" and any("…" in value for value in self.query_values(name)))

    def first(self, _name: str) -> str | None:
        """Return None: the journal keeps none of the headers that every decision reads."""
        return None

    def header(self, _name: str) -> tuple[str, ...]:
        """The value of User-Agent, the only header that the journal keeps for conditions."""
        return () if self._user_agent is None else (self._user_agent,)

    def recorded(self, name: str) -> str | None:
        """The key for the header that names a file of B2; the journal keeps no header of operations."""
        return self._file_name if name == "x-bz-file-name" else None

    def _finds(self, outcome: Outcome, reading: Addressing) -> bool:
        """Whether the vendor reads the journal's bucket and key, below any mount point."""
        path = self.path
        at = 0
        for _ in range(_DEEPEST_MOUNT):
            self.below, self.read_by = path[at:], None
            if reading.read_address(self) == (outcome.bucket, outcome.key):
                return True
            at = path.find("/", at + 1)
            if at < 0:
                break
        self.below, self.read_by = path, None
        return False


def _instead(key: str, request: JournalRequest, reading: Addressing) -> str:
    """The request's own value of a condition; empty if method and target show it."""
    bucket, name = reading.read_address(request)
    values = {
        "bucket": bucket,
        "key": name,
        "operation": reading.operation(request),
        "host": request.host,
        "client": request.client,
        "size": request.content_length,
    }
    if key not in values:
        return ""
    return " (there was none)" if values[key] in (None, "") else f" (it was {values[key]})"
