"""Of Qiniu Kodo's own API just what a conformance plan asks for: an upload by a form."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha1
from secrets import token_urlsafe

from werkzeug.wrappers import Request, Response

from faultinject.store.bodies import drain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class KodoStore:
    """Takes uploads and keeps nothing, as a WSGI application.

    The form: https://developer.qiniu.com/kodo/1272/form-upload. It has the key in it, so the path is of no account
    to the service, and may tell a request from others.
    """

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """There is nothing to be read."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with Request(environ) as request:
            return _answer(request)(environ, start_response)


def _answer(request: Request) -> Response:
    if request.method != "POST":
        drain(request)
        return _json(405, {"error": "method not allowed"})
    file, key = request.files.get("file"), request.form.get("key")
    if file is None or key is None:
        return _json(400, {"error": "file or key is not specified in the form"})
    digest = sha1(file.read(), usedforsecurity=False).digest()
    # The hash's form: https://developer.qiniu.com/kodo/1231/appendix#qiniu-etag
    return _json(200, {"hash": urlsafe_b64encode(b"\x16" + digest).decode(), "key": key})


def _json(status: int, document: object) -> Response:
    headers = {"X-Reqid": token_urlsafe(12)}
    return Response(json.dumps(document), status=status, content_type="application/json", headers=headers)
