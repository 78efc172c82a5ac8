"""WireMock: stub mappings, one, several, or an export of all (`{"mappings": […]}`).

https://wiremock.org/docs/simulating-faults/, https://wiremock.org/docs/stubbing/, https://wiremock.org/docs/stateful-behaviour/,
https://wiremock.org/docs/request-matching/
"""

from __future__ import annotations

import base64
import json
import math
import re
from http.client import responses
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote

from faultinject.conversion.document import Node, Rules, Table, literal, literal_path, milliseconds
from faultinject.rules.effects import FORBIDDEN

Conditions = dict[str, Any]

CANNOT = "no condition says this, and without it the fault would come to other requests"
REGEX = "no pattern is such a regular expression, and without it the fault would come to other requests"
QUERY = "requests with further parameters get it too"
_SAFE = re.compile(r"[\w~!@%&=:;,'\"<>/ -]")
_ESCAPED = re.compile(r"\\([^\w\s])")


def _cannot(node: Node, why: str = CANNOT) -> NoReturn:
    node.leave_out(why)
    raise Unsayable


class Unsayable(Exception):
    """A condition cannot be said; it has been told of."""


def conditions(node: Node) -> Conditions:
    """The conditions of a `request`.

    Raises:
        Unsayable: one of them cannot be said, and the stub is left out.
        ConfigurationError: a value is of another type.
    """
    table = node.table()
    found: Conditions = {}
    unless: Conditions = {}
    method = table.take("method")
    if method is not None and not isinstance(method.value, str):
        _cannot(method)
    if method is not None and method.text().upper() != "ANY":
        found["method"] = literal(method.text())
    _url(table, found)
    for key, word in (("headers", "header"), ("queryParameters", "query")):
        for name, matcher in table.items(key):
            pattern, negated = _matched(matcher)
            (unless if negated else found).setdefault(word, {})[name] = pattern
    for key, word in (("host", "host"), ("clientIp", "client")):
        given = table.take(key)
        if given is not None:
            pattern, negated = _matched(given, in_any_case=True)
            if negated or not pattern:
                _cannot(given)
            found[word] = pattern
    if table.rest(CANNOT):
        raise Unsayable
    return found | ({"unless": unless} if unless else {})


def _url(table: Table, found: Conditions) -> None:
    for key in ("url", "urlPath", "urlPathTemplate", "urlPathPattern", "urlPattern"):
        given = table.take(key)
        if given is None:
            continue
        text = given.text()
        if key in ("url", "urlPath"):
            path, mark, query = text.partition("?")
            if "%2f" in path.lower():
                _cannot(
                    given,
                    "no path of a rule has an encoded slash, and the fault would come to other requests",
                )
            found["path"] = literal_path(unquote(path))
            if key == "url":
                given.change(QUERY)
            if mark:
                pairs = parse_qsl(query, keep_blank_values=True)
                found["query"] = {name: _exactly(value) for name, value in pairs}
                if len(found["query"]) < len(pairs):
                    _cannot(
                        given,
                        "a rule asks for one value of a parameter, and the fault would come to other requests",
                    )
        elif key == "urlPathTemplate":
            if {*"*?"} & {*text} or text.endswith("/"):
                _cannot(given, REGEX)
            found["path"] = re.sub(r"\{[^{}/]*\}", "*", text)
            given.change("a * stands for an empty segment too")
        else:
            pattern = path_pattern(text)
            if pattern is None:
                _cannot(given, REGEX)
            if pattern:
                found["path"] = pattern
            if key == "urlPattern" and not text.endswith(".*"):
                given.change(QUERY)


def path_pattern(regex: str) -> str | None:
    """The pattern of paths that means the same; empty: every path; None: there is none."""
    whole = regex.removeprefix("^").removesuffix("$")
    if whole in (".*", "/.*"):
        return ""
    texts = [_plain(each) for each in whole.split(".*")]
    head, tail = texts[0] or "", texts[-1] or ""
    if None in texts or whole[:1] != "/" or len(texts) > 2 or "%" in whole:  # rules have paths decoded
        return None
    if len(texts) == 1:
        return None if "?" in head else literal_path(head)
    if not head.endswith("/") or "/" in tail or {*"*?"} & {*head, *tail}:
        return None
    return f"{head}**/*{tail}" if tail else head


def _plain(regex: str) -> str | None:
    """The text of an expression without operators; None where it has some."""
    text = _ESCAPED.sub("", regex)
    if not all(_SAFE.match(each) or each == "." for each in text) or "." in text:
        return None
    return _ESCAPED.sub(r"\1", regex)


def _matched(node: Node, *, in_any_case: bool = False) -> tuple[str, bool]:
    """The pattern of a matcher, empty for any value; and whether the value must have another form.

    Args:
        node: the matcher.
        in_any_case: whether rules compare such values in any case.
    """
    table = node.table()
    any_case = table.take("caseInsensitive")
    if any_case is not None and any_case.flag() and not in_any_case:
        _cannot(
            any_case, "values are compared as they are written, and the fault would come to other requests"
        )
    [(key, value)] = _matchers(table)
    if table.rest(CANNOT):
        raise Unsayable
    if key == "absent":
        return "", value.flag()
    pattern: str | None
    if key == "equalTo":
        pattern = _exactly(value.text())
    elif key in ("contains", "doesNotContain"):
        pattern = None if "*" in value.text() else f"*{value.text()}*"
    else:
        pattern = value_pattern(value.text())
    if pattern is None:
        _cannot(node, REGEX)
    return pattern, key.startswith("doesNot")


def _matchers(table: Table) -> list[tuple[str, Node]]:
    words = ("absent", "equalTo", "contains", "doesNotContain", "matches", "doesNotMatch")
    found = [(key, value) for key in words if key in table and (value := table.take(key)) is not None]
    if len(found) != 1:
        _cannot(table.node)
    return found


def value_pattern(regex: str) -> str | None:
    """The pattern of values that means the same; empty: any value; None: there is none."""
    pieces = [_plain(each) for each in regex.removeprefix("^").removesuffix("$").split(".*")]
    if None in pieces or any("*" in (each or "") for each in pieces):
        return None
    text = "*".join(each or "" for each in pieces)
    if text[:1] == "=":
        return None if "*" in text else literal(text)
    return "" if text == "*" else text or _exactly("")


def _exactly(text: str) -> str:
    """A pattern of values that means this text: an empty one would mean any."""
    return literal(text) if text else "="


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "EMPTY_RESPONSE": ("close", {}, ""),
    "CONNECTION_RESET_BY_PEER": ("reset", {}, ""),
    "MALFORMED_RESPONSE_CHUNK": (
        "truncate",
        {"keep_bytes": 0},
        "the head of the app's own answer, cut off behind it; there a head, garbage, and the end",
    ),
    "RANDOM_DATA_THEN_CLOSE": ("close", {}, "the connection ends without the garbage"),
}
"""By WireMock's word: the fault, its keys, and what is another."""
LABELS = ("id", "uuid", "persistent", "metadata", "insertionIndex")
USUAL_PRIORITY = 5
STARTED = "Started"
DELAYS = ("fixedDelayMilliseconds", "delayDistribution", "chunkedDribbleDelay")
LEAST, MOST = 400, 599
"""The statuses of a plain answer."""
NINETY = 1.6449
"""Between so many standard deviations below and above the middle are 90 %."""


def fits(value: object) -> bool:
    """Whether it is a stub mapping or several."""
    if isinstance(value, dict) and isinstance(value.get("mappings"), list):
        stubs = value["mappings"]
    else:
        stubs = value if isinstance(value, list) else [value]
        if not stubs:
            return False
    return all(isinstance(each, dict) and ({"request", "response"} & each.keys()) for each in stubs)


def convert(node: Node, rules: Rules) -> None:
    """Its rules, those of a higher priority first."""
    if isinstance(node.value, dict) and "mappings" in node.value:
        table = node.table()
        given = table.need("mappings").rows()
        table.unused("meta", "importOptions")
        table.rest("no part of stub mappings")
    else:
        given = node.rows() if isinstance(node.value, list) else [node]
    stubs = [_Stub(each) for each in given]
    stubs.sort(key=lambda each: each.priority)
    _number_scenarios(stubs)
    for number, each in enumerate(stubs):
        later = (other for other in stubs[number:] if other.is_fault)
        each.convert(rules, spares=not each.is_fault and any(map(each.spares, later)))


class _Stub:
    """One mapping."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._table = node.table()
        self._table.unused(*LABELS)
        self._name = self._table.text("name")
        self.priority = self._table.number("priority", USUAL_PRIORITY)
        self.scenario = self._table.text("scenarioName")
        if not self.scenario:
            self._table.unused("newScenarioState")
        self.state = self._table.text("requiredScenarioState")
        self.next_state = self._table.text("newScenarioState")
        self.triggers: dict[str, int] | None = None
        """By its place in its scenario."""

    @property
    def asked(self) -> str:
        """What it asks of requests, for comparison."""
        return json.dumps(self.node.value.get("request"), sort_keys=True)

    @property
    def is_fault(self) -> bool:
        """Whether it is anything but an ordinary answer."""
        response = self.node.value.get("response")
        said = response if isinstance(response, dict) else {}
        status = said.get("status", 200)
        broken_or_late = any(said.get(key) for key in ("fault", *DELAYS))
        return broken_or_late or not (isinstance(status, int) and status < LEAST)

    def spares(self, later: _Stub) -> bool:
        """Whether its requests may be such that would get the fault of a later stub."""
        if self.scenario and self.scenario == later.scenario:
            return False  # each is for requests of its own number
        mine, others = (_plainly_asked(each.node.value.get("request")) for each in (self, later))
        # Each has one method and one path; a rule lets further parameters pass.
        return all(others[key] <= mine[key] for key in mine.keys() & others.keys())

    def convert(self, rules: Rules, *, spares: bool) -> None:
        """Its rule, if it is a fault.

        Args:
            rules: get it.
            spares: where it is none, it keeps the fault of a later stub from its requests.
        """
        table = self._table
        request, response = table.take("request"), table.take("response")
        if response is None:
            self.node.refuse("there is no response")
        try:
            found = {} if request is None else conditions(request)
        except Unsayable:
            return
        if self.scenario and self.triggers is None:
            self.node.leave_out(
                "its scenario is no row of answers to the same requests, and without it the fault would come more often"
            )
            return
        if self.state and not self.scenario:
            self.node.leave_out("its requiredScenarioState is of no scenario: there is no scenarioName")
            return
        table.rest("no part of a stub that is a fault")
        if not self.is_fault:
            if spares:
                response.leave_out(
                    "the app answers it, as it should; but the rule of a later stub may be for its requests too"
                )
            else:
                response.remarks.unused(response.where)
            return
        made = _Response(response).fault()
        if made is not None:
            triggers = {key: value for key, value in (self.triggers or {}).items() if value}
            rules.add(self.node, made[0], self._name, **found, **triggers, **made[1])


def _plainly_asked(request: object) -> dict[str, set[Any]]:
    """Method, path and parameters, as far as a `request` says them in plain text: patterns are not compared."""
    said = request if isinstance(request, dict) else {}
    found: dict[str, set[Any]] = {}
    if isinstance(method := said.get("method"), str) and method.upper() != "ANY":
        found["method"] = {method.upper()}
    if isinstance(url := said.get("url", said.get("urlPath")), str):
        path, _, query = url.partition("?")
        found["path"] = {unquote(path)}
        if "url" in said:
            found["parameters"] = {*parse_qsl(query, keep_blank_values=True)}
    return found


def _number_scenarios(stubs: list[_Stub]) -> None:
    """Say of the stubs of each scenario which of its requests they are for: each state leads to one other, for the same requests."""
    for name in {each.scenario for each in stubs} - {""}:
        states = {each.state: each for each in stubs if each.scenario == name}
        number = sum(each.scenario == name for each in stubs)
        if len({each.asked for each in states.values()}) > 1:
            continue
        state, chain = STARTED, list[_Stub]()
        while (found := states.pop(state, None)) is not None:
            chain.append(found)
            state = found.next_state
        if len(chain) < number or state == STARTED or state in {each.state for each in chain}:
            continue
        for place, each in enumerate(chain):
            each.triggers = {"skip": place, "times": int(bool(each.next_state))}


class _Response:
    """What a stub answers."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._table = node.table()

    def fault(self) -> tuple[str, dict[str, Any]] | None:
        """The fault with its keys; None: it is none, which is told."""
        table = self._table
        delay = self._delay()
        given = table.take("fault")
        number = int(table.number("status", 200, 100, 999))
        if given is not None:
            word = given.text(FAULTS)
            fault, keys, other = FAULTS[word]
            if other:
                given.change(other)
            self._rest("a connection that breaks carries no answer")
            return fault, {**keys, "delay": delay}
        if not LEAST <= number <= MOST:
            return self._late(number, delay)
        return f"http:{number}", {"delay": delay, **self._said(number)}

    def _late(self, number: int, delay: str | None) -> tuple[str, dict[str, Any]] | None:
        """An ordinary answer: the app has its own."""
        if self._table.take("proxyBaseUrl") is None:
            self.node.change(f"the app's own answer instead of a {number} made up")
        for key in ("body", "jsonBody", "base64Body", "statusMessage", "headers"):
            self._table.take(key)
        self._rest("no part of a late answer")
        return None if delay is None else ("latency", {"delay": delay})

    def _delay(self) -> str | None:
        wait, drawn = self._table.number("fixedDelayMilliseconds"), self._table.take("delayDistribution")
        if drawn is None:
            return milliseconds(self.node, wait) if wait else None
        said = drawn.table()
        kind = said.need("type").text(("uniform", "lognormal", "fixed"))
        if kind == "uniform":
            low, high = said.need("lower").number(), said.need("upper").number()
        elif kind == "fixed":
            low = high = said.need("milliseconds").number()
        else:
            median, sigma = said.need("median").number(), said.need("sigma").number(0, 100)
            longest = said.number("maxValue", 1e12)
            low = round(min(median / math.exp(NINETY * sigma), longest))
            high = round(min(median * math.exp(NINETY * sigma), longest))
            drawn.change("drawn evenly over the middle 90 % of it, without its long tail")
        said.rest("no part of a distribution")
        return f"{milliseconds(self.node, wait + low)}..{milliseconds(self.node, wait + high)}"

    def _body(self) -> str:
        table = self._table
        plain, structured, encoded = table.text("body"), table.take("jsonBody"), table.take("base64Body")
        if structured is not None:
            return json.dumps(structured.value)
        if encoded is not None:
            try:
                return base64.b64decode(encoded.text(), validate=True).decode()
            except ValueError:
                encoded.leave_out("no text: a body of other bytes cannot be said")
        return plain

    def _said(self, number: int) -> dict[str, Any]:
        """The keys of a plain answer: body and headers."""
        table = self._table
        keys: dict[str, Any] = {"message": self._body()}
        phrase = table.take("statusMessage")
        if phrase is not None and phrase.text() != responses.get(number):
            phrase.leave_out("the reason phrase is the standard one")
        for name, value in table.items("headers"):
            self._header(name, value, keys)
        if table.take("proxyBaseUrl") is not None:
            self.node.change("nothing is asked of the server behind it")
        self._rest("a plain answer has no such thing")
        return keys

    def _header(self, name: str, value: Node, keys: dict[str, Any]) -> None:
        if isinstance(value.value, list):
            value.leave_out("a header that comes several times")
        elif name.lower() == "content-type":
            keys["content_type"] = value.text()
        elif name.lower() in (*FORBIDDEN, "connection", "date"):
            value.leave_out("the server sets it itself")
        else:
            keys.setdefault("set", {})[name] = value.text()

    def _rest(self, why: str) -> None:
        dribble = self._table.take("chunkedDribbleDelay")
        if dribble is not None:
            dribble.leave_out("how long a body takes depends on its length, which a rule does not know")
        self._table.rest(why)
