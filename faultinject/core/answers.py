"""From a fault and a request to the answer's status line, headers and body."""

from __future__ import annotations

from faultinject.core.actions import Respond
from faultinject.core.draw import between, choose, entropy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.core.actions import Headers
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


def documented(
    request: Request, rule: ReadyRule, entry: Entry, digest: bytes, vendor: Vendor, rows: Sequence[DocumentedError]
) -> Respond:
    """A vendor's error in its own envelope; of several rows one is drawn."""
    row = rows[0] if len(rows) == 1 else rows[choose(digest, len(rows))]
    value = rule.rule.value
    status = value("status") or row.status
    assert status is not None
    ids = {} if vendor.make_ids is None else vendor.make_ids(entropy(digest, entry.seq), int(entry.time))
    resource = value("resource")
    if resource is None:
        resource = ""
        if vendor.resource is not None:
            resource = vendor.resource(*rule.reading.read_address(request), request.raw_path)
    message = value("message")
    body = vendor.render(
        code=row.code, message=row.message if message is None else message, resource=resource, ids=ids, status=status
    )
    entry.fault = row.address
    entry.request_id = ids.get("request_id")
    headers = [(name, ids[which]) for name, which in vendor.id_headers]
    return respond(request, rule, entry, digest, status, vendor.content_type, body, headers)


def plain(request: Request, rule: ReadyRule, entry: Entry, digest: bytes, status: int) -> Respond:
    """An answer of no vendor: a status and a text."""
    value = rule.rule.value
    message = value("message")
    text = reason(status) if message is None else message
    entry.fault = f"http:{status}"
    return respond(request, rule, entry, digest, status, value("content_type"), text.encode("utf-8", "replace"), [])


def respond(
    request: Request,
    rule: ReadyRule,
    entry: Entry,
    digest: bytes,
    status: int,
    content_type: str,
    body: bytes,
    more: Headers,
) -> Respond:
    """Complete an answer: length, waiting hint, marks, `set.` headers, CORS; nothing where there is no body."""
    value = rule.rule.value
    headers: Headers = []
    if status not in _WITHOUT_BODY:
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    if request.method.upper() == "HEAD" or status in _WITHOUT_BODY:
        body = b""
    headers += more
    wait = value("retry_after")
    if wait is not None:
        entry.hint_form = value("hint")
        seconds = int(-(-wait // 1))
        entry.hint = float(seconds)
        text = str(seconds) if entry.hint_form == "seconds" else http_date(entry.time + wait)
        headers.append(("Retry-After", text))
    if rule.surroundings.marked:
        headers += [("x-faultinject", rule.name), ("Cache-Control", "no-store")]
    for name, text in rule.rule.set_headers:
        headers = [each for each in headers if each[0].lower() != name]
        headers.append((name, text))
    after = value("when") == "after"
    if value("cors") and not after:
        headers = with_cors(headers, request.header("origin"))
    entry.when = "after" if after else "before"
    entry.status = status
    entry.response_bytes = len(body)
    low, high = value("delay")
    return Respond(
        entry,
        status=status,
        reason=reason(status),
        headers=headers,
        body=body,
        after=after,
        delay=low if low == high else between(digest, low, high),
        drain=value("drain"),
        cors=value("cors"),
    )


def with_cors(headers: Headers, origin: Sequence[str]) -> Headers:
    """The headers that let a browser's script read the answer, where the request has an Origin."""
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
