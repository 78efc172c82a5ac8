"""The answers of faults: status line, headers, body, and the hint to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from faultinject.engine.compiled_rule import CompiledRule
from faultinject.engine.draw import choose, delays, fails, stretched, threshold
from faultinject.engine.entry import Entry
from faultinject.engine.filters import DELETE, Filter
from faultinject.engine.request import Request
from faultinject.http.wire import CLOSE, Headers, http_date, reason
from faultinject.vendors.addressing import Addressing
from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.envelopes import Rendering
from faultinject.vendors.multi_delete import Listing
from faultinject.vendors.vendor import Vendor

Check = Callable[[Request], bool]
Lister = Callable[[Request, bytes], Listing | None]

MILLISECONDS = ("x-amz-retry-after", "x-ms-retry-after-ms", "retry-after-ms")
"""Headers that ask to wait, in milliseconds."""
FORMS = ("seconds", "date", *MILLISECONDS)
"""The forms of `hint`: the two of `Retry-After`, or a header in milliseconds."""
HEADERS = ("retry-after", *MILLISECONDS)
"""The headers that ask to wait."""
_WITHOUT_BODY = frozenset((204, 205, 304))
NO_HEADERS: Mapping[str, str] = {}
LENGTH_0 = (("Content-Length", "0"),)


class Answer:
    """The constant part of a rule's answers with one documented error or status.

    It is computed once.

    Args:
        rule: the rule that answers.
        fault: the fault's name in the journal.
        status: the HTTP status.
        content_type: the Content-Type, exactly; empty for none.
        vendor: the vendor of the error, or None.
        phrase: the vendor's own reason phrase, or None for the standard one.
        constants: the vendor's headers that are the same in all these answers, by lower-case name.
        id_headers: pairs of a header's name and the name of the id that it carries.
        bare_head: whether an answer to HEAD has `Content-Length: 0` and no Content-Type.
        chunked: whether the head of an error in a 200 has no Content-Length.

    Attributes:
        status_line: the status with the reason phrase, for servers that send ours.
        after: whether the app runs first, and its answer is dropped.
        drain: whether the request body is read to its end before the answer.
        read_at_most: the number of bytes of the request body that are read instead, or None.
        cors: whether a browser's script may read the answer.
        closes: whether the rule asks for the end of the connection after the answer.
        retry_date: seconds from the answer's start that an HTTP-date in Retry-After asks to wait, or None.
        error_after_head: whether the head, with a status below 300 and no length, is sent at once, and the error in
            the body after the delay.
        multi_delete: makes the listing that answers each key by itself, from a request and its digest; None if the
            error has no such answers.
        takes_time: whether the body comes later than the head, or a filter changes it.
        hint: the seconds that the answer asks to wait, or None.
        hint_form: the form of the hint: `seconds`, `date`, a vendor's header or `unreadable`; None for no hint.
    """

    def __init__(
        self,
        rule: CompiledRule,
        fault: str,
        status: int,
        content_type: str,
        vendor: Vendor | None = None,
        phrase: str | None = None,
        constants: Mapping[str, str] = NO_HEADERS,
        id_headers: tuple[tuple[str, str], ...] = (),
        *,
        bare_head: bool = False,
        chunked: bool = False,
    ) -> None:
        value = rule.rule.value
        self.fault = fault
        self.status = status
        self.status_line = f"{status} {phrase or reason(status)}"
        self.when: str = value("when")
        self.after = self.when == "after"
        self._bodyless = status in _WITHOUT_BODY
        self._first: Headers = [("Content-Type", content_type)] if content_type else []
        if self._bodyless:
            # Without a length, waitress would send a 205 with the end mark of a chunked body, even for HEAD.
            self._first = [("Content-Length", "0")] if status == 205 else []
        self._id_headers = id_headers
        self._bare_head = bare_head
        self.cors: bool = value("cors")
        self.read_at_most: int | None = value("after_bytes")
        self.drain: bool = value("drain") and self.read_at_most is None
        self.multi_delete: Lister | None = None
        delay = value("delay")
        self._delay = delays(delay)
        cut_or_slowed = rule.rule.changes_body
        self.error_after_head = (
            status < 300 and not self._bodyless and (chunked or delay[1] > 0) and not cut_or_slowed
        )
        self.takes_time: bool = self.error_after_head or cut_or_slowed
        self._set = rule.rule.set_headers
        self.closes = any(name == "connection" for name, _ in self._set)
        self._last: Headers = []
        self.retry_date: float | None = None
        self.hint: float | None
        rule_headers = dict(self._set)
        wait: float | None = value("retry_after")
        if wait is not None and not rule_headers.keys() & HEADERS:
            form: str = value("hint") or (vendor.hint if vendor is not None else "seconds")
            name, text, self.hint = write_hint(wait, form)
            self.hint_form: str | None = form
            self._last.append((name, text))
            if form == "date":
                self.retry_date = wait
        else:
            self.hint, self.hint_form = read_hint(
                rule_headers if rule_headers.keys() & HEADERS else constants
            )
        self._hints_in_headers = (
            not rule_headers.keys() & HEADERS and wait is None and self.hint_form is not None
        )
        if rule.services.marked:
            self._last += mark(rule.name)
            # A rule cannot replace the mark by its own headers.
            self._set = tuple(header for header in self._set if header[0] not in MARKS)
        if rule.services.guarded:
            self._last += BROWSER_GUARDS
        # A hint of the rule replaces all hints of the vendor.
        replaced = HEADERS if wait is not None or rule_headers.keys() & HEADERS else ()
        self._left_out = {*replaced, *(name.lower() for name, _ in self._last)}

    def give(
        self,
        request: Request,
        entry: Entry,
        digest: bytes,
        body: bytes,
        ids: Mapping[str, str],
        more: Headers | None = None,
    ) -> Respond:
        """The answer to one request.

        Args:
            request: the request.
            entry: its entry in the journal.
            digest: the source of the draw of the delay.
            body: the whole body, also for HEAD.
            ids: the answer's ids by name.
            more: the headers that the vendor adds to the usual ones.
        """
        entry.fault = self.fault
        entry.when = self.when
        entry.status = self.status
        entry.hint, entry.hint_form = self.hint, self.hint_form
        headers = self._first.copy()
        if self._bodyless:
            body = b""
        elif request.method.upper() == "HEAD":
            headers = [*LENGTH_0] if self._bare_head else [*headers, ("Content-Length", str(len(body)))]
            body = b""
        elif not self.error_after_head:
            headers.append(("Content-Length", str(len(body))))
        for name, id_name in self._id_headers:
            headers.append((name, ids[id_name]))
        if more:
            headers += [header for header in more if header[0].lower() not in self._left_out]
        headers += self._last
        for name, text in self._set:
            headers = [header for header in headers if header[0].lower() != name]
            headers.append(CLOSE if name == "connection" else (name, text))
        if self.cors and not self.after and (origin := request.origin) is not None:
            headers = with_cors(headers, origin)
        entry.response_bytes = len(body)
        if self._hints_in_headers:
            # The vendor may add its hint to some answers only, for example not to HEAD: read these headers.
            entry.hint, entry.hint_form = read_hint({name.lower(): text for name, text in headers})
        return Respond(entry, self, headers, body, self._delay(digest))


@dataclass(slots=True, eq=False, repr=False)
class Respond:
    """Answer instead of the app, before it has run or after.

    Attributes:
        entry: the request's entry in the journal.
        answer: the part that all answers of the rule share: status, reason, `after`, `drain`, `cors`.
        headers: the answer's headers in the vendor's order.
        body: the bytes to send; empty for HEAD.
        delay: seconds to wait before the answer.
        filter: changes the body on its way, or None.
        listing: reads the request's body if the answer depends on its keys, or None.
    """

    entry: Entry
    answer: Answer
    headers: Headers
    body: bytes
    delay: float
    filter: Filter | None = None
    listing: Listing | None = None


ActByAnswering = Callable[[Request, Entry, bytes], Respond]


def one_of(acts: Sequence[ActByAnswering], tests: Sequence[Check | None]) -> ActByAnswering:
    """The action that draws one of several errors, each with the same probability.

    Args:
        acts: the actions of the errors.
        tests: for each error the test of the requests that may get it; None: all. A request that passes no test gets
            one of all errors.
    """
    if len(acts) == 1:
        return acts[0]

    def act(request: Request, entry: Entry, digest: bytes) -> Respond:
        possible = [
            candidate for candidate, holds in zip(acts, tests, strict=True) if holds is None or holds(request)
        ]
        drawn_from = possible or acts
        return drawn_from[choose(digest, len(drawn_from))](request, entry, digest)

    return act


def reading_of(rule: CompiledRule, vendor: Vendor) -> Addressing:
    """The reading of a request by the vendor whose errors name its bucket and key."""
    if vendor.addressing is None or rule.reading.vendor is vendor:
        return rule.reading
    return Addressing(vendor, rule.services.endpoints)


def documented(rule: CompiledRule, vendor: Vendor, row: DocumentedError) -> ActByAnswering:
    """The action of a vendor's error: an answer in the vendor's envelope, with new ids."""
    value = rule.rule.value
    message = value("message")
    prepared: dict[tuple[str, bool], tuple[Answer, Rendering]] = {}
    form_for = vendor.form_for
    status_wanted: int | None = value("status")
    hidden = vendor.errors_in_200.values() if status_wanted == 200 else ()
    without_length = frozenset(error.operation for error in hidden if error.framing == "chunked")
    make_ids = vendor.make_ids
    resource_of = vendor.resource if value("resource") is None else None
    resource: str = value("resource") or ""
    reading = reading_of(rule, vendor)
    status = status_wanted or row.status
    assert status is not None

    def prepare(form: str, chunked: bool) -> tuple[Answer, Rendering]:
        rendering = Rendering(vendor, row, status=status, message=message, asked=form)
        answer = Answer(
            rule,
            row.address,
            status,
            rendering.content_type,
            vendor,
            rendering.reason,
            rendering.constants,
            rendering.id_headers,
            bare_head=rendering.bare_head,
            chunked=chunked,
        )
        if (
            status == 200
            and vendor.deletes is not None
            and rendering.content_type == vendor.content_type
            and answer.drain
        ):
            answer.multi_delete = _lister(rule, vendor, row, reading)
        pair = prepared[form, chunked] = answer, rendering
        return pair

    def act(request: Request, entry: Entry, digest: bytes) -> Respond:
        form = form_for(row, request, status) if form_for is not None else ""
        chunked = bool(without_length) and reading.operation(request) in without_length
        answer, rendering = prepared.get((form, chunked)) or prepare(form, chunked)
        ids = make_ids(stretched(digest, entry.seq), int(entry.time))
        entry.request_id = ids.get("request_id")
        resource_named = resource
        if resource_of is not None:
            bucket, key = reading.read_address(request)
            resource_named = resource_of(bucket, key, request.raw_path)
        body, more = rendering.render(request, reading, resource_named, ids, entry.time)
        action = answer.give(request, entry, digest, body, ids, more)
        if answer.multi_delete is not None:
            action.listing = answer.multi_delete(request, digest)
        return action

    return act


def _lister(rule: CompiledRule, vendor: Vendor, row: DocumentedError, reading: Addressing) -> Lister:
    """Make the function that starts a listing, if a request deletes several keys."""
    dialect = vendor.deletes
    assert dialect is not None
    message: str | None = rule.rule.value("message")
    code_and_message = row.code, row.message if message is None else message
    limit = threshold(rule.rule.value("share"))

    def begin(request: Request, digest: bytes) -> Listing | None:
        if reading.operation(request) != "DeleteObjects":
            return None
        listing = Listing(vendor.escape, dialect, code_and_message, lambda named: fails(digest, named, limit))
        listing.delete = request.get_extra(DELETE)
        return listing

    return begin


def answer_keys(action: Respond) -> bool:
    """Answer each key of the request's body by itself, and return whether that was possible.

    If the body has no keys, or after an error in faultinject, the answer stays the error for the request as a whole.
    """
    body = None
    if action.listing is not None:
        try:
            body = action.listing.answer()
        except Exception as error:
            action.entry.services.failed(error, action.entry.rule or "")
    if body is None:
        return False
    length = str(len(body))
    action.headers = [(name, length if name == "Content-Length" else text) for name, text in action.headers]
    action.body = body
    action.entry.response_bytes = len(body)
    return True


def plain(rule: CompiledRule, status: int) -> ActByAnswering:
    """The action of an error without a vendor: a status and a text."""
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
    return _with(headers, [header for header in app_headers if header[0].lower().startswith(names)])


def _with(headers: Headers, more: Headers) -> Headers:
    """Combine two lists of headers; if both have a name, the header of the first list stays."""
    given = {name.lower() for name, _ in headers}
    return [*headers, *(header for header in more if header[0].lower() not in given)]


def at_its_start(action: Respond, now: float) -> Headers:
    """The headers of an answer that starts at `now`, in unix seconds.

    An HTTP-date in Retry-After is computed here, as the wait begins with the answer.
    """
    wait = action.answer.retry_date
    if wait is None:
        return action.headers
    return [
        (name, http_date(-(-(now + wait) // 1))) if name == "Retry-After" else (name, value)
        for name, value in action.headers
    ]


MARKS = ("x-faultinject", "cache-control")
"""The headers of the mark, in lower case."""

BROWSER_GUARDS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
)
"""Headers that forbid a browser to guess another type of content, or to run scripts.

https://mimesniff.spec.whatwg.org/#determining-the-computed-mime-type-of-a-resource,
https://www.w3.org/TR/CSP3/#directive-sandbox
"""


def guarded(headers: Iterable[tuple[str, str]]) -> Headers:
    """The app's headers with `BROWSER_GUARDS`, for an answer that was changed.

    The app's own policy stays, as a browser applies several together; of several `X-Content-Type-Options` only the
    first counts, so the app's is left out.

    https://www.w3.org/TR/CSP3/#multiple-policies, https://fetch.spec.whatwg.org/#x-content-type-options-header

    >>> guarded([("x-content-type-options", "none"), ("Content-Security-Policy", "img-src *")])[0]
    ('Content-Security-Policy', 'img-src *')
    """
    return [*(header for header in headers if header[0].lower() != "x-content-type-options"), *BROWSER_GUARDS]


_TO_CACHES = frozenset((*MARKS, "expires", "surrogate-control", "x-accel-expires"))


def mark(name: str) -> Headers:
    """The headers that mark an answer of the rule of that name."""
    return [("x-faultinject", name), ("Cache-Control", "no-store")]


def marked(headers: Iterable[tuple[str, str]], name: str) -> Headers:
    """The app's headers with the mark, and without others that let a cache keep the answer.

    `CDN-Cache-Control` and its kind override `Cache-Control` (RFC 9213).

    >>> marked([("ETag", "1"), ("CDN-Cache-Control", "max-age=9")], "late")
    [('ETag', '1'), ('x-faultinject', 'late'), ('Cache-Control', 'no-store')]
    """
    return [*((key, text) for key, text in headers if not _tells_caches(key.lower())), *mark(name)]


def _tells_caches(name: str) -> bool:
    return name in _TO_CACHES or name.endswith("-cache-control")


def write_hint(wait: float, form: str) -> tuple[str, str, float]:
    """Write the header that asks to wait.

    Args:
        wait: seconds.
        form: one of FORMS.

    Returns:
        The header's name, its text, and the seconds that it asks for: whole seconds or milliseconds, rounded up.
        The text of a `date` is only written when the answer starts, see `at_its_start`.

    >>> write_hint(1.5, "seconds"), write_hint(1.5, "x-amz-retry-after")
    (('Retry-After', '2', 2.0), ('x-amz-retry-after', '1500', 1.5))
    """
    if form in MILLISECONDS:
        milliseconds = int(-(-round(wait * 1000, 6) // 1))
        return form, str(milliseconds), milliseconds / 1000
    seconds = float(-(-wait // 1))
    return "Retry-After", f"{seconds:.0f}", wait if form == "date" else seconds


def read_hint(headers: Mapping[str, str]) -> tuple[float | None, str | None]:
    """The seconds that headers, by lower-case name, ask to wait, and the form.

    >>> read_hint({"x-amz-retry-after": "1500"})
    (1.5, 'x-amz-retry-after')
    """
    if "retry-after" in headers:
        text = headers["retry-after"]
        if text.isascii() and text.isdecimal():
            return float(text), "seconds"
        return None, "date" if text.endswith(" GMT") else "unreadable"
    for name in MILLISECONDS:
        if name in headers:
            text = headers[name]
            return (int(text) / 1000, name) if text.isascii() and text.isdecimal() else (None, "unreadable")
    return None, None
