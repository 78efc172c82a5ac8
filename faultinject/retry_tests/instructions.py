"""What one instruction of a retry test says, as an ordinary rule.

https://github.com/googleapis/storage-testbench#forced-failures-supported
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from faultinject import vendors
from faultinject.exceptions import ConfigurationError
from faultinject.retry_tests import middle
from faultinject.retry_tests.refusal import Refusal
from faultinject.rules.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.retry_tests.middle import Shape

KIB = 1024
FIRST_BYTES = 4
"""After how many bytes of an answer `return-broken-stream` ends it, as the testbench does."""
LONGEST_STALL = 600
"""Seconds."""
USUAL = {401: "authError", 403: "forbidden"}
"""From a status to the code that stands for it, where that is not the first row of the catalogue."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        text: as it was given.
        fault: what is done, once, to a request of its operation.
        keys: of the fault's rule.
        shape: which of these requests it is for, what the app gets of them, and what more the rule says for them; None:
            all, all of it, and nothing.
    """

    text: str
    fault: str
    keys: Mapping[str, Any]
    shape: Shape | None = None

    def rule(self, effects: Mapping[str, Any] = MappingProxyType({})) -> Rule:
        """The rule for a request, with the effects that depend on it."""
        return Rule(self.fault, **{**self.keys, **effects})


Made = tuple[str, dict[str, Any], "Shape | None"]
"""The fault, its effects, and the shape."""


def _answer(status: str) -> Made:
    """The service's own error of that status; a plain one where it documents none."""
    number = int(status)
    said = {"message": f"Retry Test: Caused a {number}"}
    rows = [row for row in vendors.get("gcs").errors if row.status == number >= 400]
    if not rows:
        return f"http:{status}", said, None
    usual = USUAL.get(number)
    row = next(each for each in rows if usual in (None, each.code))
    return f"gcs:{row.code}", {"status": number, **said}, None


def _answer_after(status: str, kib: str) -> Made:
    fault, effects, _ = _answer(status)
    return fault, {**effects, "when": "after"}, middle.upload_until(int(kib) * KIB)


def _reset() -> Made:
    return "reset", {}, None


def _broken() -> Made:
    return "truncate", {"keep_bytes": FIRST_BYTES}, None


def _broken_after(kib: str) -> Made:
    return "truncate", {"keep_bytes": int(kib) * KIB}, middle.download


def _broken_at_last(size: str) -> Made:
    return "truncate", {"keep_bytes": int(size)}, middle.upload_session


def _stall(seconds: str, kib: str) -> Made:
    if int(seconds) > LONGEST_STALL:
        raise ValueError
    return "stall", {"duration": int(seconds)}, middle.stall(int(kib) * KIB)


FORMS: Mapping[str, Callable[..., Made]] = {
    r"return-([0-9]{3})": _answer,
    r"return-([0-9]{3})-after-([0-9]{1,7})K": _answer_after,
    r"return-reset-connection": _reset,
    r"return-broken-stream": _broken,
    r"return-broken-stream-after-([0-9]{1,7})K": _broken_after,
    r"return-broken-stream-final-chunk-after-([0-9]{1,9})B": _broken_at_last,
    r"stall-for-([0-9]{1,4})s-after-([0-9]{1,7})K": _stall,
}
NOT_OVER_HTTP = re.compile(
    r"redirect-(?:send-token|send-handle-and-token|expect-token)-[a-z-]+"
    r"|return-[0-9]+-if-dp-enforced|return-unreachable-buckets-[\w,/.-]+"
)
"""What the testbench takes, and has no effect over HTTP, or none that is a fault."""
_FORMS = [(re.compile(form), make) for form, make in FORMS.items()]


def read(text: str, operation: str, name: str) -> Instruction:
    """The instruction of a text.

    Args:
        text: as the client gives it.
        operation: of the requests that it is for, by the service's name.
        name: what its rule is called.

    Raises:
        Refusal: 400, there is no such instruction; 501, there is none over HTTP.
    """
    for form, make in _FORMS:
        if (found := form.fullmatch(text)) is not None:
            try:
                fault, effects, shape = make(*found.groups())
                keys: dict[str, Any] = {"name": name, "operation": operation, "times": 1, **effects}
                if not fault.startswith("gcs:"):
                    keys["vendor"] = "gcs"
                instruction = Instruction(text, fault, keys, shape)
                instruction.rule()
            except (ConfigurationError, ValueError):
                break
            return instruction
    if NOT_OVER_HTTP.fullmatch(text):
        raise Refusal(501, f"The fault injection request <{text}> over HTTP is not implemented.")
    raise Refusal(400, f"The fault injection request <{text}> is invalid.")
