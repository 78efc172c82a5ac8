"""Istio: a VirtualService with a route for each rule, and its `fault`.

https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from faultinject.conversion.proxy_rules import ANSWER, MILLION, Capabilities, delay_of, parts_of, translate
from faultinject.conversion.yaml_text import yaml_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from faultinject.conversion.formats import Place
    from faultinject.conversion.operations import RequestCondition
    from faultinject.conversion.proxy_rules import ProxyRule
    from faultinject.conversion.remarks import Remarks
    from faultinject.rules.scenario import Scenario

CAN = Capabilities(
    "Istio",
    faults=frozenset((ANSWER, "latency")),
    tests=frozenset(("method", "path", "host", "header")),
    negated=frozenset(("header",)),
    delayed=frozenset((ANSWER, "latency")),
    once=frozenset(("path",)),
)


def write(scenario: Scenario, place: Place, remarks: Remarks) -> str:
    """The resource."""
    host, _, port = place.upstream.rpartition(":")
    route = [{"destination": {"host": host, "port": {"number": int(port)}}}]
    routes: list[dict[str, Any]] = []
    taken: list[ProxyRule] = []
    for each in _with_a_route(translate(scenario, CAN, remarks), remarks):
        before = next((earlier for earlier in taken if _takes_all(earlier, each)), None)
        if before is not None:
            remarks.leave_out(
                each.name, f"the route of {before.name} takes all of its requests; the rule is left out"
            )
            continue
        taken.append(each)
        if routes:
            remarks.change(
                each.name,
                "a request that the route of an earlier rule takes never gets here, whether or not that fires",
            )
        made: dict[str, Any] = {"name": each.name}
        matches = [_match(tests) for tests in each.alternatives if tests]
        if matches:
            made["match"] = matches
        made["fault"] = _fault(each, remarks)
        made["route"] = route
        routes.append(made)
    routes.append({"name": "app", "route": route})
    text = yaml_text(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "faultinject"},
            "spec": {"hosts": [host], "http": routes},
        }
    )
    return f"# Rules of faultinject for Istio.\n{text}"


def _takes_all(earlier: ProxyRule, later: ProxyRule) -> bool:
    """Whether no request comes past the route of the one to that of the other; False where that is not certain."""
    return all(any({*wide} <= {*narrow} for wide in earlier.alternatives) for narrow in later.alternatives)


def _with_a_route(rules: list[ProxyRule], remarks: Remarks) -> Iterator[ProxyRule]:
    """One of each rule: the requests of a route get one status, and never come to the route of another error of the same group."""
    for rule, several in groupby(rules, key=lambda each: each.rule):
        first, *others = several
        if not others:
            yield first
        elif {each.answer and each.answer.status for each in others} == {
            first.answer and first.answer.status
        }:
            yield replace(first, probability=rule.value("probability"))
        else:
            remarks.leave_out(
                first.name,
                "the requests of a route get one status, and the group has several; the rule is left out",
            )


def _fault(rule: ProxyRule, remarks: Remarks) -> dict[str, Any]:
    percent = parts_of(rule, CAN.title, remarks) * 100 / MILLION
    percentage = {"percentage": {"value": percent}}
    fault: dict[str, Any] = {}
    if rule.answer is not None:
        fault["abort"] = {"httpStatus": rule.answer.status, **percentage}
        remarks.leave_out(
            f"{rule.name}: answer", "Istio says the status; the body and its headers are Envoy's own"
        )
    if seconds := delay_of(rule, CAN.title, remarks):
        fault["delay"] = {"fixedDelay": f"{seconds:.3f}s", **percentage}
    return fault


def _match(tests: tuple[RequestCondition, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for test in tests:
        if test.what == "header":
            place = found.setdefault("withoutHeaders" if test.negated else "headers", {})
            place[test.name] = {} if test.expression == ".*" else {"regex": test.expression}
        elif test.what == "path":
            found["uri"] = {"regex": test.expression}
        elif test.what == "host":
            found["authority"] = {"regex": f"(?i)(?:{test.expression})(?::[0-9]+)?"}
        else:
            found["method"] = {"regex": test.expression}
    return found
