"""From a fault and a request to the answer's status line, headers and body."""

from __future__ import annotations

from faultinject.core.actions import Respond
from faultinject.core.draw import between, choose, entropy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultinject.core.actions import Act, Headers
    from faultinject.core.outcome import Entry
    from faultinject.core.ready import ReadyRule
    from faultinject.core.request import Request
    from faultinject.vendors.vendor import DocumentedError, Vendor

_WITHOUT_BODY = frozenset((204, 205, 304))
_reasons: dict[int, str] = {}


def reason(status: int) -> str:
    """The standard reason phrase; `Unknown` for a status that has none, such as 567."""
    if not _reasons:
        from http import HTTPStatus

        _reasons.update({each.value: each.phrase for each in HTTPStatus})
    return _reasons.get(status, "Unknown")


class Answer:
    """What all answers of one rule and one documented error (or status) have in common, worked out once.

    Args:
        rule: the rule that answers.
        fault: what the journal calls the fault.
        status: the HTTP status.
        content_type: the Content-Type, exactly.

    Attributes:
        reason: the reason phrase for servers that send ours.
        after: the app runs first and its answer is dropped.
        drain: whether the request body is read before answering.
        cors: whether a browser's script may read the answer.
    """

    __slots__ = (
        "_bodyless", "_content_type", "_delay", "_marks", "_set", "_wait", "after", "cors", "drain", "fault", "hint",
        "hint_form", "reason", "status",
    )  # fmt: skip

    def __init__(self, rule: ReadyRule, fault: str, status: int, content_type: str) -> None:
        value = rule.rule.value
        self.fault = fault
        self.status = status
        self.after: bool = value("when") == "after"
        self.reason = reason(status)
        self._bodyless = status in _WITHOUT_BODY
        self._content_type = ("Content-Type", content_type)
        self.cors: bool = value("cors")
        self.drain: bool = value("drain")
        self._delay: tuple[float, float] = value("delay")
        self._set = rule.rule.set_headers
        self._wait: float | None = value("retry_after")
        self.hint_form = None if self._wait is None else value("hint")
        self.hint = None if self._wait is None else float(-(-self._wait // 1))
        self._marks: Headers = []
        if rule.surroundings.marked:
            self._marks = [("x-faultinject", rule.name), ("Cache-Control", "no-store")]

    def give(self, request: Request, entry: Entry, digest: bytes, body: bytes, more: Headers) -> Respond:
        """The answer to one request.

        Args:
            request: what is answered.
            entry: what the journal is told.
            digest: where the delay is drawn from.
            body: the whole body, also for HEAD.
            more: the headers that carry the ids.
        """
        headers: Headers = []
        if not self._bodyless:
            headers = [self._content_type, ("Content-Length", str(len(body)))]
        elif self.status == 205:  # without a length waitress marks the end of a body, even for HEAD
            headers = [("Content-Length", "0")]
        if self._bodyless or request.method.upper() == "HEAD":
            body = b""
        headers += more
        if self._wait is not None:
            headers.append(("Retry-After", self._retry_after(self._wait, entry.time)))
        headers += self._marks
        for name, text in self._set:
            headers = [each for each in headers if each[0].lower() != name]
            headers.append((name, text))
        if self.cors and not self.after:
            headers = with_cors(headers, request)
        entry.fault = self.fault
        entry.when = "after" if self.after else "before"
        entry.status = self.status
        entry.response_bytes = len(body)
        entry.hint, entry.hint_form = self.hint, self.hint_form
        low, high = self._delay
        return Respond(entry, self, headers, body, low if low == high else between(digest, low, high))

    def _retry_after(self, wait: float, now: float) -> str:
        return http_date(now + wait) if self.hint_form == "date" else str(int(-(-wait // 1)))


def documented(rule: ReadyRule, vendor: Vendor, rows: Sequence[DocumentedError]) -> Act:
    """What a vendor's error does: its own envelope with ids of its own; of several rows one is drawn."""
    value = rule.rule.value
    message, resource = value("message"), value("resource")
    prepared: list[tuple[Answer, Callable[[str, Mapping[str, str]], bytes]] | None] = [None] * len(rows)
    make_ids, id_headers, resource_of = vendor.make_ids, vendor.id_headers, vendor.resource
    reading = rule.reading

    def prepare(row: DocumentedError) -> tuple[Answer, Callable[[str, Mapping[str, str]], bytes]]:
        status = value("status") or row.status
        assert status is not None
        text = row.message if message is None else message
        answer = Answer(rule, row.address, status, vendor.content_type)
        return answer, vendor.envelope(code=row.code, message=text, status=status)

    def act(request: Request, entry: Entry, digest: bytes) -> Respond:
        index = 0 if len(rows) == 1 else choose(digest, len(rows))
        found = prepared[index]
        if found is None:
            found = prepared[index] = prepare(rows[index])
        answer, fill = found
        ids = make_ids(entropy(digest, entry.seq), int(entry.time))
        place = resource
        if place is None and resource_of is not None:
            place = resource_of(*reading.read_address(request), request.raw_path)
        body = fill(place or "", ids)
        entry.request_id = ids.get("request_id")
        return answer.give(request, entry, digest, body, [(name, ids[which]) for name, which in id_headers])

    return act


def plain(rule: ReadyRule, status: int) -> Act:
    """What an answer of no vendor does: a status and a text."""
    value = rule.rule.value
    message = value("message")
    body = (reason(status) if message is None else message).encode("utf-8", "replace")
    answer = Answer(rule, f"http:{status}", status, value("content_type"))

    def act(request: Request, entry: Entry, digest: bytes) -> Respond:
        return answer.give(request, entry, digest, body, [])

    return act


def with_cors(headers: Headers, request: Request) -> Headers:
    """The headers that let a browser's script read the answer, where the request has an Origin."""
    origin = request.header("origin")
    if not origin or not (origin[0].isascii() and origin[0].isprintable()):
        return headers
    return [
        *headers,
        ("Access-Control-Allow-Origin", origin[0]),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", ", ".join(name for name, _ in headers)),
        ("Vary", "Origin"),
    ]


def taken_over(headers: Headers, app_headers: Headers) -> Headers:
    """The answer's headers with the CORS headers of the app's own answer."""
    names = ("access-control-", "vary")
    return [*headers, *(each for each in app_headers if each[0].lower().startswith(names))]


def http_date(moment: float) -> str:
    """An HTTP-date, rounded up to the second.

    >>> http_date(1763625600.25)
    'Thu, 20 Nov 2025 08:00:01 GMT'
    """
    from email.utils import formatdate

    return formatdate(-(-moment // 1), usegmt=True)
