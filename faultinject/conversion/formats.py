"""The formats that are read and written, by name: one module each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faultinject.conversion import envoy, istio, toxiproxy, wiremock
from faultinject.conversion.document import Node, Remarks, Rules
from faultinject.conversion.proxy_rules import Place
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import listed


@dataclass(frozen=True)
class Source:
    """A format that is read.

    Attributes:
        title: what it is.
        fits: whether a value is one, by a look at it.
        convert: add its rules.
    """

    title: str
    fits: Callable[[object], bool]
    convert: Callable[[Node, Rules], None]


SOURCES: dict[str, Source] = {
    "wiremock": Source("stub mappings of WireMock", wiremock.fits, wiremock.convert),
    "toxiproxy": Source("configuration of Toxiproxy", toxiproxy.fits, toxiproxy.convert),
}


@dataclass(frozen=True)
class Target:
    """A format that is written.

    Attributes:
        title: what it is.
        write: the text of a scenario.
    """

    title: str
    write: Callable[[Scenario, Place, Remarks], str]


TARGETS: dict[str, Target] = {
    "envoy": Target("configuration of Envoy", envoy.write),
    "istio": Target("VirtualService of Istio", istio.write),
}


def read(node: Node, name: str | None, rules: Rules) -> str:
    """Add the rules of a document; gives the name of its format.

    Args:
        node: the document.
        name: of its format; None: found by its content.
        rules: get them.

    Raises:
        ConfigurationError: it is of another format, or something in it is wrong.
    """
    if name is None:
        name = next((each for each, source in SOURCES.items() if source.fits(node.value)), None)
    elif not SOURCES[name].fits(node.value):
        node.refuse(f"this is no {SOURCES[name].title}")
    if name is None:
        known = listed(f"{each} ({source.title})" for each, source in SOURCES.items())
        node.refuse(f"this is of no format that is known: {known}; --from says which it is")
    SOURCES[name].convert(node, rules)
    return name
