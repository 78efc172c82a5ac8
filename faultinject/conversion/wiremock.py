"""WireMock: reads stub mappings, one, several, or an export of all (`{"mappings": […]}`).

https://wiremock.org/docs/simulating-faults/, https://wiremock.org/docs/stubbing/,
https://wiremock.org/docs/stateful-behaviour/, https://wiremock.org/docs/request-matching/
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn
from urllib.parse import parse_qsl, unquote

from msgspec import Meta

from faultinject.conversion.document import (
    ANY,
    FLAG,
    NUMBER,
    OBJECT,
    OBJECTS,
    TEXT,
    DocumentValue,
    Rules,
    ValueType,
    literal,
    literal_path,
    milliseconds,
)
from faultinject.rules.effects import FORBIDDEN
from faultinject.rules.values import listed, number_text

Conditions = dict[str, Any]

CANNOT = "no condition of a rule expresses this, and without it the fault would come to other requests"
REGEX = "no pattern equals this regular expression, and without it the fault would come to other requests"
QUERY = "requests with further parameters get it too"
URLS = ("url", "urlPath", "urlPathPattern")
EVERY_URL = ("url", "urlPattern", "urlPath", "urlPathTemplate", "urlPathPattern")
"""The conditions of a stub on a URL; WireMock reads only the first (UrlPattern.fromOneOf)."""
_SAFE = re.compile(r"[\w~!@%&=:;,'\"<>/ -]")
_ESCAPED = re.compile(r"\\([^\w\s])")
_BEGINNING = re.compile(r"\^?((?:[\w~!@&=:;,'\"<>/ -]|\\[^\w\s])*)([?*{]?)", re.ASCII)
"""The plain text at the beginning of an expression, and an operator after it."""
_GROUP = re.compile(r"\((?:[^()\\]|\\.)*\)")
_UNRESERVED = re.compile(r"[\w.~/-]*", re.ASCII)
"""A path that no client percent-encodes.

https://www.rfc-editor.org/rfc/rfc3986#section-2.3
"""


def _cannot(node: DocumentValue, why: str = CANNOT) -> NoReturn:
    node.leave_out(why)
    raise UnsupportedConditionError


class UnsupportedConditionError(Exception):
    """Raised for a condition that no rule can express; a remark reports it."""


def conditions(node: DocumentValue) -> Conditions:
    """The conditions of a `request`.

    Raises:
        UnsupportedConditionError: no rule can express one of them, so the stub is left out.
        ConfigurationError: a value has another type.
    """
    required: Conditions = {}
    unless: Conditions = {}
    method = node.child("method", ANY)
    if method is not None and not isinstance(method.value, str):
        _cannot(method)
    if method is not None and method.value != "ANY":
        required["method"] = literal(method.value)
    _url(node, required)
    for key, word in (("headers", "header"), ("queryParameters", "query")):
        names: set[str] = set()
        for name, matcher in node.entries(key, OBJECT):
            # In a rule, several values of one header are alternatives.
            if key == "headers" and name.lower() in names:
                _cannot(matcher)
            names.add(name.lower())
            pattern, negated = _matcher_pattern(matcher)
            (unless if negated else required).setdefault(word, {})[name] = pattern
    if node.report_unread(CANNOT):
        raise UnsupportedConditionError
    return required | ({"unless": unless} if unless else {})


def _url(node: DocumentValue, required: Conditions) -> None:
    conditions_on_url = {key: condition for key in URLS if (condition := node.child(key, TEXT)) is not None}
    if not conditions_on_url:
        return
    # WireMock reads only the first: UrlPattern.fromOneOf.
    (key, url), *others = conditions_on_url.items()
    for _, other in others:
        node.remarks.unused(other.where, f"WireMock reads {key} alone")
    if key == "urlPathPattern":
        pattern = path_pattern(url.value)
        if pattern is None:
            _cannot(url, REGEX)
        if pattern:
            required["path"] = pattern
        return
    path, mark, query = url.value.partition("?")
    if "%2f" in path.lower():
        _cannot(url, "no path of a rule has an encoded slash, and the fault would come to other requests")
    required["path"] = literal_path(unquote(path))
    if key == "urlPath":
        if mark:
            _cannot(url, "no path has a query, and the fault would come to requests that the stub is not for")
        return
    url.change(QUERY)
    if node.child("queryParameters", ANY) is not None:
        _cannot(
            url,
            "it requires the whole query, so queryParameters have no effect, or exclude every request",
        )
    pairs = parse_qsl(query, keep_blank_values=True) if mark else []
    required["query"] = {name: _exact_pattern(value) for name, value in pairs}
    if len(required["query"]) < len(pairs):
        _cannot(url, "a rule asks for one value of a parameter, and the fault would come to other requests")


def path_pattern(regex: str) -> str | None:
    """The pattern of paths that is equivalent to an expression; None: there is none.

    The pattern is for one path or a folder; an empty pattern is for all paths.
    """
    unanchored = regex.removeprefix("^").removesuffix("$")
    if unanchored in (".*", "/.*"):
        return ""
    folder = unanchored.removesuffix(".*")
    text = _plain(folder)
    if text is None or text[:1] != "/" or {*"?%"} & {*text}:  # paths of rules are decoded, without a query
        return None
    if folder == unanchored:
        return literal_path(text)
    return text if text.endswith("/") and "*" not in text else None


def _plain(regex: str) -> str | None:
    """The text of an expression without operators; None if it has operators."""
    text = _ESCAPED.sub("", regex)
    if not all(_SAFE.match(character) for character in text):
        return None
    return _ESCAPED.sub(r"\1", regex)


def _matcher_pattern(node: DocumentValue) -> tuple[str, bool]:
    """The pattern of a matcher, empty for any value, and whether it is negated."""
    absent, text, regex = (node.take(*key) for key in (("absent", ANY), ("equalTo", TEXT), ("matches", TEXT)))
    if node.value.get("caseInsensitive") is False:
        node.take("caseInsensitive", FLAG)
    if node.report_unread(CANNOT):
        raise UnsupportedConditionError
    if [absent, text, regex].count(None) != 2:
        _cannot(node)
    if absent is not None:
        return "", True  # whatever its value: StringValuePatternJsonDeserializer only looks for the key
    pattern = value_pattern(regex) if text is None else _exact_pattern(text)
    if pattern is None:
        _cannot(node, REGEX)
    return pattern, False


def value_pattern(regex: str) -> str | None:
    """The pattern of values that is equivalent to an expression; None: there is none."""
    pieces = [_plain(piece) for piece in regex.removeprefix("^").removesuffix("$").split(".*")]
    if None in pieces or any("*" in (piece or "") for piece in pieces):
        return None
    text = "*".join(piece or "" for piece in pieces)
    if text[:1] == "=":
        return None if "*" in text else literal(text)
    return "" if text == "*" else text or _exact_pattern("")


def _exact_pattern(text: str) -> str:
    """A pattern that only this text matches, also if it is empty."""
    return literal(text) if text else "="


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "EMPTY_RESPONSE": ("close", {}, ""),
    "CONNECTION_RESET_BY_PEER": ("reset", {}, ""),
    "MALFORMED_RESPONSE_CHUNK": (
        "truncate",
        {"keep_bytes": 0},
        "the app's own answer ends after its head; WireMock sends a head, then garbage, then closes",
    ),
    "RANDOM_DATA_THEN_CLOSE": ("close", {}, "the connection ends without the garbage"),
}
"""The fault, its keys, and its difference from WireMock's, by WireMock's name."""
LABELS = ("id", "uuid", "persistent", "metadata", "insertionIndex")
USUAL_PRIORITY = 5
STARTED = "Started"
DELAYS = ("fixedDelayMilliseconds", "delayDistribution", "chunkedDribbleDelay")
WAITS = {"fixed": ("milliseconds",), "uniform": ("lower", "upper"), "lognormal": ("median", "sigma")}
"""The distributions that a delay of a rule can have, with their keys."""
LEAST, MOST = 400, 599
"""The range of statuses that are faults."""
STATUS = ValueType(Annotated[int, Meta(ge=100, le=999)], "a status from 100 to 999")


def fits(value: object) -> bool:
    """Whether a value is a stub mapping, or several."""
    if isinstance(value, dict) and isinstance(value.get("mappings"), list):
        stubs = value["mappings"]
    else:
        stubs = value if isinstance(value, list) else [value]
        if not stubs:
            return False
    return all(isinstance(stub, dict) and ({"request", "response"} & stub.keys()) for stub in stubs)


def convert(nodes: Sequence[DocumentValue], rules: Rules) -> None:
    """Add the rules of all files, by priority: WireMock has all stubs in one list."""
    stubs = [_Stub(mapping) for node in nodes for mapping in _mappings(node)]
    stubs.sort(key=lambda stub: stub.priority)
    _number_scenarios(stubs)
    without_rule: list[_Stub] = []
    for stub in stubs:
        if not stub.convert(rules, without_rule):
            without_rule.append(stub)


def _mappings(node: DocumentValue) -> list[DocumentValue]:
    if isinstance(node.value, list):
        return node.rows()
    if "mappings" not in node.value:
        return [node]
    mappings = node.need("mappings", OBJECTS).rows()
    node.unused("meta", "importOptions")
    node.report_unread("no part of stub mappings")
    return mappings


class _Stub:
    """One mapping."""

    def __init__(self, node: DocumentValue) -> None:
        self.node = node
        node.unused(*LABELS)
        self._name = node.take("name", TEXT, "")
        self.priority = node.take("priority", NUMBER, USUAL_PRIORITY)
        self.scenario = node.take("scenarioName", TEXT, "")
        if not self.scenario:
            node.unused("requiredScenarioState", "newScenarioState")
        self.state = node.take("requiredScenarioState", TEXT, "")
        self.next_state = node.take("newScenarioState", TEXT, "")
        self.response = node.need("response", OBJECT)
        self._status = self.response.take("status", STATUS, 200)
        self.requests = _StubRequests(node.value.get("request"))
        self.triggers: dict[str, int] | None = None
        """The triggers that follow from the stub's place in its scenario; None without a place."""

    @property
    def requests_text(self) -> str:
        """The conditions on requests as a text, for comparison."""
        return json.dumps(self.node.value.get("request"), sort_keys=True)

    @property
    def is_fault(self) -> bool:
        """Whether the response has an error status, a fault or a delay."""
        return self._status >= LEAST or any(self.response.value.get(key) for key in ("fault", *DELAYS))

    def convert(self, rules: Rules, without_rule: Sequence[_Stub]) -> bool:
        """Add the rule of a stub that is a fault, and return whether there is a rule.

        Args:
            rules: the rules to add to.
            without_rule: the earlier stubs without a rule, which answer their requests in WireMock.
        """
        node = self.node
        request = node.child("request", OBJECT)
        if not self.is_fault:
            node.remarks.unused(self.response.where)
            return False
        try:
            request_conditions = {} if request is None else conditions(request)
        except UnsupportedConditionError:
            return False
        if self.scenario and self.triggers is None:
            node.leave_out(
                "its scenario is not a sequence of answers to the same requests, and without it the fault would come"
                " more often"
            )
            return False
        if node.report_unread("no part of a stub that is a fault") and request is None:
            node.leave_out("it has no request that can be read, and its fault would come to every request")
            return False
        fault_and_keys = _fault(self.response, self._status)
        if fault_and_keys is None:
            return False
        # Triggers distinguish the stubs of the same scenario.
        others = (stub for stub in without_rule if not self.scenario or self.scenario != stub.scenario)
        earlier = next((stub for stub in others if self.requests.may_match(stub.requests)), None)
        if earlier is not None:
            node.leave_out(
                f"its fault could come to requests of the stub {earlier.node.where}, which comes first and has no"
                " rule"
            )
            return False
        triggers = {key: value for key, value in (self.triggers or {}).items() if value}
        fault, keys = fault_and_keys
        return rules.add(node, fault, self._name, **request_conditions, **triggers, **keys) is not None


class _StubRequests:
    """The requests that may match a stub.

    Attributes:
        method: the method; empty: any.
        path: the whole path, or its beginning.
        is_exact: whether `path` is the whole path.
        expression: an expression that the path must match; None: there is none.
        parameters: all parameters of the query; None: any query.
        values: the required values of headers and parameters: a text, an expression, or None if the header or
            parameter must be missing.
    """

    def __init__(self, request: object) -> None:
        fields = request if isinstance(request, dict) else {}
        method = fields.get("method")
        key, url = next(((key, fields[key]) for key in EVERY_URL if key in fields), ("", None))
        self.method = method if isinstance(method, str) and method != "ANY" else ""
        self.path, self.is_exact = "", False
        self.expression: re.Pattern[str] | None = None
        self.parameters: frozenset[Any] | None = None
        self.values = _values(fields)
        if not isinstance(url, str):
            return
        if key in ("url", "urlPath"):
            path, _, query = url.partition("?")
            self.path, self.is_exact = unquote(path), True
            if key == "url":
                self.parameters = frozenset(parse_qsl(query, keep_blank_values=True))
            return
        pattern = path_pattern(url) if key == "urlPathPattern" else None
        if pattern is not None:
            self.path, self.is_exact = (
                pattern.removeprefix("="),
                pattern[:1] == "=" or pattern[-1:] not in ("", "/"),
            )
            return
        regex = _of_template(url) if key == "urlPathTemplate" else url
        self.path, query, _ = _beginning(regex).partition("?")
        self.is_exact = bool(query)
        if key != "urlPattern":  # that expression includes the query
            self.expression = _compile(regex)

    def may_match(self, other: _StubRequests) -> bool:
        """Whether a request of this stub may match another stub."""
        if self.method and other.method and self.method != other.method:
            return False
        below = not other.is_exact and self.path.startswith(other.path)
        above = not self.is_exact and other.path.startswith(self.path)
        if not (below or above or self.path == other.path):
            return False
        known = other.expression is not None and self.is_exact and _UNRESERVED.fullmatch(self.path)
        if known and other.expression and not other.expression.fullmatch(self.path):
            return False
        # A rule also matches requests with further parameters.
        if other.parameters is not None and not (self.parameters or frozenset()) <= other.parameters:
            return False
        both = self.values.keys() & other.values.keys()
        return all(_may_be_equal(self.values[place], other.values[place]) for place in both)


def _may_be_equal(first: Value, second: Value) -> bool:
    """Whether a value may meet both conditions."""
    if isinstance(first, re.Pattern):
        first, second = second, first
    if not isinstance(second, re.Pattern):
        return first == second
    return isinstance(first, re.Pattern) or (first is not None and second.fullmatch(first) is not None)


def _beginning(regex: str) -> str:
    """The text at the beginning of everything that an expression matches."""
    whole, outside = "", regex
    while outside != whole:
        whole, outside = outside, _GROUP.sub("", outside)
    match = _BEGINNING.match(regex)
    if match is None or "|" in outside:
        return ""
    text = re.sub(r"\\?.$", "", match[1]) if match[2] else match[1]
    return _ESCAPED.sub(r"\1", text)


def _of_template(template: str) -> str:
    """The expression of a path template: `{name}` is a segment, `/**` any path below."""
    head = template.removesuffix("/**")
    pieces = [re.escape(piece) for piece in re.split(r"\{[^{}]*\}", head)]
    return "[^/]+".join(pieces) + ("" if head == template else "(?:/.*)?")


def _compile(regex: str) -> re.Pattern[str] | None:
    """Compile an expression of Java; None if Python rejects it, or reads it otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python warns of a set in a set, which Java has
            return re.compile(regex, re.ASCII)
    except (re.error, OverflowError, FutureWarning, DeprecationWarning):
        return None


# A text, an expression, or None if there must be no value.
Value = str | re.Pattern[str] | None


def _values(request: dict[str, Any]) -> dict[tuple[str, str], Value]:
    """The required values of headers and parameters, by part and name."""
    values: dict[tuple[str, str], Value] = {}
    for part in ("headers", "queryParameters"):
        matchers = request.get(part)
        for name, matcher in matchers.items() if isinstance(matchers, dict) else ():
            place = part, name.lower() if part == "headers" else name
            match matcher:
                case {"equalTo": str(text), **more} if not more:
                    values[place] = text
                case {"matches": str(text), **more} if not more and (regex := _compile(text)) is not None:
                    values[place] = regex
                case {"absent": _, **more} if not more:
                    values[place] = None
    return values


def _number_scenarios(stubs: list[_Stub]) -> None:
    """Give triggers to the stubs of scenarios whose states form a chain for the same requests.

    The stub at place n of the chain answers the request with number n.
    """
    scenarios: dict[str, list[_Stub]] = {}
    for stub in stubs:
        scenarios.setdefault(stub.scenario, []).append(stub)
    scenarios.pop("", None)
    for members in scenarios.values():
        states = {stub.state: stub for stub in members}
        if len({stub.requests_text for stub in members}) > 1:
            continue
        state, chain = STARTED, list[_Stub]()
        while (following := states.pop(state, None)) is not None:
            chain.append(following)
            state = following.next_state
        if len(chain) < len(members) or state == STARTED or state in {stub.state for stub in chain}:
            continue
        for place, stub in enumerate(chain):
            stub.triggers = {"skip": place, "times": int(bool(stub.next_state))}


def _fault(node: DocumentValue, status: int) -> tuple[str, dict[str, Any]] | None:
    """The fault of a response and its keys; None, with a report, if there is none."""
    delay, word = _delay(node), node.child("fault", TEXT)
    if word is not None:
        if word.value not in FAULTS:
            word.leave_out(f"WireMock's faults are {listed(FAULTS, 'and')}")
            return None
        fault, keys, other = FAULTS[word.value]
        if other:
            word.change(other)
        node.report_unread("a connection that breaks carries no answer")
        return fault, {**keys, "delay": delay}
    if not LEAST <= status <= MOST:
        return _late_answer(node, status, delay)
    keys = {"delay": delay, "message": _body(node)}
    for name, value in node.entries("headers", ANY):
        _header(name, value, keys)
    node.report_unread("the answer of a rule cannot have it")
    return f"http:{status}", keys


def _late_answer(node: DocumentValue, status: int, delay: str | None) -> tuple[str, dict[str, Any]] | None:
    """The delay of an ordinary answer, which the app gives itself."""
    if node.child("proxyBaseUrl", ANY) is None:
        node.change(f"the app's own answer instead of a made-up {status}")
    for key in ("body", "jsonBody", "base64Body", "statusMessage", "headers"):
        node.child(key, ANY)
    node.report_unread("no part of a late answer")
    return None if delay is None else ("latency", {"delay": delay})


def _delay(node: DocumentValue) -> str | None:
    wait, drawn = node.child("fixedDelayMilliseconds", NUMBER), node.child("delayDistribution", OBJECT)
    always = 0.0 if wait is None else wait.value
    kind, added = ("fixed", [0.0]) if drawn is None else _read_distribution(drawn)
    if not any(added) and not always:
        return None
    if kind == "lognormal":
        if wait is not None and always:
            wait.leave_out("a rule has a fixed delay or one that is drawn log-normally, not both")
        return f"lognormal:{milliseconds(node, added[0])}:{number_text(added[1])}"
    return "..".join(milliseconds(node, always + wait) for wait in added)


def _read_distribution(node: DocumentValue) -> tuple[str, list[float]]:
    """A distribution and its numbers in milliseconds; `fixed` and 0 if no rule can have it."""
    kind = str(node.take("type", ANY))
    keys = WAITS.get(kind)
    if keys is None:
        node.leave_out("a rule draws its delay evenly between two times, or log-normally")
        return "fixed", [0.0]
    numbers = [node.take(key, NUMBER) for key in keys]
    node.report_unread("no part of a distribution")
    if None in numbers:
        node.leave_out(f"it has no {keys[numbers.index(None)]}")
        return "fixed", [0.0]
    return kind, numbers


def _body(node: DocumentValue) -> str:
    plain: str = node.take("body", TEXT, "")
    structured = node.child("jsonBody", ANY)
    return plain if structured is None else json.dumps(structured.value)


def _header(name: str, value: DocumentValue, keys: dict[str, Any]) -> None:
    if not isinstance(value.value, str):
        value.leave_out("not a text: a rule sets a header only once")
    elif name.lower() == "content-type":
        keys["content_type"] = value.value
    elif name.lower() in (*FORBIDDEN, "connection", "date"):
        value.leave_out("the server sets it itself")
    else:
        keys.setdefault("set", {})[name] = value.value
