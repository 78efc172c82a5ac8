"""Small stores of B2, Kodo and Swift, for conformance plans only."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import md5, sha1
from secrets import token_hex, token_urlsafe
from types import MappingProxyType
from typing import IO, cast
from urllib.parse import quote, unquote

from werkzeug.formparser import FormDataParser

from faultinject.store.app import StoreApp
from faultinject.store.bodies import drain
from faultinject.store.messages import StoreAnswer, StoreRequest, status_line

API = "/b2api/"
AT_END = "hex_digits_at_end"
"""The value of a header that announces the body's SHA-1 in 40 hex digits after the body."""
UPLOADED = 1_760_000_000_000
"""The time that every upload gets, in milliseconds since 1970."""


class PlanStore(StoreApp):
    """Keeps objects in memory, as a WSGI application.

    Every container exists.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """Make objects with this content; these services have no uploads to begin."""
        del uploads
        self.objects.update((f"{bucket}/{key}", content) for key in objects)


class B2Store(PlanStore):
    """Keeps files in memory, as a WSGI application.

    Every bucket exists, and its id is its name. The API: https://www.backblaze.com/apidocs. The part of a path before
    `/b2api/` has no meaning, and comes back in the address of an upload.
    """

    def answer(self, request: StoreRequest) -> StoreAnswer:
        """Answer with an address for an upload, with an upload, or with a file."""
        body = request.body.read()
        before, _, api_path = request.path.partition(API)
        _, _, call = api_path.partition("/")
        operation, _, rest = call.partition("/")
        if request.method == "POST" and operation == "b2_get_upload_url":
            bucket = json.loads(body)["bucketId"]
            url = f"{request.host_url.rstrip('/')}{before}{API}v4/b2_upload_file/{bucket}/{token_hex(8)}"
            return _json(200, {"bucketId": bucket, "uploadUrl": url, "authorizationToken": "token"})
        if request.method == "POST" and operation == "b2_upload_file":
            return self._store_upload(request, rest.partition("/")[0], body)
        content = self.objects.get(request.path.removeprefix("/file/"))
        if content is None:
            return _json(
                404, {"code": "not_found", "message": "File with such name does not exist.", "status": 404}
            )
        about = {
            "X-Bz-File-Id": "4_z0",
            "X-Bz-File-Name": quote(request.path.removeprefix("/file/").partition("/")[2]),
            "X-Bz-Content-Sha1": _sha1(content),
            "X-Bz-Upload-Timestamp": str(UPLOADED),
        }
        return _answer(200, content, "application/octet-stream", about)

    def _store_upload(self, request: StoreRequest, bucket: str, body: bytes) -> StoreAnswer:
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


def _json(status: int, document: object) -> StoreAnswer:
    return _answer(status, json.dumps(document).encode(), "application/json;charset=utf-8")


class KodoStore(PlanStore):
    """Takes uploads and keeps nothing, as a WSGI application.

    The form: https://developer.qiniu.com/kodo/1272/form-upload. The form contains the key. So the path has no
    meaning for the service, and plans use the path to distinguish requests.
    """

    def answer(self, request: StoreRequest) -> StoreAnswer:
        """Answer a form with the key and the hash of its file, or with an error."""
        if request.method != "POST":
            drain(request)
            return self._json(405, {"error": "method not allowed"})
        body = cast("IO[bytes]", request.body)
        parser = FormDataParser()
        _, form, files = parser.parse(body, request.mimetype, request.content_length, request.mimetype_params)
        file, key = files.get("file"), form.get("key")
        content = b"" if file is None else file.read()
        for uploaded in files.values():
            uploaded.close()
        if file is None or key is None:
            return self._json(400, {"error": "file or key is not specified in the form"})
        digest = sha1(content, usedforsecurity=False).digest()
        # The form of the hash: https://developer.qiniu.com/kodo/1231/appendix#qiniu-etag
        return self._json(200, {"hash": urlsafe_b64encode(b"\x16" + digest).decode(), "key": key})

    @staticmethod
    def _json(status: int, document: object) -> StoreAnswer:
        identity = {"X-Reqid": token_urlsafe(12)}
        return _answer(status, json.dumps(document).encode(), "application/json", identity)


class SwiftStore(PlanStore):
    """Keeps objects in memory, as a WSGI application.

    Every account and every container exists. The API:
    https://docs.openstack.org/api-ref/object-store/. A path is `/v1/ACCOUNT/CONTAINER/OBJECT`.
    """

    def answer(self, request: StoreRequest) -> StoreAnswer:
        """Answer with an object's content, or confirm that it was written."""
        answer = self._answer(request, request.path.split("/", 3)[-1], request.body.read())
        answer.headers["X-Trans-Id"] = answer.headers["X-Openstack-Request-Id"] = f"tx{token_hex(16)}"
        return answer

    def _answer(self, request: StoreRequest, name: str, body: bytes) -> StoreAnswer:
        if request.method == "PUT":
            self.objects[name] = body
            return _about(body, _answer(201))
        if request.method not in {"GET", "HEAD"}:
            return _answer(405)
        content = self.objects.get(name)
        if content is None:
            return _answer(404)
        return _about(content, _answer(200, content, "application/octet-stream"))


def _about(content: bytes, answer: StoreAnswer) -> StoreAnswer:
    answer.headers["Etag"] = md5(content, usedforsecurity=False).hexdigest()
    return answer


def _answer(
    status: int, body: bytes = b"", content_type: str = "", headers: Mapping[str, str] = MappingProxyType({})
) -> StoreAnswer:
    answer = StoreAnswer(body, status=status_line(status))
    if content_type:
        answer.headers["Content-Type"] = content_type
    answer.headers.extend(headers)
    return answer
