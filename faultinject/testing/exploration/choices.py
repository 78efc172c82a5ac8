"""What is injected at each point: the faults that an exploration was given, one by one."""

from __future__ import annotations

from faultinject import vendors
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.faults import OWN
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.values import listed
from faultinject.testing.exploration.standard import standard_set

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Where the code is hit is the exploration's business; these say it otherwise.
_DECIDED = tuple(key for key in TRIGGERS if key != "times")
_NEVER_KNOWN = ("header", "client", "size")
# Their meaning is in the status itself, which a client sees without a body.
_TELLING_STATUS = (408, 429)
# They change a body on its way, so there must be one.
_SHAPING = ("truncate", "drip", "corrupt")
# Headers that hold the code, such as x-ms-error-code, or the whole error.
_TELLING_VALUES = ("code", "body.base64")


class Choice:
    """One fault with its effects, and the conditions that say where it may be.

    Attributes:
        rule: conditions for where, effects and `times` for what.
        source: what the user wrote that it comes from: a rule, or a vendor id.
        where: rules whose conditions say where the vendor's document has it, any of them; none: it does not say.
        standard: whether it is of a standard set; what the user wrote alone comes wherever its own conditions hold.
    """

    def __init__(
        self, rule: Rule, source: str, where: tuple[Rule, ...] = (), *, standard: bool = False
    ) -> None:
        self.rule = rule
        self.source = source
        self.where = where
        self.standard = standard

    @property
    def hangs(self) -> bool:
        """Whether nothing comes until the client gives up."""
        return self.rule.fault == "hang"

    @property
    def needs_body(self) -> bool:
        """Whether it is something done to the body of the app's own answer."""
        return self.rule.fault in _SHAPING and "of" not in self.rule.options

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


def choices(faults: Sequence[str | Rule], *, exhaustive: bool = False) -> list[Choice]:
    """Every fault that is meant: a bare vendor id stands for its standard set, a group for each of its members.

    Args:
        faults: what the user wrote.
        exhaustive: whether a standard set is to be tried whatever it costs.

    Raises:
        ConfigurationError: a rule is wrong, decides itself where or how often it fires, or there is none.
    """
    found: dict[str, Choice] = {}
    problems: list[Problem] = []
    for given in faults:
        if isinstance(given, str) and given.strip() not in OWN and vendors.known(given.strip()):
            vendor = given.strip()
            for rule, where in standard_set(vendor, exhaustive=exhaustive):
                found.setdefault(str(rule), Choice(rule, vendor, where, standard=True))
            continue
        for rule in Scenario(given).rules:
            problems += _refused(rule)
            for each in _single(rule):
                if str(each) not in found or found[str(each)].standard:
                    found[str(each)] = Choice(each, str(rule))
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


def _single(rule: Rule) -> Iterator[Rule]:
    rows = rule.resolved.rows
    if len(rows) < 2:
        yield rule
        return
    for row in rows:
        yield Rule.of_parts(row.address, rule.parts)
