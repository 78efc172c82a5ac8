"""Of Google Cloud Storage's JSON API just what a conformance plan asks for: write an object, read one."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from hashlib import md5
from threading import Lock
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from faultinject.objectstore.bodies import drain
from faultinject.objectstore.documents import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ROUTES = Map(
    [
        Rule("/upload/storage/v1/b/<bucket>/o", methods=["POST"], endpoint="write"),
        Rule("/download/storage/v1/b/<bucket>/o/<path:name>", methods=["GET"], endpoint="read"),
        Rule("/storage/v1/b/<bucket>/o/<path:name>", methods=["GET"], endpoint="show"),
    ]
)
"""https://cloud.google.com/storage/docs/json_api/v1; an upload is `uploadType=multipart`, in one request."""


class GcsStore:
    """Objects in memory, as a WSGI application; a bucket is there as soon as it is named.

    Args:
        clock: unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}
        self._generations = 0
        self._lock = Lock()

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:  # noqa: ARG002
        """Put objects with that content into a bucket; `uploads` are of no service here."""
        for name in objects:
            self._put(bucket, name, content)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            endpoint, names = ROUTES.bind_to_environ(request.environ).match()
        except HTTPException as error:
            drain(request)
            return _refusal(error.code or 404, error.name)
        if endpoint == "write":
            return self._write(request, names["bucket"])
        with self._lock:
            found = self._objects.get((names["bucket"], names["name"]))
        if found is None:
            return _refusal(404, f"No such object: {names['bucket']}/{names['name']}")
        content, shown = found
        if endpoint == "show" and request.args.get("alt") != "media":
            return _json(200, shown)
        headers = {"ETag": shown["etag"], "x-goog-hash": f"md5={shown['md5Hash']}"}
        return Response(content, content_type="application/octet-stream", headers=headers)

    def _write(self, request: Request, bucket: str) -> Response:
        """Two parts: what the object is called, and its content."""
        head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
        message: Any = BytesParser().parsebytes(head + request.get_data())
        try:
            described, content = (part.get_payload(decode=True) for part in message.get_payload())
            name: str = request.args.get("name") or json.loads(described)["name"]
        except (AttributeError, ValueError, KeyError, TypeError):
            return _refusal(400, "This is no multipart upload.")
        return _json(200, self._put(bucket, name, content))

    def _put(self, bucket: str, name: str, content: bytes) -> dict[str, str]:
        with self._lock:
            self._generations += 1
            digest = b64encode(md5(content, usedforsecurity=False).digest()).decode()
            shown = {
                "kind": "storage#object",
                "bucket": bucket,
                "name": name,
                "size": str(len(content)),
                "md5Hash": digest,
                "etag": digest,
                "generation": str(self._generations),
                "metageneration": "1",
                "updated": iso(self._clock()),
            }
            self._objects[bucket, name] = content, shown
        return shown


def _refusal(status: int, message: str) -> Response:
    return _json(status, {"error": {"code": status, "message": message, "errors": []}})


def _json(status: int, document: object) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json; charset=UTF-8")
