"""Of Backblaze B2's native API just what a conformance plan asks for: a file is uploaded and downloaded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha1
from secrets import token_hex
from urllib.parse import quote, unquote

from werkzeug.wrappers import Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

API = "/b2api/"
AT_END = "hex_digits_at_end"
"""What stands for the SHA-1 of a body that has its 40 digits behind it."""
UPLOADED = 1_760_000_000_000
"""When every file was uploaded, milliseconds of the Unix clock."""


class B2Store:
    """Keeps files in memory, as a WSGI application; a bucket is there as soon as it is named, and its id is its name.

    The API: https://www.backblaze.com/apidocs. What stands before `/b2api/` in a path is of no account, and comes back in
    the address of an upload.
    """

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """Make files with that content; large ones that are not finished there are none."""
        del uploads
        self._files.update((f"{bucket}/{key}", content) for key in objects)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with Request(environ) as request:
            return self._answer(request, request.get_data())(environ, start_response)

    def _answer(self, request: Request, body: bytes) -> Response:
        before, _, asked = request.path.partition(API)
        _, _, call = asked.partition("/")
        operation, _, rest = call.partition("/")
        if request.method == "POST" and operation == "b2_get_upload_url":
            bucket = json.loads(body)["bucketId"]
            url = f"{request.host_url.rstrip('/')}{before}{API}v4/b2_upload_file/{bucket}/{token_hex(8)}"
            return _json(200, {"bucketId": bucket, "uploadUrl": url, "authorizationToken": "token"})
        if request.method == "POST" and operation == "b2_upload_file":
            return self._uploaded(request, rest.partition("/")[0], body)
        found = self._files.get(request.path.removeprefix("/file/"))
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
        self._files[f"{bucket}/{name}"] = content
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
