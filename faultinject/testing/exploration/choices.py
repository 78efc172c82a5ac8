"""The faults that an exploration injects at each point, one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from faultinject import vendors
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.http.wire import has_no_body
from faultinject.journal.outcome import Outcome
from faultinject.rules import spelling
from faultinject.rules.faults import OWN
from faultinject.rules.places import places_of
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import FOR_GOOD, TRIGGERS
from faultinject.rules.values import listed, nearest
from faultinject.testing.exploration.bounds import LeftOut
from faultinject.testing.exploration.programs import ProgramFailed

# Where the code is hit is the exploration's business; these say it otherwise.
_DECIDED = tuple(key for key in TRIGGERS if key not in ("times", FOR_GOOD))
_NEVER_KNOWN = ("header", "client", "size", "sample")
# Their meaning is in the status itself, which a client sees without a body.
_TELLING_STATUS = (408, 429)
# Headers that hold the code, such as x-ms-error-code, or the whole error.
_TELLING_VALUES = ("code", "body.base64")


@dataclass(eq=False)
class Choice:
    """One fault with its effects, and the conditions that say where it may be.

    Attributes:
        rule: conditions for where, effects and `times` for what.
        source: what the user wrote that it comes from: a rule, or a vendor id.
        where: rules whose conditions say where the vendor's document has it, any of them; none: it does not say.
        standard: whether it is of a standard set; what the user wrote alone comes wherever its own conditions hold.
        slow: whether a run with it may take all of its time, and shows the same at each request of an operation: the
            first one gets it, and no second fault goes with it.
        within: a rule whose conditions say where the user wants that set; None: everywhere.
        name: what its rules are called; None: as they stand.
    """

    rule: Rule
    source: str
    where: tuple[Rule, ...] = ()
    standard: bool = False
    slow: bool = False
    within: Rule | None = None
    name: str | None = None

    @property
    def lasts(self) -> bool:
        """Whether it begins at a request and stays: all later requests get it, too."""
        return FOR_GOOD in self.rule.options

    @property
    def turn(self) -> int:
        """Sorts: lost answers, cut reads and what stays find most, and come first."""
        if self.rule.value("when") == "after" and self.rule.resolved.breaks:
            return 0
        if self.rule.fault == "truncate":
            return 1
        return 2 if self.lasts else 3

    @property
    def alone(self) -> bool:
        """Whether no second fault goes with it."""
        return self.lasts or self.slow

    @property
    def needs_checksum(self) -> bool:
        """Whether it comes only where the client can notice it."""
        return self.standard and self.rule.fault == "corrupt"

    @property
    def moves(self) -> bool:
        """Whether another writer replaces the object that the code reads, unasked for by name."""
        return self.standard and self.rule.resolved.of_store

    def ends(self, error: BaseException) -> bool:
        """Whether the code may end like this, unless somebody says how it may end.

        Nobody copes with a fault that stays, and the code may as well have all of the new content of a replaced
        object. An error shows that the code has noticed wrong bytes; an assertion of the test shows that it has not.
        """
        if not (self.lasts or self.moves or self.needs_checksum):
            return False
        if isinstance(error, ProgramFailed):
            return (error.code or 0) > 0
        return isinstance(error, Exception) and not (
            self.needs_checksum and isinstance(error, AssertionError)
        )

    @property
    def needs_body(self) -> bool:
        """Whether it changes the body of the app's own answer."""
        options = self.rule.options
        in_the_middle = "after_bytes" in options and self.rule.value("when") == "after"
        return in_the_middle or (self.rule.resolved.changes_body and "of" not in options)

    @property
    def uploaded(self) -> int | None:
        """Bytes of the request's body that come before it; None: it is not in the middle of that."""
        after: int | None = self.rule.value("after_bytes")
        return None if self.rule.value("when") == "after" else after

    def finds_no_body(self, outcome: Outcome) -> bool:
        """Whether a request's answer has no body for it, or the request's body ends before."""
        empty = outcome.response_bytes == 0 or has_no_body(outcome.method, outcome.status or 200, ())
        return (self.needs_body and empty) or (outcome.request_bytes or 0) < (self.uploaded or 0)

    def options_at(self, outcome: Outcome) -> Mapping[str, str]:
        """The rule's options for one request.

        A fault of a standard set in an upload comes in its middle.
        """
        options = self.rule.options
        if self.standard and self.uploaded is not None:
            return {**options, "after_bytes": str((outcome.request_bytes or 0) // 2)}
        return options

    def unable(self, undone: Collection[str]) -> str:
        """The reason why it could not be injected, by the outcomes."""
        if "refused" in undone:
            return "only the embedded store can do it"
        if self.uploaded is not None:
            return "its body ends before"
        of_a_body = self.needs_body or self.rule.resolved.changes_body
        return "its answer has nothing to cut" if of_a_body else "there is nothing to change"

    def told(self, _rule: Rule) -> str:
        """The report's words for it; empty: those of the rule itself."""
        return f"{self.rule.fault} begins, for good" if self.lasts else ""

    def useless_at(self, outcome: Outcome) -> LeftOut | None:
        """The omission of a request with which it would show nothing of its own, or None."""
        if not self.invisible_on(outcome.method):
            return None
        why = "its answer has no body that says which error it is"
        return LeftOut(f"{self.rule.fault} on {outcome.method}", why, "brings it back")

    def invisible_on(self, method: str) -> bool:
        """Whether no client can tell the error by this answer.

        A 4xx on HEAD has no body that says which it is. Some vendors say it in a header instead, or the status is the
        code.
        """
        if method.upper() != "HEAD" or len(self.rule.resolved.rows) != 1:
            return False
        [row] = self.rule.resolved.rows
        status = self.rule.value("status") or row.status or 0
        if not 400 <= status < 500 or status in _TELLING_STATUS or row.code == str(status):
            return False
        extras = vendors.get(row.vendor).extras
        return not any(
            extra.place in ("header", "head")
            and extra.value in _TELLING_VALUES
            and extra.belongs_to(row, status)
            for extra in extras
        )


CRASH = "crash"
"""The name of the rule by which a program is killed."""


class Crash(Choice):
    """The program is killed at a request.

    Args:
        said: what has become of the request by then.
        keys: of the rule.
    """

    def __init__(self, said: str, **keys: Any) -> None:
        super().__init__(Rule("reset", name=CRASH, **keys), CRASH, standard=True, name=CRASH)
        self.said = said

    def told(self, rule: Rule) -> str:
        """The report's words for the fate of the request."""
        sent = rule.options.get("after_bytes")
        done = self.said if sent is None else f"{sent} bytes of its body have come"
        return f"the program is killed: {done}"

    def useless_at(self, outcome: Outcome) -> LeftOut | None:
        """The omission of a crash that would show nothing of its own, or None."""
        if self is not AFTER or outcome.method not in READS:
            return None
        why = "it changes nothing, so that this is the crash before it"
        return LeftOut(f"a crash after {outcome.operation or outcome.method}", why, "tries it")


LEAST = 2
"""Bytes of an upload that has a middle; a fault of a standard set comes after half of them."""
READS = ("GET", "HEAD")
QUICK = "quick"
"""The name of the small set, in the place of a rule."""
BEFORE = Crash("the request has come, and the store has not carried it out")
AFTER = Crash("the store has carried it out, and nothing of the answer has left", when="after")
MIDDLE = Crash("half of its body has come", after_bytes=LEAST)


def choices_of(
    faults: Sequence[str | Rule], *, exhaustive: bool = False, without: Collection[str] = ()
) -> list[Choice]:
    """All faults that are meant: a vendor id means its standard set, a group its members.

    Conditions after a vendor id, as in `cos,bucket=photos`, say where its set comes. `quick` is a small set,
    of the faults that find most.

    Args:
        faults: the user's rules.
        exhaustive: whether a standard set is to be tried whatever it costs.
        without: faults of a set or a group that are left out, such as `s3:SlowDown`.

    Raises:
        ConfigurationError: a rule is wrong, decides itself where or how often it fires, or there is none; or
            `without` names a fault that is not among them.
    """
    choices: dict[str, Choice] = {}
    problems: list[Problem] = []
    for given in faults:
        if given == QUICK:
            for rule in _quick_set():
                choices.setdefault(str(rule), Choice(rule, QUICK, standard=True))
            continue
        vendor, within, rules = _read(given)
        if within is not None:
            problems += _refused(within, vendor)
            problems += _not_of_a_set(within, vendor)
        if vendor:
            wanted = "" if within is None else _conditions(within)
            for member in standard_set(vendor, exhaustive=exhaustive):
                choice = replace(member, source=f"{vendor}{wanted}", within=within)
                choices.setdefault(f"{member.rule}{wanted}", choice)
        for rule in rules:
            problems += _refused(rule)
            for single in _single(rule):
                if str(single) not in choices or choices[str(single)].standard:
                    where = (
                        () if single is rule else places_of(single.resolved.rows[0])
                    )  # else one of a group
                    choices[str(single)] = Choice(single, str(rule), where=where)
    for unwanted in without:
        named = {choice.rule.fault for choice in choices.values()}
        if unwanted not in named and not problems:
            among = f"{unwanted} is not among the faults to explore{nearest(unwanted, named)}"
            problems.append(Problem(f"without: {among}"))
        choices = {text: choice for text, choice in choices.items() if choice.rule.fault != unwanted}
    if not problems and not choices:
        problems.append(Problem("explore needs a fault, such as 'cos' or 'cos:SlowDown'"))
    if problems:
        raise ConfigurationError(problems)
    return list(choices.values())


def _quick_set() -> tuple[Rule, ...]:
    """Lost answers of writes, cut reads, and an outage that stays.

    They found thirteen bugs in 24 released packages.
    """
    writes = ("PUT", "POST", "PATCH", "DELETE")
    return (
        Rule("reset", method=writes, when="after"),
        Rule("truncate", method="GET"),
        Rule("http:503", from_=1),
    )


def _read(given: str | Rule) -> tuple[str, Rule | None, Sequence[Rule]]:
    """The vendor of a standard set or "", the set's conditions or None, and other rules.

    The conditions are those of a rule.
    """
    if isinstance(given, str):
        vendor, comma, where = given.strip().partition(",")
        if vendor not in OWN and vendors.known(vendor):
            if not comma:
                return vendor, None, ()
            within, *others = Scenario(f"{vendors.get(vendor).errors[0].address},{where}").rules
            return vendor, within, others
    return "", None, Scenario(given).rules


def _conditions(rule: Rule) -> str:
    return spelling.conditions(rule.conditions) + spelling.conditions(rule.unless, "unless.")


def _not_of_a_set(rule: Rule, vendor: str) -> Iterator[Problem]:
    if more := [key for key in rule.options if key not in _DECIDED]:
        yield Problem(
            f"{vendor} stands for its standard set, which takes conditions alone: no {listed(more)};"
            f" name a fault for it, such as {next(standard_set(vendor)).rule}",
            where=str(rule).replace(rule.fault, vendor, 1),
        )


def _refused(rule: Rule, vendor: str = "") -> Iterator[Problem]:
    where = str(rule).replace(rule.fault, vendor or rule.fault, 1)
    wrong = [key for key in rule.options if key in _DECIDED]
    if wrong:
        yield Problem(f"explore decides where a fault comes: no {listed(wrong)}", where=where)
    unknown = [key for key in (*rule.conditions, *rule.unless) if key.partition(".")[0] in _NEVER_KNOWN]
    if unknown:
        known = "it can by method, path, query, operation, bucket and key"
        yield Problem(f"explore cannot tell by {listed(unknown)}; {known}", where=where)
    if rule.options.get("times") == "0":
        yield Problem("times=0 never injects", where=where)


def _single(rule: Rule) -> Iterator[Rule]:
    rows = rule.resolved.rows
    if len(rows) < 2:
        yield rule
        return
    name, conditions, unless, options = rule.parts
    for row in dict.fromkeys(rows):
        chosen = ("of", "vendor") if vendors.get(row.vendor).addressing else ("of",)
        others = {key: text for key, text in options.items() if key not in chosen}
        yield Rule.of_parts(row.address, (name, conditions, unless, others))


PATIENCE = "2500ms"
"""The time that a hang waits for a client's time-out, unless the exploration is exhaustive."""
MAY_STOP = ("with-care", "query-first", "after-signing")
"""Demands on the client with which it may as well give up.

No document says that every client is to send the request again.
"""
PERMANENT = (
    "403",
    "ExpiredToken",
    "SecurityTokenExpired",
    "AccessDenied",
    "AuthorizationFailure",
    "permission_denied",
    "access_denied",
    "forbidden",
)
"""A vendor's errors for an expired token, or else for a lost permission, which stay."""
OF_ANOTHER_WRITER = "OperationAborted"
"""The conflict of two requests that change one thing at once.

A client that is alone never meets it, and no SDK of AWS sends its request again.
"""


def standard_set(vendor: str, *, exhaustive: bool = False) -> Iterator[Choice]:
    """The usual faults of a service: errors documented as retryable, and those of its network.

    Of rows that a client cannot tell apart, the same code with the same status, the first; a row that the document
    has for some requests only, with these; none that only a second writer causes. A storage service whose document
    says nothing of retries throttles, and fails by itself.

    Args:
        vendor: the vendor's id.
        exhaustive: a hang lasts as long as the client waits, and not only `PATIENCE`.
    """
    member = partial(Choice, source=vendor, standard=True)
    service = vendors.get(vendor)
    first = {(row.code, row.status): row for row in reversed(service.errors) if (row.status or 0) >= 400}
    errors = [row for row in service.errors if first.get((row.code, row.status)) is row]
    rows = [row for row in errors if row.retryable == "yes"]
    if not rows and service.addressing is not None:
        rows = [row for row in errors if row.category in ("throttle", "server") and row.status != 501]
    for row in rows:
        if row.again not in MAY_STOP and row.code != OF_ANOTHER_WRITER:
            yield member(Rule(row.address), where=places_of(row))
    yield member(Rule("reset"))
    yield member(Rule("reset", when="after"))
    yield member(Rule("reset", after_bytes=LEAST))
    yield member(Rule("gateway:BadGateway"))
    hidden = [*service.errors_in_200]
    if service.deletes is not None:  # its answer has an error for each key, as `share=1` says
        hidden.append("DeleteObjects")
    broken = next((row for row in errors if row.status == 500), None)
    if hidden and broken is not None:
        yield member(Rule(broken.address, status=200, operation=hidden))
    if refused := next(filter(service.has, PERMANENT), ""):
        yield member(Rule(f"{vendor}:{refused}", from_=1))
    yield member(Rule("truncate", method="GET"))
    yield member(Rule("corrupt", method="GET"))
    yield member(Rule("overwrite", method="GET"))
    yield member(Rule("hang")) if exhaustive else member(Rule("hang", duration=PATIENCE), slow=True)
