"""Toxiproxy: its configuration (`toxiproxy.json`, what `POST /populate` takes), and what `GET /proxies` answers.

https://github.com/Shopify/toxiproxy#toxics; what each toxic does is in its folder `toxics`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from faultinject.conversion.made import HOUR, milliseconds
from faultinject.rules.values import listed, number_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from faultinject.conversion.document import Node, Table
    from faultinject.conversion.made import Rules

    Made = tuple[str, dict[str, Any], tuple[float, float]] | None
    """The fault, its keys, and its shortest and longest wait; None: what it says was left out, or is nothing."""

DOWNSTREAM, UPSTREAM = "downstream", "upstream"
AT_ONCE = (0.0, 0.0)
KILO = 1000
EACH_REQUEST = "the chance is of each request; there it is of each connection"


def fits(value: object) -> bool:
    """Whether it is a list of proxies, one by name, or a single one."""
    if isinstance(value, dict):
        value = [value] if "upstream" in value else [*value.values()]
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and {"upstream", "toxics"} & each.keys() for each in value)
    )


def convert(node: Node, rules: Rules) -> None:
    """The rules of all proxies."""
    if isinstance(node.value, dict):
        proxies = [node] if "upstream" in node.value else [*map(node.table().need, node.value)]
    else:
        proxies = node.rows()
    for each in proxies:
        _proxy(each, rules, alone=len(proxies) == 1)


def _proxy(node: Node, rules: Rules, *, alone: bool) -> None:
    table = node.table()
    name = table.take("name")
    called = "proxy" if name is None else name.text()
    table.unused("listen", "logger", "Logger")
    upstream = table.take("upstream")
    enabled = table.take("enabled")
    toxics = table.take("toxics")
    table.rest("no key of a proxy")
    toxic_rows = [] if toxics is None else toxics.rows()
    down = enabled is not None and not enabled.flag()
    if down:
        node.change("connections are taken and closed; there they are refused")
        rules.add(node, "close", f"{called}-down")
        for each in toxic_rows:
            node.remarks.unused(each.where, "its proxy is not enabled")
        toxic_rows = []
    if (toxic_rows or down) and not alone:
        said = "another upstream" if upstream is None else upstream.text()
        node.change(f"a rule knows no upstream: put these in front of {said} alone")
    elif upstream is not None:
        node.remarks.unused(upstream.where)
    found = [made for each in toxic_rows if (made := _toxic(each)) is not None]
    written = _combined(found)
    if len(written) > 1:
        node.change(
            "a request gets one of the faults, the first that fires; there a connection gets all of them"
        )
    for toxic in written:
        delay = _delay(toxic.node, *toxic.wait)
        chance = None if toxic.probability == 1 else toxic.probability
        rules.add(
            toxic.node, toxic.fault, f"{called}-{toxic.name}", probability=chance, delay=delay, **toxic.keys
        )


@dataclass(frozen=True)
class _Toxic:
    """What a toxic is as a rule.

    Attributes:
        node: the toxic.
        name: what it is called.
        probability: its chance.
        fault: the fault.
        keys: those of the fault, without its wait.
        wait: the shortest and the longest, milliseconds.
    """

    node: Node
    name: str
    probability: float
    fault: str
    keys: dict[str, Any]
    wait: tuple[float, float]


def _toxic(node: Node) -> _Toxic | None:
    table = node.table()
    kind = table.need("type").text(TOXICS)
    name, given, chance = table.take("name"), table.take("stream"), table.take("toxicity")
    stream = DOWNSTREAM if given is None else given.text((DOWNSTREAM, UPSTREAM))
    probability = 1.0 if chance is None else chance.number(0, 1)
    attributes = table.take("attributes")
    table.rest("no key of a toxic")
    if attributes is None:
        node.refuse("there is no attributes")
    values = attributes.table()
    made = TOXICS[kind](node, values, stream)
    values.rest(f"no attribute of {kind}")
    if made is None:
        return None
    if chance is not None and not probability:
        node.remarks.unused(chance.where, "it never comes")
        return None
    if chance is not None and probability < 1:
        chance.change(EACH_REQUEST)
    return _Toxic(node, f"{kind}_{stream}" if name is None else name.text(), probability, *made)


def _combined(toxics: list[_Toxic]) -> list[_Toxic]:
    """One for each rule: those that come by chance, and behind them one for all that come always, for no request gets past it.

    The waits that come always are in each of them. Of two rates the lower one holds; what else there is more of is left out.
    """
    always = [each for each in toxics if each.probability == 1]
    waits = [each for each in always if each.fault == "latency"]
    rates = sorted((each for each in always if each.fault == "drip"), key=_rate)
    ends = [each for each in always if each.fault not in ("latency", "drip")]
    first = next(iter((*ends, *rates, *waits)), None)
    for each in rates[1:]:
        each.node.remarks.unused(each.node.where, f"{rates[0].name} is slower, or as slow")
    for each in (*ends[1:], *(rates[:1] if ends else ())):
        each.node.leave_out(f"a request gets one fault, and {ends[0].name} comes to every request")
    written = [each for each in toxics if each.probability < 1] + ([] if first is None else [first])
    for wait in waits:
        others = [each.name for each in written if each is not wait]
        if others:
            wait.node.change(f"it is part of the delay of {listed(others, 'and')}")
    return [
        replace(each, wait=_sum(each.wait, *(wait.wait for wait in waits if wait is not each)))
        for each in written
    ]


def _sum(*waits: tuple[float, float]) -> tuple[float, float]:
    return sum(low for low, _ in waits), sum(high for _, high in waits)


def _rate(toxic: _Toxic) -> int:
    text = toxic.keys["rate"]
    return int(text.removesuffix("KB")) * (KILO if text.endswith("KB") else 1)


def _delay(node: Node, low: float, high: float) -> str | None:
    if not high:
        return None
    return (
        milliseconds(node, low) if low == high else f"{milliseconds(node, low)}..{milliseconds(node, high)}"
    )


def _number(values: Table, key: str) -> float:
    found = values.take(key)
    return 0.0 if found is None else found.number(-(10**12), 10**12)


def _when(stream: str) -> str | None:
    """Upstream is what the client sends, downstream what the server answers: then it has done its work."""
    return "after" if stream == DOWNSTREAM else None


def _latency(node: Node, values: Table, stream: str) -> Made:
    latency, jitter = _number(values, "latency"), _number(values, "jitter")
    low, high = max(0.0, latency - jitter), max(0.0, latency + jitter)
    if not high:
        return None
    if jitter > 0:
        node.change("one wait is drawn for a request; there one for each piece of data")
    else:
        high = low
    return "latency", {"when": _when(stream)}, (low, high)


def _bandwidth(node: Node, values: Table, stream: str) -> Made:
    rate = int(_number(values, "rate"))
    if stream == UPSTREAM:
        node.leave_out("no fault reads an upload slowly")
        return None
    if rate <= 0:
        node.leave_out("a rate of 0 lets nothing through, ever; hang,when=after waits at most an hour")
        return None
    return "drip", {"rate": f"{rate}KB"}, AT_ONCE


def _slow_close(node: Node, values: Table, stream: str) -> Made:
    _number(values, "delay")
    node.leave_out("no fault keeps a connection open behind a whole answer")
    return None


def _timeout(node: Node, values: Table, stream: str) -> Made:
    wait = _number(values, "timeout")
    if wait <= 0 or wait > HOUR * 1000:
        node.change("a rule waits an hour at most, and closes the connection then")
        wait = HOUR * 1000
    return "hang", {"duration": milliseconds(node, wait), "when": _when(stream)}, AT_ONCE


def _reset_peer(node: Node, values: Table, stream: str) -> Made:
    wait = max(0.0, _number(values, "timeout"))
    return "reset", {"when": _when(stream)}, (wait, wait)


def _slicer(node: Node, values: Table, stream: str) -> Made:
    size, delay = _number(values, "average_size"), _number(values, "delay")
    _number(values, "size_variation")
    if stream == UPSTREAM or size <= 0 or delay <= 0:
        node.leave_out("no fault says in which pieces data travels")
        return None
    rate = max(1, round(min(size * 1_000_000 / delay, 1e18)))
    node.change(f"the same speed, {number_text(rate)} bytes a second, without its pieces")
    return "drip", {"rate": str(rate)}, AT_ONCE


def _limit_data(node: Node, values: Table, stream: str) -> Made:
    size = max(0, int(_number(values, "bytes")))
    if not size:
        return "close", {"when": _when(stream)}, AT_ONCE
    node.change("the bytes of one body are counted; there all of a connection, heads too")
    if stream == UPSTREAM:
        return "close", {"after_bytes": str(size)}, AT_ONCE
    return "truncate", {"keep_bytes": str(size)}, AT_ONCE


TOXICS: dict[str, Callable[[Node, Table, str], Made]] = {
    "latency": _latency,
    "bandwidth": _bandwidth,
    "slow_close": _slow_close,
    "timeout": _timeout,
    "reset_peer": _reset_peer,
    "slicer": _slicer,
    "limit_data": _limit_data,
}
