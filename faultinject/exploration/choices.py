"""What is injected at each point: the faults that an exploration was given, one by one."""

from __future__ import annotations

from faultinject import vendors
from faultinject.core.rule import Rule
from faultinject.core.triggers import TRIGGERS
from faultinject.core.values import listed
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.settings.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Where the code is hit is the exploration's business; these say it otherwise.
_DECIDED = tuple(key for key in TRIGGERS if key != "times")
_NEVER_KNOWN = ("header", "client", "size")
READS = ("GET", "HEAD")
# Their meaning is in the status itself, which a client sees without a body.
_TELLING_STATUS = (408, 429)
# Headers that hold the code, such as x-ms-error-code, or the whole error.
_TELLING_VALUES = ("code", "body.base64")


class Choice:
    """One fault with its effects, and the conditions that say where it may be.

    Attributes:
        rule: conditions for where, effects and `times` for what.
        source: what the user wrote that it comes from: a rule, or a vendor id.
    """

    def __init__(self, rule: Rule, source: str) -> None:
        self.rule = rule
        self.source = source

    @property
    def after(self) -> bool:
        """Whether the app runs, and its answer is lost."""
        return bool(self.rule.value("when") == "after")

    def invisible_on(self, method: str) -> bool:
        """Whether no client can tell the error by this answer: a 4xx on HEAD has no body that says which it is.

        Some vendors say it in a header instead, or the status is the code.
        """
        if method.upper() != "HEAD" or len(self.rule.resolved.rows) != 1:
            return False
        [row] = self.rule.resolved.rows
        status = self.rule.value("status") or row.status or 0
        if not 400 <= status < 500 or status in _TELLING_STATUS or row.code == str(status):
            return False
        extras = vendors.get(row.vendor).extras
        return not any(
            each.place in ("header", "head")
            and each.value in _TELLING_VALUES
            and each.belongs_to(row, status)
            for each in extras
        )

    def __repr__(self) -> str:
        return f"<Choice {self.rule}>"


def choices(faults: Sequence[str | Rule]) -> list[Choice]:
    """Every fault that is meant: a bare vendor id stands for its standard set, a group for each of its members.

    Raises:
        ConfigurationError: a rule is wrong, decides itself where or how often it fires, or there is none.
    """
    found: dict[str, Choice] = {}
    problems: list[Problem] = []
    for given in faults:
        vendor = given.strip() if isinstance(given, str) and given.strip() in vendors.names() else None
        for rule in Scenario(given).rules if vendor is None else standard_set(vendor):
            problems += _refused(rule)
            for each in _single(rule):
                found.setdefault(str(each), Choice(each, vendor or str(rule)))
    if not problems and not found:
        problems.append(Problem("explore needs a fault, such as 'cos' or 'cos:SlowDown'"))
    if problems:
        raise ConfigurationError(problems)
    return list(found.values())


def _refused(rule: Rule) -> Iterator[Problem]:
    wrong = [key for key in rule.options if key in _DECIDED]
    if wrong:
        yield Problem(f"explore decides where a fault comes: no {listed(wrong)}", where=str(rule))
    unknown = [key for key in (*rule.conditions, *rule.unless) if key.partition(".")[0] in _NEVER_KNOWN]
    if unknown:
        known = "it can by method, path, query, operation, bucket and key"
        yield Problem(f"explore cannot tell by {listed(unknown)}; {known}", where=str(rule))
    if rule.options.get("times") == "0":
        yield Problem("times=0 never injects", where=str(rule))


def standard_set(vendor: str) -> Iterator[Rule]:
    """What a service does to its clients: each error that its document calls retryable, and what its network does.

    Of rows that a client cannot tell apart, the same code with the same status, the first. A storage service whose
    document says nothing of retries throttles, and fails by itself.
    """
    found = vendors.get(vendor)
    told = {(row.code, row.status): row for row in reversed(found.errors) if (row.status or 0) >= 400}
    errors = [row for row in found.errors if told.get((row.code, row.status)) is row]
    rows = [row for row in errors if row.retryable == "yes"]
    if not rows and found.addressing is not None:
        rows = [row for row in errors if row.category in ("throttle", "server") and row.status != 501]
    for row in rows:
        yield Rule(row.address)
    yield Rule("reset")
    yield Rule("reset", when="after")
    yield Rule("gateway:BadGateway")
    if found.errors_in_200 and found.has("InternalError"):
        yield Rule(f"{vendor}:InternalError", status=200, operation=list(found.errors_in_200))


def _single(rule: Rule) -> Iterator[Rule]:
    rows = rule.resolved.rows
    if len(rows) < 2:
        yield rule
        return
    for row in rows:
        yield Rule.of_parts(row.address, rule.parts)
