"""Reads the access logs of Amazon S3, CloudFront, nginx, Tencent COS and Alibaba OSS.

Each format is a class.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

from faultinject import vendors
from faultinject.engine.request import WSGIRequest
from faultinject.exceptions import ConfigurationError
from faultinject.injector import trials
from faultinject.vendors.addressing import Addressing


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a log.

    Attributes:
        time: the time of the request, seconds since 1970.
        method: the request's method.
        operation: the operation by the vendor's name; None if the log does not show it.
        status: the answer's status.
        code: the vendor's error code; empty if there is none.
    """

    time: float
    method: str
    operation: str | None
    status: int
    code: str


class OperationNames:
    """Finds the names that rules of one vendor give to operations.

    Args:
        vendor: the vendor's id; None: requests are read as S3 requests.

    Raises:
        UnknownVendorError: there is no such vendor.
    """

    def __init__(self, vendor: str | None) -> None:
        self._reading = Addressing(None if vendor is None else vendors.get(vendor))

    def has(self, operation: str) -> bool:
        """Whether the vendor has an operation with this name."""
        return bool(re.fullmatch(r"\w+", operation) and self._reading.operations.recognised_for((operation,)))

    def of(self, method: str, target: str, host: str) -> str | None:
        """Find the operation of a request; None if it has none.

        Args:
            method: the request's method.
            target: the request's path and query.
            host: the request's Host; empty: one without a bucket.
        """
        target = target if target[:1] == "/" else f"/{target}"
        try:
            environ = trials.environ_of(method, target, host or "127.0.0.1")
            return self._reading.operation(WSGIRequest(environ))
        except (ConfigurationError, ValueError):
            return None


LATEST = 253_402_300_799.0
"""The last second of the year 9999; `datetime` has no later one."""
_TIME = r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]"
# A quoted text ends at a quote before a blank or the line's end, as not every service escapes quotes within it.
_TEXT = r'"(?:[^"\\]|\\.|"(?! |$))*"'
_REQUEST = r'(?P<request>"[^"]*(?:"(?! (?:\d{3}|-)(?: |$))[^"]*)*"|-)'  # ends at the quote before the status


class Format(ABC):
    """The format of a log's lines.

    Attributes:
        name: the format's value of `--format`.
        title: the name of the log.
        vendor: the vendor of its operations and codes; None: any vendor.
    """

    name: str
    title: str
    vendor: str | None = None

    def __init__(self, names: OperationNames) -> None:
        self.names = names

    def is_header(self, line: str) -> bool:
        """Whether the line is a header or blank, so that it has no request."""
        return not line.strip()

    def read(self, line: str) -> Record | None:
        """Read the request of a line; None if the line has another form.

        Raises:
            Skip: the request does not count.
        """
        try:
            record = self.read_fields(line)
        except ValueError:  # such as the 31st of February
            return None
        if record is None or not 100 <= record.status <= 599 or not 0 <= record.time < LATEST:
            return None
        return record

    @abstractmethod
    def read_fields(self, line: str) -> Record | None:
        """Read the request of a line, without checks of status and time.

        Raises:
            Skip: the request does not count.
            ValueError: a number or a time cannot be read.
        """


class Skip(Exception):
    """A line has the right form but does not count; the text is the reason."""


class S3(Format):
    """Server access logs: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html."""

    name = "s3"
    title = "Amazon S3 server access log"
    vendor = "s3"
    # Newer fields, and texts that the client chooses, follow; they are not read.
    _LINE = re.compile(
        rf"\S+ (?P<bucket>\S+) {_TIME} \S+ \S+ \S+ (?P<event>[A-Z0-9]+(?:\.\w+)+) (?P<key>\S+)"
        rf" {_REQUEST} (?P<status>\d{{3}}|-) (?P<code>\S+)(?: |$)",
        re.ASCII,
    )

    def read_fields(self, line: str) -> Record | None:
        """Read the request of a line."""
        match = self._LINE.match(line)
        if match is None:
            return None
        fields = {name: _inside(text) for name, text in match.groupdict().items()}
        event = fields.get("event", "")
        if event.startswith(("BATCH.", "S3.")):
            raise Skip(f"{event} is no request of a client")
        if event.endswith("_GET"):  # COPY.OBJECT and COPY.PART have another line for the writing half
            raise Skip(f"{event} is the reading half of a copy")
        if fields["status"] == "-":
            raise Skip("no status")
        method, target = _split(fields["request"])
        if not (method or event):
            raise Skip("no request line")
        method = method or event.split(".")[1]
        operation = _S3_EVENTS.get(event)
        if operation == "ListObjects" and "list-type=2" in target:
            operation = "ListObjectsV2"
        if operation is None or not self.names.has(operation):
            operation = self.names.of(method, _path_style_target(fields["bucket"], fields["key"], target), "")
        return Record(_time(match), method, operation, int(fields["status"]), _code(fields["code"]))


_S3_EVENTS = {
    "REST.GET.OBJECT": "GetObject", "REST.HEAD.OBJECT": "HeadObject", "REST.PUT.OBJECT": "PutObject",
    "REST.DELETE.OBJECT": "DeleteObject", "REST.COPY.OBJECT": "CopyObject",
    "REST.POST.MULTI_OBJECT_DELETE": "DeleteObjects", "REST.POST.UPLOADS": "CreateMultipartUpload",
    "REST.PUT.PART": "UploadPart", "REST.COPY.PART": "UploadPartCopy",
    "REST.POST.UPLOAD": "CompleteMultipartUpload", "REST.DELETE.UPLOAD": "AbortMultipartUpload",
    "REST.GET.UPLOAD": "ListParts", "REST.GET.UPLOADS": "ListMultipartUploads",
    "REST.GET.BUCKET": "ListObjects", "REST.HEAD.BUCKET": "HeadBucket", "REST.PUT.BUCKET": "CreateBucket",
    "REST.DELETE.BUCKET": "DeleteBucket", "REST.GET.BUCKETVERSIONS": "ListObjectVersions",
}  # fmt: skip
"""The names of operations, by the log's name for the event."""


class OSS(S3):
    """Logs of Alibaba OSS: the same fields in another order.

    https://www.alibabacloud.com/help/en/oss/user-guide/logging
    """

    name = "oss"
    title = "Alibaba Cloud OSS log"
    vendor = "oss"
    # The fields between the named ones are: bytes and milliseconds; referer, user agent and host; request id, logging
    # flag, requester and operation; size and the server's time.
    _LINE = re.compile(
        rf"\S+ \S+ \S+ {_TIME} {_REQUEST} (?P<status>\d{{3}}|-) \S+ \S+ {_TEXT} {_TEXT} {_TEXT}"
        rf" {_TEXT} {_TEXT} {_TEXT} {_TEXT} (?P<bucket>{_TEXT}) (?P<key>{_TEXT}) \S+ \S+ (?P<code>{_TEXT}|\S+)",
        re.ASCII,
    )


class COS(Format):
    """Logs of Tencent Cloud COS: https://www.tencentcloud.com/document/product/436/16920."""

    name = "cos"
    title = "Tencent Cloud COS log"
    vendor = "cos"
    # Path, user agent and message may contain blanks, so the fields between them are found by their form.
    _HEAD = re.compile(
        r"\d+(?:\.\d+)? \S+ \S+ (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z \S+ (?P<event>\S+) \S+ \S+ \S+ \S+ \S+ \S",
        re.ASCII,
    )
    _METHOD = re.compile(" (GET|HEAD|PUT|POST|DELETE|OPTIONS) ", re.ASCII | re.IGNORECASE)
    _STATUS = re.compile(r" ([1-5]\d\d) (-|[A-Za-z][\w.]*)(?= |$)", re.ASCII)
    _TAIL = re.compile(r" (?:\d+|-) \d+ ([A-Z]+)(?= |$)", re.ASCII)  # bytes, time, and the requester

    def read_fields(self, line: str) -> Record | None:
        """Read the request of a line."""
        head = self._HEAD.match(line)
        method = head and self._METHOD.search(line, head.end())
        if head is None or method is None:
            return None
        # A user agent may look like these fields, so the last match counts.
        tail = _last(self._TAIL, line, method.end(), len(line))
        status = tail and _last(self._STATUS, line, method.end(), tail.start())
        if tail is None or status is None:
            return None
        if tail[1] == "CDN":
            raise Skip("a CDN's request")
        time = datetime.fromisoformat(f"{head['time']}+00:00").timestamp()
        name = _COS_EVENTS.get(head["event"], head["event"])
        operation = name if self.names.has(name) else None
        return Record(time, method[1].upper(), operation, int(status[1]), _code(status[2]))


_COS_EVENTS = {
    "InitiateMultipartUpload": "CreateMultipartUpload", "InitMultipartUpload": "CreateMultipartUpload",
    "GetBucket": "ListObjects", "DeleteMultipleObjects": "DeleteObjects",
    "DeleteMultipleObject": "DeleteObjects", "PutObjectCopy": "CopyObject",
    "UploadPartCopy": "UploadPartCopy", "GetService": "ListBuckets", "PutBucket": "CreateBucket",
}  # fmt: skip
"""S3's names of operations, by the names that COS's logs have for them."""


class CloudFront(Format):
    """Standard logs of CloudFront.

    These are the legacy logs, and those of version 2 in the formats w3c, plain and JSON:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
    """

    name = "cloudfront"
    title = "CloudFront standard log"
    vendor = "s3"

    def __init__(self, names: OperationNames) -> None:
        super().__init__(names)
        self._fields = _CLOUDFRONT_FIELDS

    def is_header(self, line: str) -> bool:
        """Whether the line has no request; a header line sets the columns."""
        if line.startswith("#Fields:"):
            self._fields = line.removeprefix("#Fields:").split()
        return line.startswith("#") or super().is_header(line)

    def read_fields(self, line: str) -> Record | None:
        """Read the request of a line."""
        values = self._values(line)
        try:
            status, method, stem = int(values["sc-status"]), values["cs-method"], values["cs-uri-stem"]
            time = datetime.fromisoformat(f"{values['date']}T{values['time']}+00:00").timestamp()
        except KeyError:
            return None
        if not status:
            raise Skip("the client left before the answer")
        if not _METHOD.fullmatch(method):
            return None
        query = values.get("cs-uri-query", "-")
        target = stem if query == "-" else f"{stem}?{query}"
        # A distribution has one bucket behind it, and its requests do not name that bucket.
        return Record(time, method, self.names.of(method, f"/bucket{target}", ""), status, "")

    def _values(self, line: str) -> dict[str, str]:
        if line.startswith("{"):
            try:
                fields = json.loads(line)
            except RecursionError:
                return {}
            return {name: str(value) for name, value in fields.items() if value is not None}
        return dict(zip(self._fields, line.split("\t" if "\t" in line else " "), strict=False))


_CLOUDFRONT_FIELDS = [
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status",
    "cs(Referer)", "cs(User-Agent)", "cs-uri-query",
]  # fmt: skip
"""The first columns, for a log without a header line."""


class Nginx(Format):
    """nginx's `combined`, also Apache's: http://nginx.org/en/docs/http/ngx_http_log_module.html.

    The request's Host and the service's error code may follow: `host="$http_host" code="…"`.
    """

    name = "nginx"
    title = "nginx or Apache access log"
    _LINE = re.compile(rf"\S+ \S+ .*?{_TIME} {_REQUEST} (?P<status>\d{{3}})(?: |$)", re.ASCII)
    _MORE = re.compile(r' (host|code)="([^" ]*)"')

    def read_fields(self, line: str) -> Record | None:
        """Read the request of a line."""
        match = self._LINE.match(line)
        if match is None:
            return None
        status = int(match["status"])
        if status in _UNANSWERED:
            raise Skip(_UNANSWERED[status])
        method, target = _split(match["request"])
        if not method:
            raise Skip("no request line")
        more = dict(self._MORE.findall(line, match.end()))
        host = more.get("host", "-")
        operation = self.names.of(method, target, "" if host == "-" else host)
        return Record(_time(match), method, operation, status, _code(more.get("code", "")))


_UNANSWERED = {
    444: "nginx closed the connection without an answer",
    499: "the client left before the answer",
}
"""The reasons for the statuses that nginx logs when it sent no answer."""


FORMATS: dict[str, type[Format]] = {form.name: form for form in (CloudFront, S3, OSS, COS, Nginx)}
"""The formats in the order of trial; nginx is last, as it also fits lines of other formats."""
_METHOD = re.compile("[A-Z]{1,20}", re.ASCII)
_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)


def _last(pattern: re.Pattern[str], line: str, start: int, end: int) -> re.Match[str] | None:
    last_match = None
    for last_match in pattern.finditer(line, start, end):  # noqa: B007 - the last one is what is wanted
        pass
    return last_match


def _inside(text: str) -> str:
    return text[1:-1] if text[:1] == '"' else text


def _code(text: str) -> str:
    """The code of an error; empty for a text without the form of a code."""
    return text if _CODE.fullmatch(text) else ""


def _split(request: str) -> tuple[str, str]:
    """Split a quoted request line into method and target; both are empty if it is not one."""
    method, _, rest = _inside(request).partition(" ")
    target = rest.rpartition(" ")[0] if rest.rpartition(" ")[2].startswith("HTTP/") else rest
    return (method, target) if _METHOD.fullmatch(method) else ("", "")


def _path_style_target(bucket: str, key: str, target: str) -> str:
    """Write a request's target with the bucket in its path."""
    # The log does not say whether the client sent the bucket in the path or in the host.
    if bucket == "-":
        return target
    path = f"/{bucket}" if key == "-" else f"/{bucket}/{key}"
    _, mark, query = target.partition("?")
    return f"{path}{mark}{query}"


def _time(match: re.Match[str]) -> float:
    time = match["time"].replace(":60 ", ":59 ")  # a leap second
    return datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z").timestamp()
