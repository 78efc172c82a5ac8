"""From a fault and a request to the answer's status line, headers and body."""

from __future__ import annotations

from faultinject.core.actions import Respond
from faultinject.core.draw import choose, delays, entropy
from faultinject.core.wire import Head, http_date, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultinject.core.actions import ActByAnswering, Headers
    from faultinject.core.outcome import Entry
    from faultinject.core.ready import ReadyRule
    from faultinject.core.request import Request
    from faultinject.vendors.vendor import DocumentedError, Vendor

# Vendors' own headers that ask to wait, in milliseconds.
_MILLISECONDS = ("x-amz-retry-after", "x-ms-retry-after-ms", "retry-after-ms")
_WITHOUT_BODY = frozenset((204, 205, 304))


class Answer:
    """What all answers of one rule and one documented error (or status) have in common, worked out once.

    Args:
        rule: the rule that answers.
        fault: what the journal calls the fault.
        status: the HTTP status.
        content_type: the Content-Type, exactly.
        id_headers: pairs of a header's name and the name of the id that it carries.

    Attributes:
        status_line: the status with the reason phrase, for servers that send ours.
        after: the app runs first and its answer is dropped.
        drain: whether the request body is read before answering.
        cors: whether a browser's script may read the answer.
        dated: seconds from the answer's start that an HTTP-date in Retry-After asks to wait, or None.
        exact: how the vendor's own head is written, or None where the server words it.
        late: the head is sent at once, and the body after the delay: a status below 300 with an error inside.
        special: it is exact or late, or its body is changed on its way.
        hint: the wait that the answer asks for in seconds, or None.
        hint_form: how it does so: `seconds`, `date`, a vendor's header or `unreadable`; None where it does not.
    """

    __slots__ = (
        "_bodyless", "_delay", "_first", "_id_headers", "_last", "_set", "after", "cors", "dated", "drain", "exact",
        "fault", "hint", "hint_form", "late", "special", "status", "status_line", "when",
    )  # fmt: skip

    def __init__(
        self,
        rule: ReadyRule,
        fault: str,
        status: int,
        content_type: str,
        id_headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        value = rule.rule.value
        self.fault = fault
        self.status = status
        self.status_line = f"{status} {reason(status)}"
        self.when: str = value("when")
        self.after = self.when == "after"
        self._bodyless = status in _WITHOUT_BODY
        self._first: Headers = [("Content-Type", content_type)]
        if self._bodyless:
            # For 205: without a length waitress marks the end of a body, even for HEAD.
            self._first = [("Content-Length", "0")] if status == 205 else []
        self._id_headers = tuple(id_headers)
        self.cors: bool = value("cors")
        self.drain: bool = value("drain")
        self.exact: Head | None = None
        self._delay = delays(rule)
        cut_or_slowed = value("of") is not None
        self.late = status < 300 and not self._bodyless and value("delay")[1] > 0 and not cut_or_slowed
        self.special: bool = self.late or value("exact") or cut_or_slowed
        self._set = rule.rule.set_headers
        self._last: Headers = []
        self.dated: float | None = None
        self.hint, self.hint_form = read_hint(dict(self._set))
        wait: float | None = value("retry_after")
        if wait is not None and "retry-after" not in dict(self._set):
            self.hint, self.hint_form = float(-(-wait // 1)), value("hint")
            self._last.append(("Retry-After", f"{self.hint:.0f}"))
            if self.hint_form == "date":
                # A date in whole seconds, rounded up, is never earlier than this.
                self.hint = self.dated = wait
        if rule.surroundings.marked:
            self._last += [("x-faultinject", rule.name), ("Cache-Control", "no-store")]

    def give(
        self, request: Request, entry: Entry, digest: bytes, body: bytes, ids: Mapping[str, str]
    ) -> Respond:
        """The answer to one request.

        Args:
            request: what is answered.
            entry: what the journal is told.
            digest: where the delay is drawn from.
            body: the whole body, also for HEAD.
            ids: the answer's ids by name.
        """
        headers = self._first.copy()
        if self._bodyless:
            body = b""
        elif not (self.late and request.method.upper() != "HEAD"):
            headers.append(("Content-Length", str(len(body))))
            if request.method.upper() == "HEAD":
                body = b""
        for name, which in self._id_headers:
            headers.append((name, ids[which]))
        headers += self._last
        for name, text in self._set:
            headers = [each for each in headers if each[0].lower() != name]
            headers.append((name, text))
        if self.cors and not self.after and (origin := request.origin) is not None:
            headers = with_cors(headers, origin)
        entry.fault = self.fault
        entry.when = self.when
        entry.status = self.status
        entry.response_bytes = len(body)
        entry.hint = self.hint
        entry.hint_form = self.hint_form
        return Respond(entry, self, headers, body, self._delay(digest))


def documented(rule: ReadyRule, vendor: Vendor, rows: Sequence[DocumentedError]) -> ActByAnswering:
    """What a vendor's error does: its own envelope with ids of its own; of several rows one is drawn."""
    value = rule.rule.value
    message = value("message")
    prepared: list[tuple[Answer, Callable[[str, Mapping[str, str]], bytes]] | None] = [None] * len(rows)
    make_ids = vendor.make_ids
    resource_of = vendor.resource if value("resource") is None else None
    place: str = value("resource") or ""
    reading = rule.reading

    def prepare(index: int) -> tuple[Answer, Callable[[str, Mapping[str, str]], bytes]]:
        row = rows[index]
        status = value("status") or row.status
        assert status is not None
        text = row.message if message is None else message
        answer = Answer(rule, row.address, status, vendor.content_type, vendor.id_headers)
        if value("exact"):
            answer.exact = Head(vendor, row, status)
        found = prepared[index] = answer, vendor.envelope(code=row.code, message=text, status=status)
        return found

    def act(request: Request, entry: Entry, digest: bytes) -> Respond:
        index = 0 if len(rows) == 1 else choose(digest, len(rows))
        answer, fill = prepared[index] or prepare(index)
        ids = make_ids(entropy(digest, entry.seq), int(entry.time))
        entry.request_id = ids.get("request_id")
        if resource_of is None:
            return answer.give(request, entry, digest, fill(place, ids), ids)
        bucket, key = reading.read_address(request)
        body = fill(resource_of(bucket, key, request.raw_path), ids)
        return answer.give(request, entry, digest, body, ids)

    return act


def plain(rule: ReadyRule, status: int) -> ActByAnswering:
    """What an answer of no vendor does: a status and a text."""
    value = rule.rule.value
    message = value("message")
    body = (reason(status) if message is None else message).encode("utf-8", "replace")
    answer = Answer(rule, f"http:{status}", status, value("content_type"))

    def act(request: Request, entry: Entry, digest: bytes) -> Respond:
        return answer.give(request, entry, digest, body, {})

    return act


def with_cors(headers: Headers, origin: str) -> Headers:
    """The headers that let a browser's script of that origin read the answer."""
    if not (origin.isascii() and origin.isprintable()):
        return headers
    return _with(
        headers,
        [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", ", ".join(name for name, _ in headers)),
            ("Vary", "Origin"),
        ],
    )


def taken_over(headers: Headers, app_headers: Headers) -> Headers:
    """The answer's headers with the CORS headers of the app's own answer."""
    names = ("access-control-", "vary")
    return _with(headers, [each for each in app_headers if each[0].lower().startswith(names)])


def _with(headers: Headers, more: Headers) -> Headers:
    """Both; a header that the rule itself sets stands alone."""
    given = {name.lower() for name, _ in headers}
    return [*headers, *(each for each in more if each[0].lower() not in given)]


def at_its_start(action: Respond, now: float) -> Headers:
    """The headers of an answer that starts now, unix time: an HTTP-date to wait for counts from here."""
    wait = action.answer.dated
    if wait is None:
        return action.headers
    return [
        (name, http_date(-(-(now + wait) // 1))) if name == "Retry-After" else (name, value)
        for name, value in action.headers
    ]


def read_hint(headers: Mapping[str, str]) -> tuple[float | None, str | None]:
    """The wait in seconds that headers of lower-case names ask for, and in which form.

    >>> read_hint({"x-amz-retry-after": "1500"})
    (1.5, 'x-amz-retry-after')
    """
    if "retry-after" in headers:
        text = headers["retry-after"]
        if text.isascii() and text.isdecimal():
            return float(text), "seconds"
        return None, "date" if text.endswith(" GMT") else "unreadable"
    for name in _MILLISECONDS:
        if name in headers:
            text = headers[name]
            return (int(text) / 1000, name) if text.isascii() and text.isdecimal() else (None, "unreadable")
    return None, None
