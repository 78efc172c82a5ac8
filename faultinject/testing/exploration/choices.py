"""The faults that an exploration injects at each point, one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from faultinject import vendors
from faultinject.exceptions import ConfigurationError, Problem, ProgramFailedError
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

_DECIDED = tuple(key for key in TRIGGERS if key not in ("times", FOR_GOOD))
"""The triggers that rules may not have, as the exploration decides when a fault comes."""
_KNOWN = ("method", "path", "host", "query", "operation", "bucket", "key")
"""The conditions on fields by which the requests of two runs are compared."""
_TELLING_STATUS = (408, 429)
"""Statuses that by themselves tell the client which error it is, even without a body."""
_TELLING_VALUES = ("code", "body.base64")
"""Values of headers that tell the client which error it is: the code, or the whole body."""

LATE = ("latency", "hang", "stall", "drip")
"""The faults that delay an answer."""


@dataclass(eq=False)
class Choice:
    """One fault with its effects, and the conditions of the requests that may get it.

    Attributes:
        rule: the fault, its effects and its conditions.
        source: the user's text that it comes from: a rule, or a vendor id.
        where: rules with the conditions of the vendor's document; the conditions of one of them must hold. Empty: the
            document has none.
        standard: whether it belongs to a standard set, and not to a rule of the user.
        slow: whether a run with it takes long: then only the first request of each operation gets it, and no second
            fault follows it.
        within: a rule with the user's conditions for the whole set, or None.
        name: the name of its rules, or None.
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
        """Whether all requests from one on get the fault."""
        return FOR_GOOD in self.rule.options

    @property
    def order(self) -> int:
        """A sort key: lost answers, cut reads and faults that stay find most bugs, and come first."""
        if self.rule.value("when") == "after" and self.rule.resolved.breaks:
            return 0
        if self.rule.fault == "truncate":
            return 1
        return 2 if self.lasts else 3

    @property
    def alone(self) -> bool:
        """Whether no second fault follows it."""
        return self.lasts or self.slow

    @property
    def late(self) -> bool:
        """Whether an answer comes late, so that a client may give up."""
        return self.rule.fault in LATE

    @property
    def needs_checksum(self) -> bool:
        """Whether only answers with a checksum get it, as without one no client can notice it."""
        return self.standard and self.rule.fault == "corrupt"

    @property
    def refuses(self) -> bool:
        """Whether no retry helps: a client should not repeat a request after 403 (RFC 9110, 15.5.4)."""
        rows = self.rule.resolved.rows
        return self.rule.fault == "http:403" or (
            bool(rows) and all(row.status == 403 and row.retryable != "yes" for row in rows)
        )

    @property
    def replaces_object(self) -> bool:
        """Whether it belongs to a standard set, and replaces the object that the code reads."""
        return self.standard and self.rule.resolved.of_store

    def ends(self, error: BaseException) -> bool:
        """Whether the code may end with an error, unless the argument `allow` says otherwise.

        No code copes with a fault that stays or a refusal, and none has to cope with an object that is replaced. After
        wrong bytes an error shows that the code has noticed them, but an assertion of the test shows that it has not.
        An assertion that fails while another error is handled checks the state after the code has given up, so it must
        hold.
        """
        if not (self.lasts or self.refuses or self.replaces_object or self.needs_checksum):
            return False
        if isinstance(error, ProgramFailedError):
            return (error.code or 0) > 0
        if isinstance(error, AssertionError):
            after_error = error.__context__ is not None and not error.__suppress_context__
            return not (self.needs_checksum or after_error)
        return isinstance(error, Exception)

    @property
    def needs_body(self) -> bool:
        """Whether it changes the body of the app's own answer."""
        options = self.rule.options
        in_the_middle = "after_bytes" in options and self.rule.value("when") == "after"
        return in_the_middle or (self.rule.resolved.changes_body and "of" not in options)

    @property
    def bytes_before_fault(self) -> int | None:
        """Bytes of the request's body before the fault; None: the fault comes after the whole body."""
        after: int | None = self.rule.value("after_bytes")
        return None if self.rule.value("when") == "after" else after

    def finds_no_body(self, outcome: Outcome) -> bool:
        """Whether the bodies of a request and its answer are too short for the fault."""
        empty = outcome.response_bytes == 0 or has_no_body(outcome.method, outcome.status or 200, ())
        return (self.needs_body and empty) or (outcome.request_bytes or 0) < (self.bytes_before_fault or 0)

    def options_at(self, outcome: Outcome) -> Mapping[str, str]:
        """The rule's options for one request: a standard fault in an upload comes in its middle."""
        options = self.rule.options
        if self.standard and self.bytes_before_fault is not None:
            return {**options, "after_bytes": str((outcome.request_bytes or 0) // 2)}
        return options

    def reason_not_injected(self, undone: Collection[str]) -> str:
        """The reason why it could not be injected, according to the outcomes."""
        if "refused" in undone:
            return "only the embedded store can do it"
        if self.bytes_before_fault is not None:
            return "its body ends before"
        of_a_body = self.needs_body or self.rule.resolved.changes_body
        return "its answer has nothing to cut" if of_a_body else "there is nothing to change"

    def description(self, _rule: Rule) -> str:
        """Its text in the report; empty: the text is made of the rule."""
        return f"{self.rule.fault} begins, for good" if self.lasts else ""

    def omission_at(self, outcome: Outcome) -> LeftOut | None:
        """An omission if a run at this request would show nothing new, or None."""
        if not self.invisible_on(outcome.method):
            return None
        why = "its answer has no body that says which error it is"
        return LeftOut(f"{self.rule.fault} on {outcome.method}", why, "brings it back")

    def invisible_on(self, method: str) -> bool:
        """Whether no client can tell which error it is, as a 4xx on HEAD has no body.

        Some vendors send the code in a header, or the status is the code.
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
"""The name of the rule that kills a program."""


class Crash(Choice):
    """The program is killed at a request.

    Args:
        progress: how far the request has been processed by then.
        keys: the keys of the rule.
    """

    def __init__(self, progress: str, **keys: Any) -> None:
        super().__init__(Rule("reset", name=CRASH, **keys), CRASH, standard=True, name=CRASH)
        self.progress = progress

    def description(self, rule: Rule) -> str:
        """The text of the report about the crash."""
        sent = rule.options.get("after_bytes")
        progress = self.progress if sent is None else f"{sent} bytes of its body have come"
        return f"the program is killed: {progress}"

    def omission_at(self, outcome: Outcome) -> LeftOut | None:
        """An omission for a crash after a read, as a read changes nothing; or None."""
        if self is not AFTER or outcome.method not in READS:
            return None
        why = "it changes nothing, so a crash after it shows the same as one before it"
        return LeftOut(f"a crash after {outcome.operation or outcome.method}", why, "tries it")


LEAST = 2
"""The fewest bytes of an upload that a fault can cut in two."""
READS = ("GET", "HEAD")
QUICK = "quick"
"""The text that stands for a small set of faults."""
BEFORE = Crash("the request has come, and the store has not carried it out")
AFTER = Crash("the store has carried it out, and nothing of the answer has left", when="after")
MIDDLE = Crash("half of its body has come", after_bytes=LEAST)


def choices_of(
    faults: Sequence[str | Rule], *, exhaustive: bool = False, without: Collection[str] = ()
) -> list[Choice]:
    """Turn the user's texts into faults: a vendor id is its standard set, a group its members.

    `quick` is the small set of the faults that find most. Conditions after a vendor id or `quick`, as in
    `cos,bucket=photos`, hold for the whole set.

    Args:
        faults: the user's rules.
        exhaustive: whether slow faults of a standard set take all of their time.
        without: faults of a set or a group to leave out, such as `s3:SlowDown`.

    Raises:
        ConfigurationError: a rule is wrong, or has a trigger; there is no rule; or `without` names a fault that is
            not among the others.
    """
    choices: dict[str, Choice] = {}
    problems: list[Problem] = []
    for fault in faults:
        name, within, rules = _read(fault)
        if within is not None:
            problems += _trigger_problems(within, name)
            problems += _set_problems(within, name)
        if name:
            wanted = "" if within is None else _conditions(within)
            members = _quick_set() if name == QUICK else standard_set(name, exhaustive=exhaustive)
            for member in members:
                choice = replace(member, source=f"{name}{wanted}", within=within)
                choices.setdefault(f"{member.rule}{wanted}", choice)
        for rule in rules:
            problems += _trigger_problems(rule)
            for single in _single_rules(rule):
                if str(single) not in choices or choices[str(single)].standard:
                    of_group = single is not rule
                    where = places_of(single.resolved.rows[0]) if of_group else ()
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


def _quick_set() -> Iterator[Choice]:
    """Lost answers of writes, cut reads, and an outage that stays.

    They found thirteen bugs in 24 released packages.
    """
    writes = ("PUT", "POST", "PATCH", "DELETE")
    for rule in (
        Rule("reset", method=writes, when="after"),
        Rule("truncate", method="GET"),
        Rule("http:503", from_=1),
    ):
        yield Choice(rule, QUICK, standard=True)


def _read(fault: str | Rule) -> tuple[str, Rule | None, Sequence[Rule]]:
    """The name of a set or "", a rule with its conditions or None, and other rules."""
    if isinstance(fault, str):
        name, comma, where = fault.strip().partition(",")
        if name == QUICK or (name not in OWN and vendors.known(name)):
            if not comma:
                return name, None, ()
            member = "http:503" if name == QUICK else vendors.get(name).errors[0].address
            within, *others = Scenario(f"{member},{where}").rules
            return name, within, others
    return "", None, Scenario(fault).rules


def _conditions(rule: Rule) -> str:
    return spelling.conditions(rule.conditions) + spelling.conditions(rule.unless, "unless.")


def _set_problems(rule: Rule, name: str) -> Iterator[Problem]:
    if more := [key for key in rule.options if key not in _DECIDED]:
        example = next(_quick_set() if name == QUICK else standard_set(name)).rule
        yield Problem(
            f"{name} stands for a set of faults, which takes conditions alone: no {listed(more)};"
            f" name a fault for it, such as {example}",
            where=str(rule).replace(rule.fault, name, 1),
        )


def _trigger_problems(rule: Rule, vendor: str = "") -> Iterator[Problem]:
    where = str(rule).replace(rule.fault, vendor or rule.fault, 1)
    triggers = [key for key in rule.options if key in _DECIDED]
    if triggers:
        yield Problem(f"explore decides where a fault comes: no {listed(triggers)}", where=where)
    unknown = [key for key in (*rule.conditions, *rule.unless) if key.partition(".")[0] not in _KNOWN]
    if unknown:
        known = listed(_KNOWN, "and")
        yield Problem(f"explore cannot compare requests by {listed(unknown)}; it can by {known}", where=where)
    if rule.options.get("times") == "0":
        yield Problem("times=0 never injects", where=where)


def _single_rules(rule: Rule) -> Iterator[Rule]:
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
"""The duration of a hang, unless the exploration is exhaustive."""
MAY_STOP = ("with-care", "query-first", "after-signing")
"""The kinds of retries that documents allow, but do not recommend."""
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
"""The errors that stay, in order of preference: an expired token, or else a lost permission."""
OF_ANOTHER_WRITER = "OperationAborted"
"""The error for two clients that change one thing at the same time.

A single client never gets it, and no SDK of AWS retries it.
"""


def standard_set(vendor: str, *, exhaustive: bool = False) -> Iterator[Choice]:
    """The usual faults of a service: errors documented as retryable, and faults of its network.

    Of several errors with one code and status, which a client cannot tell apart, the set has the first. An error that
    according to the document comes only for some requests is injected only there. If the document of a storage service
    says nothing about retries, the set has its errors of throttling and of the server.

    Args:
        vendor: the vendor's id.
        exhaustive: whether a hang lasts as long as the client waits, instead of `PATIENCE`.
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
