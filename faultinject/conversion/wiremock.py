"""WireMock: stub mappings, one, several, or an export of all (`{"mappings": […]}`).

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
    Kind,
    Node,
    Rules,
    literal,
    literal_path,
    milliseconds,
)
from faultinject.rules.effects import FORBIDDEN
from faultinject.rules.values import listed, number_text

Conditions = dict[str, Any]

CANNOT = "no condition says this, and without it the fault would come to other requests"
REGEX = "no pattern is such a regular expression, and without it the fault would come to other requests"
QUERY = "requests with further parameters get it too"
URLS = ("url", "urlPath", "urlPathPattern")
EVERY_URL = ("url", "urlPattern", "urlPath", "urlPathTemplate", "urlPathPattern")
"""The conditions of a stub on a URL; the first decides: UrlPattern.fromOneOf."""
_SAFE = re.compile(r"[\w~!@%&=:;,'\"<>/ -]")
_ESCAPED = re.compile(r"\\([^\w\s])")
_BEGINNING = re.compile(r"\^?((?:[\w~!@&=:;,'\"<>/ -]|\\[^\w\s])*)([?*{]?)", re.ASCII)
"""The plain beginning of an expression, and the operator that makes its end optional."""
_GROUP = re.compile(r"\((?:[^()\\]|\\.)*\)")
_UNRESERVED = re.compile(r"[\w.~/-]*", re.ASCII)
"""A path that every client sends as it is.

https://www.rfc-editor.org/rfc/rfc3986#section-2.3
"""


def _cannot(node: Node, why: str = CANNOT) -> NoReturn:
    node.leave_out(why)
    raise Unsayable


class Unsayable(Exception):
    """A condition that cannot be said, which is reported already."""


def conditions(node: Node) -> Conditions:
    """The conditions of a `request`.

    Raises:
        Unsayable: one of them cannot be said, and the stub is left out.
        ConfigurationError: a value is of another type.
    """
    found: Conditions = {}
    unless: Conditions = {}
    method = node.child("method", ANY)
    if method is not None and not isinstance(method.value, str):
        _cannot(method)
    if method is not None and method.value != "ANY":
        found["method"] = literal(method.value)
    _url(node, found)
    for key, word in (("headers", "header"), ("queryParameters", "query")):
        names: set[str] = set()
        for name, matcher in node.entries(key, OBJECT):
            # A rule takes the values of one header for alternatives.
            if key == "headers" and name.lower() in names:
                _cannot(matcher)
            names.add(name.lower())
            pattern, negated = _matched(matcher)
            (unless if negated else found).setdefault(word, {})[name] = pattern
    if node.rest(CANNOT):
        raise Unsayable
    return found | ({"unless": unless} if unless else {})


def _url(node: Node, found: Conditions) -> None:
    given = {key: each for key in URLS if (each := node.child(key, TEXT)) is not None}
    if not given:
        return
    # The first decides, whatever the others say: UrlPattern.fromOneOf.
    (key, url), *others = given.items()
    for _, other in others:
        node.remarks.unused(other.where, f"WireMock reads {key} alone")
    if key == "urlPathPattern":
        pattern = path_pattern(url.value)
        if pattern is None:
            _cannot(url, REGEX)
        if pattern:
            found["path"] = pattern
        return
    path, mark, query = url.value.partition("?")
    if "%2f" in path.lower():
        _cannot(url, "no path of a rule has an encoded slash, and the fault would come to other requests")
    found["path"] = literal_path(unquote(path))
    if key == "urlPath":
        if mark:
            _cannot(url, "no path has a query, and the fault would come to requests that the stub is not for")
        return
    url.change(QUERY)
    if node.child("queryParameters", ANY) is not None:
        _cannot(
            url, "it is compared with the whole query: beside it queryParameters say nothing, or exclude it"
        )
    pairs = parse_qsl(query, keep_blank_values=True) if mark else []
    found["query"] = {name: _exactly(value) for name, value in pairs}
    if len(found["query"]) < len(pairs):
        _cannot(url, "a rule asks for one value of a parameter, and the fault would come to other requests")


def path_pattern(regex: str) -> str | None:
    """The pattern of paths that means the same as an expression; None: there is none.

    It means one path, a folder, or, if it is empty, every path.
    """
    whole = regex.removeprefix("^").removesuffix("$")
    if whole in (".*", "/.*"):
        return ""
    folder = whole.removesuffix(".*")
    text = _plain(folder)
    if text is None or text[:1] != "/" or {*"?%"} & {*text}:  # rules have paths decoded, and without a query
        return None
    if folder == whole:
        return literal_path(text)
    return text if text.endswith("/") and "*" not in text else None


def _plain(regex: str) -> str | None:
    """The text of an expression without operators; None where it has some."""
    text = _ESCAPED.sub("", regex)
    if not all(_SAFE.match(character) for character in text):
        return None
    return _ESCAPED.sub(r"\1", regex)


def _matched(node: Node) -> tuple[str, bool]:
    """The pattern of a matcher, empty for any value; and whether there must be no value."""
    absent, text, regex = (node.take(*key) for key in (("absent", ANY), ("equalTo", TEXT), ("matches", TEXT)))
    if node.value.get("caseInsensitive") is False:
        node.take("caseInsensitive", FLAG)
    if node.rest(CANNOT):
        raise Unsayable
    if [absent, text, regex].count(None) != 2:
        _cannot(node)
    if absent is not None:
        return "", True  # whatever its value: StringValuePatternJsonDeserializer looks for the key alone
    pattern = value_pattern(regex) if text is None else _exactly(text)
    if pattern is None:
        _cannot(node, REGEX)
    return pattern, False


def value_pattern(regex: str) -> str | None:
    """The pattern of values that means the same; empty: any value; None: there is none."""
    pieces = [_plain(piece) for piece in regex.removeprefix("^").removesuffix("$").split(".*")]
    if None in pieces or any("*" in (piece or "") for piece in pieces):
        return None
    text = "*".join(piece or "" for piece in pieces)
    if text[:1] == "=":
        return None if "*" in text else literal(text)
    return "" if text == "*" else text or _exactly("")


def _exactly(text: str) -> str:
    """A pattern of values that means this text; an empty pattern would mean any."""
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
"""The fault, its keys, and the difference from WireMock's, by WireMock's word."""
LABELS = ("id", "uuid", "persistent", "metadata", "insertionIndex")
USUAL_PRIORITY = 5
STARTED = "Started"
DELAYS = ("fixedDelayMilliseconds", "delayDistribution", "chunkedDribbleDelay")
WAITS = {"fixed": ("milliseconds",), "uniform": ("lower", "upper"), "lognormal": ("median", "sigma")}
"""The distributions that a rule has, with the keys of its delay."""
LEAST, MOST = 400, 599
"""The statuses of a plain answer."""
STATUS = Kind(Annotated[int, Meta(ge=100, le=999)], "a status from 100 to 999")


def fits(value: object) -> bool:
    """Whether it is a stub mapping or several."""
    if isinstance(value, dict) and isinstance(value.get("mappings"), list):
        stubs = value["mappings"]
    else:
        stubs = value if isinstance(value, list) else [value]
        if not stubs:
            return False
    return all(isinstance(stub, dict) and ({"request", "response"} & stub.keys()) for stub in stubs)


def convert(nodes: Sequence[Node], rules: Rules) -> None:
    """Add the rules of all files, those of a higher priority first.

    WireMock has all stubs in one list.
    """
    stubs = [_Stub(mapping) for node in nodes for mapping in _mappings(node)]
    stubs.sort(key=lambda stub: stub.priority)
    _number_scenarios(stubs)
    without_rule: list[_Stub] = []
    for stub in stubs:
        if not stub.convert(rules, without_rule):
            without_rule.append(stub)


def _mappings(node: Node) -> list[Node]:
    if isinstance(node.value, list):
        return node.rows()
    if "mappings" not in node.value:
        return [node]
    found = node.need("mappings", OBJECTS).rows()
    node.unused("meta", "importOptions")
    node.rest("no part of stub mappings")
    return found


class _Stub:
    """One mapping."""

    def __init__(self, node: Node) -> None:
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
        self.requests = _Requests(node.value.get("request"))
        self.triggers: dict[str, int] | None = None
        """The triggers by its place in its scenario."""

    @property
    def asked(self) -> str:
        """The conditions on requests as a text, for comparison."""
        return json.dumps(self.node.value.get("request"), sort_keys=True)

    @property
    def is_fault(self) -> bool:
        """Whether it is anything but an ordinary answer."""
        return self._status >= LEAST or any(self.response.value.get(key) for key in ("fault", *DELAYS))

    def convert(self, rules: Rules, without_rule: Sequence[_Stub]) -> bool:
        """Add its rule, if it is a fault, and return whether there is one.

        Args:
            rules: get it.
            without_rule: the stubs before it that have none, and get their requests all the same.
        """
        node = self.node
        request = node.child("request", OBJECT)
        if not self.is_fault:
            node.remarks.unused(self.response.where)
            return False
        try:
            request_conditions = {} if request is None else conditions(request)
        except Unsayable:
            return False
        if self.scenario and self.triggers is None:
            node.leave_out(
                "its scenario is no row of answers to the same requests, and without it the fault would come"
                " more often"
            )
            return False
        if node.rest("no part of a stub that is a fault") and request is None:
            node.leave_out("it has no request that can be read, and its fault would come to every request")
            return False
        made = _fault(self.response, self._status)
        if made is None:
            return False
        # Those of its scenario have numbers of their own.
        others = (stub for stub in without_rule if not self.scenario or self.scenario != stub.scenario)
        before = next((stub for stub in others if self.requests.may_be_of(stub.requests)), None)
        if before is not None:
            node.leave_out(
                f"its fault could come to requests of the stub {before.node.where}, which is before it and no"
                " rule"
            )
            return False
        triggers = {key: value for key, value in (self.triggers or {}).items() if value}
        fault, keys = made
        return rules.add(node, fault, self._name, **request_conditions, **triggers, **keys) is not None


class _Requests:
    """A stub's requests, as far as methods, paths and parameters in plain text show them.

    Attributes:
        method: empty: any.
        path: one path, or the beginning of each path: a folder that ends in a slash, or the beginning of an
            expression.
        one: whether it is one path.
        expression: the expression that a path must match, where no pattern of a rule says it; None: nothing is known
            of that.
        parameters: all of the query; None: any query.
        values: the values that headers and parameters of the query must have: a text or an expression; None: they
            must not be there.
    """

    def __init__(self, request: object) -> None:
        said = request if isinstance(request, dict) else {}
        method = said.get("method")
        key, url = next(((key, said[key]) for key in EVERY_URL if key in said), ("", None))
        self.method = method if isinstance(method, str) and method != "ANY" else ""
        self.path, self.one = "", False
        self.expression: re.Pattern[str] | None = None
        self.parameters: frozenset[Any] | None = None
        self.values = _values(said)
        if not isinstance(url, str):
            return
        if key in ("url", "urlPath"):
            path, _, query = url.partition("?")
            self.path, self.one = unquote(path), True
            if key == "url":
                self.parameters = frozenset(parse_qsl(query, keep_blank_values=True))
            return
        pattern = path_pattern(url) if key == "urlPathPattern" else None
        if pattern is not None:
            self.path, self.one = (
                pattern.removeprefix("="),
                pattern[:1] == "=" or pattern[-1:] not in ("", "/"),
            )
            return
        regex = _of_template(url) if key == "urlPathTemplate" else url
        self.path, query, _ = _beginning(regex).partition("?")
        self.one = bool(query)
        if key != "urlPattern":  # which the query belongs to
            self.expression = _compiled(regex)

    def may_be_of(self, other: _Requests) -> bool:
        """Whether a request may be one of another stub, which has no rule."""
        if self.method and other.method and self.method != other.method:
            return False
        below = not other.one and self.path.startswith(other.path)
        above = not self.one and other.path.startswith(self.path)
        if not (below or above or self.path == other.path):
            return False
        known = other.expression is not None and self.one and _UNRESERVED.fullmatch(self.path)
        if known and other.expression and not other.expression.fullmatch(self.path):
            return False
        # A rule lets further parameters pass.
        if other.parameters is not None and not (self.parameters or frozenset()) <= other.parameters:
            return False
        both = self.values.keys() & other.values.keys()
        return all(_may_be_equal(self.values[place], other.values[place]) for place in both)


def _may_be_equal(one: Value, other: Value) -> bool:
    """Whether one value may meet both conditions."""
    if isinstance(one, re.Pattern):
        one, other = other, one
    if not isinstance(other, re.Pattern):
        return one == other
    return isinstance(one, re.Pattern) or (one is not None and other.fullmatch(one) is not None)


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
    """The expression of a path template: `{name}` is a segment, `/**` anything below."""
    head = template.removesuffix("/**")
    pieces = [re.escape(piece) for piece in re.split(r"\{[^{}]*\}", head)]
    return "[^/]+".join(pieces) + ("" if head == template else "(?:/.*)?")


def _compiled(regex: str) -> re.Pattern[str] | None:
    """Compile an expression of Java's; None where Python has none, or one of another meaning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of what Java takes for a set of its own
            return re.compile(regex, re.ASCII)
    except (re.error, OverflowError, FutureWarning, DeprecationWarning):
        return None


# A text, an expression, or None where there must be no value.
Value = str | re.Pattern[str] | None


def _values(request: dict[str, Any]) -> dict[tuple[str, str], Value]:
    """The values that must be there, as a text or an expression, by part and name; None: none."""
    values: dict[tuple[str, str], Value] = {}
    for part in ("headers", "queryParameters"):
        given = request.get(part)
        for name, matcher in given.items() if isinstance(given, dict) else ():
            place = part, name.lower() if part == "headers" else name
            match matcher:
                case {"equalTo": str(text), **more} if not more:
                    values[place] = text
                case {"matches": str(text), **more} if not more and (regex := _compiled(text)) is not None:
                    values[place] = regex
                case {"absent": _, **more} if not more:
                    values[place] = None
    return values


def _number_scenarios(stubs: list[_Stub]) -> None:
    """Number the stubs of each scenario whose states lead to one another for the same requests.

    The number says which of the scenario's requests a stub is for.
    """
    scenarios: dict[str, list[_Stub]] = {}
    for stub in stubs:
        scenarios.setdefault(stub.scenario, []).append(stub)
    scenarios.pop("", None)
    for members in scenarios.values():
        states = {stub.state: stub for stub in members}
        if len({stub.asked for stub in members}) > 1:
            continue
        state, chain = STARTED, list[_Stub]()
        while (following := states.pop(state, None)) is not None:
            chain.append(following)
            state = following.next_state
        if len(chain) < len(members) or state == STARTED or state in {stub.state for stub in chain}:
            continue
        for place, stub in enumerate(chain):
            stub.triggers = {"skip": place, "times": int(bool(stub.next_state))}


def _fault(node: Node, number: int) -> tuple[str, dict[str, Any]] | None:
    """The fault of a response of this status, with its keys; None, with a report, if it is none."""
    delay, given = _delay(node), node.child("fault", TEXT)
    if given is not None:
        if given.value not in FAULTS:
            given.leave_out(f"WireMock's faults are {listed(FAULTS, 'and')}")
            return None
        fault, keys, other = FAULTS[given.value]
        if other:
            given.change(other)
        node.rest("a connection that breaks carries no answer")
        return fault, {**keys, "delay": delay}
    if not LEAST <= number <= MOST:
        return _late(node, number, delay)
    keys = {"delay": delay, "message": _body(node)}
    for name, value in node.entries("headers", ANY):
        _header(name, value, keys)
    node.rest("a plain answer has no such thing")
    return f"http:{number}", keys


def _late(node: Node, number: int, delay: str | None) -> tuple[str, dict[str, Any]] | None:
    """An ordinary answer: the app has its own."""
    if node.child("proxyBaseUrl", ANY) is None:
        node.change(f"the app's own answer instead of a {number} made up")
    for key in ("body", "jsonBody", "base64Body", "statusMessage", "headers"):
        node.child(key, ANY)
    node.rest("no part of a late answer")
    return None if delay is None else ("latency", {"delay": delay})


def _delay(node: Node) -> str | None:
    wait, drawn = node.child("fixedDelayMilliseconds", NUMBER), node.child("delayDistribution", OBJECT)
    always = 0.0 if wait is None else wait.value
    kind, added = ("fixed", [0.0]) if drawn is None else _drawn(drawn)
    if not any(added) and not always:
        return None
    if kind == "lognormal":
        if wait is not None and always:
            wait.leave_out("a rule waits for a time, or for one that it draws so, not for both")
        return f"lognormal:{milliseconds(node, added[0])}:{number_text(added[1])}"
    return "..".join(milliseconds(node, always + each) for each in added)


def _drawn(node: Node) -> tuple[str, list[float]]:
    """A distribution and its numbers, times in milliseconds; `fixed` and 0 where no rule has it."""
    kind = str(node.take("type", ANY))
    keys = WAITS.get(kind)
    if keys is None:
        node.leave_out("a rule draws its delay evenly between two times, or log-normally")
        return "fixed", [0.0]
    given = [node.take(key, NUMBER) for key in keys]
    node.rest("no part of a distribution")
    if None in given:
        node.leave_out(f"it has no {keys[given.index(None)]}")
        return "fixed", [0.0]
    return kind, given


def _body(node: Node) -> str:
    plain: str = node.take("body", TEXT, "")
    structured = node.child("jsonBody", ANY)
    return plain if structured is None else json.dumps(structured.value)


def _header(name: str, value: Node, keys: dict[str, Any]) -> None:
    if not isinstance(value.value, str):
        value.leave_out("no text: a header comes once")
    elif name.lower() == "content-type":
        keys["content_type"] = value.value
    elif name.lower() in (*FORBIDDEN, "connection", "date"):
        value.leave_out("the server sets it itself")
    else:
        keys.setdefault("set", {})[name] = value.value
