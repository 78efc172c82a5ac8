"""WireMock: stub mappings, one, several, or an export of all (`{"mappings": […]}`).

https://wiremock.org/docs/simulating-faults/, https://wiremock.org/docs/stubbing/, https://wiremock.org/docs/stateful-behaviour/
"""

from __future__ import annotations

import base64
import json
import math
from http.client import responses
from urllib.parse import parse_qsl, unquote

from faultinject.conversion import wiremock_requests
from faultinject.conversion.made import milliseconds
from faultinject.conversion.wiremock_requests import Unsayable
from faultinject.rules.effects import FORBIDDEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.conversion.document import Node
    from faultinject.conversion.made import Rules

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
            found = {} if request is None else wiremock_requests.conditions(request)
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
