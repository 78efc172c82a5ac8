"""Of Backblaze B2's native API what an SDK asks for that uploads, lists and downloads files; large files there are none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha1
from secrets import token_hex
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from werkzeug.wrappers import Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

API = "/b2api/"
ACCOUNT = "account"
CAPABILITIES = "deleteFiles listBuckets listFiles readBuckets readFiles writeBuckets writeFiles".split()
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
        self._buckets: dict[str, None] = {}

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
        version, _, call = asked.partition("/")
        operation, _, rest = call.partition("/")
        if request.method == "POST" and operation == "b2_upload_file":
            return self._uploaded(request, rest.partition("/")[0], body)
        answer = self._calls.get(operation)
        if answer is not None:
            given = _parameters(request, body)
            if given is None:
                return _error(400, "bad_json", "the request's body is no JSON object")
            root = f"{request.host_url.rstrip('/')}{before}"
            return answer(self, given, root, f"{root}{API}{version}")
        found = self._files.get(request.path.removeprefix("/file/"))
        if found is None:
            return _error(404, "not_found", "File with such name does not exist.")
        about = {
            "X-Bz-File-Id": "4_z0",
            "X-Bz-File-Name": quote(request.path.removeprefix("/file/").partition("/")[2]),
            "X-Bz-Content-Sha1": _sha1(found),
            "X-Bz-Upload-Timestamp": str(UPLOADED),
        }
        return Response(found, content_type="application/octet-stream", headers=about)

    def _authorized(self, _given: dict[str, Any], root: str, _api: str) -> Response:
        """Whoever asks may do everything, by whatever key; each answer has a token of its own.

        The fields are those of all versions of the API: https://www.backblaze.com/apidocs/b2-authorize-account.
        """
        everything = {"bucketId": None, "bucketName": None, "buckets": None, "capabilities": CAPABILITIES}
        storage = {
            "absoluteMinimumPartSize": 5_000_000,
            "allowed": {**everything, "namePrefix": None},
            "apiUrl": root,
            "downloadUrl": root,
            "minimumPartSize": 100_000_000,
            "recommendedPartSize": 100_000_000,
            "s3ApiUrl": root,
            **everything,
            "namePrefix": None,
        }
        account = {
            "accountId": ACCOUNT,
            "apiInfo": {"storageApi": storage},
            "applicationKeyExpirationTimestamp": None,
            "authorizationToken": f"4_{token_hex(16)}",
        }
        return _json(200, {**storage, **account})

    def _address(self, given: dict[str, Any], _root: str, api: str) -> Response:
        bucket = str(given.get("bucketId"))
        url = f"{api}/b2_upload_file/{bucket}/{token_hex(8)}"
        return _json(200, {"bucketId": bucket, "uploadUrl": url, "authorizationToken": f"4_{token_hex(16)}"})

    def _created(self, given: dict[str, Any], _root: str, _api: str) -> Response:
        name = str(given.get("bucketName"))
        self._buckets[name] = None
        return _json(200, _bucket(name))

    def _listed_buckets(self, given: dict[str, Any], _root: str, _api: str) -> Response:
        named = given.get("bucketName") or given.get("bucketId")
        names = (
            [str(named)]
            if named
            else sorted({*self._buckets, *(each.partition("/")[0] for each in self._files)})
        )
        return _json(200, {"buckets": [_bucket(each) for each in names]})

    def _listed_files(self, given: dict[str, Any], _root: str, _api: str) -> Response:
        bucket, prefix = str(given.get("bucketId")), str(given.get("prefix") or "")
        start = f"{bucket}/{prefix}"
        files = [
            _file(bucket, each.removeprefix(f"{bucket}/"), self._files[each])
            for each in sorted(self._files)
            if each.startswith(start)
        ]
        return _json(200, {"files": files, "nextFileName": None, "nextFileId": None})

    def _uploaded(self, request: Request, bucket: str, body: bytes) -> Response:
        content = body[:-40] if request.headers["X-Bz-Content-Sha1"] == AT_END else body
        name = unquote(request.headers["X-Bz-File-Name"])
        self._files[f"{bucket}/{name}"] = content
        return _json(200, _file(bucket, name, content, request.content_type))

    # What answers a call: of its parameters, the address of the account and that of the API.
    _calls: Mapping[str, Callable[[B2Store, dict[str, Any], str, str], Response]] = MappingProxyType(
        {
            "b2_authorize_account": _authorized,
            "b2_create_bucket": _created,
            "b2_get_upload_url": _address,
            "b2_list_buckets": _listed_buckets,
            "b2_list_file_names": _listed_files,
            "b2_list_file_versions": _listed_files,
        }
    )


def _parameters(request: Request, body: bytes) -> dict[str, Any] | None:
    """Those of the query, and of the body if it has any."""
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return {**request.args, **found} if isinstance(found, dict) else None


def _bucket(name: str) -> dict[str, Any]:
    unread = {"isClientAuthorizedToRead": True, "value": None}
    return {
        "accountId": ACCOUNT,
        "bucketId": name,
        "bucketInfo": {},
        "bucketName": name,
        "bucketType": "allPrivate",
        "corsRules": [],
        "defaultServerSideEncryption": {**unread, "value": {"algorithm": None, "mode": None}},
        "fileLockConfiguration": {
            **unread,
            "value": {"defaultRetention": {"mode": None, "period": None}, "isFileLockEnabled": False},
        },
        "lifecycleRules": [],
        "options": [],
        "replicationConfiguration": unread,
        "revision": 1,
    }


def _file(bucket: str, name: str, content: bytes, kind: str | None = None) -> dict[str, Any]:
    return {
        "accountId": ACCOUNT,
        "action": "upload",
        "bucketId": bucket,
        "contentLength": len(content),
        "contentSha1": _sha1(content),
        "contentType": kind or "application/octet-stream",
        "fileId": "4_z0",
        "fileInfo": {},
        "fileName": name,
        "fileRetention": {"isClientAuthorizedToRead": True, "value": {"mode": None, "period": None}},
        "legalHold": {"isClientAuthorizedToRead": True, "value": None},
        "uploadTimestamp": UPLOADED,
    }


def _sha1(content: bytes) -> str:
    return sha1(content, usedforsecurity=False).hexdigest()


def _error(status: int, code: str, message: str) -> Response:
    return _json(status, {"code": code, "message": message, "status": status})


def _json(status: int, document: object) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json;charset=utf-8")
