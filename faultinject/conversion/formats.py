"""The formats that are read and written; each has a module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from faultinject.conversion import envoy, istio, toxiproxy, wiremock
from faultinject.conversion.document import DocumentValue, Remarks, Rules
from faultinject.conversion.proxy_rules import Place
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import listed


@dataclass(frozen=True)
class SourceFormat:
    """A format that is read.

    Attributes:
        title: its description.
        fits: returns whether a value looks like this format.
        convert: adds the rules of files in this format.
    """

    title: str
    fits: Callable[[object], bool]
    convert: Callable[[Sequence[DocumentValue], Rules], None]


SOURCES: dict[str, SourceFormat] = {
    "wiremock": SourceFormat("stub mappings of WireMock", wiremock.fits, wiremock.convert),
    "toxiproxy": SourceFormat("configuration of Toxiproxy", toxiproxy.fits, toxiproxy.convert),
}


TARGETS: dict[str, Callable[[Scenario, Place, Remarks], str]] = {"envoy": envoy.write, "istio": istio.write}
"""The functions that write a scenario as a proxy's configuration, by the proxy's name."""


def read(nodes: Iterable[DocumentValue], name: str | None, rules: Rules) -> list[str]:
    """Add the rules of documents, and return the names of their formats.

    Args:
        nodes: the documents.
        name: the name of their format; None: the content of each shows it.
        rules: the rules to add to.

    Raises:
        ConfigurationError: a document has another format, or a mistake.
    """
    by_format: dict[str, list[DocumentValue]] = {}
    for node in nodes:
        by_format.setdefault(_format_of(node, name), []).append(node)
    for format_, documents in by_format.items():
        SOURCES[format_].convert(documents, rules)
    return [*by_format]


def _format_of(node: DocumentValue, name: str | None) -> str:
    fitting = [format_name for format_name, source in SOURCES.items() if source.fits(node.value)]
    if name is not None and name not in fitting:
        node.refuse(f"this is no {SOURCES[name].title}")
    if not fitting:
        known = listed(f"{format_name} ({source.title})" for format_name, source in SOURCES.items())
        node.refuse(f"this is in no known format: {known}; name its format with --from")
    return name or fitting[0]
