"""Istio: writes a VirtualService with a route and its `fault` for each rule.

https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection
"""

from __future__ import annotations

from typing import Any

from faultinject.conversion.document import Remarks
from faultinject.conversion.proxy_rules import (
    ANSWER,
    MILLION,
    Capabilities,
    Place,
    ProxyRule,
    RequestCondition,
    delay_of,
    parts_of,
    printed,
    translate,
)
from faultinject.rules.scenario import Scenario

CAN = Capabilities(
    "Istio",
    faults=frozenset((ANSWER, "latency")),
    tests=frozenset(("method", "path", "host", "header")),
    negated=frozenset(("header",)),
)


def write(scenario: Scenario, place: Place, remarks: Remarks) -> str:
    """Write the resource."""
    host, _, port = place.upstream.rpartition(":")
    route = [{"destination": {"host": host, "port": {"number": int(port)}}}]
    routes: list[dict[str, Any]] = []
    routed: list[ProxyRule] = []
    for rule in translate(scenario, CAN, remarks):
        # A request that passes the tests of this rule also passes those of an earlier one, whose route takes it.
        earlier_rule = next((earlier for earlier in routed if {*earlier.tests} <= {*rule.tests}), None)
        if earlier_rule is not None:
            remarks.leave_out(
                rule.name, f"the route of {earlier_rule.name} takes all of its requests; the rule is left out"
            )
            continue
        routed.append(rule)
        if routes:
            remarks.change(
                rule.name,
                "requests that match the route of an earlier rule never get this fault, even if that rule does not"
                " fire",
            )
        rule_route: dict[str, Any] = {"name": rule.name}
        if rule.tests:
            rule_route["match"] = [_match(rule.tests)]
        rule_route["fault"] = _fault(rule, remarks)
        rule_route["route"] = route
        routes.append(rule_route)
    routes.append({"name": "app", "route": route})
    return printed(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "faultinject"},
            "spec": {"hosts": [host], "http": routes},
        }
    )


def _fault(rule: ProxyRule, remarks: Remarks) -> dict[str, Any]:
    percent = parts_of(rule, CAN.title, remarks) * 100 / MILLION
    percentage = {"percentage": {"value": percent}}
    fault: dict[str, Any] = {}
    if rule.answer is not None:
        fault["abort"] = {"httpStatus": rule.answer.status, **percentage}
        remarks.leave_out(
            f"{rule.name}: answer", "Istio sets only the status; the body and its headers are Envoy's own"
        )
    if seconds := delay_of(rule, CAN.title, remarks):
        fault["delay"] = {"fixedDelay": f"{seconds:.3f}s", **percentage}
    return fault


def _match(tests: tuple[RequestCondition, ...]) -> dict[str, Any]:
    match: dict[str, Any] = {}
    for test in tests:
        if test.subject == "header":
            place = match.setdefault("withoutHeaders" if test.negated else "headers", {})
            place[test.name] = {} if test.expression == ".*" else {"regex": test.expression}
        elif test.subject == "path":
            match["uri"] = {"regex": test.expression}
        elif test.subject == "host":
            match["authority"] = {"regex": f"(?i)(?:{test.expression})(?::[0-9]+)?"}
        else:
            match["method"] = {"regex": test.expression}
    return match
