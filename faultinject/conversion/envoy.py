"""Envoy, 1.2x and later: a whole configuration with a fault filter for each rule.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/fault_filter. The filter itself answers
with words of its own; the vendor's body and headers come by the mappers of local replies.
"""

from __future__ import annotations

from typing import Any

from faultinject.conversion.document import Remarks
from faultinject.conversion.proxy_rules import (
    ANSWER,
    Capabilities,
    Place,
    ProxyAnswer,
    ProxyRule,
    RequestCondition,
    delay_of,
    parts_of,
    printed,
    translate,
)
from faultinject.rules.scenario import Scenario

CAN = Capabilities(
    "Envoy",
    faults=frozenset((ANSWER, "latency", "drip")),
    tests=frozenset(("method", "path", "host", "header", "query")),
    negated=frozenset(("method", "path", "host", "header", "query")),
)
KIB = 1024
LARGEST = 10_000
"""The largest regular expression that Envoy accepts; 100 by default."""
_FAULT = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_NAMES = {"method": ":method", "path": ":path", "query": ":path", "host": ":authority"}


def write(scenario: Scenario, place: Place, remarks: Remarks) -> str:
    """Write the configuration."""
    filters: list[dict[str, Any]] = []
    mappers: list[dict[str, Any]] = []
    for rule in translate(scenario, CAN, remarks):
        matchers = [_matcher(test) for test in rule.tests]
        filters.append(_filter(rule, matchers, remarks))
        if rule.answer is not None:
            mappers.append(_mapper(rule.answer, matchers))
    filters.append({"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}})
    manager: dict[str, Any] = {
        "@type": _MANAGER,
        "stat_prefix": "faultinject",
        # Else every answer, the app's too, says that its server is Envoy.
        "server_header_transformation": "PASS_THROUGH",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "app",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": filters,
    }
    if mappers:
        manager["local_reply_config"] = {"mappers": mappers}
    listener = {
        "name": "faultinject",
        "address": _address(place.listen),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    cluster = {
        "name": "app",
        "type": "STRICT_DNS",
        "connect_timeout": "10s",
        "load_assignment": {
            "cluster_name": "app",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(place.upstream)}}]}],
        },
    }
    runtime = {f"re2.max_program_size.{level}_level": LARGEST for level in ("error", "warn")}
    return printed(
        {
            "layered_runtime": {"layers": [{"name": "faultinject", "static_layer": runtime}]},
            "static_resources": {"listeners": [listener], "clusters": [cluster]},
        }
    )


def _address(text: str) -> dict[str, Any]:
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _filter(rule: ProxyRule, matchers: list[dict[str, Any]], remarks: Remarks) -> dict[str, Any]:
    share = {"numerator": parts_of(rule, CAN.title, remarks), "denominator": "MILLION"}
    config: dict[str, Any] = {"@type": _FAULT}
    if rule.answer is not None:
        config["abort"] = {"http_status": rule.answer.status, "percentage": share}
    if rule.fault == "drip":
        rate = rule.rule.value("rate")
        kib = max(1, round(rate / KIB))
        if kib * KIB != rate:
            remarks.change(f"{rule.name}: rate", f"Envoy counts in KiB a second: {kib}")
        config["response_rate_limit"] = {"fixed_limit": {"limit_kbps": kib}, "percentage": share}
    if seconds := delay_of(rule, CAN.title, remarks):
        config["delay"] = {"fixed_delay": f"{seconds:.3f}s", "percentage": share}
    if matchers:
        config["headers"] = matchers
    return {"name": f"faultinject.{rule.name}", "typed_config": config}


def _mapper(answer: ProxyAnswer, matchers: list[dict[str, Any]]) -> dict[str, Any]:
    """The mapper of the fault filter's abort to the rule's answer, for the rule's requests."""
    code = {
        "comparison": {"op": "EQ", "value": {"default_value": answer.status, "runtime_key": "faultinject"}}
    }
    filters: list[dict[str, Any]] = [
        {"response_flag_filter": {"flags": ["FI"]}},
        {"status_code_filter": code},
        *({"header_filter": {"header": matcher}} for matcher in matchers),
    ]
    said = answer.body.decode("utf-8", "replace").replace("%", "%%")
    return {
        "filter": {"and_filter": {"filters": filters}},
        "body_format_override": {
            "text_format_source": {"inline_string": said},
            **({"content_type": answer.content_type} if answer.content_type else {}),
        },
        "headers_to_add": [
            {
                "header": {"key": name, "value": value.replace("%", "%%")},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                **({} if value else {"keep_empty_value": True}),
            }
            for name, value in answer.headers
        ],
    }


def _matcher(test: RequestCondition) -> dict[str, Any]:
    if test.what == "header" and test.expression == ".*":
        found: dict[str, Any] = {"name": test.name, "present_match": True}
    else:
        expression = {
            "path": f"(?s)(?:{test.expression})(?:\\?.*)?",
            "query": f"(?s)[^?]*\\?(?:.*&)?(?:{test.expression})(?:&.*)?",
            "host": f"(?i)(?:{test.expression})(?::[0-9]+)?",
        }.get(test.what, test.expression)
        name = _NAMES.get(test.what, test.name)
        found = {"name": name, "string_match": {"safe_regex": {"regex": expression}}}
    if test.negated:
        found["invert_match"] = True
        if "string_match" in found:
            # Else the rule is for no request without this header.
            found["treat_missing_header_as_empty"] = True
    return found
