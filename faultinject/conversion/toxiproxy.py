"""Toxiproxy: reads its configuration (`toxiproxy.json`), and the answer to `GET /proxies`.

https://github.com/Shopify/toxiproxy#toxics; the code of each toxic is in its folder `toxics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from faultinject.conversion.document import (
    FLAG,
    HOUR,
    LARGE,
    OBJECT,
    OBJECTS,
    SHARE,
    TEXT,
    DocumentValue,
    Rules,
    ValueType,
    milliseconds,
)

FaultAndKeys = tuple[str, dict[str, Any]] | None
"""A fault and its keys; None: the toxic was left out, or has no effect."""
Toxic = tuple[DocumentValue, str, str, dict[str, Any]]
"""A toxic, and the fault, the name and the keys of its rule."""

DOWNSTREAM, UPSTREAM = "downstream", "upstream"
STREAM = ValueType(Literal["downstream", "upstream"], "downstream or upstream")
AMOUNT = ValueType(Annotated[float, Meta(ge=-LARGE, le=LARGE)], "a number from -1e12 to 1e12")
"""The range of attributes: Toxiproxy accepts values below 0."""
EACH_REQUEST = "the chance applies to each request; in Toxiproxy to each connection"


def fits(value: object) -> bool:
    """Whether a value is a list of proxies, an object with proxies by name, or one proxy."""
    if isinstance(value, dict):
        value = [value] if "upstream" in value else [*value.values()]
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(proxy, dict) and {"upstream", "toxics"} & proxy.keys() for proxy in value)
    )


def convert(nodes: Sequence[DocumentValue], rules: Rules) -> None:
    """Add the rules of all proxies of all files."""
    for node in nodes:
        if isinstance(node.value, list):
            proxies = node.rows()
        else:
            proxies = [node] if "upstream" in node.value else [node.need(name, OBJECT) for name in node.value]
        for proxy in proxies:
            _proxy(proxy, rules, alone=len(proxies) == 1)


def _proxy(node: DocumentValue, rules: Rules, *, alone: bool) -> None:
    proxy_name = node.take("name", TEXT, "proxy")
    node.unused("listen", "logger", "Logger")
    upstream, toxics = node.child("upstream", TEXT), node.child("toxics", OBJECTS)
    down = not node.take("enabled", FLAG, default=True)
    toxic_rows = [] if toxics is None else toxics.rows()
    node.report_unread("no key of a proxy")
    if down:
        node.change("connections are accepted and closed; Toxiproxy refuses them")
        rules.add(node, "close", f"{proxy_name}-down")
        for toxic_row in toxic_rows:
            node.remarks.unused(toxic_row.where, "its proxy is not enabled")
        toxic_rows = []
    if (toxic_rows or down) and not alone:
        upstream_name = "another upstream" if upstream is None else upstream.value
        node.change(f"a rule knows no upstream: use these rules in front of {upstream_name} alone")
    elif upstream is not None:
        node.remarks.unused(upstream.where)
    toxics_with_rules = _merge_wait([parts for row in toxic_rows if (parts := _toxic(row)) is not None])
    if len(toxics_with_rules) > 1:
        node.change(
            "a request gets only the first fault that fires; in Toxiproxy a connection gets all of them"
        )
    # Toxics with a chance come first, because no rule fires after a rule that always fires.
    for toxic, fault, toxic_name, keys in sorted(
        toxics_with_rules, key=lambda parts: "probability" not in parts[3]
    ):
        rules.add(toxic, fault, f"{proxy_name}-{toxic_name}", **keys)


def _merge_wait(toxics: list[Toxic]) -> list[Toxic]:
    """If only a latency and one other toxic always apply, make the latency the other's `delay`.

    If each of the two became a rule, the second rule would never fire.
    """
    always = [toxic for toxic in toxics if "probability" not in toxic[3]]
    waits = [toxic for toxic in always if toxic[1] == "latency"]
    others = [toxic for toxic in always if toxic[1] != "latency"]
    if len(waits) != 1 or len(others) != 1 or others[0][3].get("delay") is not None:
        return toxics
    [(node, _, _, wait)], [(_, _, other, keys)] = waits, others
    node.change(f"it is the delay of {other}")
    keys["delay"] = wait["delay"]
    return [toxic for toxic in toxics if toxic[0] is not node]


def _toxic(node: DocumentValue) -> Toxic | None:
    """The parts of a toxic's rule; None: there is no rule, and that is reported."""
    kind = node.need("type", TEXT).value
    stream = node.take("stream", STREAM, DOWNSTREAM)
    name, chance = node.take("name", TEXT, f"{kind}_{stream}"), node.child("toxicity", SHARE)
    values = node.need("attributes", OBJECT)
    node.report_unread("no key of a toxic")
    if kind not in TOXICS:
        node.leave_out(REASONS_WITHOUT_RULE.get(kind, "not a known toxic"))
        return None
    fault_and_keys = TOXICS[kind](node, values, stream)
    values.report_unread(f"no attribute of {kind}")
    if fault_and_keys is None:
        return None
    if chance is not None and not chance.value:
        node.remarks.unused(chance.where, "its chance is 0")
        return None
    fault, keys = fault_and_keys
    if chance is not None and chance.value < 1:
        chance.change(EACH_REQUEST)
        keys = {**keys, "probability": chance.value}
    return node, fault, name, keys


def _when(stream: str) -> str | None:
    """The key `when` of a fault: downstream data is the answer, so the app has done its work."""
    return "after" if stream == DOWNSTREAM else None


def _latency(node: DocumentValue, values: DocumentValue, stream: str) -> FaultAndKeys:
    latency, jitter = values.take("latency", AMOUNT, 0.0), values.take("jitter", AMOUNT, 0.0)
    low, high = max(0.0, latency - jitter), max(0.0, latency + jitter)
    if not high:
        return None
    wait = milliseconds(node, high)
    if jitter > 0:
        node.change("one wait is drawn for a request; Toxiproxy draws one for each piece of data")
        wait = f"{milliseconds(node, low)}..{wait}"
    return "latency", {"when": _when(stream), "delay": wait}


def _bandwidth(node: DocumentValue, values: DocumentValue, stream: str) -> FaultAndKeys:
    rate = int(values.take("rate", AMOUNT, 0.0))
    if stream == UPSTREAM:
        node.leave_out("no fault reads an upload slowly")
        return None
    if rate <= 0:
        node.leave_out("a rate of 0 lets nothing through, ever; hang,when=after waits at most an hour")
        return None
    return "drip", {"rate": f"{rate}KB"}


def _timeout(node: DocumentValue, values: DocumentValue, stream: str) -> FaultAndKeys:
    wait = values.take("timeout", AMOUNT, 0.0)
    if wait <= 0 or wait > HOUR * 1000:
        node.change("a rule waits an hour at most, and closes the connection then")
        wait = HOUR * 1000
    return "hang", {"duration": milliseconds(node, wait), "when": _when(stream)}


def _reset_peer(node: DocumentValue, values: DocumentValue, stream: str) -> FaultAndKeys:
    wait = max(0.0, values.take("timeout", AMOUNT, 0.0))
    return "reset", {"when": _when(stream), "delay": milliseconds(node, wait) if wait else None}


def _limit_data(node: DocumentValue, values: DocumentValue, stream: str) -> FaultAndKeys:
    size = max(0, int(values.take("bytes", AMOUNT, 0.0)))
    if not size:
        return "close", {"when": _when(stream)}
    node.change("the bytes of one body are counted; Toxiproxy counts all of a connection, with its heads")
    if stream == UPSTREAM:
        return "close", {"after_bytes": str(size)}
    return "truncate", {"keep_bytes": str(size)}


TOXICS: dict[str, Callable[[DocumentValue, DocumentValue, str], FaultAndKeys]] = {
    "latency": _latency,
    "bandwidth": _bandwidth,
    "timeout": _timeout,
    "reset_peer": _reset_peer,
    "limit_data": _limit_data,
}
REASONS_WITHOUT_RULE = {
    "slow_close": "no fault keeps a connection open behind a whole answer",
    "slicer": "no fault says in which pieces data travels",
}
"""The reasons why other toxics have no rule."""
