"""Envoy, 1.2x and later: writes a whole configuration with a fault filter for each rule.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/fault_filter. The filter answers with a
text of its own; mappers of local replies replace it by the vendor's body and headers.
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
"""The largest compiled regular expression that Envoy is told to accept; its default is 100."""
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
        # Without this every answer, also the app's, would have `server: envoy`.
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
    """The mapper that replaces the answer of a fault filter by the rule's answer."""
    code = {
        "comparison": {"op": "EQ", "value": {"default_value": answer.status, "runtime_key": "faultinject"}}
    }
    filters: list[dict[str, Any]] = [
        {"response_flag_filter": {"flags": ["FI"]}},
        {"status_code_filter": code},
        *({"header_filter": {"header": matcher}} for matcher in matchers),
    ]
    text = answer.body.decode("utf-8", "replace").replace("%", "%%")
    return {
        "filter": {"and_filter": {"filters": filters}},
        "body_format_override": {
            "text_format_source": {"inline_string": text},
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
    if test.subject == "header" and test.expression == ".*":
        matcher: dict[str, Any] = {"name": test.name, "present_match": True}
    else:
        expression = {
            "path": f"(?s)(?:{test.expression})(?:\\?.*)?",
            "query": f"(?s)[^?]*\\?(?:.*&)?(?:{test.expression})(?:&.*)?",
            "host": f"(?i)(?:{test.expression})(?::[0-9]+)?",
        }.get(test.subject, test.expression)
        name = _NAMES.get(test.subject, test.name)
        matcher = {"name": name, "string_match": {"safe_regex": {"regex": expression}}}
    if test.negated:
        matcher["invert_match"] = True
        if "string_match" in matcher:
            # Without this the rule would match no request without the header.
            matcher["treat_missing_header_as_empty"] = True
    return matcher
