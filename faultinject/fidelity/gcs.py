"""What a client of Google Cloud Storage's JSON API can get wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import quote

from faultinject.exceptions import ConfigurationError
from faultinject.fidelity.exchange import AGENT, Answer, Exchange, NoAnswer, Pairs, send
from faultinject.fidelity.probes import Probe, Session, accepted, made
from faultinject.fidelity.signing import query_text

TOKEN = "CLOUDSDK_AUTH_ACCESS_TOKEN"  # noqa: S105 - the name of gcloud's own variable
CONTENT = b"faultinject"
JSON = ("Content-Type", "application/json")
OTHER = "00000000-0000-0000-0000-000000000000"


class GcsSession(Session):
    """Requests to one JSON API; an emulator takes them without a token."""

    token: str
    project: str
    _buckets: list[str]
    _objects: list[str]

    def prepare(self) -> None:
        """Make the bucket, with an object in it."""
        self._buckets, self._objects = [], []
        self.token = self.environ.get(TOKEN) or ""
        self.project = self.environ.get("GOOGLE_CLOUD_PROJECT") or "faultinject"
        if self.token and not self.endpoint.is_private:
            raise ConfigurationError(f"{TOKEN} would go over the network unencrypted; use an https endpoint")
        made(lambda: self.make(self.bucket), self._buckets, self.bucket, "making a bucket")
        accepted(self.put("cat", CONTENT), "putting an object")

    @property
    def secrets(self) -> Sequence[str]:
        """The token."""
        return [self.token] if self.token else []

    def ask(
        self,
        method: str,
        path: str,
        query: Pairs = (),
        headers: Pairs = (),
        body: bytes = b"",
        *,
        length: bool = True,
        upload: bool = False,
        final: bool = False,
    ) -> Exchange:
        """Send one request.

        Args:
            method: the method.
            path: behind `/storage/v1`, encoded.
            query: parameters.
            headers: further ones.
            body: its bytes.
            length: whether it announces the length of its body.
            upload: whether it is for the path of uploads.
            final: whether it cleans up, for which there is time after the deadline.
        """
        path = f"{self.endpoint.path}{'/upload' if upload else ''}/storage/v1{path}"
        every = [("Host", self.endpoint.authority), ("User-Agent", AGENT), *headers]
        if self.token:
            every.append(("Authorization", f"Bearer {self.token}"))
        if length and (body or method in ("PUT", "POST", "PATCH")):
            every.append(("Content-Length", str(len(body))))
        text = query_text(query)
        target = f"{path}?{text}" if text else path
        timeout = self.left(final=final)
        return send(self.endpoint, method, target, every, body, timeout=timeout)

    def make(self, name: str) -> Exchange:
        """Make a bucket."""
        return self.ask(
            "POST", "/b", [("project", self.project)], [JSON], json.dumps({"name": name}).encode()
        )

    def of(self, name: str, bucket: str | None = None) -> str:
        """The path of an object."""
        return f"/b/{bucket or self.bucket}/o/{quote(name, safe='')}"

    def put(
        self, name: str, body: bytes, query: Pairs = (), *, bucket: str | None = None, length: bool = True
    ) -> Exchange:
        """Put an object in one request, which is removed in the end."""
        self._objects.append(name)
        path = f"/b/{bucket or self.bucket}/o"
        asked = [("uploadType", "media"), ("name", name), *query]
        headers = [("Content-Type", "text/plain")]
        return self.ask("POST", path, asked, headers, body, upload=True, length=length)

    def also_made(self, name: str, exchange: Exchange) -> Exchange:
        """Remember a bucket that should not have been made, so that it is removed."""
        if exchange.answer.good:
            self._buckets.append(name)
        return exchange

    def remove(self) -> None:
        """Delete the objects and then the buckets."""
        for bucket in reversed(self._buckets):
            if not self.emptied(partial(self._delete, bucket)):
                self.left_behind.append(f"bucket {bucket}")

    def _delete(self, bucket: str) -> Answer | None:
        for name in dict.fromkeys(self._objects if bucket == self.bucket else ()):
            self._final(self.of(name))
        return self._final(f"/b/{quote(bucket, safe='')}")

    def _final(self, path: str) -> Answer | None:
        with suppress(NoAnswer):
            return self.ask("DELETE", path, final=True).answer
        return None


def _bad_name(session: GcsSession) -> Exchange:
    name = f"{session.bucket}-Upper"
    return session.also_made(name, session.make(name))


def _generation(session: GcsSession) -> str:
    found = accepted(session.ask("GET", session.of("cat")), "getting an object's metadata").answer.body
    with suppress(ValueError, AttributeError, RecursionError):
        return str(json.loads(found).get("generation", "1"))
    return "1"


def _multipart(
    session: GcsSession, metadata: str, content_type: str = "multipart/related; boundary=b"
) -> Exchange:
    session._objects.append("parts")  # noqa: SLF001 - of this module
    text = (
        f"--b\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
    )
    body = text.encode() + CONTENT + b"\r\n--b--\r\n"
    path = f"/b/{session.bucket}/o"
    return session.ask(
        "POST", path, [("uploadType", "multipart")], [("Content-Type", content_type)], body, upload=True
    )


PROBES: Sequence[Probe[GcsSession]] = (
    Probe("notFound: object", "metadata of an object that is not there", ("notFound",), lambda s: s.ask("GET", s.of("none"))),
    Probe(
        "notFound: DELETE", "DELETE of an object that is not there", ("notFound",), lambda s: s.ask("DELETE", s.of("none"))
    ),
    Probe(
        "notFound: media",
        "content of an object that is not there",
        ("notFound",),
        lambda s: s.ask("GET", s.of("none"), [("alt", "media")]),
    ),
    Probe(
        "notFound: bucket",
        "metadata of a bucket that is not there",
        ("notFound",),
        lambda s: s.ask("GET", f"/b/{s.bucket}-missing"),
    ),
    Probe(
        "notFound: list",
        "a listing of a bucket that is not there",
        ("notFound",),
        lambda s: s.ask("GET", f"/b/{s.bucket}-missing/o"),
    ),
    Probe(
        "notFound: upload",
        "an upload into a bucket that is not there",
        ("notFound",),
        lambda s: s.put("cat", CONTENT, bucket=f"{s.bucket}-missing"),
    ),
    Probe("conflict: bucket", "our own bucket once more", ("conflict",), lambda s: s.make(s.bucket)),
    Probe(
        "conflict: not empty",
        "DELETE of a bucket with an object",
        ("conflict",),
        lambda s: s.ask("DELETE", f"/b/{s.bucket}"),
    ),
    Probe("invalid: bucket", "a bucket with a capital in its name", ("invalid",), _bad_name),
    Probe(
        "required",
        "a bucket without a name",
        ("required",),
        lambda s: s.ask("POST", "/b", [("project", s.project)], [JSON], b"{}"),
    ),
    Probe(
        "parseError",
        "a bucket from a document that ends early",
        ("parseError",),
        lambda s: s.ask("POST", "/b", [("project", s.project)], [JSON], b'{"name": '),
    ),
    Probe(
        "conditionNotMet: generation",
        "metadata if the generation is another",
        ("conditionNotMet",),
        lambda s: s.ask("GET", s.of("cat"), [("ifGenerationMatch", "1")]),
    ),
    Probe(
        "conditionNotMet: upload",
        "an upload only if there is no such object",
        ("conditionNotMet",),
        lambda s: s.put("cat", CONTENT, [("ifGenerationMatch", "0")]),
    ),
    Probe(
        "notModified",
        "metadata unless the generation is this one",
        ("notModified",),
        lambda s: s.ask("GET", s.of("cat"), [("ifGenerationNotMatch", _generation(s))]),
    ),
    Probe(
        "requestedRangeNotSatisfiable",
        "content behind the end",
        ("requestedRangeNotSatisfiable",),
        lambda s: s.ask("GET", s.of("cat"), [("alt", "media")], [("Range", "bytes=1000000-")]),
    ),
    Probe(
        "invalidParameter",
        "a listing with maxResults=many",
        ("invalidParameter", "invalid"),
        lambda s: s.ask("GET", f"/b/{s.bucket}/o", [("maxResults", "many")]),
    ),
    Probe(
        "invalid: md5Hash",
        "an upload with the md5Hash of other bytes",
        ("invalid",),
        lambda s: _multipart(s, json.dumps({"name": "parts", "md5Hash": "1B2M2Y8AsgTpgAmY7PhCfg=="})),
    ),
    Probe(
        "parseError: upload",
        "an upload whose metadata ends early",
        ("parseError",),
        lambda s: _multipart(s, '{"name": '),
    ),
    Probe(
        "badRequest: boundary",
        "an upload in parts that names no boundary",
        ("badRequest", "invalid"),
        lambda s: _multipart(s, '{"name": "parts"}', "multipart/related"),
    ),
    Probe(
        "LengthRequired",
        "an upload that announces no length",
        ("LengthRequired",),
        lambda s: s.put("length", b"", length=False),
    ),
    Probe(
        "methodNotAllowed",
        "PUT of the list of buckets",
        ("methodNotAllowed", "notFound"),
        lambda s: s.ask("PUT", "/b", [("project", s.project)], [JSON], b"{}"),
    ),
    Probe(
        "notFound: session",
        "bytes of a resumable upload that is not there",
        ("notFound",),
        lambda s: s.ask(
            "PUT",
            f"/b/{s.bucket}/o",
            [("uploadType", "resumable"), ("upload_id", OTHER)],
            body=CONTENT,
            upload=True,
        ),
    ),
)  # fmt: skip
