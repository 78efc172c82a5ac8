"""Of OpenStack Swift's own API just what a conformance plan asks for: an object is written and read."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from secrets import token_hex

from werkzeug.wrappers import Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class SwiftStore:
    """Keeps objects in memory, as a WSGI application; containers and accounts are there as soon as they are named.

    The API: https://docs.openstack.org/api-ref/object-store/. A path is `/v1/ACCOUNT/CONTAINER/OBJECT`.
    """

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """Make objects with that content; Swift has no uploads that could be begun."""
        del uploads
        self._objects.update((f"{bucket}/{key}", content) for key in objects)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with Request(environ) as request:
            answer = self._answer(request, request.path.split("/", 3)[-1], request.get_data())
        answer.headers["X-Trans-Id"] = answer.headers["X-Openstack-Request-Id"] = f"tx{token_hex(16)}"
        return answer(environ, start_response)

    def _answer(self, request: Request, name: str, body: bytes) -> Response:
        if request.method == "PUT":
            self._objects[name] = body
            return _about(body, Response(status=201))
        if request.method not in {"GET", "HEAD"}:
            return Response(status=405)
        found = self._objects.get(name)
        if found is None:
            return Response(status=404)
        return _about(found, Response(found, content_type="application/octet-stream"))


def _about(content: bytes, answer: Response) -> Response:
    answer.headers["Etag"] = md5(content, usedforsecurity=False).hexdigest()
    return answer
