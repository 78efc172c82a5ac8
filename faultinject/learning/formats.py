"""The logs that are read: of Amazon S3, CloudFront, nginx, Tencent COS and Alibaba OSS.

Each format is a class with what tells it, whose log it is, and how a line is read. A line that is of another form is None.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from faultinject.learning.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MONTHS = {
    each: number for number, each in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_TIME = (
    r"\[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r" (?P<zone>[+-]\d{4})\]"
)
_TEXT = r'"(?:[^"\\]|\\.)*"'


class Format:
    """A form of lines.

    Attributes:
        name: as `--format` has it.
        title: whose log it is.
        vendor: whose operations and codes it has; None: any service's.
        skipped: lines that are no requests, or that tell nothing of the service: why, and how many.
    """

    name: str
    title: str
    vendor: str | None = None

    def __init__(self, operation: Callable[[str, str, str], str | None]) -> None:
        self.skipped: dict[str, int] = {}
        # From method, target and Host to the vendor's name of the operation.
        self._operation = operation

    def heed(self, line: str) -> bool:
        """Whether the line is no request, such as a header."""
        return not line.strip()

    def read(self, line: str) -> Record | None:
        """The request of a line; None where it has another form.

        Raises:
            Skip: it says nothing of the service.
        """
        raise NotImplementedError


class Skip(Exception):
    """A line of the right form that counts for nothing; says why."""


class S3(Format):
    """Server access logs: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html."""

    name = "s3"
    title = "Amazon S3 server access log"
    vendor = "s3"
    _LINE = re.compile(
        rf"\S+ \S+ {_TIME} \S+ \S+ \S+ (?P<event>[A-Z0-9]+(?:\.[\w-]+)+) \S+ (?P<request>{_TEXT}|-) (?P<status>\d{{3}}|-)"
        r" (?P<code>\S+) "
    )

    def read(self, line: str) -> Record | None:
        """The request of a line."""
        found = self._LINE.match(line)
        if found is None:
            return None
        status, code, event = found["status"], found["code"], found["event"]
        if event.startswith(("BATCH.", "S3.")):
            raise Skip(f"{event} is no request of a client")
        if status == "-":
            raise Skip("no status")
        method, target = _split(found["request"].strip('"'))
        method = method or event.split(".")[1]
        operation = _S3_EVENTS.get(event)
        if event == "REST.GET.BUCKET" and "list-type=2" in target:
            operation = "ListObjectsV2"
        if operation is None and target:
            operation = self._operation(method, target, "")
        return Record(_time(found), method, operation, int(status), "" if code == "-" else code)


_S3_EVENTS = {
    "REST.GET.OBJECT": "GetObject", "REST.HEAD.OBJECT": "HeadObject", "REST.PUT.OBJECT": "PutObject",
    "REST.DELETE.OBJECT": "DeleteObject", "REST.COPY.OBJECT": "CopyObject", "REST.POST.MULTI_OBJECT_DELETE": "DeleteObjects",
    "REST.POST.UPLOADS": "CreateMultipartUpload", "REST.PUT.PART": "UploadPart", "REST.COPY.PART": "UploadPartCopy",
    "REST.POST.UPLOAD": "CompleteMultipartUpload", "REST.DELETE.UPLOAD": "AbortMultipartUpload", "REST.GET.UPLOAD": "ListParts",
    "REST.GET.UPLOADS": "ListMultipartUploads", "REST.GET.BUCKET": "ListObjects", "REST.HEAD.BUCKET": "HeadBucket",
    "REST.PUT.BUCKET": "CreateBucket", "REST.DELETE.BUCKET": "DeleteBucket", "REST.GET.BUCKETVERSIONS": "ListObjectVersions",
}  # fmt: skip
"""What the log calls the operations that objects are read and written by."""


class OSS(Format):
    """Logs of Alibaba OSS: https://www.alibabacloud.com/help/en/oss/user-guide/logging."""

    name = "oss"
    title = "Alibaba Cloud OSS log"
    vendor = "oss"
    # What follows the user agent: host, request id, logging flag, requester, operation, bucket, key, size, server's time, code.
    _LINE = re.compile(
        rf"\S+ \S+ \S+ {_TIME} (?P<request>{_TEXT}) (?P<status>\d{{3}}|-) \S+ \S+ {_TEXT} {_TEXT} (?P<host>{_TEXT})"
        rf" {_TEXT} {_TEXT} {_TEXT} {_TEXT} {_TEXT} {_TEXT} \S+ \S+ (?P<code>{_TEXT}|\S+)"
    )

    def read(self, line: str) -> Record | None:
        """The request of a line."""
        found = self._LINE.match(line)
        if found is None:
            return None
        if found["status"] == "-":
            raise Skip("no status")
        method, target = _split(found["request"].strip('"'))
        if not method:
            raise Skip("no request line")
        code = found["code"].strip('"')
        operation = self._operation(method, target, found["host"].strip('"'))
        return Record(
            _time(found), method, operation, int(found["status"]), "" if code in ("-", "") else code
        )


class COS(Format):
    """Logs of Tencent Cloud COS: https://www.tencentcloud.com/document/product/436/16920."""

    name = "cos"
    title = "Tencent Cloud COS log"
    vendor = "cos"
    _WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

    def read(self, line: str) -> Record | None:
        """The request of a line."""
        fields = line.split(" ")
        if (
            len(fields) < 16
            or not self._WHEN.fullmatch(fields[3])
            or not re.fullmatch(r"\d+(\.\d+)?", fields[0])
        ):
            return None
        # A user agent may have blanks: the status is the first of three digits behind the method.
        method = fields[12].upper()
        at = next((each for each in range(14, len(fields)) if re.fullmatch(r"[1-5]\d\d", fields[each])), None)
        if at is None or at + 1 >= len(fields) or not method.isalpha():
            return None
        if "CDN" in fields[at + 1 :]:
            raise Skip("a CDN's request")
        when = datetime.strptime(fields[3], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        code = fields[at + 1]
        return Record(
            when.timestamp(),
            method,
            _COS_EVENTS.get(fields[5], fields[5]) if fields[5] != "-" else None,
            int(fields[at]),
            "" if code == "-" else code,
        )


_COS_EVENTS = {
    "InitiateMultipartUpload": "CreateMultipartUpload", "InitMultipartUpload": "CreateMultipartUpload",
    "GetBucket": "ListObjects", "DeleteMultipleObjects": "DeleteObjects", "DeleteMultipleObject": "DeleteObjects",
    "PutObjectCopy": "CopyObject", "UploadPartCopy": "UploadPartCopy", "GetService": "ListBuckets", "PutBucket": "CreateBucket",
}  # fmt: skip
"""Names of COS's own for operations that have S3's names here."""


class CloudFront(Format):
    """Standard logs: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html."""

    name = "cloudfront"
    title = "CloudFront standard log"
    vendor = "s3"

    def __init__(self, operation: Callable[[str, str, str], str | None]) -> None:
        super().__init__(operation)
        self._fields: list[str] = []

    def heed(self, line: str) -> bool:
        """Whether the line is a header; it says what the columns are."""
        if line.startswith("#Fields:"):
            self._fields = line.removeprefix("#Fields:").split()
        return line.startswith("#") or super().heed(line)

    def read(self, line: str) -> Record | None:
        """The request of a line."""
        values = dict(zip(self._fields, line.rstrip("\n").split("\t"), strict=False))
        try:
            when = datetime.strptime(f"{values['date']} {values['time']} +0000", "%Y-%m-%d %H:%M:%S %z")
            status, method, stem = int(values["sc-status"]), values["cs-method"], values["cs-uri-stem"]
        except (KeyError, ValueError):
            return None
        if not status:
            raise Skip("the client left before the answer")
        query = values.get("cs-uri-query", "-")
        target = stem if query == "-" else f"{stem}?{query}"
        # Behind it is one bucket, which its requests do not name.
        operation = self._operation(method, f"/bucket{target}", "")
        return Record(when.timestamp(), method, operation, status, "")


class Nginx(Format):
    """nginx's `combined`, also Apache's: http://nginx.org/en/docs/http/ngx_http_log_module.html."""

    name = "nginx"
    title = "nginx or Apache access log"
    _LINE = re.compile(rf"\S+ \S+ .*?{_TIME} (?P<request>{_TEXT}) (?P<status>\d{{3}}) \S+")

    def read(self, line: str) -> Record | None:
        """The request of a line."""
        found = self._LINE.match(line)
        if found is None:
            return None
        status = int(found["status"])
        if status == 499:
            raise Skip("the client left before the answer")
        method, target = _split(found["request"].strip('"'))
        if not method:
            raise Skip("no request line")
        return Record(_time(found), method, self._operation(method, target, ""), status, "")


FORMATS: dict[str, type[Format]] = {each.name: each for each in (CloudFront, S3, OSS, COS, Nginx)}
"""In the order in which they are tried: what all others are as well comes last."""


def _split(request: str) -> tuple[str, str]:
    """Method and target of a request line."""
    method, _, rest = request.partition(" ")
    target = rest.rpartition(" ")[0] if rest.rpartition(" ")[2].startswith("HTTP/") else rest
    return (method, target) if method.isalpha() and method.isupper() else ("", "")


def _time(found: re.Match[str]) -> float:
    zone = found["zone"]
    seconds = (int(zone[1:3]) * 3600 + int(zone[3:]) * 60) * (-1 if zone[0] == "-" else 1)
    moment = datetime(
        int(found["year"]),
        MONTHS.get(found["month"], 1),
        int(found["day"]),
        int(found["hour"]),
        int(found["minute"]),
        min(59, int(found["second"])),
        tzinfo=UTC,
    )
    return moment.timestamp() - seconds
