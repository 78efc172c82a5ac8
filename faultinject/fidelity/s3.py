"""What a client of S3, or of a service that speaks S3, can get wrong."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import md5, sha256
from html import unescape
from urllib.parse import quote

from faultinject.fidelity.exchange import AGENT, Answer, Exchange, NoAnswer, Pairs, send
from faultinject.fidelity.probes import CONFLICT, NotPossible, Probe, Session, accepted, made
from faultinject.fidelity.signing import Keys, aws_headers, query_text

SPEAKS_S3 = ("s3", "minio", "rgw", "r2", "kodo-s3", "jdcloud", "gcs-xml", "obs", "cos", "oss")
"""Vendors whose services take S3's requests, documents and signatures."""
USUAL_REGION = "us-east-1"
SMALLEST_PART = 5 << 20
"""Bytes of every part but the last, at least."""
LONG_AGO = "Mon, 01 Jan 2001 00:00:00 GMT"
_UPLOAD = re.compile(rb"<UploadId>([^<]{1,2048})</UploadId>")
_OPEN_UPLOAD = re.compile(
    rb"<Upload>\s*<Key>([^<]{1,4096})</Key>\s*<UploadId>([^<]{1,2048})</UploadId>", re.IGNORECASE
)
CONTENT = b"faultinject"
LONG_KEY = ("k" * 99 + "/") * 10 + "k" * 25
"""One byte more than S3 allows; in parts, for a store in a file system."""


def of_md5(data: bytes) -> str:
    """The Content-MD5 of a body."""
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()


class S3Session(Session):
    """Requests to one S3 service, by path, signed with the keys of AWS's own variables."""

    keys: Keys
    region: str
    _buckets: list[str]
    _keys: list[str]
    _uploads: list[tuple[str, str]]

    def prepare(self) -> None:
        """Make the bucket, with an object in it."""
        found = self.environ
        self.keys = Keys(
            found.get("AWS_ACCESS_KEY_ID") or "test",
            found.get("AWS_SECRET_ACCESS_KEY") or "test",
            found.get("AWS_SESSION_TOKEN") or "",
        )
        self.region = found.get("AWS_REGION") or found.get("AWS_DEFAULT_REGION") or USUAL_REGION
        self._buckets, self._keys, self._uploads = [], [], []
        made(lambda: self.make(self.bucket), self._buckets, self.bucket, "making a bucket")
        accepted(self.put("cat", CONTENT), "putting an object")

    @property
    def secrets(self) -> Sequence[str]:
        """The key and the token."""
        return [each for each in (self.keys.secret, self.keys.token) if len(each) > 4]

    def ask(
        self,
        method: str,
        key: str | None = None,
        query: Pairs = (),
        headers: Pairs = (),
        body: bytes = b"",
        *,
        bucket: str | None = None,
        keys: Keys | None = None,
        signed: bool = True,
        region: str | None = None,
        early: float = 0,
        digest: str | None = None,
        length: bool = True,
        raw: str | None = None,
        final: bool = False,
    ) -> Exchange:
        """Send one request.

        Args:
            method: the method.
            key: of an object; None: the bucket itself.
            query: parameters.
            headers: further ones.
            body: its bytes.
            bucket: another one than ours.
            keys: others than ours.
            signed: whether it is signed at all.
            region: another one in the signature's scope.
            early: seconds by which its clock is slow.
            digest: what it says that its body's SHA-256 is.
            length: whether it announces the length of its body.
            raw: the path, in place of bucket and key.
            final: whether it cleans up, for which there is time after the deadline.
        """
        path = raw or f"/{quote(bucket or self.bucket, safe='-_.~')}"
        if key is not None:
            path = f"{path}/{quote(key, safe='/-_.~')}"
        path = f"{self.endpoint.path}{path}"
        text = query_text(query)
        every = [
            ("Host", self.endpoint.authority),
            ("User-Agent", AGENT),
            ("x-amz-content-sha256", digest or sha256(body).hexdigest()),
            *headers,
        ]
        if length and (body or method in ("PUT", "POST")):
            every.append(("Content-Length", str(len(body))))
        if signed:
            moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - early))
            every = aws_headers(
                method,
                path,
                text,
                every,
                keys=keys or self.keys,
                region=region or self.region,
                moment=moment,
            )
        target = f"{path}?{text}" if text else path
        timeout = self.left(final=final)
        return send(self.endpoint, method, target, every, body, timeout=timeout)

    def make(self, name: str, *, region: str | None = None) -> Exchange:
        """Make a bucket in the region."""
        place = region or self.region
        body = b"" if place == USUAL_REGION else _location(place)
        return self.ask("PUT", bucket=name, body=body)

    def put(self, key: str, body: bytes, headers: Pairs = (), **options: object) -> Exchange:
        """Put an object, which is removed in the end."""
        self._keys.append(key)
        return self.ask("PUT", key, headers=headers, body=body, **options)  # type: ignore[arg-type]

    def begin(self, key: str) -> str:
        """The id of a new upload, which is aborted in the end."""
        begun = accepted(self.ask("POST", key, [("uploads", "")]), "beginning an upload")
        found = _UPLOAD.search(begun.answer.body)
        if found is None:
            raise NotPossible("beginning an upload was answered without an UploadId")
        upload = found[1].decode("latin-1")
        self._uploads.append((key, upload))
        self._keys.append(key)
        return upload

    def part(self, key: str, upload: str, number: int, body: bytes) -> str:
        """Upload a part: its entity tag."""
        done = accepted(
            self.ask("PUT", key, [("partNumber", str(number)), ("uploadId", upload)], body=body),
            "uploading a part",
        )
        return done.answer.header("ETag") or ""

    def complete(self, key: str, upload: str, parts: Sequence[tuple[int, str]]) -> Exchange:
        """Finish an upload with these parts."""
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_xml(tag)}</ETag></Part>" for number, tag in parts
        )
        body = f'<CompleteMultipartUpload xmlns="{NAMESPACE}">{listed}</CompleteMultipartUpload>'.encode()
        return self.ask("POST", key, [("uploadId", upload)], body=body)

    def also_made(self, name: str, exchange: Exchange) -> Exchange:
        """Remember a bucket that should not have been made, so that it is removed."""
        if exchange.answer.good:
            self._buckets.append(name)
        return exchange

    def remove(self) -> None:
        """Abort the uploads, delete the objects and then the buckets."""
        for key, upload in self._uploads:
            self._final("DELETE", self.bucket, key, [("uploadId", upload)])
        for bucket in reversed(self._buckets):
            if not self.emptied(partial(self._delete, bucket)):
                self.left_behind.append(f"bucket {bucket}")

    def _delete(self, bucket: str) -> Answer | None:
        for key in dict.fromkeys(self._keys if bucket == self.bucket else ()):
            self._final("DELETE", bucket, key)
        done = self._final("DELETE", bucket)
        if done is not None and done.status == CONFLICT:
            self._abort_unknown(bucket)
        return done

    def _abort_unknown(self, bucket: str) -> None:
        """Abort the uploads whose beginning was cut off by a time limit, so that nobody has told their ids."""
        listed = self._final("GET", bucket, query=[("uploads", "")])
        for upload in _OPEN_UPLOAD.finditer(b"" if listed is None else listed.body):
            key, identity = (unescape(each.decode("utf-8", "replace")) for each in upload.groups())
            self._final("DELETE", bucket, key, [("uploadId", identity)])

    def _final(self, method: str, bucket: str, key: str | None = None, query: Pairs = ()) -> Answer | None:
        with suppress(NoAnswer):
            return self.ask(method, key, query, bucket=bucket, final=True).answer
        return None


NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def _location(region: str) -> bytes:
    text = f"<LocationConstraint>{_xml(region)}</LocationConstraint>"
    return f'<CreateBucketConfiguration xmlns="{NAMESPACE}">{text}</CreateBucketConfiguration>'.encode()


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _first_tag(session: S3Session) -> str:
    return session.ask("HEAD", "cat").answer.header("ETag") or '"none"'


def _again(session: S3Session) -> Exchange:
    return session.make(session.bucket)


def _bad_name(session: S3Session) -> Exchange:
    # What is wrong stands first: s3rver 3.7.1 tries all ways to read a long name that is wrong at its end, for hours.
    name = f"Upper_{session.bucket}"
    return session.also_made(name, session.make(name))


def _bad_place(session: S3Session) -> Exchange:
    name = f"{session.bucket}-place"
    return session.also_made(name, session.make(name, region="nowhere-9"))


def _missing_bucket(session: S3Session) -> Exchange:
    name = f"{session.bucket}-missing"
    sent = session.ask("PUT", "cat", body=CONTENT, bucket=name)
    return session.also_made(name, sent)


def _no_part(session: S3Session) -> Exchange:
    upload = session.begin("parts-1")
    session.part("parts-1", upload, 1, CONTENT)
    return session.complete("parts-1", upload, [(1, '"00000000000000000000000000000000"')])


def _wrong_order(session: S3Session) -> Exchange:
    upload = session.begin("parts-2")
    first = session.part("parts-2", upload, 1, CONTENT)
    second = session.part("parts-2", upload, 2, bytes(SMALLEST_PART))
    return session.complete("parts-2", upload, [(2, second), (1, first)])


def _too_small(session: S3Session) -> Exchange:
    upload = session.begin("parts-3")
    tags = [session.part("parts-3", upload, number, CONTENT) for number in (1, 2)]
    return session.complete("parts-3", upload, [*enumerate(tags, 1)])


def _part_number(session: S3Session) -> Exchange:
    upload = session.begin("parts-4")
    return session.ask("PUT", "parts-4", [("partNumber", "10001"), ("uploadId", upload)], body=CONTENT)


def _malformed_parts(session: S3Session) -> Exchange:
    upload = session.begin("parts-5")
    return session.ask("POST", "parts-5", [("uploadId", upload)], body=b"<CompleteMultipartUpload><Part>")


NO_UPLOAD = "0123456789abcdef0123456789abcdef"


def _copy(session: S3Session, key: str, headers: Pairs = ()) -> Exchange:
    source = f"/{session.bucket}/{key}"
    return session.put("copy", b"", [("x-amz-copy-source", source), *headers])


def _configuration(name: str, label: str) -> Probe[S3Session]:
    return Probe(
        label,
        f"GET of the bucket's {name}, which was never set",
        (label,),
        lambda session: session.ask("GET", query=[(name, "")]),
    )


PROBES: Sequence[Probe[S3Session]] = (
    Probe("NoSuchKey: GET", "GET of a key that is not there", ("NoSuchKey",), lambda s: s.ask("GET", "none")),
    Probe(
        "NoSuchKey: HEAD", "HEAD of a key that is not there", ("NoSuchKey",), lambda s: s.ask("HEAD", "none")
    ),
    Probe(
        "NoSuchKey: copy", "a copy of a key that is not there", ("NoSuchKey",), lambda s: _copy(s, "none")
    ),
    Probe(
        "NoSuchBucket: list",
        "a listing of a bucket that is not there",
        ("NoSuchBucket",),
        lambda s: s.ask("GET", query=[("list-type", "2")], bucket=f"{s.bucket}-missing"),
    ),
    Probe(
        "NoSuchBucket: PUT", "PUT of an object into a bucket that is not there", ("NoSuchBucket",), _missing_bucket
    ),
    Probe(
        "NoSuchBucket: DELETE",
        "DELETE of a bucket that is not there",
        ("NoSuchBucket",),
        lambda s: s.ask("DELETE", bucket=f"{s.bucket}-missing"),
    ),
    Probe(
        "BucketAlreadyOwnedByYou",
        "PUT of our own bucket once more",
        ("BucketAlreadyOwnedByYou", "BucketAlreadyExists", "BucketConflict"),
        _again,
        also=lambda s: (200,) if s.region == USUAL_REGION else (),
    ),
    Probe("InvalidBucketName", "PUT of a bucket with `_` and a capital", ("InvalidBucketName",), _bad_name),
    Probe(
        "InvalidLocationConstraint",
        "PUT of a bucket in a region that is none",
        ("InvalidLocationConstraint",),
        _bad_place,
    ),
    Probe(
        "InvalidRange",
        "GET of bytes behind the end",
        ("InvalidRange",),
        lambda s: s.ask("GET", "cat", headers=[("Range", "bytes=1000000-")]),
    ),
    Probe(
        "InvalidPartNumber",
        "GET of part 99 of an object in one piece",
        ("InvalidPartNumber",),
        lambda s: s.ask("GET", "cat", [("partNumber", "99")]),
    ),
    Probe(
        "InvalidArgument: max-keys",
        "a listing with max-keys=many",
        ("InvalidArgument", "InvalidArgument/9"),
        lambda s: s.ask("GET", query=[("list-type", "2"), ("max-keys", "many")]),
    ),
    Probe("InvalidArgument: part", "upload of part 10001", ("InvalidArgument", "InvalidArgument/7", "InvalidPartNumber"), _part_number),
    Probe(
        "InvalidArgument: version",
        "GET of a version that is none",
        ("InvalidArgument", "NoSuchVersion"),
        lambda s: s.ask("GET", "cat", [("versionId", "none")]),
    ),
    Probe("InvalidPart", "an upload completed with another entity tag", ("InvalidPart",), _no_part),
    Probe("InvalidPartOrder", "an upload completed with part 2 before part 1", ("InvalidPartOrder",), _wrong_order),
    Probe("EntityTooSmall", "an upload completed with a small first part", ("EntityTooSmall",), _too_small),
    Probe(
        "NoSuchUpload: part",
        "a part of an upload that is not there",
        ("NoSuchUpload",),
        lambda s: s.ask("PUT", "cat", [("partNumber", "1"), ("uploadId", NO_UPLOAD)], body=CONTENT),
    ),
    Probe(
        "NoSuchUpload: complete",
        "completion of an upload that is not there",
        ("NoSuchUpload",),
        lambda s: s.complete("cat", NO_UPLOAD, [(1, '"00000000000000000000000000000000"')]),
    ),
    Probe(
        "NoSuchUpload: abort",
        "an abort of an upload that is not there",
        ("NoSuchUpload",),
        lambda s: s.ask("DELETE", "cat", [("uploadId", NO_UPLOAD)]),
    ),
    Probe(
        "PreconditionFailed: If-Match",
        "GET with If-Match of another entity tag",
        ("PreconditionFailed",),
        lambda s: s.ask("GET", "cat", headers=[("If-Match", '"00000000000000000000000000000000"')]),
    ),
    Probe(
        "PreconditionFailed: If-Unmodified-Since",
        "GET with If-Unmodified-Since of long ago",
        ("PreconditionFailed",),
        lambda s: s.ask("GET", "cat", headers=[("If-Unmodified-Since", LONG_AGO)]),
    ),
    Probe(
        "PreconditionFailed: PUT",
        "PUT with If-None-Match: * over an object",
        ("PreconditionFailed",),
        lambda s: s.put("cat", CONTENT, [("If-None-Match", "*")]),
    ),
    Probe(
        "PreconditionFailed: copy",
        "a copy with x-amz-copy-source-if-match of another entity tag",
        ("PreconditionFailed",),
        lambda s: _copy(s, "cat", [("x-amz-copy-source-if-match", '"00000000000000000000000000000000"')]),
    ),
    Probe(
        "NotModified: If-None-Match",
        "GET with If-None-Match of the object's entity tag",
        (),
        lambda s: s.ask("GET", "cat", headers=[("If-None-Match", _first_tag(s))]),
        status=304,
    ),
    Probe(
        "MethodNotAllowed", "POST of an object without a form", ("MethodNotAllowed",), lambda s: s.ask("POST", "cat", body=CONTENT)
    ),
    Probe(
        "KeyTooLong",
        "PUT of a key of 1,025 bytes",
        ("KeyTooLongError", "KeyTooLong"),
        lambda s: s.put(LONG_KEY, CONTENT),
    ),
    Probe("InvalidURI", "GET of a path with %zz", ("InvalidURI",), lambda s: s.ask("GET", raw=f"/{s.bucket}/%zz")),
    Probe(
        "MetadataTooLarge",
        "PUT with 3,000 bytes of metadata",
        ("MetadataTooLarge",),
        lambda s: s.put("large", CONTENT, [("x-amz-meta-a", "a" * 3000)]),
    ),
    Probe(
        "InvalidStorageClass",
        "PUT with a storage class that is none",
        ("InvalidStorageClass",),
        lambda s: s.put("class", CONTENT, [("x-amz-storage-class", "NONE_SUCH")]),
    ),
    Probe(
        "InvalidEncryptionAlgorithmError",
        "PUT with an encryption that is none",
        ("InvalidEncryptionAlgorithmError",),
        lambda s: s.put("secret", CONTENT, [("x-amz-server-side-encryption", "ROT13")]),
    ),
    Probe(
        "MalformedXML: delete",
        "DeleteObjects with a document that ends early",
        ("MalformedXML",),
        lambda s: _delete(s, b"<Delete><Object>"),
    ),
    Probe("MalformedXML: complete", "completion with a document that ends early", ("MalformedXML",), _malformed_parts),
    Probe(
        "MissingRequestBodyError",
        "DeleteObjects without a document",
        ("MissingRequestBodyError", "MalformedXML"),
        lambda s: _delete(s, b""),
    ),
    Probe(
        "BadDigest",
        "PUT with the Content-MD5 of other bytes",
        ("BadDigest",),
        lambda s: s.put("digest", CONTENT, [("Content-MD5", of_md5(b"other"))]),
    ),
    Probe(
        "InvalidDigest",
        "PUT with a Content-MD5 that is none",
        ("InvalidDigest",),
        lambda s: s.put("digest", CONTENT, [("Content-MD5", "none")]),
    ),
    Probe(
        "XAmzContentSHA256Mismatch",
        "PUT with the x-amz-content-sha256 of other bytes",
        ("XAmzContentSHA256Mismatch",),
        lambda s: s.put("digest", CONTENT, digest=sha256(b"other").hexdigest()),
    ),
    Probe(
        "MissingContentLength",
        "PUT that announces no length",
        ("MissingContentLength",),
        lambda s: s.put("length", b"", length=False),
    ),
    Probe(
        "SignatureDoesNotMatch",
        "GET signed with another key",
        ("SignatureDoesNotMatch",),
        lambda s: s.ask("GET", "cat", keys=replace(s.keys, secret="wrong")),  # noqa: S106 - one that is none
    ),
    Probe(
        "InvalidAccessKeyId",
        "GET signed by a key id that nobody has",
        ("InvalidAccessKeyId",),
        lambda s: s.ask("GET", "cat", keys=Keys("AKIAFAULTINJECTNONE0", "wrong")),
    ),
    Probe(
        "AccessDenied", "GET without a signature", ("AccessDenied",), lambda s: s.ask("GET", "cat", signed=False)
    ),
    Probe(
        "RequestTimeTooSkewed",
        "GET signed an hour ago",
        ("RequestTimeTooSkewed",),
        lambda s: s.ask("GET", "cat", early=3600),
    ),
    Probe(
        "AuthorizationHeaderMalformed",
        "GET signed for a region that is none",
        ("AuthorizationHeaderMalformed",),
        lambda s: s.ask("GET", "cat", region="nowhere-9"),
    ),
    _configuration("policy", "NoSuchBucketPolicy"),
    _configuration("lifecycle", "NoSuchLifecycleConfiguration"),
    _configuration("tagging", "NoSuchTagSet"),
    _configuration("cors", "NoSuchCORSConfiguration"),
    _configuration("website", "NoSuchWebsiteConfiguration"),
    _configuration("replication", "ReplicationConfigurationNotFoundError"),
    _configuration("object-lock", "ObjectLockConfigurationNotFoundError"),
    Probe(
        "BucketNotEmpty", "DELETE of a bucket with an object", ("BucketNotEmpty",), lambda s: s.ask("DELETE")
    ),
)  # fmt: skip


def _delete(session: S3Session, body: bytes) -> Exchange:
    return session.ask("POST", query=[("delete", "")], headers=[("Content-MD5", of_md5(body))], body=body)
