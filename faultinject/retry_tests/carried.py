"""The testbench's older instructions, which a request carries itself: each holds for its request, and none is counted.

https://github.com/googleapis/storage-testbench#force-failures; `gcs/object.py` and `testbench/rest_server.py` there say
which requests each is for.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from faultinject.retry_tests import middle
from faultinject.retry_tests.refusal import Refusal
from faultinject.rules.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from faultinject.retry_tests.middle import Shape

HEADERS = ("HTTP_X_GOOG_EMULATOR_INSTRUCTIONS", "HTTP_X_GOOG_TESTBENCH_INSTRUCTIONS")
"""The second is what the first was called before."""
MIB, PLACE = 1_048_576, 262_144
"""Bytes of a download after which a broken stream ends, and of an upload or a download after which the others come."""
STALL = 10
"""Seconds for which a download stalls."""
LONGEST = 256
"""Characters of an instruction that a refusal repeats."""
_AFTER = re.compile(r"return-503-after-256K(/retry-[0-9]{1,9})?")
_NOT_HERE = re.compile(r"redirect-[\w-]+|stall-for-[0-9]+s|inject-upload-data-error|break-after-256K.*")
"""What the testbench takes besides: for gRPC, or without a word in its documentation."""


class Carried(NamedTuple):
    """What an instruction means for one request.

    Attributes:
        app: what the rule is put around.
        rule: the fault, named for the instruction; there are no more rules than instructions.
    """

    app: WSGIApplication
    rule: Rule


def instruction_of(environ: WSGIEnvironment) -> str | None:
    """What the request's header says; None without one."""
    given = (environ.get(each) for each in HEADERS)
    return next((each for each in given if each is not None), None)


def carried(text: str, app: WSGIApplication, environ: WSGIEnvironment) -> Carried | None:
    """What is done to a request with an instruction; None: nothing, for it is not of the requests that are meant.

    Args:
        text: the instruction.
        app: the store.
        environ: the request.

    Raises:
        Refusal: 400, there is no such instruction; 501, only the testbench has it.
    """
    for shape, fault, effects in _meant(text):
        shaped = shape(app, environ)
        if shaped is not None:
            return Carried(shaped[0], Rule(fault, name=text.partition("/")[0], **effects))
    return None


def _meant(text: str) -> list[tuple[Shape, str, dict[str, Any]]]:
    """For which requests which fault is meant, with its effects; the first that fits is taken."""
    here = {"vendor": "gcs", "when": "after"}
    if text == "return-broken-stream":
        return [(middle.download, "reset", here | {"after_bytes": MIB})]
    if text == "return-corrupted-data":
        return [(middle.download, "corrupt", {"vendor": "gcs"})]
    if text == "stall-always":
        return [(middle.download, "stall", here | {"duration": STALL})]
    if text == "stall-at-256KiB":
        return [(middle.whole_download, "stall", here | {"duration": STALL, "after_bytes": PLACE})]
    if (found := _AFTER.fullmatch(text)) is not None:
        broken = middle.whole_download, "reset", here | {"after_bytes": PLACE}
        refused = {"status": 503}
        if found[1] is None:
            return [broken, (middle.session_until(PLACE), "gcs:backendError", refused | {"when": "after"})]
        again = found[1] in ("/retry-1", "/retry-2")
        return [broken, *([(middle.download, "gcs:backendError", refused)] if again else [])]
    if _NOT_HERE.fullmatch(text):
        raise Refusal(501, f"The fault injection request <{text[:LONGEST]}> is not implemented.")
    raise Refusal(400, f"The fault injection request <{text[:LONGEST]}> is invalid.")
