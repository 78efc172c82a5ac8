"""Rules in a form that a proxy can express: tests of a request, a chance, and the fault.

Everything that it cannot express is reported. A rule is left out as a whole if without the missing part the fault
would come to more requests, or more often. An effect that only shapes the answer is left out alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from faultinject.conversion import expressions
from faultinject.conversion.document import Remarks
from faultinject.engine.answers import Respond, at_its_start
from faultinject.engine.draw import LogNormal
from faultinject.engine.entry import Entry
from faultinject.engine.request import WSGIRequest
from faultinject.injector import trials
from faultinject.rules.faults.answering import Documented, Http
from faultinject.rules.printed_json import json_text
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import DECIDING, TRIGGERS

ANSWER = "answer"
MILLION = 1_000_000
"""The parts of a whole in which a chance is counted."""
SPARED = "without it the fault would come to requests that the rule spares"
MOMENT = 1_800_000_000.0
"""The time in answers, unix seconds."""
SLIGHT = 1e-11
"""The difference up to which two chances are the same."""
ADDRESS = ("bucket", "key")
KNOWN = ("content-type", "content-length", "connection")
"""Headers that have another place in a proxy's configuration, or that it sets itself."""


@dataclass(frozen=True)
class Place:
    """The addresses of a proxy and its app.

    Attributes:
        listen: the address that it listens on, `HOST:PORT`.
        upstream: that of the app behind it.
    """

    listen: str
    upstream: str


@dataclass(frozen=True)
class RequestCondition:
    """A condition on a request.

    Attributes:
        what: `method`, `path`, `host`, `header` or `query`.
        expression: the regular expression of the whole value; of a path as it is sent; of a query of one parameter
            with its value.
        name: of the header.
        negated: it must not hold.
    """

    what: str
    expression: str
    name: str = ""
    negated: bool = False


@dataclass(frozen=True)
class ProxyAnswer:
    """The content of an injected answer.

    Attributes:
        status: its status.
        content_type: its Content-Type; empty for none.
        headers: the others, without those that every server sets.
        body: its body.
    """

    status: int
    content_type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Capabilities:
    """The features of a proxy.

    Attributes:
        title: its name.
        faults: the faults, `ANSWER` for those that answer.
        tests: the kinds of tests.
        negated: those that it can also negate.
    """

    title: str
    faults: frozenset[str]
    tests: frozenset[str]
    negated: frozenset[str]


@dataclass(frozen=True)
class ProxyRule:
    """A rule in the form that proxies share.

    Attributes:
        rule: the rule.
        name: its name.
        tests: it is for a request of which all of these hold.
        probability: the chance of each of those that no earlier rule has answered.
        fault: `ANSWER`, or the fault's own word.
        answer: its content.
        delay: seconds; 0: none.
    """

    rule: Rule
    name: str
    tests: tuple[RequestCondition, ...]
    probability: float
    fault: str
    answer: ProxyAnswer | None = None
    delay: float = 0.0


def parts_of(rule: ProxyRule, title: str, remarks: Remarks) -> int:
    """The chance in parts of a million, as a proxy counts them; a rounded one is reported."""
    number = round(rule.probability * MILLION)
    if abs(number / MILLION - rule.probability) > SLIGHT:
        remarks.change(f"{rule.name}: probability", f"{title} rounds it to {number * 100 / MILLION:g} %")
    return number


def delay_of(rule: ProxyRule, title: str, remarks: Remarks) -> float:
    """The seconds of its delay; 0, with a report, where the proxy would delay other requests."""
    if rule.delay and rule.answer is not None and rule.probability < 1:
        remarks.leave_out(
            f"{rule.name}: delay",
            f"{title} draws for the wait and for the answer apart, and would delay others",
        )
        return 0.0
    return rule.delay


class _LeftOut(Exception):
    """A rule that is left out, which is reported already."""


def translate(scenario: Scenario, can: Capabilities, remarks: Remarks) -> list[ProxyRule]:
    """The rules of a scenario that a proxy can carry out.

    Args:
        scenario: the rules.
        can: the features of the proxy.
        remarks: gets a remark on each feature that it lacks.
    """
    if scenario.seed is not None:
        remarks.change("seed", f"{can.title} draws numbers of its own: no run is replayed")
    if scenario.abort is not None:
        remarks.leave_out("abort", f"{can.title} does not watch the app's own failures")
    translated: list[ProxyRule] = []
    for rule, name in zip(scenario.rules, scenario.display_names, strict=True):
        try:
            translated.append(_Translation(rule, name, can, remarks).proxy_rule())
        except _LeftOut:
            continue
    return translated


class _Translation:
    """One rule."""

    def __init__(self, rule: Rule, name: str, can: Capabilities, remarks: Remarks) -> None:
        self.rule = rule
        self.name = name
        self.can = can
        self.remarks = remarks
        self.fault = ANSWER if isinstance(rule.resolved, Documented | Http) else rule.fault

    def proxy_rule(self) -> ProxyRule:
        """The rule in the form that proxies share."""
        rule, title = self.rule, self.can.title
        if self.fault not in self.can.faults:
            self.leave(rule.fault, f"{title} cannot do it")
        for key in DECIDING:
            if key in rule.options and rule.value(key) != TRIGGERS[key].default:
                self.leave(key, f"{title} does not count, and without it the fault would come more often")
        if rule.value("when") == "after" and "when" in rule.options:
            self.leave("when", f"{title} answers before the app has run")
        for key in ("after_bytes", "share"):
            if key in rule.options:
                self.leave(key, f"{title} does not look into bodies")
        if len(rule.resolved.rows) > 1:
            self.leave(rule.fault, f"{title} draws no error of several; name one of them")
        if "of" in rule.options and not rule.resolved.several:
            self.leave("of", f"{title} slows no answers of its own")
        if "drain" in rule.options:
            self.remarks.leave_out(self.at("drain"), f"{title} has its own way")
        probability = rule.value("probability")
        if not round(probability * MILLION):
            self.leave("probability", f"{title} rounds it to 0 %")
        tests, delay = self.tests(), self.delay()
        answer = self.answer() if self.fault == ANSWER else None
        return ProxyRule(rule, self.name, tests, probability, self.fault, answer, delay)

    def at(self, key: str) -> str:
        """The place of a key."""
        return f"{self.name}: {key}"

    def leave(self, key: str, why: str) -> NoReturn:
        """Leave the rule out."""
        self.remarks.leave_out(self.at(key), f"{why}; the rule is left out")
        raise _LeftOut

    def delay(self) -> float:
        """The seconds of its delay."""
        delay = self.rule.value("delay")
        low, high = delay
        if not high:
            return 0.0
        if self.fault not in (ANSWER, "latency"):
            self.remarks.leave_out(self.at("delay"), f"{self.can.title} does it at once")
            return 0.0
        if isinstance(delay, LogNormal):
            self.remarks.change(self.at("delay"), "always the median")
            return delay.median
        if low < high:
            self.remarks.change(self.at("delay"), "always the middle of the range")
        return float(low + high) / 2

    def answer(self) -> ProxyAnswer:
        """The rule's answer to a made-up request that it is for."""
        without = dict.fromkeys((*TRIGGERS, "delay"))
        always = trials.unconditional(trials.replace_options(self.rule, **without))
        first, second = (
            _answered(always.named(self.name), target, n) for n, target in enumerate(("/", "/b/k"))
        )
        if first != second:
            self.remarks.change(
                self.at("answer"), f"every answer has the same ids and resource: {self.can.title} makes none"
            )
        return first

    def tests(self) -> tuple[RequestCondition, ...]:
        """The tests of a request, all of which hold."""
        rule = self.rule
        tests = [
            self.test(key, values, negated=negated)
            for conditions, negated in ((rule.conditions, False), (rule.unless, True))
            for key, values in conditions.items()
            if negated or key not in ADDRESS
        ]
        addressed = [key for key in ADDRESS if key in rule.conditions]
        if addressed:
            key = addressed[0]
            if "path" in rule.conditions:
                self.leave(key, f"{self.can.title} matches it by the path, and the rule has one; {SPARED}")
            tests.append(self.address(key))
        return tuple(tests)

    def address(self, key: str) -> RequestCondition:
        """Bucket and key as a test of the path."""
        rule = self.rule
        if rule.vendor is not None and rule.vendor.addressing not in ("s3", None):
            self.leave(key, f"{rule.vendor.id} does not have buckets as S3 has them; {SPARED}")
        self.remarks.change(
            self.at(key),
            "matched by the path, /bucket/key; requests with the bucket in their host are read wrongly",
        )
        buckets, keys = (rule.conditions.get(name, (None,)) for name in ADDRESS)
        both = (expressions.of_address(bucket, key) for bucket in buckets for key in keys)
        return RequestCondition("path", expressions.any_of(both))

    def test(self, key: str, values: Sequence[str], *, negated: bool) -> RequestCondition:
        """One condition; the rule is left out if there is no such test."""
        word, _, name = key.partition(".")
        if word not in (self.can.negated if negated else self.can.tests):
            self.leave(f"unless.{key}" if negated else key, f"{self.can.title} has no such test; {SPARED}")
        return RequestCondition(
            word, _expression(word, name, values), name if word == "header" else "", negated
        )


def _expression(word: str, name: str, values: Sequence[str]) -> str:
    of_value = expressions.of_value
    if word == "path":
        return expressions.any_of(expressions.of_path(value) for value in values)
    if word == "query":
        return expressions.of_query(name, values)
    changed = {"method": str.upper, "host": str.lower}.get(word, str)
    return expressions.any_of(of_value(changed(value)) for value in values)


def _answered(rule: Rule, target: str, number: int) -> ProxyAnswer:
    """The answer to the GET of a target, always at the same moment, so that it is the same."""
    plan = trials.Trial([rule], "0").injector.own_plan
    compiled = plan.ready(0)
    request = WSGIRequest(trials.environ("GET", target, "127.0.0.1"))
    _, identity = compiled.reading.identify(request)
    entry = Entry(plan, request, compiled.reading, MOMENT, MOMENT, compiled.name, number)
    entry.seq = number
    action = compiled.act(request, entry, compiled.drawn(identity, number) or bytes(32))
    assert isinstance(action, Respond)
    sent = at_its_start(action, MOMENT)
    content_type = next((value for name, value in sent if name.lower() == "content-type"), "")
    headers = tuple(header for header in sent if header[0].lower() not in KNOWN)
    return ProxyAnswer(action.answer.status, content_type, headers, action.body)


def printed(data: dict[str, object]) -> str:
    """An object as JSON, which readers of YAML take too."""
    return f"{json_text(data, 2)}\n"
