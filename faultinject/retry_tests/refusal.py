"""What the control interface refuses, in the testbench's own form."""

from __future__ import annotations

import json
from http import HTTPStatus

from faultinject.exceptions import FaultInjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse


class Refusal(FaultInjectError):
    """A request that the control interface refuses.

    Attributes:
        status: of the answer.
        message: what is wrong.
        plain: whether the answer is the message alone.
    """

    def __init__(self, status: int, message: str, *, plain: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.plain = plain

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with it: an error whose message is a document itself, as the testbench's is."""
        if self.plain:
            return answer(start_response, self.message, status=self.status)
        inner = json.dumps({"error": {"errors": [{"domain": "global", "message": self.message}]}})
        return answer(start_response, {"error": {"code": self.status, "message": inner}}, status=self.status)


def answer(start_response: StartResponse, document: object, *, status: int = 200) -> Iterable[bytes]:
    """Answer with a JSON document, or with a text."""
    kind, text = (
        ("text/plain", document) if isinstance(document, str) else ("application/json", json.dumps(document))
    )
    body = text.encode()
    start_response(
        f"{status} {HTTPStatus(status).phrase}",
        [("Content-Type", kind), ("Content-Length", str(len(body)))],
    )
    return [body]
