"""Of OpenStack Swift's API just what a conformance plan asks for: objects that are written and read."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from http import HTTPStatus

from werkzeug.wrappers import Request, Response

from faultinject import vendors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class SwiftStore:
    """Objects below `/v1/ACCOUNT/CONTAINER/OBJECT` in memory, as a WSGI application.

    The requests and answers: https://docs.openstack.org/api-ref/object-store/#objects. Every container is there, and no
    token is asked for.
    """

    def __init__(self) -> None:
        self._contents: dict[tuple[str, str], bytes] = {}

    def fill(
        self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str] = (), content: bytes
    ) -> None:
        """Make objects with that content; Swift has no multipart uploads.

        Args:
            bucket: the container's name.
            objects: keys.
            uploads: of no account.
            content: of every object.
        """
        del uploads
        self._contents.update(((bucket, key), content) for key in objects)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with Request(environ) as request:
            return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        content = request.get_data()
        _, version, _, container, key = (*request.path.split("/", 4), "", "", "", "")[:5]
        if version != "v1" or not key:
            return _refused("404")
        if request.method == "PUT":
            self._contents[container, key] = content
            return _told(201, content, b"")
        if request.method not in ("GET", "HEAD"):
            return _refused("405")
        there = self._contents.get((container, key))
        return _refused("404") if there is None else _told(200, there, there)


def _told(status: int, content: bytes, body: bytes) -> Response:
    """A good answer about an object with that content."""
    etag = md5(content, usedforsecurity=False).hexdigest()
    return Response(body, status=status, headers={"Etag": etag}, content_type="application/octet-stream")


def _refused(code: str) -> Response:
    """Swift's own error."""
    swift = vendors.get("swift")
    row = swift.find(code)
    assert row.status is not None
    body = swift.render(
        code=row.code, message=row.message, status=row.status, ids={"reason": HTTPStatus(row.status).phrase}
    )
    return Response(body, status=row.status, content_type=swift.content_type)
