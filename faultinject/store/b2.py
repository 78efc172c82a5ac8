"""Of Backblaze B2's own API just what a conformance plan asks for: to authorize, to upload a file, to download one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha1
from typing import Any
from urllib.parse import quote, unquote

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from faultinject import vendors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MEGABYTES = 1_000_000
DIGEST = 40
"""Characters of a SHA-1, which an SDK may send behind the content: https://www.backblaze.com/apidocs/b2-upload-file"""
UNTOLD = {"isClientAuthorizedToRead": False, "value": None}
"""What a key is not allowed to read: https://www.backblaze.com/apidocs/b2-list-buckets"""
NAME, SHA1 = "X-Bz-File-Name", "X-Bz-Content-Sha1"


class B2Store:
    """Files by name in memory, as a WSGI application; a bucket's id is its name, and every bucket is there.

    The calls: https://www.backblaze.com/apidocs/introduction-to-the-b2-native-api. An address for uploads has the bucket's
    id in it, as Backblaze's have. What stands before `/b2api/` is of no account, and may tell a request from others.
    """

    def __init__(self) -> None:
        self._contents: dict[tuple[str, str], bytes] = {}

    def fill(
        self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str] = (), content: bytes
    ) -> None:
        """Make files with that content.

        Args:
            bucket: the bucket's name.
            objects: names.
            uploads: of no account: large files are not played.
            content: of every file.
        """
        del uploads
        self._contents.update(((bucket, key), content) for key in objects)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with Request(environ) as request:
            return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        content = request.get_data()
        first, _, rest = request.path[1:].partition("/")
        if first == "file":
            return self._download(*rest.partition("/")[::2])
        _, _, rest = request.path.partition("/b2api/")
        _, _, rest = rest.partition("/")
        call, _, bucket = rest.partition("/")
        if call == "b2_authorize_account":
            return _json(_authorized(request.host_url.rstrip("/")))
        if call == "b2_list_buckets":
            return _json({"buckets": [_bucket(json.loads(content).get("bucketName") or "")]})
        if call == "b2_get_upload_url":
            id_ = json.loads(content)["bucketId"]
            url = f"{request.url.partition('b2_get_upload_url')[0]}b2_upload_file/{quote(id_)}/c001"
            return _json({"bucketId": id_, "uploadUrl": url, "authorizationToken": "token"})
        if call == "b2_upload_file":
            return self._upload(bucket.partition("/")[0], request.headers, content)
        return _refused("bad_request")

    def _upload(self, bucket: str, headers: Headers, content: bytes) -> Response:
        key, digest = unquote(headers[NAME]), headers[SHA1]
        if digest == "hex_digits_at_end":
            content, digest = content[:-DIGEST], content[-DIGEST:].decode()
        if digest != sha1(content, usedforsecurity=False).hexdigest():
            return _refused("bad_request")
        self._contents[bucket, key] = content
        return _json(
            {**_file(bucket, key, content), "contentType": "application/octet-stream", "fileInfo": {}}
        )

    def _download(self, bucket: str, key: str) -> Response:
        content = self._contents.get((bucket, key))
        if content is None:
            return _refused("not_found")
        about = _file(bucket, key, content)
        headers = {
            "X-Bz-File-Id": about["fileId"],
            NAME: quote(key),
            SHA1: about["contentSha1"],
            "X-Bz-Upload-Timestamp": str(about["uploadTimestamp"]),
        }
        return Response(content, headers=headers, content_type="application/octet-stream")


def _authorized(url: str) -> dict[str, Any]:
    """What an SDK is to know (https://www.backblaze.com/apidocs/b2-authorize-account)."""
    able = {"capabilities": ["listBuckets", "readFiles", "writeFiles"], "namePrefix": None}
    storage = {
        **able,  # where version 3 has it; `allowed` is version 4's
        "absoluteMinimumPartSize": 5 * MEGABYTES,
        "allowed": {"buckets": None, **able},
        "apiUrl": url,
        "bucketId": None,
        "bucketName": None,
        "downloadUrl": url,
        "recommendedPartSize": 100 * MEGABYTES,
        "s3ApiUrl": url,
    }
    return {
        "accountId": "account",
        "apiInfo": {"storageApi": storage},
        "applicationKeyExpirationTimestamp": None,
        "authorizationToken": "token",
    }


def _bucket(name: str) -> dict[str, Any]:
    return {
        "accountId": "account",
        "bucketId": name,
        "bucketInfo": {},
        "bucketName": name,
        "bucketType": "allPrivate",
        "corsRules": [],
        "defaultServerSideEncryption": UNTOLD,
        "fileLockConfiguration": UNTOLD,
        "lifecycleRules": [],
        "options": [],
        "replicationConfiguration": UNTOLD,
        "revision": 1,
    }


def _file(bucket: str, key: str, content: bytes) -> dict[str, Any]:
    """A file version, but for what only an upload tells."""
    return {
        "accountId": "account",
        "action": "upload",
        "bucketId": bucket,
        "contentLength": len(content),
        "contentSha1": sha1(content, usedforsecurity=False).hexdigest(),
        "fileId": f"4_z_{sha1(f'{bucket}/{key}'.encode(), usedforsecurity=False).hexdigest()}",
        "fileName": key,
        "fileRetention": UNTOLD,
        "legalHold": UNTOLD,
        "serverSideEncryption": {"algorithm": None, "mode": None},
        "uploadTimestamp": 0,
    }


def _json(document: object) -> Response:
    return Response(json.dumps(document), content_type="application/json")


def _refused(code: str) -> Response:
    """B2's own error."""
    b2 = vendors.get("b2")
    row = b2.find(code)
    assert row.status is not None
    body = b2.render(code=row.code, message=row.message, status=row.status, ids={})
    return Response(body, status=row.status, content_type=b2.content_type)
