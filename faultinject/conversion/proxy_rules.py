"""Translates rules into the form that proxies share: tests of a request, a chance, a fault.

Each part that the proxy cannot express is reported. If the fault would come to more requests without that part, or
more often, the whole rule is left out. For an effect that only changes the answer, the rest of the rule stays.
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
"""The unit of a chance in a proxy: parts of a million."""
SPARED = "without it the fault would come to requests that the rule spares"
MOMENT = 1_800_000_000.0
"""The time of generated answers in unix seconds."""
SLIGHT = 1e-11
"""The largest difference of chances that counts as equal."""
ADDRESS = ("bucket", "key")
SET_BY_PROXY = ("content-type", "content-length", "connection")
"""The headers that a proxy sets itself, or that have another place in its configuration."""


@dataclass(frozen=True)
class Place:
    """The addresses of a proxy and its app.

    Attributes:
        listen: the address of the proxy, `HOST:PORT`.
        upstream: the address of the app.
    """

    listen: str
    upstream: str


@dataclass(frozen=True)
class RequestCondition:
    """A condition on a request.

    Attributes:
        subject: `method`, `path`, `host`, `header` or `query`.
        expression: the regular expression for the whole value. A path is not decoded. For a query, the expression is
            for one parameter with its value.
        name: the name of the header.
        negated: whether the value must not match.
    """

    subject: str
    expression: str
    name: str = ""
    negated: bool = False


@dataclass(frozen=True)
class ProxyAnswer:
    """The content of an injected answer.

    Attributes:
        status: its status.
        content_type: its Content-Type; empty: none.
        headers: the other headers, without those that every server sets.
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
        faults: its faults; `ANSWER` stands for all faults that answer.
        tests: its kinds of tests.
        negated: the kinds of tests that it can also negate.
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
        tests: the tests that a request must pass.
        probability: the chance for a request that no earlier rule has answered.
        fault: `ANSWER`, or the name of the fault.
        answer: the answer, or None.
        delay: the delay in seconds; 0: none.
    """

    rule: Rule
    name: str
    tests: tuple[RequestCondition, ...]
    probability: float
    fault: str
    answer: ProxyAnswer | None = None
    delay: float = 0.0


def parts_of(rule: ProxyRule, title: str, remarks: Remarks) -> int:
    """The chance in parts of a million; a rounded chance is reported."""
    number = round(rule.probability * MILLION)
    if abs(number / MILLION - rule.probability) > SLIGHT:
        remarks.change(f"{rule.name}: probability", f"{title} rounds it to {number * 100 / MILLION:g} %")
    return number


def delay_of(rule: ProxyRule, title: str, remarks: Remarks) -> float:
    """The delay in seconds; 0, with a report, if the proxy would also delay other requests."""
    if rule.delay and rule.answer is not None and rule.probability < 1:
        remarks.leave_out(
            f"{rule.name}: delay",
            f"{title} draws for the delay and for the answer separately, and would delay others",
        )
        return 0.0
    return rule.delay


class _RuleLeftOutError(Exception):
    """The rule is left out; a remark has the reason."""


def translate(scenario: Scenario, capabilities: Capabilities, remarks: Remarks) -> list[ProxyRule]:
    """The rules of a scenario that a proxy can carry out.

    Args:
        scenario: the rules.
        capabilities: the features of the proxy.
        remarks: the remarks, one for each missing feature.
    """
    if scenario.seed is not None:
        remarks.change("seed", f"{capabilities.title} draws numbers of its own: no run is replayed")
    if scenario.abort is not None:
        remarks.leave_out("abort", f"{capabilities.title} does not watch the app's own failures")
    translated: list[ProxyRule] = []
    for rule, name in zip(scenario.rules, scenario.display_names, strict=True):
        try:
            translated.append(_Translation(rule, name, capabilities, remarks).proxy_rule())
        except _RuleLeftOutError:
            continue
    return translated


class _Translation:
    """The translation of one rule."""

    def __init__(self, rule: Rule, name: str, capabilities: Capabilities, remarks: Remarks) -> None:
        self.rule = rule
        self.name = name
        self.capabilities = capabilities
        self.remarks = remarks
        self.fault = ANSWER if isinstance(rule.resolved, Documented | Http) else rule.fault

    def proxy_rule(self) -> ProxyRule:
        """The rule in the form that proxies share."""
        rule, title = self.rule, self.capabilities.title
        if self.fault not in self.capabilities.faults:
            self.leave_rule_out(rule.fault, f"{title} cannot do it")
        for key in DECIDING:
            if key in rule.options and rule.value(key) != TRIGGERS[key].default:
                self.leave_rule_out(
                    key, f"{title} does not count, and without it the fault would come more often"
                )
        if rule.value("when") == "after" and "when" in rule.options:
            self.leave_rule_out("when", f"{title} answers before the app has run")
        for key in ("after_bytes", "share"):
            if key in rule.options:
                self.leave_rule_out(key, f"{title} does not look into bodies")
        if len(rule.resolved.rows) > 1:
            self.leave_rule_out(rule.fault, f"{title} cannot draw one of several errors; name one of them")
        if "of" in rule.options and not rule.resolved.several:
            self.leave_rule_out("of", f"{title} does not slow down its own answers")
        if "drain" in rule.options:
            self.remarks.leave_out(self.at("drain"), f"{title} decides whether it reads the request's body")
        probability = rule.value("probability")
        if not round(probability * MILLION):
            self.leave_rule_out("probability", f"{title} rounds it to 0 %")
        tests, delay = self.tests(), self.delay()
        answer = self.answer() if self.fault == ANSWER else None
        return ProxyRule(rule, self.name, tests, probability, self.fault, answer, delay)

    def at(self, key: str) -> str:
        """The place of a key."""
        return f"{self.name}: {key}"

    def leave_rule_out(self, key: str, why: str) -> NoReturn:
        """Leave the rule out."""
        self.remarks.leave_out(self.at(key), f"{why}; the rule is left out")
        raise _RuleLeftOutError

    def delay(self) -> float:
        """The delay of the rule in seconds."""
        delay = self.rule.value("delay")
        low, high = delay
        if not high:
            return 0.0
        if self.fault not in (ANSWER, "latency"):
            self.remarks.leave_out(
                self.at("delay"), f"{self.capabilities.title} begins this fault without a delay"
            )
            return 0.0
        if isinstance(delay, LogNormal):
            self.remarks.change(self.at("delay"), "always the median")
            return delay.median
        if low < high:
            self.remarks.change(self.at("delay"), "always the middle of the range")
        return float(low + high) / 2

    def answer(self) -> ProxyAnswer:
        """The rule's answer to an example request."""
        without = dict.fromkeys((*TRIGGERS, "delay"))
        always = trials.unconditional(trials.replace_options(self.rule, **without))
        first, second = (
            _example_answer(always.named(self.name), target, n) for n, target in enumerate(("/", "/b/k"))
        )
        if first != second:
            self.remarks.change(
                self.at("answer"),
                f"every answer has the same ids and resource: {self.capabilities.title} makes none",
            )
        return first

    def tests(self) -> tuple[RequestCondition, ...]:
        """The tests that a request must pass."""
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
                self.leave_rule_out(
                    key, f"{self.capabilities.title} matches it by the path, and the rule has one; {SPARED}"
                )
            tests.append(self.address(key))
        return tuple(tests)

    def address(self, key: str) -> RequestCondition:
        """Bucket and key as a test of the path."""
        rule = self.rule
        if rule.vendor is not None and rule.vendor.addressing not in ("s3", None):
            self.leave_rule_out(key, f"{rule.vendor.id} does not have buckets as S3 has them; {SPARED}")
        self.remarks.change(
            self.at(key),
            "matched by the path, /bucket/key; requests with the bucket in their host are read wrongly",
        )
        buckets, keys = (rule.conditions.get(name, (None,)) for name in ADDRESS)
        both = (expressions.of_address(bucket, key) for bucket in buckets for key in keys)
        return RequestCondition("path", expressions.any_of(both))

    def test(self, key: str, values: Sequence[str], *, negated: bool) -> RequestCondition:
        """One condition as a test; if the proxy has no such test, the rule is left out."""
        word, _, name = key.partition(".")
        if word not in (self.capabilities.negated if negated else self.capabilities.tests):
            self.leave_rule_out(
                f"unless.{key}" if negated else key, f"{self.capabilities.title} has no such test; {SPARED}"
            )
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


def _example_answer(rule: Rule, target: str, number: int) -> ProxyAnswer:
    """The answer to the GET of a target, at a fixed time, so that it is always equal."""
    plan = trials.Trial([rule], "0").injector.own_plan
    compiled = plan.ready(0)
    request = WSGIRequest(trials.environ_of("GET", target, "127.0.0.1"))
    _, identity = compiled.reading.identify(request)
    entry = Entry(plan, request, compiled.reading, MOMENT, MOMENT, compiled.name, number)
    entry.seq = number
    action = compiled.act(request, entry, compiled.drawn(identity, number) or bytes(32))
    assert isinstance(action, Respond)
    sent = at_its_start(action, MOMENT)
    content_type = next((value for name, value in sent if name.lower() == "content-type"), "")
    headers = tuple(header for header in sent if header[0].lower() not in SET_BY_PROXY)
    return ProxyAnswer(action.answer.status, content_type, headers, action.body)


def printed(data: dict[str, object]) -> str:
    """An object as JSON, which is also YAML."""
    return f"{json_text(data, 2)}\n"
