"""WireMock: stub mappings, one, several, or an export of all (`{"mappings": […]}`).

https://wiremock.org/docs/simulating-faults/, https://wiremock.org/docs/stubbing/, https://wiremock.org/docs/stateful-behaviour/,
https://wiremock.org/docs/request-matching/
"""

from __future__ import annotations

import json
import re
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
from faultinject.rules.values import listed

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
    found: Conditions = {}
    unless: Conditions = {}
    method = node.child("method", ANY)
    if method is not None and not isinstance(method.value, str):
        _cannot(method)
    if method is not None and method.value.upper() != "ANY":
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
    for key in ("url", "urlPath", "urlPathPattern"):
        given = node.child(key, TEXT)
        if given is None:
            continue
        if key == "urlPathPattern":
            pattern = path_pattern(given.value)
            if pattern is None:
                _cannot(given, REGEX)
            if pattern:
                found["path"] = pattern
            continue
        path, mark, query = given.value.partition("?")
        if "%2f" in path.lower():
            _cannot(
                given, "no path of a rule has an encoded slash, and the fault would come to other requests"
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


def path_pattern(regex: str) -> str | None:
    """The pattern of paths that means the same, of one path or of a folder; empty: every path; None: there is none."""
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
    if not all(_SAFE.match(each) for each in text):
        return None
    return _ESCAPED.sub(r"\1", regex)


def _matched(node: Node) -> tuple[str, bool]:
    """The pattern of a matcher, empty for any value; and whether there must be no value."""
    absent, text, regex = (
        node.take(*each) for each in (("absent", FLAG), ("equalTo", TEXT), ("matches", TEXT))
    )
    if node.value.get("caseInsensitive") is False:
        node.take("caseInsensitive", FLAG)
    if node.rest(CANNOT):
        raise Unsayable
    if [absent, text, regex].count(None) != 2:
        _cannot(node)
    if absent is not None:
        return "", absent
    pattern = value_pattern(regex) if text is None else _exactly(text)
    if pattern is None:
        _cannot(node, REGEX)
    return pattern, False


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
STATUS = Kind(Annotated[int, Meta(ge=100, le=999)], "a status from 100 to 999")


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
        given = node.need("mappings", OBJECTS).rows()
        node.unused("meta", "importOptions")
        node.rest("no part of stub mappings")
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
        node.unused(*LABELS)
        self._name = node.take("name", TEXT, "")
        self.priority = node.take("priority", NUMBER, USUAL_PRIORITY)
        self.scenario = node.take("scenarioName", TEXT, "")
        if not self.scenario:
            node.unused("newScenarioState")
        self.state = node.take("requiredScenarioState", TEXT, "")
        self.next_state = node.take("newScenarioState", TEXT, "")
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
        request, response = self.node.child("request", OBJECT), self.node.need("response", OBJECT)
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
        if self.node.rest("no part of a stub that is a fault") and request is None:
            self.node.leave_out(
                "it has no request that can be read, and its fault would come to every request"
            )
            return
        if not self.is_fault:
            if spares:
                response.leave_out(
                    "the app answers it, as it should; but the rule of a later stub may be for its requests too"
                )
            else:
                response.remarks.unused(response.where)
            return
        made = _fault(response)
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


def _fault(node: Node) -> tuple[str, dict[str, Any]] | None:
    """The fault of a response, with its keys; None: it is none, which is told."""
    delay, given, number = _delay(node), node.child("fault", TEXT), node.take("status", STATUS, 200)
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
    wait, drawn = node.take("fixedDelayMilliseconds", NUMBER, 0.0), node.child("delayDistribution", OBJECT)
    if drawn is not None and drawn.take("type", ANY) == "uniform":
        low, high = (wait + drawn.need(key, NUMBER).value for key in ("lower", "upper"))
        drawn.rest("no part of a distribution")
        return f"{milliseconds(node, low)}..{milliseconds(node, high)}"
    if drawn is not None:
        drawn.leave_out("a rule draws its delay evenly between two times")
    return milliseconds(node, wait) if wait else None


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
