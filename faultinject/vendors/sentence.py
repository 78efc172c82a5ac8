"""A text with values from a request in it, such as `No such object: {bucket}/{key}`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.vendors.template_values import Given, Source


def sentence(text: str, source_of: Callable[[str], Source]) -> Source:
    """The source that fills the braces of a text; None where one of its values is.

    Args:
        text: the text.
        source_of: from what stands in braces to its source.
    """
    start, *rest = text.split("{")
    parts = [(source_of(name), after) for name, _, after in (each.partition("}") for each in rest)]

    def source(given: Given) -> str | None:
        told = start
        for value, after in parts:
            found = value(given)
            if found is None:
                return None
            told += found + after
        return told

    return source
