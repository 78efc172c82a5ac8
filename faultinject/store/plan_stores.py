"""Small stores of B2, Kodo and Swift, which are for conformance plans alone."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import md5, sha1
from secrets import token_hex, token_urlsafe
from urllib.parse import quote, unquote
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.wrappers import Request, Response

from faultinject.store.bodies import drain

API = "/b2api/"
AT_END = "hex_digits_at_end"
"""What stands for the SHA-1 of a body that has its 40 digits behind it."""
UPLOADED = 1_760_000_000_000
"""When every file was uploaded, milliseconds of the Unix clock."""


class PlanStore(ABC):
    """Keeps objects in memory, as a WSGI application; what they lie in is there as soon as it is named."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """Make objects with that content; there are no uploads that could be begun."""
        del uploads
        self.objects.update((f"{bucket}/{key}", content) for key in objects)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with Request(environ) as request:
            return self.answer(request)(environ, start_response)

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """The answer to one request."""


class B2Store(PlanStore):
    """Keeps files in memory, as a WSGI application; a bucket is there as soon as it is named, and its id is its name.

    The API: https://www.backblaze.com/apidocs. What stands before `/b2api/` in a path is of no account, and comes back in
    the address of an upload.
    """

    def answer(self, request: Request) -> Response:
        """An address to upload to, an upload, or a file."""
        body = request.get_data()
        before, _, asked = request.path.partition(API)
        _, _, call = asked.partition("/")
        operation, _, rest = call.partition("/")
        if request.method == "POST" and operation == "b2_get_upload_url":
            bucket = json.loads(body)["bucketId"]
            url = f"{request.host_url.rstrip('/')}{before}{API}v4/b2_upload_file/{bucket}/{token_hex(8)}"
            return _json(200, {"bucketId": bucket, "uploadUrl": url, "authorizationToken": "token"})
        if request.method == "POST" and operation == "b2_upload_file":
            return self._uploaded(request, rest.partition("/")[0], body)
        found = self.objects.get(request.path.removeprefix("/file/"))
        if found is None:
            return _json(
                404, {"code": "not_found", "message": "File with such name does not exist.", "status": 404}
            )
        about = {
            "X-Bz-File-Id": "4_z0",
            "X-Bz-File-Name": quote(request.path.removeprefix("/file/").partition("/")[2]),
            "X-Bz-Content-Sha1": _sha1(found),
            "X-Bz-Upload-Timestamp": str(UPLOADED),
        }
        return Response(found, content_type="application/octet-stream", headers=about)

    def _uploaded(self, request: Request, bucket: str, body: bytes) -> Response:
        content = body[:-40] if request.headers["X-Bz-Content-Sha1"] == AT_END else body
        name = unquote(request.headers["X-Bz-File-Name"])
        self.objects[f"{bucket}/{name}"] = content
        document = {
            "accountId": "account",
            "action": "upload",
            "bucketId": bucket,
            "contentLength": len(content),
            "contentSha1": _sha1(content),
            "contentType": request.content_type,
            "fileId": "4_z0",
            "fileInfo": {},
            "fileName": name,
            "fileRetention": {"isClientAuthorizedToRead": True, "value": {"mode": None, "period": None}},
            "legalHold": {"isClientAuthorizedToRead": True, "value": None},
            "uploadTimestamp": UPLOADED,
        }
        return _json(200, document)


def _sha1(content: bytes) -> str:
    return sha1(content, usedforsecurity=False).hexdigest()


def _json(status: int, document: object) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json;charset=utf-8")


class KodoStore(PlanStore):
    """Takes uploads and keeps nothing, as a WSGI application.

    The form: https://developer.qiniu.com/kodo/1272/form-upload. It has the key in it, so the path is of no account
    to the service, and may tell a request from others.
    """

    def answer(self, request: Request) -> Response:
        """What a form was taken as."""
        if request.method != "POST":
            drain(request)
            return self._json(405, {"error": "method not allowed"})
        file, key = request.files.get("file"), request.form.get("key")
        if file is None or key is None:
            return self._json(400, {"error": "file or key is not specified in the form"})
        digest = sha1(file.read(), usedforsecurity=False).digest()
        # The hash's form: https://developer.qiniu.com/kodo/1231/appendix#qiniu-etag
        return self._json(200, {"hash": urlsafe_b64encode(b"\x16" + digest).decode(), "key": key})

    @staticmethod
    def _json(status: int, document: object) -> Response:
        headers = {"X-Reqid": token_urlsafe(12)}
        return Response(json.dumps(document), status=status, content_type="application/json", headers=headers)


class SwiftStore(PlanStore):
    """Keeps objects in memory, as a WSGI application; containers and accounts are there as soon as they are named.

    The API: https://docs.openstack.org/api-ref/object-store/. A path is `/v1/ACCOUNT/CONTAINER/OBJECT`.
    """

    def answer(self, request: Request) -> Response:
        """An object, or that it was written."""
        answer = self._answer(request, request.path.split("/", 3)[-1], request.get_data())
        answer.headers["X-Trans-Id"] = answer.headers["X-Openstack-Request-Id"] = f"tx{token_hex(16)}"
        return answer

    def _answer(self, request: Request, name: str, body: bytes) -> Response:
        if request.method == "PUT":
            self.objects[name] = body
            return _about(body, Response(status=201))
        if request.method not in {"GET", "HEAD"}:
            return Response(status=405)
        found = self.objects.get(name)
        if found is None:
            return Response(status=404)
        return _about(found, Response(found, content_type="application/octet-stream"))


def _about(content: bytes, answer: Response) -> Response:
    answer.headers["Etag"] = md5(content, usedforsecurity=False).hexdigest()
    return answer
