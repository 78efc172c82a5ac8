"""Faults within a body, as `after_bytes` asks for."""

from __future__ import annotations

from collections.abc import Iterator

from faultinject.engine.actions import Act, Action, Pass
from faultinject.engine.compiled_rule import CompiledRule
from faultinject.engine.entry import Entry
from faultinject.engine.request import Request
from faultinject.rules.values import Mistake


def check_answer(text: str, options: dict[str, str]) -> Iterator[Mistake]:
    """Yield mistakes in `after_bytes` of a fault that answers; `text` is its name."""
    if "after_bytes" not in options:
        return
    if options.get("when") == "after":
        yield Mistake(
            f"an answer that has begun cannot become {text};"
            " with when=after, after_bytes is for reset, close, hang and stall"
        )
    if "share" in options:
        yield Mistake(
            "share needs the request's body, which names the keys; after_bytes leaves a part unread"
        )


def ends_before(request: Request, size: int) -> bool:
    """Whether the request's body is known to be shorter than `size`.

    A body without a length shows this only while it is read.
    """
    length = request.content_length
    return not request.has_body or (length is not None and length < size)


def in_an_upload(rule: CompiledRule, text: str, act: Act) -> Act:
    """Limit the fault named `text` to requests with a body of at least `after_bytes`."""
    size: int | None = rule.rule.value("after_bytes")
    if size is None:
        return act

    def in_the_middle(request: Request, entry: Entry, digest: bytes) -> Action:
        if ends_before(request, size):
            entry.fault, entry.when = text, "before"
            return Pass(entry, "nothing_to_cut")
        return act(request, entry, digest)

    return in_the_middle
