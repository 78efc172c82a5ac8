"""The request that was most like the rule's, and the conditions that kept the rule away."""

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

# Segments that a mount point is looked for in.
_DEEPEST_MOUNT = 16


def nearest_request(rule: Rule, outcomes: Iterable[Outcome], plan: Plan) -> str:
    """Say why no request met a rule's conditions, by the one that met most of them.

    Args:
        rule: the rule.
        outcomes: the requests seen.
        plan: the plan that the rule is of: it knows how the rule's vendor reads requests.

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


def met(rule: Rule, outcome: Outcome, plan: Plan) -> bool:
    """Whether a request met a rule's conditions, as far as the journal tells."""
    if outcome.rule is not None and outcome.rule == plan.names[plan.rules.index(rule)]:
        return True
    found = Comparison(rule, outcome, plan.reading(rule.vendor))
    return not found.failed and not found.unknown


class Comparison:
    """A rule's conditions, held against one request of the journal.

    Attributes:
        outcome: the request.
        failed: the conditions that did not hold, as written, each with what was there instead.
        unknown: those on things that the journal does not keep.
        distance: sorts: the fewer, the nearer.
    """

    def __init__(self, rule: Rule, outcome: Outcome, reading: Addressing) -> None:
        self.outcome = outcome
        self.failed: list[str] = []
        self.unknown: list[str] = []
        request = Remembered(outcome, reading)
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
        """The conditions that kept the rule away, as far as the journal tells."""
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


class Remembered(Request):
    """A request as the journal remembers it.

    Args:
        outcome: what the journal has of it.
        reading: how it will be asked for bucket, key and operation.
    """

    client: str | None

    def __init__(self, outcome: Outcome, reading: Addressing) -> None:
        super().__init__("", outcome.path, "")
        self.method = outcome.method
        self.query = outcome.query.replace("…", encode("…"))
        self.host = outcome.host
        self.client = outcome.client
        self._size = outcome.request_bytes
        self._user_agent = outcome.user_agent
        self._file_name = outcome.key and encode(outcome.key)
        if outcome.bucket and self._finds(outcome, reading) and outcome.operation in reading.operations.names:
            # The journal saw headers that it does not keep.
            self.operation, self.named_by = outcome.operation, reading

    def knows(self, key: str, name: str) -> bool:
        """Whether what a condition asks about is kept."""
        if key == "header":
            return name == "user-agent"
        if key == "sample":
            return False
        return key != "query" or not any("…" in value for value in self.query_values(name))

    def first(self, name: str) -> str | None:
        """Of the headers that decisions ask for the length is kept."""
        return str(self._size) if name == "content-length" and self._size is not None else None

    def header(self, _name: str) -> tuple[str, ...]:
        """The value of the user agent, the only other header that is kept."""
        return () if self._user_agent is None else (self._user_agent,)

    def recorded(self, name: str) -> str | None:
        """Of the headers that operations are told by none is kept; one can be had from the key."""
        return self._file_name if name == "x-bz-file-name" else None

    def _finds(self, outcome: Outcome, reading: Addressing) -> bool:
        """Whether bucket and key are read as in the journal; a mount point moves the address."""
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


def _instead(key: str, request: Remembered, reading: Addressing) -> str:
    """The request's value of a condition, if its first line does not show it."""
    bucket, name = reading.read_address(request)
    there = {
        "bucket": bucket,
        "key": name,
        "operation": reading.operation(request),
        "host": request.host,
        "client": request.client,
        "size": request.content_length,
    }
    if key not in there:
        return ""
    return " (there was none)" if there[key] in (None, "") else f" (it was {there[key]})"
